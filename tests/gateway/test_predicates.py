"""Predicates against truth tables written from DOMAIN 2, and what is fetched, released and noted for them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.errors import CatalogueError
from hub.gateway.plan import Planner
from hub.gateway.predicates import ALL, Known, _months_before, answer, bind_predicates
from hub.gateway.survivorship import read_survivorship
from tests.auth.parts import catalogue, judge

DAY = date(2026, 11, 25)
BY_NAME = {predicate.name: predicate for predicate in ALL}
SOCIAL, CIVIL, POLICE = "SocialSecurityRecord", "CivilAffairsRecord", "PoliceRecord"
days = st.one_of(st.none(), st.integers(-400, 400).map(lambda offset: DAY + timedelta(days=offset)))


def decide(name: str, values: dict, silent=()) -> bool | None:
    found = answer(BY_NAME[name], Known(values, frozenset(silent)), DAY)
    return found and found[0].holds


@given(
    st.lists(st.sampled_from(["ACTIVE", "PAUSED", "ENDED", None]), max_size=4),
    st.sampled_from(["ACTIVE", "PAUSED", None]),
)
def test_insured_is_who_has_any_active_insurance(accounts, medical):
    values = {
        f"{SOCIAL}.insuranceAccounts": [{"status": item} for item in accounts],
        f"{SOCIAL}.medicalStatus": medical,
    }
    assert decide("insuredNow", values) == ("ACTIVE" in accounts or medical == "ACTIVE")


spells = st.lists(st.fixed_dictionaries({"startedOn": days, "endedOn": days}), max_size=4)


@given(spells, spells)
def test_employed_is_who_has_a_spell_that_runs_today(jobs, welfare):
    values = {f"{SOCIAL}.employmentSpells": jobs, f"{SOCIAL}.publicWelfareJobs": welfare}
    expected = any(
        spell["startedOn"] and spell["startedOn"] <= DAY and not (spell["endedOn"] and spell["endedOn"] <= DAY)
        for spell in jobs + welfare
    )
    assert decide("employedNow", values) == expected


reliefs = st.lists(
    st.fixed_dictionaries(
        {
            "reliefType": st.sampled_from(["MINIMUM_LIVING", "DESTITUTE", "MARGINAL", "TEMPORARY", "VAGRANT", None]),
            "decision": st.sampled_from(["GRANTED", "REFUSED", "PENDING", "STOPPED", None]),
            "validFrom": days,
            "validTo": days,
        }
    ),
    max_size=4,
)


def low_income(cases, flag) -> bool:
    running = [
        case
        for case in cases
        if case["reliefType"] in ("MINIMUM_LIVING", "DESTITUTE", "MARGINAL") and case["decision"] == "GRANTED"
        if case["validFrom"] and case["validFrom"] <= DAY and (not case["validTo"] or case["validTo"] >= DAY)
    ]
    return bool(running) or flag is True


@given(reliefs, st.sampled_from([True, False, None]))
def test_low_income_is_running_relief_or_the_register(cases, flag):
    values = {f"{CIVIL}.reliefCases": cases, f"{CIVIL}.lowIncome": flag}
    assert decide("lowIncome", values) == low_income(cases, flag)


@given(
    st.lists(st.fixed_dictionaries({"registeredOn": days, "endedOn": days}), max_size=3),
    st.booleans(),
    reliefs,
    st.booleans(),
    st.sets(st.sampled_from([SOCIAL, CIVIL])),
)
def test_key_group_is_half_a_year_unemployed_or_low_income_with_certificate(
    unemployed, certificate, cases, flag, silent
):
    values = {
        f"{SOCIAL}.unemploymentRegistrations": unemployed,
        f"{SOCIAL}.employmentCertificateNo": b"sealed" if certificate else None,
        f"{CIVIL}.reliefCases": cases,
        f"{CIVIL}.lowIncome": flag,
    }
    long = any(
        row["registeredOn"]
        and row["registeredOn"] <= date(2026, 5, 25)
        and not (row["endedOn"] and row["endedOn"] <= DAY)
        for row in unemployed
    )
    expected: bool | None = long or (certificate and low_income(cases, flag))
    if SOCIAL in silent or (CIVIL in silent and not long and certificate):
        expected = None
    assert decide("keyGroupEligible", values, silent) is expected


@pytest.mark.parametrize("status", ["NORMAL", "CANCELLED", "TO_BE_RESTORED", None])
def test_a_household_stands_only_where_it_is_normal(status):
    assert decide("householdRestored", {f"{POLICE}.householdStatus": status}) == (status == "NORMAL")


@pytest.mark.parametrize(
    ("name", "column"), [("inCustody", f"{POLICE}.inCustody"), ("escortNeeded", "JusticeRecord.needsEscort")]
)
@pytest.mark.parametrize("held", [True, False, None])
def test_a_flag_says_what_it_says(name, column, held):
    assert decide(name, {column: held}) == (held is True)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_agency_that_is_silent_leaves_it_unknown(name):
    silent = {source.partition(".")[0] for source in (*BY_NAME[name].flat, *BY_NAME[name].nested)}
    assert decide(name, {}, silent) is None
    assert decide(name, {}) is False


@given(spells)
def test_an_answer_is_never_good_beyond_its_facts(jobs):
    found = answer(BY_NAME["employedNow"], Known({f"{SOCIAL}.employmentSpells": jobs}, frozenset()), DAY)
    assert found is not None
    decided, until = found
    assert DAY <= until <= DAY + timedelta(days=31)
    if decided.holds:
        running = [job for job in jobs if job["startedOn"] and job["startedOn"] <= DAY]
        assert any(job["endedOn"] is None or job["endedOn"] > until for job in running)


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(1, 30))
def test_months_before_is_the_same_day_or_the_last_of_the_month(day, months):
    earlier = _months_before(day, months)
    assert (day.year * 12 + day.month) - (earlier.year * 12 + earlier.month) == months
    assert earlier.day == day.day or (earlier.day < day.day and (earlier + timedelta(days=1)).day == 1)


def plan(role: str, agency: str, purpose: str, *asked: str, registers: bool = False):
    planner = Planner(catalogue(), read_survivorship(catalogue()), members_only=frozenset({"justice"}))
    table = judge().table(DecisionClass(agency=agency, role=role, purpose=purpose, facts=Facts(own=True)))
    return planner.plan(table, frozenset(asked), through_registers=registers)


def test_a_clerk_gets_the_answer_without_any_column_of_the_record():
    coordinate = "PersonPredicates.keyGroupEligible"
    made = plan("tax", "tax", "TAX_RELIEF", coordinate, "UnemploymentRegistration.reason", registers=True)
    assert [item.coordinate for item in made.predicates] == [coordinate]
    assert made.pattern.predicate == (coordinate,)
    assert made.pattern.full == ()
    assert made.pattern.denied == ("UnemploymentRegistration.reason",)
    assert all(share.release == () for share in made.agencies.values())
    assert set(made.agencies) == {"social-security", "civil-affairs"}
    assert made.agencies["social-security"].fetch == {
        "SocialSecurityRecord.employmentCertificateNo",
        "SocialSecurityRecord.unemploymentRegistrations",
        "UnemploymentRegistration.registeredOn",
        "UnemploymentRegistration.endedOn",
    }


def test_what_a_role_may_not_know_is_fetched_from_nobody():
    made = plan("tax", "tax", "TAX_RELIEF", "PersonPredicates.inCustody", registers=True)
    assert made.predicates == ()
    assert made.agencies == {}
    assert made.pattern.denied == ("PersonPredicates.inCustody",)


def test_a_register_role_never_gets_an_answer_that_membership_decides():
    made = plan("civil-affairs", "civil-affairs", "RELIEF", "PersonPredicates.escortNeeded", registers=True)
    assert (made.predicates, made.agencies) == ((), {})


def test_even_a_role_with_the_record_is_noted_to_have_got_an_answer():
    made = plan("social-security", "social-security", "INSURANCE", "PersonPredicates.insuredNow")
    assert made.table.decisions["PersonPredicates.insuredNow"].effect is Effect.FULL
    assert made.pattern.predicate == ("PersonPredicates.insuredNow",)


def test_a_declared_predicate_that_nothing_computes_does_not_start():
    whole = catalogue()
    record = whole.types["PersonPredicates"]
    odd = replace(record, fields=(*record.fields, replace(record.fields[0], name="rich")))
    with pytest.raises(CatalogueError, match="nothing computes it"):
        bind_predicates(replace(whole, types={**whole.types, "PersonPredicates": odd}))
