"""Small worlds: a handful of people, what five registers hold of them, and who of them is a member of the hub.

A world is plain data. `worlds_alike` makes a second world that agrees with the first on all that one asker may see.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from hub.domain.catalogue import Catalogue, Field, RecordType, Shape
from hub.domain.identity_number import check_character
from tests.noninterference.values import HIDDEN, SHOWN, Value

SLOTS = 6  # people of a world
TODAY = date(2026, 11, 24)
MINE, NEIGHBOUR, ELSEWHERE = "360702001", "360703002", "110101003"
REGIONS = (MINE, "360702005", NEIGHBOUR, ELSEWHERE)
TERMS = {
    "in": (date(2025, 1, 1), date(2030, 1, 1)),
    "soon over": (date(2024, 1, 1), TODAY - timedelta(days=10)),
    "over": (date(2020, 1, 1), date(2023, 1, 1)),
    "not yet": (date(2027, 1, 1), None),
}
DUTIES = 4
CASES = ("C-0", "C-1", "C-2")
Rows = dict[str, "Value | list[dict] | None"]


def number_of(slot: int) -> str:
    body = f"36070019900101{slot + 1:03d}"
    return body + check_character(body)


def person_id_of(slot: int) -> str:
    """Ids that do not follow the order of the slots."""
    return f"{(slot * 7 + 3) % 10:x}{slot:03x}" * 8


@dataclass(frozen=True)
class Record:
    """What one register holds of one person: by field name a value, None, or rows of a nested field."""

    days_old: int
    rows: Rows


@dataclass(frozen=True)
class Membership:
    """`offices`: (region, kind, days since the office ended, None while it has not)."""

    term: str
    key_person: bool
    offices: tuple[tuple[str, str, int | None], ...]
    vaulted: bool = False


@dataclass(frozen=True)
class Case:
    slot: int
    agency: str
    region: str
    open: bool = True


@dataclass(frozen=True)
class Duty:
    """A case on the docket of a region with a deadline in `days`, and what was told of it to `told`, an agency."""

    slot: int
    region: str
    days: int
    told: str


@dataclass(frozen=True)
class Human:
    membership: Membership | None
    records: dict[str, Record] = field(default_factory=dict)  # by agency
    consents: frozenset[tuple[str, str]] = frozenset()  # (agency, purpose)


@dataclass(frozen=True)
class World:
    humans: tuple[Human, ...]
    cases: dict[str, Case]
    docket: tuple[Duty, ...] = ()


class Maker:
    """Draws worlds from a seeded source of chance."""

    def __init__(self, catalogue: Catalogue, dice: Random) -> None:
        self.catalogue = catalogue
        self.dice = dice
        self.tops = {top.agency: top for top in catalogue.agency_types() if top.agency}

    def world(self, agency: str, purpose: str) -> World:
        """A world in which the asker's agency has some cases and consents."""
        humans = tuple(self.human() for _ in range(SLOTS))
        cases: dict[str, Case] = {}
        for name in CASES:
            slot = self.dice.randrange(SLOTS)
            if humans[slot].membership is not None:
                whose = self.dice.choice((agency, agency, "police", "tax"))
                cases[name] = Case(slot, whose, self.dice.choice(REGIONS[:3]), self.dice.random() < 0.8)
        humans = tuple(
            replace(human, consents=frozenset({(agency, purpose)}))
            if human.membership is not None and self.dice.random() < 0.2
            else human
            for human in humans
        )
        return World(humans, cases, tuple(self.duty(agency) for _ in range(DUTIES)))

    def duty(self, agency: str) -> Duty:
        told = self.dice.choice((agency, "justice", "police"))
        return Duty(self.dice.randrange(SLOTS), self.dice.choice(REGIONS), self.dice.randrange(-20, 40), told)

    def human(self) -> Human:
        member = self.membership() if self.dice.random() < 0.75 else None
        return Human(member, {agency: self.record(agency) for agency in self.tops if self.dice.random() < 0.8})

    def membership(self, *, regions: tuple[str, ...] = (MINE, MINE, *REGIONS), vaulted: float = 0.1) -> Membership:
        offices = tuple(
            (region, kind, self.dice.choice((None, None, 10, 90)))
            for kind in ("household", "residence", "work")
            if (region := self.dice.choice(regions)) and (kind == "household" or self.dice.random() < 0.3)
        )
        term = self.dice.choice(("in", "in", *TERMS))
        return Membership(term, self.dice.random() < 0.4, offices, self.dice.random() < vaulted)

    def record(self, agency: str) -> Record:
        return Record(self.dice.randrange(5), self.rows(self.tops[agency]))

    def rows(self, record: RecordType) -> Rows:
        return {field.name: self.value(field) for field in record.fields}

    def value(self, field: Field) -> "Value | list[dict] | None":
        if field.record_type is None:
            kept = self.dice.random()
            drawn = Value(self.dice.randrange(SHOWN), self.dice.randrange(HIDDEN), broken=kept > 0.95)
            return drawn if kept > 0.15 else None
        most = 2 if field.shape is Shape.RECORDS else 1
        inner = self.catalogue.types[field.record_type]
        return [self.rows(inner) for _ in range(self.dice.randint(0, most))]


def as_of(record: Record) -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC) - timedelta(days=record.days_old)
