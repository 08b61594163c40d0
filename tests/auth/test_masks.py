from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.masks import mask


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", "张三", "张*"),
        ("name", "张小明", "张*明"),
        ("name", "欧阳修", "欧阳*"),
        ("name", "欧阳小修", "欧阳*修"),
        ("name", "买买提·艾力", "买买提·*"),
        ("identity-number", "360700199001010018", "3****************8"),
        ("phone", "13812348000", "138****8000"),
        ("phone", "12345", "*****"),
        ("address", "江西省赣州市章贡区水口镇文清路12号", "江西省赣州市章贡区水口镇***"),
        ("address", "某处", "***"),
        ("bank-card", "6222021234567890", "************7890"),
        ("birth-date", date(1990, 5, 17), date(1990, 1, 1)),
    ],
)
def test_conventions(name, value, expected):
    assert mask(name, value) == expected


@given(text=st.text(min_size=1, max_size=40), name=st.sampled_from(["name", "identity-number", "phone", "bank-card"]))
def test_a_text_mask_never_gives_the_value_itself(text, name):
    if len(text) > 1 or name != "name":
        assert mask(name, text) != text or "*" in text  # what is hidden may have been a star


@given(day=st.dates())
def test_a_masked_birth_date_tells_only_the_year(day):
    assert mask("birth-date", day) == date(day.year, 1, 1)


@given(number=st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True))
def test_a_masked_identity_number_keeps_two_characters(number):
    assert sum(character != "*" for character in mask("identity-number", number)) == 2


@pytest.mark.parametrize(("name", "value"), [("name", 5), ("birth-date", "1990-01-01")])
def test_a_mask_of_the_wrong_type_is_an_error(name, value):
    with pytest.raises(TypeError):
        mask(name, value)


def test_an_unknown_mask_is_an_error():
    with pytest.raises(KeyError):
        mask("none", "x")
