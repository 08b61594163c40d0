import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.identity.matching.levels import LEVELS, MISSING, compare, name_level, number_level
from hub.identity.matching.traits import Traits, traits_of
from tests.identity.parts import number

TEXTS = st.text(alphabet="0123456789X 王李伟芳省市县镇号-/", max_size=20)
TRAITS = st.fixed_dictionaries(
    {}, optional={f"index.{name}": TEXTS for name in ("number", "called", "birth", "sex", "county", "address", "phone")}
).map(traits_of)


@given(TRAITS, TRAITS)
def test_comparing_is_symmetric_and_knows_only_its_levels(one, two):
    levels = compare(one, two)
    assert levels == compare(two, one)
    assert all(level == MISSING or level in LEVELS[field] for field, level in levels.items())


@given(TRAITS)
def test_a_record_is_like_itself_in_all_that_it_says(one):
    best = {levels[0] for levels in LEVELS.values()} | {MISSING, "county"}
    assert set(compare(one, one).values()) <= best


@given(st.integers(0, 999), st.integers(0, 17), st.integers(1, 9))
def test_no_slip_of_one_digit_leaves_a_number_valid(order, place, by):
    right = number(order)
    if right[place] == "X":
        return
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    with pytest.raises(IdentityNumberError):
        IdentityNumber.parse(wrong)
    assert compare(traits_of({"index.number": right}), traits_of({"index.number": wrong}))["number"] == "near"


@pytest.mark.parametrize(
    ("one", "two", "level"),
    [
        pytest.param(number(1), number(1), "equal", id="equal"),
        pytest.param(number(1), IdentityNumber(number(1)).fifteen, "equal", id="15 digits"),
        pytest.param(number(1), number(2), "differs", id="two valid ones"),
        pytest.param(
            number(1), number(1)[:15] + number(1)[16] + number(1)[15] + number(1)[17:], "near", id="transposed"
        ),
        pytest.param(number(1), "not a number", MISSING, id="none"),
    ],
)
def test_numbers(one, two, level):
    assert number_level(traits_of({"index.number": one}), traits_of({"index.number": two})) == level


@pytest.mark.parametrize(
    ("one", "two", "level"),
    [
        ("王伟", "王玮", "homophone"),
        ("王小明", "王小鸣", "homophone"),
        ("欧阳建国", "欧阳建", "one character"),
        ("王伟", "王芳", "differs"),
        ("王伟", "", MISSING),
    ],
)
def test_names(one, two, level):
    assert name_level(one, two) == level


@pytest.mark.parametrize(
    ("one", "two", "level"),
    [
        ("1980-03-05", "19800503", "swapped"),
        ("1980-03-05", "1980/03/15", "one part"),
        ("1980-03-05", "1981-04-05", "differs"),
        ("1980-03-05", "1980-13-05", MISSING),
    ],
)
def test_birth_dates(one, two, level):
    assert compare(traits_of({"index.birth": one}), traits_of({"index.birth": two}))["birth"] == level


@pytest.mark.parametrize(
    ("one", "two", "level"),
    [
        ("江西省赣州市章贡区水口镇红旗大道12号", "江西省赣州市章贡区水口镇红旗大道12号之一", "near"),
        ("江西省赣州市章贡区水口镇红旗大道12号", "江西省赣州市章贡区水口镇红旗大道122号", "township"),
        ("江西省赣州市章贡区水口镇红旗大道12号", "江西省赣州市章贡区沙河镇章江路7号", "county"),
    ],
)
def test_places(one, two, level):
    first, second = (Traits(counties=("360702",), addresses=(text,)) for text in (one, two))
    assert compare(first, second)["place"] == level
