"""The person index: finds members and tells the facts that decisions need, one statement a question.

Vaulted persons are not members here: they are found by nobody (their own procedure is another's business).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import orjson

from hub.auth.facts import Facts, ScopedFacts
from hub.auth.principal import Principal
from hub.clock import Clock, today
from hub.domain.agencies import HUB
from hub.domain.identity_number import IdentityNumber
from hub.identity.approvals import NOTHING, Approvals, Approved, Standing
from hub.identity.conditions import (
    EVERYTHING,
    allowed_cases,
    day_values,
    office_regions,
    principal_values,
    region_values,
)
from hub.identity.decoy import Decoy
from hub.identity.ports import Indexer, Opener, Sealer, key_place, key_row, number_place
from hub.identity.search import NameMatch, NameSearch
from hub.identity.statements import Listing, LookUp, Statements
from hub.identity.tables import link, person
from hub.store.reader import Reader

LEAST_CANDIDATES = 4
"""Sealed numbers that a look-up opens for each number it is given, whether a member bears it or nobody does."""
NUMBER_LENGTH = 18
Found = TypeVar("Found")
_DAY = "2000-01-01"
_NOBODY = ("decoy", b"", False, _DAY, _DAY, *[False] * 5, None, "[]", b"")  # read as a row is, where none was found
_DECOY = "decoy"  # the row that the decoy is sealed for


class IndexedMember(msgspec.Struct, frozen=True, kw_only=True):
    """What the index knows of a member. `keys` maps agency to the keys to ask it with."""

    member_id: str
    identity_number: str | None
    keys: Mapping[str, tuple[str, ...]]
    term_start: date | None
    term_end: date | None
    key_person: bool
    responsible_region: str | None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A member, and the facts of DOMAIN section 3.2 between the caller and this member."""

    member: IndexedMember
    facts: Facts


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, for what, under which cases. What is not wanted is not looked up.

    `region`: the responsible region; `keys`: keys of agencies that have their own; `consent`: condition N; `approved`:
    condition 2.
    """

    principal: Principal
    purpose: str
    cases: tuple[str, ...] = ()
    region: bool = False
    keys: bool = True
    consent: bool = True
    approved: bool = False


class IndexedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Members of one page in order, by id. `total_count` is None where it was not asked for."""

    members: Mapping[str, Known]
    total_count: int | None
    has_next_page: bool


