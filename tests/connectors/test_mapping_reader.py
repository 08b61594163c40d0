from pathlib import Path

import pytest

from hub.connectors.mapping_reader import MAPPINGS_DIR, read_mappings
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
        pytest.param('kind = "rest"', 'kind = "rest', r"tax\.toml:\d+: not TOML", id="not TOML"),
    ],
)
def test_a_bad_mapping_does_not_start(tmp_path, old, new, error):
    assert old in GOOD
    with pytest.raises(MappingError, match=error):
        read(tmp_path, GOOD.replace(old, new, 1))
