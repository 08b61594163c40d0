from pathlib import Path

import pytest

from hub.connectors.mapping import DEFAULT_ASSUMED, Price
from hub.connectors.mapping_reader import DEFAULT_PRICES, MAPPINGS_DIR, read_mappings
from hub.errors import MappingError
from tests.auth.parts import catalogue, read_codes

CODES = read_codes()
GOOD = (MAPPINGS_DIR / "tax.toml").read_text("utf-8")


def read(folder: Path, text: str):
    (folder / "tax.toml").write_text(text, "utf-8")
    return read_mappings(catalogue(), CODES, [folder])


def test_the_shipped_mappings_cover_every_field_of_their_agencies():
    mappings = read_mappings(catalogue(), CODES)
    for record in catalogue().agency_types():
        mapping = mappings[record.agency]
        assert {*mapping.rules, *mapping.nested} == {field.name for field in record.fields}


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param('agency = "tax"', 'agency = "moon"', "unknown agency moon", id="agency"),
        pytest.param('kind = "rest"', 'kind = "telex"', "unknown kind telex", id="kind"),
        pytest.param('key = "id"\n', "", "lacks key", id="no key"),
        pytest.param(
            "selfEmployed =",
            "selfMade =",
            r"tax\.toml:\d+: TaxRecord\.selfMade: unknown coordinate",
            id="unknown coordinate",
        ),
        pytest.param('taxOffice = "swjg"\n', "", r"TaxRecord\.taxOffice: is not mapped", id="unmapped"),
        pytest.param(
            'selfEmployed = "gtjy"',
            'selfEmployed = { from = "gtjy", magic = 1 }',
            "unknown key magic",
            id="unknown key",
        ),
        pytest.param('{ from = "srqj", standard = true }', '"srqj"', "needs `standard = true`", id="codes missing"),
        pytest.param(
            '{ from = "srqj", standard = true }',
            '{ from = "srqj", codes = "x" }',
            "known code table, not x",
            id="code table",
        ),
        pytest.param(
            'taxOffice = "swjg"',
            'taxOffice = { from = "swjg", is_in = ["1"] }',
            "is_in does not make a String",
            id="test on a text",
        ),
        pytest.param('filings = { at = "sb" }', 'filings = "sb"', "a nested record needs `at`", id="nested"),
        pytest.param(
            'taxOffice = "swjg"', 'taxOffice = { from = "swjg", factor = 2 }', "a factor does not fit", id="factor"
        ),
        pytest.param(
            'selfEmployed = "gtjy"',
            'selfEmployed = { from = "gtjy", default = "no" }',
            r"tax\.toml:\d+: TaxRecord\.selfEmployed: default does not fit Boolean",
            id="default",
        ),
        pytest.param(
            '{ from = "srqj", standard = true }',
            '{ from = "srqj", standard = true, default = "RICH" }',
            "income-band has no RICH",
            id="default code",
        ),
        pytest.param(
            "[fields.Filing]",
            '[fields.Sentence]\ncourt = "x"\n[fields.Filing]',
            r"Sentence\.court: belongs to justice",
            id="foreign field",
        ),
        pytest.param(
            "call = 100", "call = -1", r"tax\.toml:\d+: price\.call: needs a whole number", id="negative price"
        ),
        pytest.param("call = 100", "call = 1.5", r"price\.call: needs a whole number", id="price not whole"),
        pytest.param("call = 100", "call = true", r"price\.call: needs a whole number", id="price not a number"),
        pytest.param("call = 100", "cal = 100", r"price\.cal: unknown key cal", id="price misspelt"),
        pytest.param("assumed = 24", "assumed = 0", r"insurancePayments: needs a whole number", id="no assumed rows"),
        pytest.param("assumed = 24", "assumed = 201", "from 1 to 200", id="more rows than a connector takes"),
        pytest.param("[price]", "[[price]]", "price: is a table of call", id="price not a table"),
        pytest.param('kind = "rest"', 'kind = "rest', r"tax\.toml:\d+: not TOML", id="not TOML"),
    ],
)
def test_a_bad_mapping_does_not_start(tmp_path, old, new, error):
    assert old in GOOD
    with pytest.raises(MappingError, match=error):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_a_price_that_is_not_given_is_that_of_the_kind(tmp_path):
    text = GOOD.replace("call = 100\nrecord = 10\n", "record = 7\n")
    assert read(tmp_path, text)["tax"].price == Price(call=DEFAULT_PRICES["rest"].call, record=7)