class PersonIndex:
    """`natural` are the agencies asked by identity number itself; `linked`: whether others have keys of their own."""

    def __init__(
        self,
        *,
        reader: Reader,
        opener: Opener,
        sealer: Sealer,
        numbers: Indexer,
        clock: Clock,
        natural: Sequence[str],
        linked: bool = True,
        approvals: Approvals | None = None,
        names: NameSearch | None = None,
    ) -> None:
        self._reader = reader
        self._statements = Statements(reader, natural)
        self._opener = opener
        self._open_number = opener.of_persons(HUB, person.name, person.c.number_sealed.name)
        self._key_openers: dict[str, Callable[[object, bytes, bytes], str]] = {}
        self._numbers = numbers
        self._clock = clock
        self._natural = tuple(natural)
        self._linked = linked
        self._approvals = approvals
        self._names = names
        self._decoy = Decoy(sealer, self._open_number, number_place(_DECOY), "0" * NUMBER_LENGTH)
        self._decoy_link = Decoy(sealer, self._opening(HUB), key_place(HUB, _DECOY), "0" * NUMBER_LENGTH)

    async def find(self, inquiry: Inquiry, numbers: Iterable[IdentityNumber]) -> Mapping[str, Known]:
        """Canonical number → member. Candidates of the blind index are opened and compared, never trusted.

        A number that several members bear finds nobody. Where there is no member, a decoy is made into one.
        """
        wanted = list(numbers)
        found, standing = await self._with_standing(inquiry, self._bearers(inquiry, wanted))
        for number in wanted:
            if number.text not in found:
                self._known(inquiry, _NOBODY, number.text, standing)
                self._decoy_link.open(1)
        return {number: self._known(inquiry, row, number, standing) for number, row in found.items()}

    async def members(self, inquiry: Inquiry, member_ids: Iterable[str]) -> Mapping[str, Known]:
        """Member id → member; vaulted and unknown ids are absent."""
        ids = list(member_ids)
        if not ids:
            return {}
        return self._opened(inquiry, *await self._with_standing(inquiry, self._look_up(inquiry, "ids", ids)))

    def _opened(self, inquiry: Inquiry, rows: Sequence[Sequence[Any]], standing: Standing | None) -> dict[str, Known]:
        """Members of rows as a look-up gives them, by id."""
        found: dict[str, Known] = {}
        for row in rows:
            number = None if row[1] is None else self._open_number(row[0], row[1], row[12])
            found[row[0]] = self._known(inquiry, row, number, standing)
        return found

    async def _with_standing(
        self, inquiry: Inquiry, look_up: Coroutine[Any, Any, Found]
    ) -> tuple[Found, Standing | None]:
        """What `look_up` finds, and the approvals that stand for the asker: both at once, so that neither waits.

        Where no rule looks at approvals, none is read.
        """
        if self._approvals is None or not inquiry.approved:
            return await look_up, None
        standing = self._approvals.standing(inquiry.principal, inquiry.purpose)
        found, stands = await asyncio.gather(look_up, standing)
        return found, stands

    async def search(self, name: str, *, first: int = 20) -> tuple[NameMatch, ...]:
        """Members by name, former name or alias; whoever asks passes the ids on to `members` and obeys the facts."""
        return () if self._names is None else await self._names.search(name, first=first)

    async def register_facts(self, inquiry: Inquiry, numbers: Iterable[IdentityNumber]) -> Mapping[str, Facts]:
        """Facts that tell nothing of membership by themselves: a case or consent the asker already knows of, and own.

        Whoever is not a member gets what a member without case and consent gets.
        """
        wanted = list(numbers)
        found, standing = await self._with_standing(inquiry, self._bearers(inquiry, wanted))
        return {number.text: _register_facts(found.get(number.text), number.text, standing) for number in wanted}

    async def persons_of_cases(self, inquiry: Inquiry, cases: Sequence[str]) -> Mapping[str, str]:
        """Case id → member id, for open cases assigned to the asker's agency and, for offices, region."""
        named = allowed_cases(inquiry.principal, tuple(cases))
        if not named:
            return {}
        given = {**principal_values(inquiry.principal, inquiry.purpose), "cases": self._statements.many(named)}
        rows = await self._reader.rows(self._statements.cases(office_regions(inquiry.principal)), given)
        return {row[0]: row[1] for row in rows}

    async def page(
        self,
        inquiry: Inquiry,
        allowed: frozenset[Facts],
        *,
        region: str | None,
        sex: str | None,
        first: int,
        after: str | None,
        offset: int,
        count: bool = True,
    ) -> IndexedPage:
        """Members whose facts (jurisdiction, term, case, key person) are among `allowed`, by id."""
        principal = inquiry.principal
        mine = principal.regions or ("!",)
        led, apart = _leading(mine, region)
        cases = allowed_cases(principal, inquiry.cases)
        kind = Listing(
            regions=len(mine),
            ranges=0 if cases and region is None else len(led),
            apart=apart,
            cases=bool(cases),
            offices=office_regions(principal),
            sex=sex is not None,
            allowed=allowed,
            count=count,
            links=self._linked and inquiry.keys,
            region=inquiry.region,
            consent=inquiry.consent,
        )
        given: dict[str, Any] = {
            **principal_values(principal, inquiry.purpose),
            **region_values("led", led if not cases or region is None else (region,)),
            **day_values(today(self._clock), sqlite=self._reader.sqlite),
            "cases": self._statements.many(cases),
            "sex": sex,
            "after": after or "",
            "limit": first + 1,
            "offset": offset,
        }
        listing = self._reader.rows(self._statements.listing(kind), given)
        rows, standing = await self._with_standing(inquiry, listing)
        total: int | None = None
        if count:
            total = rows[0][0] if rows else await self._total(kind, given)
        members = self._opened(inquiry, [row[1:] for row in rows[:first] if row[1] is not None], standing)
        return IndexedPage(members=members, total_count=total, has_next_page=len(rows) > first)

    async def _total(self, kind: Listing, given: Mapping[str, Any]) -> int:
        """The count of a list whose page came out empty, because it starts beyond the end."""
        if not given["after"] and not given["offset"]:
            return 0
        rows = await self._reader.rows(self._statements.listing(kind), {**given, "after": "", "offset": 0, "limit": 1})
        return rows[0][0] if rows else 0

    async def _bearers(self, inquiry: Inquiry, numbers: Iterable[IdentityNumber]) -> dict[str, Sequence[Any]]:
        """Canonical number → row of the one member who bears it.

        Who is a member must not show in how much is opened: beside the candidates a decoy is opened until there were
        `LEAST_CANDIDATES` openings a number. Source: SECURITY section 4.
        """
        wanted = {number.text: self._numbers.every(number.text) for number in numbers}
        if not wanted:
            return {}
        rows = await self._look_up(
            inquiry, "numbers", sorted({hashed for every in wanted.values() for hashed in every})
        )
        found: dict[str, Sequence[Any]] = {}
        doubled = set()
        for row in rows:
            number = self._open_number(row[0], row[1], row[12])
            if number in found:
                doubled.add(number)  # while an index is re-keyed, an import may not have seen that two are the same
            elif number in wanted and not row[2]:
                found[number] = row
        self._decoy.open(LEAST_CANDIDATES * len(wanted) - len(rows))
        return {number: row for number, row in found.items() if number not in doubled}

    async def _look_up(self, inquiry: Inquiry, by: str, keys: list[Any]) -> Sequence[Sequence[Any]]:
        principal = inquiry.principal
        cases = allowed_cases(principal, inquiry.cases)
        kind = LookUp(
            by=by,
            regions=max(1, len(principal.regions)),
            cases=bool(cases),
            offices=office_regions(principal),
            links=self._linked and inquiry.keys,
            consent=inquiry.consent,
            region=inquiry.region,
        )
        given = {
            **principal_values(principal, inquiry.purpose),
            **day_values(today(self._clock), sqlite=self._reader.sqlite),
            "keys": self._statements.many(keys) if by == "numbers" else self._statements.ids(keys),
            "cases": self._statements.many(cases) if cases else None,
        }
        return await self._reader.rows(self._statements.look_up(kind), given)

    def _known(
        self, inquiry: Inquiry, row: Sequence[Any], number: str | None, standing: Standing | None = None
    ) -> Known:
        natural = {} if number is None or row[2] else dict.fromkeys(self._natural, (number,))
        own = inquiry.principal.agency not in self._natural or row[1] is not None
        member = IndexedMember(
            member_id=row[0],
            identity_number=number,
            keys={**natural, **self._keys(row[0], row[11], row[12])} if row[11] else natural,
            term_start=_date(row[3]),
            term_end=_date(row[4]),
            key_person=bool(row[5]),
            responsible_region=row[10],
        )
        subject = number is not None and number == inquiry.principal.subject
        facts = _facts(*map(bool, row[6:9]), own, bool(row[9]), bool(row[5]), subject)
        approved = NOTHING if standing is None else standing.of(member=row[0], number=number)
        return Known(member=member, facts=_scoped(facts, row[9], approved))

    def _keys(self, person_id: str, links: Any, salt: bytes) -> dict[str, tuple[str, ...]]:
        if isinstance(links, str):  # SQLite's JSON
            links = [(agency, bytes.fromhex(sealed)) for agency, sealed in orjson.loads(links)]
        else:
            links = [(agency.decode(), sealed) for agency, _, sealed in (entry.partition(b"\0") for entry in links)]
        held: dict[str, tuple[str, ...]] = {}
        for agency, sealed in links:
            key = self._opening(agency)(key_row(agency, person_id), sealed, salt)
            held[agency] = (*held.get(agency, ()), key)
        return held

    def _opening(self, agency: str) -> Callable[[object, bytes, bytes], str]:
        opening = self._key_openers.get(agency)
        if opening is None:
            opening = self._opener.of_persons(agency, link.name, link.c.key_sealed.name)
            self._key_openers[agency] = opening
        return opening


