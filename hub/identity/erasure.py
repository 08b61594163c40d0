"""Erasing a person: the salt goes, so that nothing sealed of this person opens again, nor in backups of the tables.

Two officers approve, each with a reason. What is no personal value stays for audit and statistics: the person's row
with dates and region (found by nobody, as a vaulted one), cases, the steps of the ledger of links without their
reasons, and the record of the erasure itself. Whoever was merged into the person is the person, and goes as well.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import HUB
from hub.domain.identity_number import IdentityNumber
from hub.errors import ErasureError
from hub.failpoints import failpoint
from hub.identity.importer import erased_digest
from hub.identity.merging import survivor_of
from hub.identity.ports import Digests, Indexer, Opener, Sealer, key_place, reason_place
from hub.identity.tables import (
    block,
    erased_key,
    erasure,
    false_item,
    findings,
    jurisdiction,
    link,
    link_event,
    link_order,
    link_removed,
    name_token,
    person,
    person_name,
    review,
    trait,
)
from hub.identity.tables import person_salt as salts
from hub.store.engine import Store

LONGEST_NAME = 64


Forget = Callable[[AsyncConnection, Sequence[tuple[str, str]]], Awaitable[None]]
"""Erases what stands under these (agency, key), in the transaction of the erasure."""


def erased_among(digests: Digests) -> Callable[[AsyncConnection, str, Sequence[str]], Awaitable[frozenset[str]]]:
    """(connection, agency, keys) → those among the keys whose person was erased."""

    async def among(connection: AsyncConnection, agency: str, keys: Sequence[str]) -> frozenset[str]:
        named = {erased_digest(digests, agency, key): key for key in keys}
        rows = await connection.execute(select(erased_key.c.digest).where(erased_key.c.digest.in_(named)))
        return frozenset(named[row[0]] for row in rows)

    return among


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """State of an erasure. `keys`: (agency, key) of the person's records, for what stands in other rooms."""

    erasure_id: str
    done: bool
    keys: tuple[tuple[str, str], ...] = ()


