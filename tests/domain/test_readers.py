from pathlib import Path

import pytest

from hub.domain.catalogue_reader import FACETS, read_catalogue
from hub.domain.codes_reader import read_codes
from hub.errors import CatalogueError, CodeListError

CODES = read_codes()
CATALOGUE = read_catalogue(CODES)
GOOD = """agency = "moon"
[types.MoonRecord]
person_field = "moon"
zh = "月"
en = "moon"
[fields.MoonRecord]
crater = { type = "String", group = "FG13", class = 2, zh = "坑", en = "crater" }
"""
PERSON = """[types.Person]
zh = "人"
en = "person"
[fields.Person]
name = { type = "String", group = "FG1", class = 2, zh = "名", en = "name" }
"""


def read(folder: Path, text: str):
    (folder / "person.toml").write_text(PERSON, "utf-8")
    (folder / "moon.toml").write_text(text, "utf-8")
    return read_catalogue(CODES, [folder])


def test_the_shipped_catalogue_is_as_large_as_promised():
    assert len(CATALOGUE.fields) >= 160
    assert [record.agency for record in CATALOGUE.agency_types()] == [
        "civil-affairs",
        "justice",
        "police",
        "social-security",
        "tax",
    ]
    for group in (f"FG{n}" for n in range(17)):
        assert any(field.group == group for field in CATALOGUE.fields.values()), group


def test_every_field_knows_where_it_was_declared():
    for field in CATALOGUE.fields.values():
        assert field.line > 0, field.coordinate


def test_a_good_file_is_read(tmp_path):
    assert "MoonRecord.crater" in read(tmp_path, GOOD).fields


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param("class = 2, ", "", r"moon\.toml:7: MoonRecord\.crater: is not classified", id="unclassified"),
        pytest.param('"FG13"', '"FG77"', r"moon\.toml:7: MoonRecord\.crater: unknown field group FG77", id="group"),
        pytest.param('"FG13"', '"FG13", facet = "shoe"', "unknown facet shoe of FG13", id="facet"),
        pytest.param('type = "String"', 'code = "no-list"', "unknown code list no-list", id="code list"),
        pytest.param('type = "String"', 'type = "Money"', "unknown type Money", id="type"),
        pytest.param('type = "String"', 'list = "Nowhere"', r"moon\.toml:7: .*unknown record type", id="record type"),
        pytest.param('zh = "坑", ', "", "description in both languages", id="no Chinese"),
        pytest.param('zh = "坑"', 'zh = "坑", colour = 1', "unknown key colour", id="unknown key"),
        pytest.param('zh = "坑"', 'zh = "坑", mask = "wig"', "unknown mask wig", id="mask"),
        pytest.param(
            "[fields.MoonRecord]",
            "[fields.SunRecord]",
            r"moon\.toml:6: SunRecord: field of an undeclared type",
            id="undeclared type",
        ),
        pytest.param("crater =", "Crater =", "is not a field name", id="field name"),
        pytest.param('agency = "moon"\n', "", "needs the file's agency", id="no agency"),
        pytest.param('person_field = "moon"\n', "", "must hang on 1 fields, hangs on 0", id="orphan"),
        pytest.param('"String"', '"String', r"moon\.toml:7: not TOML", id="not TOML"),
    ],
)
def test_a_doubtful_declaration_does_not_start(tmp_path, old, new, error):
    assert old in GOOD
    with pytest.raises(CatalogueError, match=error):
        read(tmp_path, GOOD.replace(old, new))


def test_a_field_declared_in_two_files_does_not_start(tmp_path):
    (tmp_path / "second.toml").write_text(
        GOOD.split("[fields", 1)[0].replace("MoonRecord", "Other").replace('"moon"\nzh', '"other"\nzh')
        + '[fields.Other]\na = { type = "String", group = "FG13", class = 1, zh = "a", en = "a" }\n[fields.MoonRecord]\ncrater = { type = "String", group = "FG13", class = 2, zh = "坑", en = "c" }\n',
        "utf-8",
    )
    with pytest.raises(CatalogueError, match=r"second\.toml:\d+: MoonRecord\.crater: declared before in moon\.toml"):
        read(tmp_path, GOOD)


LIST = """[shape]
type_name = "Shape"
edition = "ours"
zh = "形"
en = "shape"
[shape.items]
ROUND = ["1", "圆", "round"]
FLAT = ["2", "平", "flat"]
"""


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param('"2"', '"1"', r"x\.toml:8: shape\.items\.FLAT|code 1 twice", id="code twice"),
        pytest.param("FLAT", "flat", "is not an enum name", id="name"),
        pytest.param('["2", "平", "flat"]', '["2"]', "needs code, Chinese, English", id="short"),
        pytest.param('"flat"]', '"flat", "2020-13-01"]', "bad date", id="date"),
        pytest.param('"flat"]', '"flat", "2020-01-02", "2020-01-01"]', "ends before it begins", id="dates"),
        pytest.param('"flat"]', '"flat", "2020-01-01", "2021-01-01", "9"]', "unknown successor 9", id="successor"),
        pytest.param('en = "shape"\n', "", "lacks en", id="no English"),
    ],
)
def test_a_doubtful_code_list_does_not_start(tmp_path, old, new, error):
    (tmp_path / "x.toml").write_text(LIST.replace(old, new), "utf-8")
    with pytest.raises(CodeListError, match=error):
        read_codes([tmp_path])


def test_regions_are_dated_and_succeeded():
    from datetime import date

    old = CODES["region"].item("360782")
    assert (old.zh, old.successor) == ("南康市", "360703")
    assert old.valid_on(date(2010, 1, 1))
    assert not old.valid_on(date(2020, 1, 1))
    assert CODES["region"].admits("360702001")
    assert not CODES["region"].admits("36A702")


def test_facets_cover_every_group_of_the_domain():
    assert list(FACETS) == [f"FG{n}" for n in range(19)]
