"""Whom a command is about: the person behind a look-up, under a pseudonym that tells nobody who is a member.

Somebody whom the caller may not know of is named all the same: a command that needs no more than a name (asking for
an approval) is answered alike for a member and for a stranger.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hub.auth.decision import DecisionClass, Reach
from hub.auth.facts import Facts, ScopedFacts
from hub.gateway.plan import RELEASABLE
from hub.gateway.ports import People, Pseudonyms
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import Asker, Lookup, LookupKind, PersonRef
from hub.gateway.resolve import Resolver
from hub.identity.index import Inquiry

EXISTENCE = "Person.assistanceStatus"


class NamedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """`member` is set only where the caller may know that this person is in the hub; else all facts are false.

    `held`: the member's id where the caller's agency keeps the register of members itself, whatever else it may see.
    `others`: who else a question is about, all of them the caller's as well.
    """

    key: str
    member: str | None
    held: str | None = None
    number: str | None
    facts: Facts
    others: tuple["NamedPerson", ...] = ()


class Subjects:
    def __init__(
        self,
        *,
        resolver: Resolver,
        people: People,
        pseudonyms: Pseudonyms,
        quota: PersonQuota,
        registrars: frozenset[str] = frozenset(),
        person_of_case: Callable[[str], Awaitable[str | None]],
        persons_of_review: Callable[[str], Awaitable[Sequence[str]]],
    ) -> None:
        self._resolver = resolver
        self._people = people
        self._person_of_case = person_of_case
        self._persons_of_review = persons_of_review
        self._pseudonyms = pseudonyms
        self._quota = quota
        self._registrars = registrars

    async def of(self, asker: Asker, lookup: Lookup) -> NamedPerson | None:
        """The person that `lookup` names; None for an id or a case that names nobody to this caller.

        Raises:
            RateLimitedError: too many persons in this hour.
        """
        principal = asker.principal
        reach = asker.judge.reach(agency=principal.agency, role=principal.role, purpose=asker.purpose)
        if reach is Reach.NOBODY:
            return None
        inquiry = Inquiry(principal=principal, purpose=asker.purpose, cases=asker.cases, keys=False)
        find = self._resolver.registers if reach is Reach.REGISTERS else self._resolver.members
        ref = (await find(inquiry, asker, (lookup,))).get(lookup)
        named = self._stranger(lookup) if ref is None else self._person(asker, ref, members=reach is Reach.MEMBERS)
        if named is not None:
            await self._quota.spend(f"{principal.client}/{principal.officer}", (f"n:{named.key}",))
        return named

    async def of_case(self, asker: Asker, case_id: str) -> NamedPerson | None:
        """The person of a case; whether the case is the caller's to move is asked with the case in hand."""
        return await self._member(asker, await self._person_of_case(case_id))

    async def of_review(self, asker: Asker, review_id: str) -> NamedPerson | None:
        """The person of a question of identity, where this caller's regions are responsible for all it is about."""
        found = await self._members(asker, await self._persons_of_review(review_id))
        if not found or not all(one.facts.jurisdiction for one in found):
            return None
        return msgspec.structs.replace(found[0], others=found[1:])

    async def _member(self, asker: Asker, member: str | None) -> NamedPerson | None:
        found = await self._members(asker, () if member is None else (member,))
        return found[0] if found else None

    async def _members(self, asker: Asker, members: Sequence[str]) -> tuple[NamedPerson, ...]:
        """All of these members, in their order; nobody if the caller may not know of one of them."""
        if not members:
            return ()
        inquiry = Inquiry(principal=asker.principal, purpose=asker.purpose, cases=asker.cases, keys=False)
        known = await self._people.members(inquiry, tuple(members))
        if not all(member in known for member in members):
            return ()
        keys = [self._pseudonyms.of("member", member) for member in members]
        who = f"{asker.principal.client}/{asker.principal.officer}"
        await self._quota.spend(who, tuple(f"n:{key}" for key in keys))
        return tuple(
            NamedPerson(key=key, member=member, number=None, facts=known[member].facts)
            for key, member in zip(keys, members, strict=True)
        )

    def _person(self, asker: Asker, ref: PersonRef, *, members: bool) -> NamedPerson:
        known = members and self._visible(asker, ref.facts)
        assert ref.known is not None or ref.identity_number is not None
        member = ref.known.member.member_id if ref.known is not None else None
        key = (
            self._pseudonyms.of("number", ref.identity_number)
            if ref.identity_number is not None
            else self._pseudonyms.of("member", member or "")
        )
        return NamedPerson(
            key=key,
            member=member if known else None,
            held=member if asker.principal.agency in self._registrars else None,
            number=ref.identity_number,
            facts=ref.facts if known else Facts(),
        )

    def _stranger(self, lookup: Lookup) -> NamedPerson | None:
        if lookup.kind is not LookupKind.IDENTITY_NUMBER:
            return None
        key = self._pseudonyms.of("number", lookup.text)
        return NamedPerson(key=key, member=None, number=lookup.text, facts=Facts())

    def _visible(self, asker: Asker, facts: Facts) -> bool:
        principal = asker.principal
        plain = facts.within(EXISTENCE, "FG0") if isinstance(facts, ScopedFacts) else facts
        table = asker.judge.table(
            DecisionClass(agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=plain)
        )
        return table.decisions[EXISTENCE].effect in RELEASABLE
