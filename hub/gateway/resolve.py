"""From what the caller named to persons: over the hub's members, or over the registers.

A role that may not know who is a member resolves over the registers.
The two ways never mix: a role that resolves over registers reaches no index of members, so that a person who was in
prison and one who was not are found, or not found, alike.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from hub.domain.identity_number import IdentityNumber
from hub.errors import RequestError
from hub.gateway.ports import People, PersonIds, Scope
from hub.gateway.reading import Asker, Lookup, LookupKind, PersonRef
from hub.identity.index import Inquiry, Known

MEMBER_KIND = "m"
REGISTER_KIND = "r"


class InvalidCursorError(RequestError):
    code = "BAD_REQUEST"
    public = "This cursor does not belong to this list."


class Resolver:
    def __init__(self, *, people: People, ids: PersonIds) -> None:
        self._people = people
        self._ids = ids

    async def members(self, inquiry: Inquiry, asker: Asker, lookups: Sequence[Lookup]) -> dict[Lookup, PersonRef]:
        """Lookups that name a member of the hub; all others are absent."""
        named = self._named(asker, lookups, MEMBER_KIND)
        numbers = {lookup: number for lookup, number in named.items() if isinstance(number, IdentityNumber)}
        cases = await self._cases(inquiry, lookups)
        ids = {lookup: member for lookup, member in named.items() if isinstance(member, str)}
        ids |= {lookup: cases[lookup.text] for lookup in lookups if _is_case(lookup) and lookup.text in cases}
        by_number = await self._people.find(inquiry, numbers.values()) if numbers else {}
        by_id = await self._people.members(inquiry, dict.fromkeys(ids.values())) if ids else {}
        refs: dict[Lookup, PersonRef] = {}
        for lookup in lookups:
            number = numbers.get(lookup)
            known = by_id.get(ids.get(lookup, "")) if number is None else by_number.get(number.text)
            if known is not None:
                refs[lookup] = member_ref(known)
        return refs

    async def registers(self, inquiry: Inquiry, asker: Asker, lookups: Sequence[Lookup]) -> dict[Lookup, PersonRef]:
        """Lookups that name an identity number to ask the registers for; whether anybody bears it is not known yet."""
        named = self._named(asker, lookups, REGISTER_KIND)
        numbers = {lookup: number for lookup, number in named.items() if isinstance(number, IdentityNumber)}
        for lookup, text in named.items():
            if isinstance(text, str):
                numbers[lookup] = IdentityNumber(text)
        cases = await self._cases(inquiry, lookups)
        members = await self._people.members(inquiry, dict.fromkeys(cases.values())) if cases else {}
        for lookup in lookups:
            known = members.get(cases.get(lookup.text, "")) if _is_case(lookup) else None
            if known is not None and known.member.identity_number is not None:
                numbers[lookup] = IdentityNumber(known.member.identity_number)
        facts = await self._people.register_facts(inquiry, numbers.values()) if numbers else {}
        return {
            lookup: PersonRef(key=f"r:{number.text}", known=None, identity_number=number.text, facts=facts[number.text])
            for lookup, number in numbers.items()
        }

    def public_id(self, asker: Asker, ref: PersonRef) -> str:
        if ref.known is not None:
            return self._ids.seal(asker.principal.agency, MEMBER_KIND, ref.known.member.member_id)
        assert ref.identity_number is not None
        return self._ids.seal(asker.principal.agency, REGISTER_KIND, ref.identity_number)

    def cursor(self, asker: Asker, scope: Scope, member: str) -> str:
        """A place in a list, readable only by this hub for this agency and this very list."""
        return self._ids.seal(asker.principal.agency, _cursor_kind(asker, scope), member)

    def open_cursor(self, asker: Asker, scope: Scope, text: str | None) -> str | None:
        """The member that `text` stands after.

        Raises:
            InvalidCursorError: the cursor is not one of this agency's for this list.
        """
        if text is None:
            return None
        opened = self._ids.open(asker.principal.agency, text)
        if opened is None or opened[0] != _cursor_kind(asker, scope):
            raise InvalidCursorError("cursor of another agency or query")
        return opened[1]

    def _named(self, asker: Asker, lookups: Sequence[Lookup], kind: str) -> dict[Lookup, IdentityNumber | str]:
        """Numbers to look up, and payloads of opaque ids of the right kind."""
        named: dict[Lookup, IdentityNumber | str] = {}
        for lookup in lookups:
            if lookup.kind is LookupKind.IDENTITY_NUMBER:
                named[lookup] = IdentityNumber(lookup.text)
            elif lookup.kind is LookupKind.ID:
                opened = self._ids.open(asker.principal.agency, lookup.text)
                if opened is not None and opened[0] == kind:
                    named[lookup] = opened[1]
        return named

    async def _cases(self, inquiry: Inquiry, lookups: Sequence[Lookup]) -> Mapping[str, str]:
        numbers = [lookup.text for lookup in lookups if _is_case(lookup)]
        return await self._people.persons_of_cases(inquiry, numbers) if numbers else {}


def member_ref(known: Known) -> PersonRef:
    member = known.member
    return PersonRef(
        key=f"m:{member.member_id}", known=known, identity_number=member.identity_number, facts=known.facts
    )


def _is_case(lookup: Lookup) -> bool:
    return lookup.kind is LookupKind.CASE_NUMBER


def _cursor_kind(asker: Asker, scope: Scope) -> str:
    """Binds a cursor to its list: who lists (role and regions), for what, and the filter."""
    principal = asker.principal
    bound = json.dumps([principal.role, principal.regions, asker.purpose, scope.region, scope.sex])
    return "c" + sha256(bound.encode()).hexdigest()[:12]
