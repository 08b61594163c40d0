from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric

from hub.domain.identity_number import IdentityNumber, IdentityNumberError, check_character

REGIONS = st.sampled_from(["110105", "360702", "310101", "440305"])


@st.composite
def numbers(draw):
    born = draw(st.dates(date(1900, 1, 1), date(2025, 12, 31)))
    body = f"{draw(REGIONS)}{born:%Y%m%d}{draw(st.integers(1, 995)):03d}"
    return body + check_character(body)


def test_the_standards_own_example():
    number = IdentityNumber.parse("11010519491231002x")
    assert (str(number), number.birth_date, number.male) == ("11010519491231002X", date(1949, 12, 31), False)
    assert number.fifteen == "110105491231002"


@given(number=numbers())
def test_every_form_is_read_as_one_number(number):
    parsed = IdentityNumber.parse(number)
    assert {IdentityNumber.parse(form) for form in parsed.variants()} == {parsed}
    assert IdentityNumber.parse(f" {number[:6]} {number[6:]} ") == parsed


@given(number=numbers())
def test_we_agree_with_another_implementation(number):
    assume(ric.get_birth_date(number))
    assert ric.calc_check_digit(number) == number[-1]
    assert ric.get_birth_date(number) == IdentityNumber.parse(number).birth_date


@given(number=numbers(), position=st.integers(0, 16), digit=st.integers(0, 9))
def test_one_wrong_digit_is_noticed(number, position, digit):
    wrong = number[:position] + str(digit) + number[position + 1 :]
    if wrong != number:
        with pytest.raises(IdentityNumberError):
            IdentityNumber.parse(wrong)


@given(text=st.text(min_size=7, max_size=80))
def test_noise_is_refused_without_repeating_it(text):
    assume(len(text) > 6 and not any(character.isdigit() for character in text))
    with pytest.raises(IdentityNumberError) as refused:
        IdentityNumber.parse(text)
    with pytest.raises(IdentityNumberError) as other:
        IdentityNumber.parse("\N{BLACK SQUARE}" * len(text))
    assert str(refused.value) == str(other.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "110105194912310021",
        "11010519490231002X",
        "A1010519491231002X",
        "1101051949123100",
        "110105491231",
        "9" * 18,
    ],
)
def test_impossible_numbers_are_refused(text):
    with pytest.raises(IdentityNumberError):
        IdentityNumber.parse(text)


@pytest.mark.parametrize(("sequence", "year"), [("995", 1949), ("996", 1849), ("999", 1849)])
def test_old_sequences_of_centenarians(sequence, year):
    assert IdentityNumber.parse(f"110105491231{sequence}").birth_date.year == year
