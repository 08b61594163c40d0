"""What one asker may see in one world, told by the facts of DOMAIN section 3.2 and the decision table alone.

Written from the rules and not from the gateway: the tables come from the judge, everything else is worked out here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from hub.auth.decision import DecisionClass, DecisionTable, Effect, Judge, Reach
from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.domain.agencies import HUB, JUSTICE
from hub.domain.catalogue import Catalogue, Field
from hub.domain.codes import CodeList
from hub.gateway.predicates import BoundPredicate, Known, answer
from tests.noninterference.values import Value, canonical
from tests.noninterference.worlds import (
    ELSEWHERE,
    TERMS,
    TODAY,
    Case,
    Duty,
    Human,
    Maker,
    Membership,
    Record,
    Rows,
    World,
)

OFFICES = {"judicial-office", "county-office", "province-office"}
RELEASED = {Effect.FULL, Effect.MASKED, Effect.PREDICATE}
EXISTENCE = ("Person.assistanceStatus", "Person.entitledGroup")  # either tells that the person is in the hub
TERM_FIELDS = ("assistanceTermStart", "assistanceTermEnd", "assistanceStatus", "entitledGroup")


@dataclass(frozen=True)
class Sight:
    """`cases`: what the request names."""

    judge: Judge
    principal: Principal
    purpose: str
    cases: tuple[str, ...]

    @cached_property
    def reach(self) -> Reach:
        return self.judge.reach(agency=self.principal.agency, role=self.principal.role, purpose=self.purpose)

    def facts(self, world: World, slot: int) -> Facts:
        human = world.humans[slot]
        member = None if human.membership is None or human.membership.vaulted else human.membership
        case = member is not None and any(self._assigned(world, name, slot) for name in self.cases)
        reads = self.judge.reads_consent(self.principal.role)
        consent = reads and member is not None and (self.principal.agency, self.purpose) in human.consents
        if self.reach is Reach.REGISTERS or member is None:
            return Facts(case=case, own=True, consent=consent)
        start, end = TERMS[member.term]
        return Facts(
            jurisdiction=any(
                self._mine(region) and (ended is None or ended < 60) for region, _, ended in member.offices
            ),
            term=start <= TODAY and (end is None or (TODAY - end).days < 30),
            case=case,
            own=True,
            consent=consent,
            key_person=member.key_person,
        )

    def table(self, facts: Facts) -> DecisionTable:
        principal = self.principal
        return self.judge.table(
            DecisionClass(agency=principal.agency, role=principal.role, purpose=self.purpose, facts=facts)
        )

    def sees(self, world: World, slot: int) -> bool:
        """Whether the person exists for the asker."""
        human = world.humans[slot]
        if self.reach is Reach.REGISTERS:
            return any(agency in human.records for agency in self.proving)
        if self.reach is Reach.NOBODY or human.membership is None or human.membership.vaulted:
            return False
        decisions = self.table(self.facts(world, slot)).decisions
        return any(decisions[name].effect in RELEASED for name in EXISTENCE)

    @cached_property
    def proving(self) -> frozenset[str]:
        """Whose register says to a register role that somebody exists: its own agency's, else any that is not membership."""
        if self.reach is not Reach.REGISTERS:
            return frozenset()
        registers = {owner for owner in OWNERS.values() if owner not in (JUSTICE, HUB)}
        return frozenset({self.principal.agency} & registers or registers)

    def answered(self, world: World, slot: int) -> list[BoundPredicate]:
        """Predicates that the asker is answered of this person."""
        return [
            bound
            for name, bound in PREDICATES.items()
            if self.effect(world, slot, name) in RELEASED
            and not (self.reach is Reach.REGISTERS and JUSTICE in bound.agencies)
        ]

    def effect(self, world: World, slot: int, coordinate: str) -> Effect:
        if self.reach is Reach.REGISTERS and OWNERS[coordinate] == JUSTICE:
            return Effect.DENIED  # the register that is membership itself
        return self.table(self.facts(world, slot)).decisions[coordinate].effect

    def minds(self, region: str) -> bool:
        """Whether a case of a region lies in the asker's."""
        return self._mine(region)

    def _mine(self, region: str) -> bool:
        return any(region.startswith(prefix) for prefix in self.principal.regions)

    def _assigned(self, world: World, name: str, slot: int) -> bool:
        case = world.cases.get(name)
        return (
            case is not None
            and case.slot == slot
            and case.open
            and case.agency == self.principal.agency
            and (self.principal.role not in OFFICES or self._mine(case.region))
        )

    def named(self, world: World, slot: int) -> bool:
        """Whether the asker's agency itself has a case or a consent of this person, and so knows of them."""
        mine = any(case.agency == self.principal.agency and case.slot == slot for case in world.cases.values())
        return mine or any(agency == self.principal.agency for agency, _ in world.humans[slot].consents)