def test_a_list_without_an_assumed_size_has_the_default_and_a_single_record_has_one():
    mappings = read_mappings(catalogue(), CODES)
    assert mappings["tax"].nested["insurancePayments"].assumed == 24
    assert mappings["tax"].nested["filings"].assumed == DEFAULT_ASSUMED
    assert mappings["justice"].nested["handover"].assumed == 1


def test_a_single_record_has_no_assumed_size(tmp_path):
    good = (MAPPINGS_DIR / "justice.toml").read_text("utf-8")
    (tmp_path / "justice.toml").write_text(good.replace('{ at = "ZF_XJ",', '{ at = "ZF_XJ", assumed = 2,'), "utf-8")
    with pytest.raises(MappingError, match=r"JusticeRecord\.handover: assumed is the size of a list"):
        read_mappings(catalogue(), CODES, [tmp_path])


def test_tax_is_dearer_than_any_database():
    mappings = read_mappings(catalogue(), CODES)
    for other in (mapping for mapping in mappings.values() if mapping.kind == "sql"):
        assert mappings["tax"].price.call > other.price.call
        assert mappings["tax"].price.record > other.price.record


JUSTICE = (MAPPINGS_DIR / "justice.toml").read_text("utf-8")
SEALED_NAME = 'name = { from = "XM_MW", sealed = true }'


def read_justice(folder: Path, *changes: tuple[str, str]):
    text = JUSTICE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "justice.toml").write_text(text, "utf-8")
    return read_mappings(catalogue(), CODES, [folder])["justice"]


def test_a_mapping_says_which_columns_are_held_sealed(tmp_path):
    mapping = read_justice(tmp_path, ('name = "XM"\nformerName', f"{SEALED_NAME}\nformerName"))
    assert mapping.rules["name"].sealed
    assert not mapping.rules["alias"].sealed


def test_a_nested_table_with_sealed_columns_names_its_row(tmp_path):
    nested = ('name = "XM"\nphone = "DH"', f'{SEALED_NAME}\nphone = "DH"')
    at = 'familyMembers = { at = "ZF_JT", key = "ZFBH", order = "XH"'
    assert read_justice(tmp_path, nested, (at, f'{at}, row = "XH"')).nested["familyMembers"].row == "XH"
    with pytest.raises(MappingError, match=r"familyMembers: sealed columns need `row`"):
        read_justice(tmp_path, nested)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param(
            'facility = "JS"', 'facility = { from = "JS", sealed = true }', "does not declare it sealed", id="catalogue"
        ),
        pytest.param(
            'birthDate = "CSRQ"', 'birthDate = { from = "CSRQ", sealed = true }', "only one String", id="no text"
        ),
        pytest.param(
            'name = "XM"\nformerName',
            'name = { from = "XM", sealed = true, format = "%Y" }\nformerName',
            "format cannot read a sealed value",
            id="format",
        ),
    ],
)
def test_what_cannot_be_held_sealed_does_not_start(tmp_path, old, new, error):
    with pytest.raises(MappingError, match=error):
        read_justice(tmp_path, (old, new))


def test_only_a_sql_source_holds_sealed_values(tmp_path):
    with pytest.raises(MappingError, match="only a SQL source"):
        read(tmp_path, GOOD.replace('"nsrsbh"\nname', '{ from = "nsrsbh", sealed = true }\nname', 1))


POLICE = (MAPPINGS_DIR / "police.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param('record = "cfbh"\n', "", "lacks record", id="no record"),
        pytest.param('at = "xz_cf"\n', "", "lacks at", id="no table"),
        pytest.param("[index] # what", "[indexed] # what", "SQL source whose", id="no index"),
    ],
)
def test_a_table_of_sealed_records_is_whole_or_refused(tmp_path, old, new, error):
    assert old in POLICE
    copied = 'allows = ["replica", "fallback"]\n'  # needs an index too
    assert copied in POLICE
    (tmp_path / "police.toml").write_text(POLICE.replace(copied, "").replace(old, new, 1), "utf-8")
    with pytest.raises(MappingError, match=error):
        read_mappings(catalogue(), CODES, [tmp_path])


def test_only_the_police_name_a_table_of_sealed_records():
    mappings = read_mappings(catalogue(), CODES)
    assert {agency for agency, mapping in mappings.items() if mapping.vaulted} == {"police"}
