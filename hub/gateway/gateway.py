"""Decide, then fetch, then release: the one way from a question about people to what the asker may know of them.

All root fields of an operation are read together, so that an operation costs at most one call per agency whatever its
shape. Decisions are per person; what a person's decision denies is in no part of any call.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hub.auth.decision import DecisionClass, DecisionTable, DenialCode, Effect, Judge, Reach
from hub.auth.facts import Facts
from hub.clock import Clock, today
from hub.connectors.base import Fetch, Fetched, Part, SourceState
from hub.domain.identity_number import IdentityNumber
from hub.gateway.compose import compose
from hub.gateway.plan import RELEASABLE, ClassPlan, Planner
from hub.gateway.ports import People, Pseudonyms, Scope, Source
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import (
    AccessRecord,
    Ask,
    AskAnswer,
    Asker,
    Denied,
    Page,
    PersonRef,
    PersonView,
    Reading,
    SourceUse,
)
from hub.gateway.resolve import Resolver
from hub.gateway.view import ViewBuilder
from hub.identity.index import IndexedMember

EXISTENCE = "Person.assistanceStatus"  # FG0: whether a role may know that this person is in the hub


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """One ask with the persons it names, in answer order; None where nothing was found."""

    ask: Ask
    refs: tuple[PersonRef | None, ...]
    page: Page | None


class Gateway:
    def __init__(
        self,
        *,
        judge: Judge,
        planner: Planner,
        resolver: Resolver,
        people: People,
        sources: Mapping[str, Source],
        views: ViewBuilder,
        pseudonyms: Pseudonyms,
        quota: PersonQuota,
        members_only: frozenset[str],
        clock: Clock,
        agency_deadline_s: float,
    ) -> None:
        self._judge = judge
        self._planner = planner
        self._resolver = resolver
        self._people = people
        self._sources = sources
        self._views = views
        self._pseudonyms = pseudonyms
        self._quota = quota
        self._members_only = members_only
        self._clock = clock
        self._agency_deadline_s = agency_deadline_s

    async def read(self, asker: Asker, asks: Sequence[Ask], reading: Reading) -> list[AskAnswer]:
        """Answer `asks` together and note in `reading` what was used, denied and given.

        Cost: a constant number of index statements and at most one call per agency (per 500 persons).
        """
        reach = self._judge.reach(agency=asker.principal.agency, role=asker.principal.role, purpose=asker.purpose)
        if reach is Reach.NOBODY:
            return [self._nobody(ask, reading) for ask in asks]
        through_registers = reach is Reach.REGISTERS
        named = await self._name(asker, asks, reading, through_registers=through_registers)
        refs = list(dict.fromkeys(ref for item in named for ref in item.refs if ref is not None))
        self._quota.spend(f"{asker.principal.client}/{asker.principal.officer}", (ref.key for ref in refs))
        members = await self._members(refs)
        refs = [ref for ref in refs if ref.member is None or ref.member in members]
        tables = await self._tables(asker, refs, through_registers=through_registers)
        visible = {ref for ref in refs if through_registers or tables[ref].decisions[EXISTENCE].effect in RELEASABLE}
        plans = {
            (index, ref): self._planner.plan(tables[ref], item.ask.coordinates, through_registers=through_registers)
            for index, item in enumerate(named)
            for ref in item.refs
            if ref in visible
        }
        fetched = await self._fetch(asker, plans, members, through_registers=through_registers)
        if through_registers:
            visible = {ref for ref in visible if self._registered(asker, ref, fetched)}
        composed = await self._composable(plans, members, visible)
        answers = []
        for index, item in enumerate(named):
            people: list[PersonView | None] = []
            for ref in item.refs:
                if ref is None or ref not in visible:
                    people.append(None)
                    continue
                plan = plans[index, ref]
                extra = compose(plan.composed, composed.get(ref), today(self._clock))
                people.append(self._views.build(asker, ref, plan, self._keys(ref, members), fetched, extra))
            answers.append(AskAnswer(persons=tuple(people), page=item.page))
        self._note(asker, reading, named, plans, visible, tables, members, fetched)
        return answers

    def _nobody(self, ask: Ask, reading: Reading) -> AskAnswer:
        reading.denied.add(Denied(coordinate=f"Query.{ask.field}", code=DenialCode.FIELD_DENIED))
        return AskAnswer(persons=tuple(None for _ in ask.lookups))

    async def _name(
        self, asker: Asker, asks: Sequence[Ask], reading: Reading, *, through_registers: bool
    ) -> list[_Named]:
        lookups = list(dict.fromkeys(lookup for ask in asks for lookup in ask.lookups))
        find = self._resolver.registers if through_registers else self._resolver.members
        found = await find(asker, lookups) if lookups else {}
        named: list[_Named] = []
        for ask in asks:
            if ask.listing is None:
                named.append(_Named(ask=ask, refs=tuple(found.get(lookup) for lookup in ask.lookups), page=None))
            elif through_registers:
                reading.denied.add(Denied(coordinate=f"Query.{ask.field}", code=DenialCode.FIELD_DENIED))
                named.append(_Named(ask=ask, refs=(), page=None))
            else:
                named.append(await self._list(asker, ask))
        return named

    async def _list(self, asker: Asker, ask: Ask) -> _Named:
        assert ask.listing is not None
        listing = ask.listing
        needed = [EXISTENCE] if listing.sex is None else [EXISTENCE, "Person.sex"]
        scope = Scope(region=listing.region, sex=listing.sex)
        page = await self._people.page(
            asker.principal,
            asker.cases,
            self._allowed(asker, needed),
            region=listing.region,
            sex=listing.sex,
            first=listing.first,
            after=self._resolver.open_cursor(asker, scope, listing.after),
            offset=listing.offset,
        )
        return _Named(
            ask=ask,
            refs=tuple(PersonRef(member=member, identity_number=None) for member in page.members),
            page=Page(
                total_count=page.total_count,
                has_next_page=page.has_next_page,
                cursors=tuple(self._resolver.cursor(asker, scope, member) for member in page.members),
            ),
        )

    def _allowed(self, asker: Asker, coordinates: Sequence[str]) -> frozenset[Facts]:
        """Fact vectors under which every one of `coordinates` is given in full: only they may shape a list."""
        allowed = set()
        for jurisdiction, term, case, key_person in product((False, True), repeat=4):
            facts = Facts(jurisdiction=jurisdiction, term=term, case=case, key_person=key_person, own=True)
            table = self._table(asker, facts)
            if all(table.decisions[name].effect is Effect.FULL for name in coordinates):
                allowed.add(facts)
        return frozenset(allowed)

    def _table(self, asker: Asker, facts: Facts) -> DecisionTable:
        principal = asker.principal
        return self._judge.table(
            DecisionClass(agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts)
        )

    async def _members(self, refs: Sequence[PersonRef]) -> Mapping[str, IndexedMember]:
        ids = [ref.member for ref in refs if ref.member is not None]
        return await self._people.members(ids) if ids else {}

    async def _tables(
        self, asker: Asker, refs: Sequence[PersonRef], *, through_registers: bool
    ) -> dict[PersonRef, DecisionTable]:
        if through_registers:
            numbers = [IdentityNumber.parse(ref.identity_number or "") for ref in refs]
            by_number = await self._people.register_facts(asker.principal, asker.purpose, asker.cases, numbers)
            return {ref: self._table(asker, by_number[ref.identity_number or ""]) for ref in refs}
        ids = [ref.member for ref in refs if ref.member is not None]
        facts = await self._people.member_facts(asker.principal, asker.purpose, asker.cases, ids) if ids else {}
        return {ref: self._table(asker, facts[ref.member or ""]) for ref in refs}

    async def _fetch(
        self,
        asker: Asker,
        plans: Mapping[tuple[int, PersonRef], ClassPlan],
        members: Mapping[str, IndexedMember],
        *,
        through_registers: bool,
    ) -> dict[str, Fetched]:
        wanted: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
        for (_, ref), plan in plans.items():
            keys = self._keys(ref, members)
            for agency, share in plan.agencies.items():
                for key in keys.get(agency, ()):
                    wanted[agency][key] = wanted[agency].get(key, frozenset()) | share.fetch
            for agency in self._registers(asker) if through_registers else ():
                for key in keys.get(agency, ()):
                    wanted[agency].setdefault(key, frozenset())
        answers = await asyncio.gather(
            *(self._sources[agency].ask(self._question(by_key)) for agency, by_key in wanted.items())
        )
        return {answer.agency: answer for answer in answers}

    def _question(self, by_key: Mapping[str, frozenset[str]]) -> Fetch:
        parts: dict[frozenset[str], list[str]] = defaultdict(list)
        for key, coordinates in by_key.items():
            parts[coordinates].append(key)
        return Fetch(
            parts=tuple(Part(keys=tuple(keys), coordinates=coordinates) for coordinates, keys in parts.items()),
            timeout_s=self._agency_deadline_s,
        )

    def _keys(self, ref: PersonRef, members: Mapping[str, IndexedMember]) -> Mapping[str, tuple[str, ...]]:
        """The keys to ask each agency with; a register role's person is asked for by identity number alone."""
        if ref.member is not None:
            return members[ref.member].keys
        assert ref.identity_number is not None
        return {agency: (ref.identity_number,) for agency in self._sources if agency not in self._members_only}

    def _registers(self, asker: Asker) -> Iterable[str]:
        """Whose register says that a person exists: the asker's own, else every one that is not membership itself."""
        own = asker.principal.agency
        return (own,) if own in self._sources else (name for name in self._sources if name not in self._members_only)

    def _registered(self, asker: Asker, ref: PersonRef, fetched: Mapping[str, Fetched]) -> bool:
        return any(
            ref.identity_number in fetched[agency].records for agency in self._registers(asker) if agency in fetched
        )

    async def _composable(
        self,
        plans: Mapping[tuple[int, PersonRef], ClassPlan],
        members: Mapping[str, IndexedMember],
        visible: set[PersonRef],
    ) -> dict[PersonRef, IndexedMember]:
        """Members behind the persons for whom a composed field was granted."""
        wanted = {ref for (_, ref), plan in plans.items() if plan.composed and ref in visible}
        found = {ref: members[ref.member] for ref in wanted if ref.member is not None}
        behind = [ref for ref in wanted if ref.member is None and ref.identity_number is not None]
        if behind:
            numbers = await self._people.find([IdentityNumber.parse(ref.identity_number or "") for ref in behind])
            known = await self._people.members(list(numbers.values()))
            for ref in behind:
                member = known.get(numbers.get(ref.identity_number or "", ""))
                if member is not None:
                    found[ref] = member
        return found

    def _note(
        self,
        asker: Asker,
        reading: Reading,
        named: Sequence[_Named],
        plans: Mapping[tuple[int, PersonRef], ClassPlan],
        visible: set[PersonRef],
        tables: Mapping[PersonRef, DecisionTable],
        members: Mapping[str, IndexedMember],
        fetched: Mapping[str, Fetched],
    ) -> None:
        for agency, answer in fetched.items():
            reading.sources[agency] = _use(answer)
        outsider = self._table(asker, Facts()).decisions[EXISTENCE].denial or DenialCode.FIELD_DENIED
        by_person: dict[PersonRef, dict[Effect, set[str]]] = defaultdict(lambda: defaultdict(set))
        for index, item in enumerate(named):
            for ref in item.refs:
                if ref is None or ref not in visible:
                    if not self._is_register(asker):
                        reading.denied.add(Denied(coordinate=f"Query.{item.ask.field}", code=outsider))
                    if ref is not None:
                        by_person[ref][Effect.DENIED].update(item.ask.coordinates)
                    continue
                plan = plans[index, ref]
                reading.denied.update(Denied(coordinate=name, code=code) for name, code in plan.denials)
                reading.policies.update(plan.policies)
                for effect, names in plan.by_effect.items():
                    by_person[ref][effect].update(names)
        reading.access.extend(
            AccessRecord(
                person=self._pseudonym(ref, members),
                **{effect.value: tuple(sorted(names)) for effect, names in effects.items()},
            )
            for ref, effects in by_person.items()
        )

    def _is_register(self, asker: Asker) -> bool:
        principal = asker.principal
        return self._judge.reach(agency=principal.agency, role=principal.role, purpose=asker.purpose) is Reach.REGISTERS

    def _pseudonym(self, ref: PersonRef, members: Mapping[str, IndexedMember]) -> str:
        number = ref.identity_number
        if ref.member is not None and ref.member in members:
            number = members[ref.member].identity_number
        return self._pseudonyms.of("number", number) if number else self._pseudonyms.of("member", ref.member or "")


def _use(answer: Fetched) -> SourceUse:
    return SourceUse(
        agency=answer.agency,
        state=answer.state if isinstance(answer.state, SourceState) else SourceState(answer.state),
        as_of=answer.as_of,
        latency_ms=answer.latency_ms,
        quarantined=sum(record.quarantined for record in answer.records.values()),
    )
