"""Approvals that stand now (condition 2): which fields of whom a second officer opened to the asker, and until when.

A person stands under a pseudonym here, so that an approval for somebody who is no member looks the same. Everything but
reading what stands is `casework`'s business.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Select, String, bindparam, select

from hub.auth.principal import Principal
from hub.clock import Clock, microseconds
from hub.identity.tables import emergency_access
from hub.store.reader import Reader

Named = Callable[[str, str], str]
"""(kind, text) → pseudonym."""


class Approved(NamedTuple):
    """Coordinates that are opened, and who approved it, AGENCY/OFFICER."""

    coordinates: frozenset[str]
    by: frozenset[str]


NOTHING = Approved(frozenset(), frozenset())


class Standing:
    """What stands for one asker at one moment. `number` and `member` name persons as the index knows them."""

    def __init__(self, by_key: Mapping[str, Approved], named: Named) -> None:
        self._by_key = by_key
        self._named = named

    def of(self, *, member: str, number: str | None) -> Approved:
        """What is opened for this person; mostly nothing."""
        if not self._by_key:
            return NOTHING
        key = self._named("member", member) if number is None else self._named("number", number)
        return self._by_key.get(key, NOTHING)


class Approvals:
    def __init__(self, reader: Reader, named: Named, clock: Clock) -> None:
        self._reader = reader
        self._named = named
        self._clock = clock
        self._standing = reader.prepare(_standing())

    async def standing(self, principal: Principal, purpose: str) -> Standing:
        """Approvals of this officer, role and purpose, on the same one's behalf. Cost: one indexed statement."""
        given = {
            "agency": principal.agency,
            "officer": principal.officer,
            "on_behalf_of": principal.on_behalf_of or "",
            "role": principal.role,
            "purpose": purpose,
            "now_us": microseconds(self._clock.now()),
        }
        rows = await self._reader.rows(self._standing, given)
        by_key: dict[str, Approved] = {}
        for key, coordinates, agency, officer in rows:
            known = by_key.get(key, NOTHING)
            by_key[key] = Approved(
                known.coordinates | frozenset(orjson.loads(coordinates)), known.by | {f"{agency}/{officer}"}
            )
        return Standing(by_key, self._named)


def _standing() -> Select[Any]:
    table = emergency_access.c
    return select(table.person_key, table.coordinates, table.approver_agency, table.approver).where(
        table.agency == bindparam("agency", type_=String),
        table.officer == bindparam("officer", type_=String),
        table.on_behalf_of == bindparam("on_behalf_of", type_=String),
        table.valid_until_us > bindparam("now_us", type_=BigInteger),
        table.approved.is_(True),
        table.withdrawn_us.is_(None),
        table.role == bindparam("role", type_=String),
        table.purpose == bindparam("purpose", type_=String),
    )