def _entitled(member: Membership | None) -> bool:
    return member is not None and not member.vaulted and member.term == "in"


def _answer(catalogue: Catalogue, bound: BoundPredicate, records: Mapping[str, Record]) -> object:
    """What the answer to a predicate is, all agencies answering."""
    values: dict[str, object] = {}
    for source in bound.sources:
        if source.agency not in records:
            continue
        held = records[source.agency].rows[source.field]
        if source.inner:
            owner = catalogue.fields[source.coordinate].record_type
            assert isinstance(held, list)
            values[source.coordinate] = [
                {name: _known(catalogue.fields[f"{owner}.{name}"], row[name]) for name in source.inner} for row in held
            ]
        else:
            values[source.coordinate] = _known(catalogue.fields[source.coordinate], held)
    return answer(bound.predicate, Known(values, frozenset()), TODAY)


def _known(field: Field, value: object) -> object:
    """A value as the gateway has it: what does not fit its mapping never arrives, what is sealed arrives sealed."""
    if not isinstance(value, Value) or (value.broken and field.coordinate not in SEALED):
        return None
    return b"sealed" if field.coordinate in SEALED else canonical(field, value, CODES)


OWNERS: dict[str, str] = {}
"""Owner agency by coordinate; filled from the catalogue by the harness."""
SEALED: set[str] = set()
"""Coordinates whose register holds them sealed; filled by the harness."""
CODES: dict[str, CodeList] = {}
"""Code lists by name; filled by the harness."""
PREDICATES: dict[str, BoundPredicate] = {}
"""Predicates by coordinate; filled by the harness."""


