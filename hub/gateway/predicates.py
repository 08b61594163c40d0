"""Answers instead of records: what the hub computes of agencies' facts for who may know the answer only.

Each predicate says which columns it needs and how they decide; it is given canonical values of exactly these. Pure.
An answer is unknown where an agency that would decide it did not answer; an agency that has no record says no.
Source of the rules: DOMAIN sections 2.3 to 2.6 (what each consumer needs), marked [P] where they are ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import PREDICATES
from hub.errors import CatalogueError

SOCIAL, POLICE, CIVIL, JUSTICE = "SocialSecurityRecord", "PoliceRecord", "CivilAffairsRecord", "JusticeRecord"
UNEMPLOYED_MONTHS = 6  # DOMAIN 2.5: registered as unemployed for at least half a year [R]
LOW_INCOME_RELIEF = frozenset({"MINIMUM_LIVING", "DESTITUTE", "MARGINAL"})


class UnknownError(Exception):
    """What would decide is not known, because its agency did not answer."""


class Known:
    """Values by coordinate, as far as agencies answered. A nested list is a sequence of mappings by field name."""

    def __init__(self, values: Mapping[str, Any], silent: frozenset[str]) -> None:
        self._values = values
        self._silent = silent

    def value(self, coordinate: str) -> Any:
        """None where the agency holds nothing.

        Raises:
            UnknownError: it did not answer.
        """
        if coordinate.partition(".")[0] in self._silent:
            raise UnknownError
        return self._values.get(coordinate)

    def rows(self, coordinate: str) -> Sequence[Mapping[str, Any]]:
        return self.value(coordinate) or ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`until`: the last day on which the facts themselves let it hold, where they say so."""

    holds: bool
    basis: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """What it needs (`flat` columns, `nested` lists with their fields), and for how many days an answer is good."""

    name: str
    flat: tuple[str, ...]
    nested: Mapping[str, tuple[str, ...]]
    valid_days: int
    decide: Callable[[Known, date], Answer]


def answer(predicate: Predicate, known: Known, day: date) -> tuple[Answer, date] | None:
    """The answer on `day` and the last day it is good for; None where it is not known."""
    try:
        found = predicate.decide(known, day)
    except UnknownError:
        return None
    limit = day + timedelta(days=predicate.valid_days)
    return found, limit if found.until is None else min(found.until, limit)


def _insured(known: Known, _day: date) -> Answer:
    if any(row["status"] == "ACTIVE" for row in known.rows(f"{SOCIAL}.insuranceAccounts")):
        return Answer(holds=True, basis="ACTIVE_ACCOUNT")
    if known.value(f"{SOCIAL}.medicalStatus") == "ACTIVE":
        return Answer(holds=True, basis="ACTIVE_MEDICAL_INSURANCE")
    return Answer(holds=False, basis="NO_ACTIVE_INSURANCE")


def _employed(known: Known, day: date) -> Answer:
    for name, basis in (("employmentSpells", "EMPLOYMENT_SPELL"), ("publicWelfareJobs", "PUBLIC_WELFARE_JOB")):
        running = [row for row in known.rows(f"{SOCIAL}.{name}") if _runs(row["startedOn"], row["endedOn"], day)]
        if running:
            ends = [row["endedOn"] for row in running]
            until = None if None in ends else max(ends) - timedelta(days=1)
            return Answer(holds=True, basis=basis, until=until)
    return Answer(holds=False, basis="NO_CURRENT_SPELL")


def _key_group(known: Known, day: date) -> Answer:
    """Decided by social security alone where that suffices, so that a silent civil affairs office does no harm."""
    since = _months_before(day, UNEMPLOYED_MONTHS)
    for row in known.rows(f"{SOCIAL}.unemploymentRegistrations"):
        start, end = row["registeredOn"], row["endedOn"]
        if start is not None and start <= since and (end is None or end > day):
            return Answer(holds=True, basis="REGISTERED_UNEMPLOYED_SIX_MONTHS")
    if known.value(f"{SOCIAL}.employmentCertificateNo") is None:
        return Answer(holds=False, basis="NO_KEY_GROUP")
    low = _low_income(known, day)
    if low.holds:
        return Answer(holds=True, basis="LOW_INCOME_WITH_CERTIFICATE", until=low.until)
    return Answer(holds=False, basis="NO_KEY_GROUP")


def _low_income(known: Known, day: date) -> Answer:
    running = [
        row["validTo"]
        for row in known.rows(f"{CIVIL}.reliefCases")
        if row["reliefType"] in LOW_INCOME_RELIEF
        and row["decision"] == "GRANTED"
        and row["validFrom"] is not None
        and row["validFrom"] <= day
        and (row["validTo"] is None or row["validTo"] >= day)
    ]
    if running:
        return Answer(holds=True, basis="RELIEF_RUNS", until=None if None in running else max(running))
    if known.value(f"{CIVIL}.lowIncome") is True:
        return Answer(holds=True, basis="LOW_INCOME_REGISTER")
    return Answer(holds=False, basis="NO_LOW_INCOME_RECORD")


