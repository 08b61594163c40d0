"""What is asked together decides the mask (DOMAIN section 3.3)."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.combinations import mask_beside, read_combinations
from hub.auth.decision import Decision, DenialCode, Effect
from hub.auth.masks import MASK_NAMES, mask
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import MASKS
from hub.domain.identity_number import check_character
from hub.errors import PolicyError
from tests.auth.parts import POLICIES, catalogue

FILE = POLICIES / "combinations.toml"
SHIPPED = read_combinations(FILE, catalogue())
LONG, SHORT = "identity-number-6-4", "identity-number"
NUMBER = "Person.identityNumber"


def long_masked() -> Catalogue:
    """The catalogue with identity numbers masked 6+4, as an agency may declare its own."""
    fields = {
        name: replace(field, mask=LONG) if field.mask == SHORT else field for name, field in catalogue().fields.items()
    }
    return Catalogue(types=catalogue().types, fields=fields)


def decisions(**effects: Effect) -> dict[str, Decision]:
    given = {name.replace("__", "."): effect for name, effect in effects.items()}
    return {
        name: Decision(
            effect=given.get(name, Effect.MASKED),
            policies=(),
            denial=DenialCode.FIELD_DENIED if given.get(name) is Effect.DENIED else None,
        )
        for name in catalogue().fields
    }


def chosen(asked: set[str], **effects: Effect) -> str | None:
    fields = long_masked()
    return mask_beside(fields.fields[NUMBER], asked, decisions(**effects), fields, SHIPPED)


@pytest.mark.parametrize("beside", ["Person.birthDate", "JusticeRecord.birthDate", "PoliceRecord.birthDate"])
@pytest.mark.parametrize("effect", [Effect.FULL, Effect.MASKED, Effect.SEALED])
def test_beside_a_birth_date_the_number_keeps_first_and_last_only(beside, effect):
    assert chosen({NUMBER, beside}, **{beside.replace(".", "__"): effect}) == SHORT


def test_alone_or_beside_a_birth_date_that_is_denied_it_keeps_six_and_four():
    assert chosen({NUMBER, "Person.name"}) == LONG
    assert chosen({NUMBER, "Person.birthDate"}, Person__birthDate=Effect.DENIED) == LONG
    assert chosen({NUMBER, "Person.id", "Query.person"}) == LONG


@given(asked=st.sets(st.sampled_from(sorted(catalogue().fields))))
def test_asking_for_more_never_loosens_a_mask(asked):
    strict = chosen({NUMBER, *asked}) == SHORT
    assert not strict or chosen({NUMBER, *asked, "Person.name", "Person.birthDate"}) == SHORT
    dates = {name for name in asked if catalogue().fields[name].mask == "birth-date" or name.endswith(".birthDate")}
    assert strict is bool(dates)


def test_why_six_and_four_and_a_date_are_the_whole_number():
    """The search that the rule prevents: all that the mask leaves open, narrowed by date and check character."""
    body = "36070219900101" + "001"
    number = body + check_character(body)
    shown = mask(LONG, number)
    assert shown == "360702********" + number[-4:]
    assert shown[:6] + date(1990, 1, 1).strftime("%Y%m%d") + shown[-4:] == number
    assert mask(SHORT, number) == f"3{'*' * 16}{number[-1]}"


def test_no_mask_that_stands_in_for_another_gives_way_itself():
    """So one step suffices, in whatever order the rules stand."""
    assert not {rule.instead for rule in SHIPPED} & {rule.mask for rule in SHIPPED}


def test_the_catalogue_knows_the_masks_that_exist():
    assert MASKS == MASK_NAMES


GOOD = '[combinations.a]\nmask = "identity-number-6-4"\ninstead = "identity-number"\nbasis = "b"\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(GOOD.replace("6-4", "5-5"), "a: unknown mask identity-number-5-5", id="mask"),
        pytest.param(GOOD + 'beside_masks = ["age"]', "a: unknown mask age", id="mask beside"),
        pytest.param(GOOD + 'beside = ["Person.age"]', r"a: unknown coordinate Person\.age", id="coordinate"),
        pytest.param(GOOD.replace('basis = "b"', ""), "a: lacks basis", id="basis"),
        pytest.param(GOOD.replace("-6-4", ""), "a: a mask cannot give way to itself", id="itself"),
        pytest.param("[", "not TOML", id="syntax"),
    ],
)
def test_a_bad_file_does_not_start(tmp_path, text, error):
    path = tmp_path / "combinations.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=error):
        read_combinations(path, catalogue())