class Blur:
    """Draws a world that differs from a given one wherever the asker cannot see, and nowhere else."""

    def __init__(self, maker: Maker, sight: Sight) -> None:
        self.maker = maker
        self.dice = maker.dice
        self.sight = sight

    def world(self, world: World) -> World:
        humans = [self.human(world, slot) for slot in range(len(world.humans))]
        cases = {name: case for name, case in world.cases.items() if self._keeps(world, case)}
        cases = {name: case for name, case in cases.items() if humans[case.slot].membership is not None}
        return World(tuple(humans), cases, tuple(self._duty(duty) for duty in world.docket))

    def _duty(self, duty: Duty) -> Duty:
        """Another duty of others in place of one of others: what lies in the asker's regions stays, and where it stands.

        Events have numbers over all agencies, so that how many there are of others shows; what they are must not.
        """
        if self.sight.minds(duty.region):
            return duty
        drawn = self.maker.duty(self.sight.principal.agency)
        return duty if self.sight.minds(drawn.region) else drawn

    def _keeps(self, world: World, case: Case) -> bool:
        """Cases of other agencies may go; those of an unseen person's own must not matter, and go at times."""
        if case.agency == self.sight.principal.agency and self.sight.sees(world, case.slot):
            return True
        if self.sight.reach is Reach.REGISTERS and case.agency == self.sight.principal.agency:
            return True
        return self.dice.random() < 0.5

    def human(self, world: World, slot: int) -> Human:
        human = world.humans[slot]
        if not self.sight.sees(world, slot):
            return self._unseen(world, slot)
        member = human.membership
        if self.sight.reach is Reach.REGISTERS:
            if not self.sight.named(world, slot):
                member = self._stranger(world, slot)
            elif member is not None:
                member = self._term(world, slot, member)
        elif member is not None:
            member = self._term(world, slot, member)
        records = {}
        for agency in self.maker.tops:
            record = self._record(world, slot, agency)
            if record is not None:
                records[agency] = record
        self._answer_alike(world, slot, records)
        return Human(member, records, human.consents if member is not None else frozenset())

    def _unseen(self, world: World, slot: int) -> Human:
        """Somebody quite different whom the asker does not see either."""
        drawn = self.maker.human()
        if self.sight.reach is Reach.REGISTERS:
            records = {name: record for name, record in drawn.records.items() if name not in self.sight.proving}
            kept = world.humans[slot].membership if self.sight.named(world, slot) else drawn.membership
            return Human(kept, records, world.humans[slot].consents if kept is not None else frozenset())
        before = world.humans[slot]
        choice = self.dice.randrange(4)
        if choice == 0 or (self.sight.reach is Reach.NOBODY and choice == 1):
            return replace(drawn, membership=None)
        if choice == 1 and drawn.membership is not None:
            return replace(drawn, membership=replace(drawn.membership, vaulted=True))
        if choice == 2 and self.sight.principal.role != "province-office":
            far = self.maker.membership(regions=(ELSEWHERE,))
            moved = Human(far, drawn.records)
            alone = World((*world.humans[:slot], moved, *world.humans[slot + 1 :]), world.cases)
            if not self.sight.sees(alone, slot):
                return moved
        return Human(before.membership, drawn.records)

    def _stranger(self, world: World, slot: int) -> Membership | None:
        """Somebody else's membership or none, as far as a register role is not told of it."""
        released = {name for name in TERM_FIELDS if self.sight.effect(world, slot, f"Person.{name}") in RELEASED}
        before, drawn = world.humans[slot].membership, self.maker.membership(vaulted=0.3)
        if released > {"entitledGroup"} or (released and "entitledGroup" not in released):
            return before
        if not released:
            return self.dice.choice((None, drawn))
        if _entitled(before):
            return replace(drawn, term="in", vaulted=False)
        return self.dice.choice((None, drawn if not _entitled(drawn) else replace(drawn, term="over")))

    def _term(self, world: World, slot: int, member: Membership) -> Membership:
        """Another term with the same facts, where no field tells of it. Jurisdiction and class stay."""
        if any(self.sight.effect(world, slot, f"Person.{name}") in RELEASED for name in TERM_FIELDS):
            return member
        if self.sight.reach is Reach.REGISTERS:
            return replace(self.maker.membership(), vaulted=member.vaulted)
        alike = ("in", "soon over")
        return replace(member, term=self.dice.choice(alike)) if member.term in alike else member

    def _record(self, world: World, slot: int, agency: str) -> Record | None:
        before = world.humans[slot].records.get(agency)
        seen = [
            name
            for name, owner in OWNERS.items()
            if owner == agency and self.sight.effect(world, slot, name) in RELEASED
        ]
        proving = agency in self.sight.proving
        computed = any(agency in bound.agencies for bound in self.sight.answered(world, slot))
        if not seen and not proving and not computed:
            return self.maker.record(agency) if self.dice.random() < 0.7 else None
        if before is None:
            return None
        return Record(before.days_old, self._rows(world, slot, self.maker.tops[agency].name, before.rows))

    def _answer_alike(self, world: World, slot: int, records: dict[str, Record]) -> None:
        """Put back what predicates are computed of where the answers, which the asker gets, would differ."""
        before = world.humans[slot].records
        differing = True
        while differing:
            differing = False
            for bound in self.sight.answered(world, slot):
                if _answer(self.maker.catalogue, bound, before) != _answer(self.maker.catalogue, bound, records):
                    differing = True
                    for source in bound.sources:
                        if source.agency in records:
                            held = records[source.agency]
                            rows = {**held.rows, source.field: before[source.agency].rows[source.field]}
                            records[source.agency] = Record(held.days_old, rows)

    def _rows(self, world: World, slot: int, type_name: str, rows: Rows) -> Rows:
        fresh: Rows = {}
        for field in self.maker.catalogue.types[type_name].fields:
            value = rows[field.name]
            effect = self.sight.effect(world, slot, field.coordinate)
            if effect not in RELEASED:
                fresh[field.name] = self.maker.value(field)
            elif isinstance(value, list):
                assert field.record_type is not None
                fresh[field.name] = [self._rows(world, slot, field.record_type, row) for row in value]
            elif effect is Effect.MASKED and isinstance(value, Value) and not value.broken:
                fresh[field.name] = Value(value.shown, self.dice.randrange(3))
            else:
                fresh[field.name] = value
        return fresh