def _household(known: Known, _day: date) -> Answer:
    status = known.value(f"{POLICE}.householdStatus")
    return Answer(holds=status == "NORMAL", basis="NO_RECORD" if status is None else f"HOUSEHOLD_{status}")


def _custody(known: Known, _day: date) -> Answer:
    held = known.value(f"{POLICE}.inCustody")
    return Answer(holds=held is True, basis="CUSTODY_RECORD" if held is not None else "NO_RECORD")


def _escort(known: Known, _day: date) -> Answer:
    needed = known.value(f"{JUSTICE}.needsEscort")
    return Answer(holds=needed is True, basis="PRISON_ASSESSMENT" if needed is not None else "NO_RECORD")


def _runs(start: date | None, end: date | None, day: date) -> bool:
    return start is not None and start <= day and (end is None or end > day)


def _months_before(day: date, months: int) -> date:
    """The same day `months` earlier, the last of the month where there is none (DOMAIN 1.1, as for terms)."""
    number = day.year * 12 + day.month - 1 - months
    for last in range(day.day, 27, -1):
        try:
            return date(number // 12, number % 12 + 1, last)
        except ValueError:
            continue
    return date(number // 12, number % 12 + 1, day.day)


_RELIEF = {f"{CIVIL}.reliefCases": ("reliefType", "decision", "validFrom", "validTo")}
_SPELL = ("startedOn", "endedOn")

ALL = (
    Predicate(
        name="insuredNow",
        flat=(f"{SOCIAL}.medicalStatus",),
        nested={f"{SOCIAL}.insuranceAccounts": ("status",)},
        valid_days=31,
        decide=_insured,
    ),
    Predicate(
        name="employedNow",
        flat=(),
        nested={f"{SOCIAL}.employmentSpells": _SPELL, f"{SOCIAL}.publicWelfareJobs": _SPELL},
        valid_days=31,
        decide=_employed,
    ),
    Predicate(
        name="keyGroupEligible",
        flat=(f"{SOCIAL}.employmentCertificateNo", f"{CIVIL}.lowIncome"),
        nested={f"{SOCIAL}.unemploymentRegistrations": ("registeredOn", "endedOn"), **_RELIEF},
        valid_days=90,
        decide=_key_group,
    ),
    Predicate(
        name="householdRestored",
        flat=(f"{POLICE}.householdStatus",),
        nested={},
        valid_days=90,
        decide=_household,
    ),
    Predicate(name="inCustody", flat=(f"{POLICE}.inCustody",), nested={}, valid_days=1, decide=_custody),
    Predicate(name="lowIncome", flat=(f"{CIVIL}.lowIncome",), nested=_RELIEF, valid_days=90, decide=_low_income),
    Predicate(name="escortNeeded", flat=(f"{JUSTICE}.needsEscort",), nested={}, valid_days=31, decide=_escort),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One column or list that a predicate needs. `coordinates` are fetched; `inner`: fields of a nested list."""

    agency: str
    coordinate: str
    field: str
    inner: tuple[str, ...]
    coordinates: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPredicate:
    """A predicate with its sources in one catalogue."""

    coordinate: str
    predicate: Predicate
    sources: tuple[Source, ...]

    @property
    def agencies(self) -> frozenset[str]:
        return frozenset(source.agency for source in self.sources)

    @property
    def fetch(self) -> frozenset[str]:
        return frozenset().union(*(source.coordinates for source in self.sources))


def bind_predicates(catalogue: Catalogue) -> Mapping[str, BoundPredicate]:
    """Predicates by coordinate; empty for a catalogue that declares none.

    Raises:
        CatalogueError: a declared predicate is not computed here, or needs a field that is not declared.
    """
    record = catalogue.types.get(PREDICATES)
    by_name = {predicate.name: predicate for predicate in ALL}
    bound: dict[str, BoundPredicate] = {}
    for field in record.fields if record else ():
        if field.name not in by_name:
            raise CatalogueError("nothing computes it", file=field.file, line=field.line, name=field.coordinate)
        predicate = by_name[field.name]
        sources = [_source(catalogue, name, ()) for name in predicate.flat]
        sources += [_source(catalogue, name, inner) for name, inner in predicate.nested.items()]
        bound[field.coordinate] = BoundPredicate(
            coordinate=field.coordinate, predicate=predicate, sources=tuple(sources)
        )
    return bound


def _source(catalogue: Catalogue, name: str, inner: tuple[str, ...]) -> Source:
    field = catalogue.fields.get(name)
    if field is None:
        raise CatalogueError("a predicate needs a field that is not declared", name=name)
    below = [f"{field.record_type}.{item}" for item in inner]
    for coordinate in below:
        if coordinate not in catalogue.fields:
            raise CatalogueError("a predicate needs a field that is not declared", name=coordinate)
    return Source(
        agency=field.owner, coordinate=name, field=field.name, inner=inner, coordinates=frozenset((name, *below))
    )