class Eraser:
    def __init__(
        self,
        *,
        store: Store,
        sealer: Sealer,
        opener: Opener,
        numbers: Indexer,
        erased: Digests,
        clock: Clock,
        forget: Forget | None = None,
        natural: Sequence[str] = (),
    ) -> None:
        """`forget`: erases what other rooms keep under a person's keys. `natural`: agencies asked by number."""
        self._forget = forget
        self._natural = tuple(natural)
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._open_number: Callable[[object, bytes, bytes], str] = opener.of_persons(
            HUB, person.name, person.c.number_sealed.name
        )
        self._numbers = numbers
        self._erased = erased
        self._clock = clock

    async def bearer(self, number: IdentityNumber) -> str:
        """The one person of a number, vaulted or not; of one that was merged, whom it was merged into.

        Raises:
            ErasureError: nobody bears it, or several do.
        """
        async with self._store.read() as connection:
            rows = await connection.execute(
                select(person.c.person_id, person.c.number_sealed, salts.c.salt)
                .join(salts, salts.c.person_id == person.c.person_id)
                .where(person.c.number_index.in_(self._numbers.every(number.text)))
            )
            bearing = [row[0] for row in rows if self._open_number(row[0], row[1], row[2]) == number.text]
            found = {await survivor_of(connection, one) for one in bearing}
        if len(found) != 1:
            raise ErasureError("nobody bears this number, or several do")
        return found.pop()

    async def waiting(self, person_id: str, by: str) -> bool:
        """Whether an approval by `by` would be the second one, and erase.

        Raises:
            ErasureError: the person is unknown or erased, or `by` gave the first approval.
        """
        async with self._store.read() as connection:
            return await self._first(connection, person_id, by) is not None

    async def approve(self, person_id: str, by: str, reason: str) -> Erased:
        """Record an approval; the second one, by another officer, erases.

        Raises:
            ErasureError: the person is unknown or erased, the officer approved before, or a text is missing.
        """
        if not by or len(by) > LONGEST_NAME or not reason.strip():
            raise ErasureError("an approval needs the officer and a reason")
        async with self._store.write() as connection:
            first = await self._first(connection, person_id, by)
            if first is None:
                return await self._begin(connection, person_id, by, reason)
            persons = await self._merged(connection, person_id)
            keys = await self._keys(connection, persons)
            everywhere = (*keys, *await self._numbered(connection, persons))
            await self._erase(connection, persons, everywhere)
            if self._forget is not None:
                await self._forget(connection, everywhere)
            await connection.execute(
                update(erasure)
                .where(erasure.c.erasure_id == first)
                .values(
                    second_by=by,
                    second_reason_sealed=self._sealer.seal(reason_place(first, "second"), reason),
                    done_at=self._clock.now(),
                )
            )
            failpoint("erasure.erased")
        await self._store.settle()
        return Erased(erasure_id=first, done=True, keys=keys)

    async def _first(self, connection: AsyncConnection, person_id: str, by: str) -> str | None:
        """Id of the erasure that waits for its second approval."""
        known = (await connection.execute(select(person.c.merged_into).where(person.c.person_id == person_id))).first()
        if known is None:
            raise ErasureError("no such person")
        if known.merged_into is not None:
            raise ErasureError("this person is part of another, who is erased as a whole")
        row = (
            await connection.execute(
                select(erasure.c.erasure_id, erasure.c.first_by, erasure.c.done_at).where(
                    erasure.c.person_id == person_id
                )
            )
        ).first()
        if row is None:
            return None
        if row.done_at is not None:
            raise ErasureError("this person is erased already")
        if row.first_by.casefold() == by.casefold():
            raise ErasureError("the second approval must be another officer's")
        found: str = row.erasure_id
        return found

    async def _begin(self, connection: AsyncConnection, person_id: str, by: str, reason: str) -> Erased:
        erasure_id = secrets.token_hex(16)
        await connection.execute(
            insert(erasure).values(
                erasure_id=erasure_id,
                person_id=person_id,
                first_by=by,
                first_reason_sealed=self._sealer.seal(reason_place(erasure_id, "first"), reason),
                first_at=self._clock.now(),
            )
        )
        return Erased(erasure_id=erasure_id, done=False)

    @staticmethod
    async def _merged(connection: AsyncConnection, person_id: str) -> list[str]:
        """A person, and all who were merged into it."""
        found, last = [person_id], [person_id]
        while last:
            rows = await connection.execute(select(person.c.person_id).where(person.c.merged_into.in_(last)))
            last = [row[0] for row in rows]
            found += last
        return found

    async def _keys(self, connection: AsyncConnection, persons: list[str]) -> tuple[tuple[str, str], ...]:
        rows = await connection.execute(
            select(link.c.person_id, link.c.agency, link.c.key_sealed, salts.c.salt)
            .join(salts, salts.c.person_id == link.c.person_id)
            .where(link.c.person_id.in_(persons))
        )
        return tuple(
            (agency, self._opener.open(key_place(agency, person_id), raw, salt))
            for person_id, agency, raw, salt in rows
        )

    async def _numbered(self, connection: AsyncConnection, persons: list[str]) -> tuple[tuple[str, str], ...]:
        """Keys under which agencies are asked for the person by number, whether or not they hold a record."""
        rows = await connection.execute(
            select(person.c.person_id, person.c.number_sealed, salts.c.salt)
            .join(salts, salts.c.person_id == person.c.person_id)
            .where(person.c.person_id.in_(persons), person.c.number_sealed.is_not(None))
        )
        numbers = {self._open_number(person_id, raw, salt) for person_id, raw, salt in rows}
        return tuple((agency, number) for number in sorted(numbers) for agency in self._natural)

    async def _erase(self, connection: AsyncConnection, persons: list[str], keys: tuple[tuple[str, str], ...]) -> None:
        digests = {erased_digest(self._erased, agency, key) for agency, key in keys}
        for digest in digests:
            await connection.execute(delete(erased_key).where(erased_key.c.digest == digest))
            await connection.execute(insert(erased_key).values(digest=digest))
        await self._forget_records(connection, persons)
        for table in (salts, person_name, name_token, link, findings, trait, block, review, false_item, link_removed):
            await connection.execute(delete(table).where(table.c.person_id.in_(persons)))
        await connection.execute(
            update(person)
            .where(person.c.person_id.in_(persons))
            .values(number_sealed=None, number_index=None, ambiguous=False, vaulted=True)
        )
        await connection.execute(update(jurisdiction).where(jurisdiction.c.person_id.in_(persons)).values(vaulted=True))

    @staticmethod
    async def _forget_records(connection: AsyncConnection, persons: list[str]) -> None:
        """Delete what is kept of the person's records under others' salts, and what officers wrote about them."""
        rows = await connection.execute(select(link.c.record).where(link.c.person_id.in_(persons)))
        records = [row[0] for row in rows if row[0] is not None]
        taken = select(link_event.c.change_id).where(
            link_event.c.change_id == link_removed.c.change_id,
            link_event.c.order == link_removed.c.order,
            link_event.c.record.in_(records),
        )
        await connection.execute(delete(link_removed).where(taken.exists()))
        await connection.execute(
            delete(review).where(or_(review.c.record.in_(records), review.c.other_person.in_(persons)))
        )
        await connection.execute(
            delete(link_order).where(or_(link_order.c.record.in_(records), link_order.c.anchor.in_(records)))
        )
        touching = select(link_event.c.change_id).where(
            or_(link_event.c.person_before.in_(persons), link_event.c.person_after.in_(persons))
        )
        await connection.execute(
            update(link_event)
            .where(and_(link_event.c.change_id.in_(touching), link_event.c.reason_sealed.is_not(None)))
            .values(reason_sealed=None)
        )