@lru_cache(maxsize=128)
def _facts(
    jurisdiction: bool, term: bool, case: bool, own: bool, consent: bool, key_person: bool, subject: bool
) -> Facts:
    """One value for each vector, so that persons of one class share it."""
    return Facts(
        jurisdiction=jurisdiction,
        term=term,
        case=case,
        own=own,
        consent=consent,
        key_person=key_person,
        subject=subject,
    )


def _scoped(facts: Facts, scope: Any, approved: Approved) -> Facts:
    """`facts` as they are, or narrowed to what an approval or a consent covers."""
    if not approved.coordinates and (not facts.consent or scope == EVERYTHING):
        return facts
    return ScopedFacts(
        jurisdiction=facts.jurisdiction,
        term=facts.term,
        case=facts.case,
        own=facts.own,
        consent=facts.consent,
        key_person=facts.key_person,
        subject=facts.subject,
        approved=bool(approved.coordinates),
        approved_for=approved.coordinates,
        approved_by=approved.by,
        consent_for=None if not facts.consent or scope == EVERYTHING else frozenset(orjson.loads(scope)),
    )


def _register_facts(row: Sequence[Any] | None, number: str, standing: Standing | None) -> Facts:
    """An approval stands for whoever bears the number, a member or not."""
    approved = NOTHING if standing is None else standing.of(member="", number=number)
    if row is None:
        return _scoped(_facts(False, False, False, True, False, False, False), EVERYTHING, approved)
    return _scoped(_facts(False, False, bool(row[8]), True, bool(row[9]), False, False), row[9], approved)


def _leading(mine: tuple[str, ...], region: str | None) -> tuple[tuple[str, ...], bool]:
    """The regions that lead a list, and whether the caller's jurisdiction must be tested apart from them."""
    if region is None:
        return mine, False
    return (region,), not any(region.startswith(prefix) for prefix in mine)


def _date(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
