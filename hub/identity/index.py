"""The person index: finds members and tells the facts that decisions need, a constant number of statements a call.

Vaulted persons are not members here: they are found by nobody (their own procedure is another's business).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, or_, select, true

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.clock import Clock, today
from hub.domain.identity_number import IdentityNumber
from hub.identity.conditions import in_jurisdiction, in_term, under_region
from hub.identity.ports import Indexer, Opener, key_place, number_place
from hub.identity.tables import case_reference, consent, jurisdiction, link, person
from hub.store.engine import Store

_OFFICES = frozenset({"judicial-office", "county-office", "province-office"})
LEAST_CANDIDATES = 4  # a look-up opens at least so many rows, hit or miss


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedMember:
    """What the index knows of a member. `keys` maps agency to the keys to ask it with."""

    member_id: str
    identity_number: str | None
    keys: Mapping[str, tuple[str, ...]]
    term_start: date | None
    term_end: date | None
    key_person: bool
    responsible_region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedPage:
    members: tuple[str, ...]
    total_count: int
    has_next_page: bool


class PersonIndex:
    """`natural` are the agencies that are asked by identity number itself."""

    def __init__(self, *, store: Store, opener: Opener, numbers: Indexer, clock: Clock, natural: Sequence[str]) -> None:
        self._store = store
        self._opener = opener
        self._numbers = numbers
        self._clock = clock
        self._natural = tuple(natural)

    async def find(self, numbers: Sequence[IdentityNumber]) -> Mapping[str, str]:
        """Canonical number → member id. Candidates of the blind index are opened and compared, never trusted."""
        wanted = {number.text: self._numbers.of(number.text) for number in numbers}
        if not wanted:
            return {}
        statement = select(person.c.person_id, person.c.number_sealed, person.c.number_index, person.c.ambiguous).where(
            person.c.number_index.in_(set(wanted.values())), person.c.vaulted.is_(False)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        found: dict[str, str] = {}
        for person_id, sealed, _, ambiguous in rows:
            number = self._opener.open(number_place(person_id), sealed)
            if number in wanted and not ambiguous:
                found[number] = person_id
        return found

    async def members(self, member_ids: Sequence[str]) -> Mapping[str, IndexedMember]:
        statement = select(person).where(person.c.person_id.in_(member_ids), person.c.vaulted.is_(False))
        keys = select(link.c.person_id, link.c.agency, link.c.key_sealed).where(link.c.person_id.in_(member_ids))
        offices = (
            select(jurisdiction.c.person_id, jurisdiction.c.region)
            .where(jurisdiction.c.person_id.in_(member_ids))
            .where(jurisdiction.c.valid_to.is_(None), jurisdiction.c.kind == "household")
        )
        async with self._store.read() as connection:
            people = (await connection.execute(statement)).mappings().all()
            links = (await connection.execute(keys)).all()
            regions = {row[0]: row[1] for row in await connection.execute(offices)}
        own: dict[str, dict[str, tuple[str, ...]]] = {}
        for person_id, agency, sealed in links:
            key = self._opener.open(key_place(agency, person_id), sealed)
            held = own.setdefault(person_id, {})
            held[agency] = (*held.get(agency, ()), key)
        return {row["person_id"]: self._member(dict(row), own, regions) for row in people}

    async def member_facts(
        self, principal: Principal, purpose: str, cases: Sequence[str], member_ids: Sequence[str]
    ) -> Mapping[str, Facts]:
        """Facts of DOMAIN section 3.2 for members; vaulted and unknown ids are absent."""
        flags = self._flags(principal, cases)
        statement = select(person.c.person_id, *flags.values(), person.c.key_person, person.c.number_sealed).where(
            person.c.person_id.in_(member_ids), person.c.vaulted.is_(False)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
            agreed = await self._consenting(connection, principal, purpose, member_ids)
        return {
            row[0]: Facts(
                jurisdiction=bool(row[1]),
                term=bool(row[2]),
                case=bool(row[3]),
                key_person=bool(row[4]),
                own=principal.agency not in self._natural or row[5] is not None,
                consent=row[0] in agreed,
            )
            for row in rows
        }

    async def register_facts(
        self, principal: Principal, purpose: str, cases: Sequence[str], numbers: Sequence[IdentityNumber]
    ) -> Mapping[str, Facts]:
        """Facts that tell nothing of membership by themselves: a case or consent the asker already knows of, and own.

        Whoever is not a member gets what a member without case and consent gets.
        """
        facts = {number.text: Facts(own=True) for number in numbers}
        members = await self.find(numbers)
        if members:
            known = await self.member_facts(principal, purpose, cases, list(members.values()))
            for number, member_id in members.items():
                if member_id in known:
                    facts[number] = Facts(own=True, case=known[member_id].case, consent=known[member_id].consent)
        return facts

    async def persons_of_cases(self, principal: Principal, cases: Sequence[str]) -> Mapping[str, str]:
        """Case id → member id, for open cases assigned to the asker's agency and, for offices, region."""
        statement = (
            select(case_reference.c.case_id, case_reference.c.person_id)
            .join(person, person.c.person_id == case_reference.c.person_id)
            .where(_assigned(principal, cases), person.c.vaulted.is_(False))
        )
        async with self._store.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(statement)}

    async def page(
        self,
        principal: Principal,
        cases: Sequence[str],
        allowed: frozenset[Facts],
        *,
        region: str | None,
        sex: str | None,
        first: int,
        after: str | None,
        offset: int,
    ) -> IndexedPage:
        """Members whose facts (jurisdiction, term, case, key person) are among `allowed`, by id."""
        flags = self._flags(principal, cases)
        reachable = or_(flags["jurisdiction"], flags["case"])
        conditions = [person.c.vaulted.is_(False), reachable, self._among(flags, allowed)]
        if region is not None:
            conditions.append(in_jurisdiction([region], today(self._clock)))
        if sex is not None:
            conditions.append(person.c.sex == sex)
        listed = select(person.c.person_id).where(*conditions)
        page = listed.order_by(person.c.person_id).limit(first + 1).offset(offset)
        if after is not None:
            page = page.where(person.c.person_id > after)
        async with self._store.read() as connection:
            ids = [row[0] for row in await connection.execute(page)]
            total = await connection.scalar(select(func.count()).select_from(listed.subquery()))
        return IndexedPage(members=tuple(ids[:first]), total_count=total or 0, has_next_page=len(ids) > first)

    def _flags(self, principal: Principal, cases: Sequence[str]) -> dict[str, ColumnElement[Any]]:
        day = today(self._clock)
        assigned = (
            select(case_reference.c.person_id)
            .where(case_reference.c.person_id == person.c.person_id, _assigned(principal, cases))
            .exists()
            if cases
            else literal(value=False)
        )
        return {
            "jurisdiction": in_jurisdiction(principal.regions, day).label("j"),
            "term": in_term(day).label("t"),
            "case": assigned.label("c") if cases else assigned,
        }

    def _among(self, flags: Mapping[str, ColumnElement[Any]], allowed: frozenset[Facts]) -> ColumnElement[bool]:
        """The facts of a row are one of `allowed`."""
        tests: list[tuple[ColumnElement[Any], str]] = [
            (flags["jurisdiction"], "jurisdiction"),
            (flags["term"], "term"),
            (flags["case"], "case"),
            (person.c.key_person, "key_person"),
        ]
        vectors = []
        for facts in allowed:
            parts = [(expression if getattr(facts, name) else ~_known(expression)) for expression, name in tests]
            vectors.append(and_(true(), *parts))
        return or_(false(), *vectors)

    async def _consenting(
        self, connection: Any, principal: Principal, purpose: str, member_ids: Sequence[str]
    ) -> frozenset[str]:
        statement = select(consent.c.person_id).where(
            consent.c.person_id.in_(member_ids),
            consent.c.agency == principal.agency,
            consent.c.purpose == purpose,
            consent.c.withdrawn_at.is_(None),
        )
        return frozenset(row[0] for row in await connection.execute(statement))

    def _member(
        self, row: Mapping[str, Any], own: Mapping[str, Mapping[str, tuple[str, ...]]], regions: Mapping[str, str]
    ) -> IndexedMember:
        person_id = row["person_id"]
        number = None
        if row["number_sealed"] is not None:
            number = self._opener.open(number_place(person_id), row["number_sealed"])
        natural = {} if number is None or row["ambiguous"] else dict.fromkeys(self._natural, (number,))
        return IndexedMember(
            member_id=person_id,
            identity_number=number,
            keys={**natural, **own.get(person_id, {})},
            term_start=row["term_start"],
            term_end=row["term_end"],
            key_person=row["key_person"],
            responsible_region=regions.get(person_id),
        )


def _known(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Null (no term recorded) counts as false."""
    return func.coalesce(expression, false())


def _assigned(principal: Principal, cases: Sequence[str]) -> ColumnElement[bool]:
    """C: an open case of the caller's agency, for offices in one of their regions, within what the token allows."""
    named = [case for case in cases if principal.cases is None or case in principal.cases]
    conditions = [
        case_reference.c.case_id.in_(named),
        case_reference.c.agency == principal.agency,
        case_reference.c.open.is_(True),
    ]
    if principal.role in _OFFICES:
        under = [under_region(case_reference.c.region, prefix) for prefix in principal.regions]
        conditions.append(or_(false(), *under))
    return and_(*conditions)
