"""The ledger of links: which records are of which person, since when, by whom and why; nothing is overwritten.

Every change is a list of events old → new under one id. `undo` makes the exact inverse, as a change of its own, and is
refused if a later change has touched what it would put back.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import HUB
from hub.identity.anchors import stand_anew
from hub.identity.links import (
    LinkError,
    LinkState,
    Matching,
    aware,
    event_place,
    is_anchor,
    packed,
    read,
    removed_place,
    state_of,
    state_text,
    trait_place,
    written,
)
from hub.identity.matching.traits import Traits
from hub.identity.merging import hide, show
from hub.identity.ports import Indexer, Opener, Sealer, key_place
from hub.identity.tables import link, link_event, link_removed, person, person_salt, trait
from hub.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A link as it stands, opened. `salt`: its person's, where it was read."""

    person_id: str
    agency: str
    record: str
    key: str
    traits: Traits
    anchor: bool
    state: LinkState
    salt: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of a change. `reason` is not here: it is sealed, and shown to who decides."""

    change_id: str
    order: int
    kind: str
    record: str
    agency: str
    person_before: str | None
    person_after: str | None
    before: str | None
    after: str | None
    author: str
    at: datetime
    undoes: str | None


class Change:
    """One change in the making: numbers its events and writes them in the caller's transaction."""

    def __init__(
        self, connection: AsyncConnection, sealer: Sealer, *, author: str, at: datetime, reason: str = "",
        undoes: str | None = None,
    ) -> None:  # fmt: skip
        self.change_id = secrets.token_hex(16)
        self.connection = connection
        self.author = author
        self.at = at
        self._sealer = sealer
        self._reason = reason
        self._undoes = undoes
        self._order = 0

    async def note(
        self,
        kind: str,
        record: str,
        agency: str,
        persons: tuple[str | None, str | None],
        states: tuple[str | None, str | None],
        *,
        removed: tuple[str, str, bytes] | None = None,
    ) -> None:
        """`removed`: key, written traits and salt of a link that is taken away."""
        row: dict[str, Any] = {
            "change_id": self.change_id, "order": self._order, "kind": kind, "record": record, "agency": agency,
            "person_before": persons[0], "person_after": persons[1], "before": states[0], "after": states[1],
            "author": self.author, "at": self.at, "undoes": self._undoes,
        }  # fmt: skip
        if self._reason and self._order == 0:
            place = event_place("reason_sealed", self.change_id, 0)
            row["reason_sealed"] = self._sealer.seal(place, self._reason)
        if removed is not None:
            key, traits, salt = removed
            sealed = {
                column: self._sealer.seal(removed_place(column, self.change_id, self._order), text, salt)
                for column, text in (("key_sealed", key), ("traits_sealed", traits))
            }
            kept = {"change_id": self.change_id, "order": self._order, "person_id": persons[0], **sealed}
            await self.connection.execute(insert(link_removed), kept)
        await self.connection.execute(insert(link_event), row)
        self._order += 1


class Ledger:
    def __init__(
        self, *, store: Store, sealer: Sealer, opener: Opener, keys: Indexer, matching: Matching, clock: Clock
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._keys = keys
        self._open_traits = opener.of_persons(HUB, trait.name, trait.c.traits_sealed.name)
        self._matching = matching
        self._clock = clock

    def change(
        self, connection: AsyncConnection, *, author: str, reason: str = "", undoes: str | None = None
    ) -> Change:
        return Change(
            connection, self._sealer, author=author, at=self._clock.now(), reason=reason, undoes=undoes
        )  # fmt: skip

    async def of_record(self, connection: AsyncConnection, record: str) -> Held | None:
        found = await self._held(connection, link.c.record == record)
        return found[0] if found else None

    async def of_person(self, connection: AsyncConnection, person_id: str) -> list[Held]:
        """All links of a person that take part in matching, by record."""
        return await self._held(connection, link.c.person_id == person_id)

    async def links(self, person_id: str) -> list[Held]:
        async with self._store.read() as connection:
            return await self.of_person(connection, person_id)

    async def history(self, *, person_id: str | None = None, record: str | None = None) -> list[Event]:
        """Events that touched a person or a record, in order."""
        wanted = (
            link_event.c.record == record
            if record is not None
            else (link_event.c.person_before == person_id) | (link_event.c.person_after == person_id)
        )
        names = list(Event.__dataclass_fields__)
        async with self._store.read() as connection:
            rows = await connection.execute(
                select(*(link_event.c[name] for name in names))
                .where(wanted)
                .order_by(link_event.c.at, link_event.c.change_id, link_event.c.order)
            )
            return [Event(**dict(zip(names, row, strict=True))) for row in rows]

    async def put(self, change: Change, held: Held) -> None:
        """Link a record that has no link."""
        await self._insert(change.connection, held)
        after = state_text(held.state)
        await change.note("LINK", held.record, held.agency, (None, held.person_id), (None, after))

    async def take(self, change: Change, held: Held) -> None:
        """Take a link away; the event keeps what is needed to put it back."""
        if held.anchor:
            raise LinkError("an anchor is not unlinked; persons are merged")
        salt = held.salt or await self._salt(change.connection, held.person_id)
        await self._delete(change.connection, held)
        removed = held.key, written(held.traits, anchor=held.anchor), salt
        before = state_text(held.state)
        persons = held.person_id, None
        await change.note("UNLINK", held.record, held.agency, persons, (before, None), removed=removed)

    async def move(self, change: Change, held: Held, person_id: str, state: LinkState) -> None:
        """Take a record from one person to another."""
        await self._delete(change.connection, held)
        await self._insert(change.connection, _moved(held, person_id, state))
        if held.anchor:  # records find whoever the anchor is of now
            for one in (held.person_id, person_id):
                await stand_anew(change.connection, self._matching, self._open_traits, one)
        persons, states = (held.person_id, person_id), (state_text(held.state), state_text(state))
        await change.note("MOVE", held.record, held.agency, persons, states)

    async def unlink(self, record: str, *, author: str, reason: str) -> str:
        """Take the link of a record away. Returns the change's id.

        Raises:
            LinkError: it has none, or is an anchor.
        """
        async with self._store.write() as connection:
            held = await self.of_record(connection, record)
            if held is None:
                raise LinkError("no such link")
            change = self.change(connection, author=author, reason=reason)
            await self.take(change, held)
        return change.change_id

    async def merge(self, survivor: str, other: str, *, author: str, reason: str) -> str:
        """All records of `other` become `survivor`'s; `other` is found by nobody. Returns the change's id.

        Who may do so is decided before (`reviews`). Raises LinkError where a person is unknown, merged or erased.
        """
        async with self._store.write() as connection:
            change = self.change(connection, author=author, reason=reason)
            await self.merge_in(change, survivor, other)
        return change.change_id

    async def merge_in(self, change: Change, survivor: str, other: str) -> None:
        if survivor == other:
            raise LinkError("one person is not merged with itself")
        for person_id in (survivor, other):
            await self._live(change.connection, person_id)
        held = await self.of_person(change.connection, other)
        anchor = next((one for one in held if one.anchor), None)
        for one in held:
            state = LinkState(method="merge", evidence={}, author=change.author, linked_at=change.at)
            await self.move(change, one, survivor, state)
        before = await hide(change.connection, other, survivor)
        record = anchor.record if anchor else ""
        await change.note("MERGE", record, HUB, (other, survivor), (packed(before), None))

    async def undo(self, change_id: str, *, author: str, reason: str) -> str:
        """Make the exact inverse of a change. Returns the id of the change that does it.

        Raises:
            LinkError: it is unknown, or a later change touched what it would put back.
        """
        async with self._store.write() as connection:
            rows = (
                await connection.execute(
                    select(link_event).where(link_event.c.change_id == change_id).order_by(link_event.c.order.desc())
                )
            ).all()
            if not rows:
                raise LinkError("no such change")
            change = self.change(connection, author=author, reason=reason, undoes=change_id)
            for row in rows:
                await self._invert(change, row)
        return change.change_id

    async def _invert(self, change: Change, row: Any) -> None:
        if row.kind == "MERGE":
            moved = await show(change.connection, row.person_before, row.person_after, row.before)
            await change.note("UNMERGE", row.record, HUB, (row.person_after, row.person_before), (None, packed(moved)))
            return
        if row.kind == "UNMERGE":
            await self._live(change.connection, row.person_before)
            before = await hide(change.connection, row.person_after, row.person_before)
            await change.note("MERGE", row.record, HUB, (row.person_after, row.person_before), (packed(before), None))
            return
        held = await self.of_record(change.connection, row.record)
        now = None if held is None else (held.person_id, state_text(held.state))
        if now != (None if row.person_after is None else (row.person_after, row.after)):
            raise LinkError("a later change stands on this one")
        if held is None:
            await self._put_back(change, row)
        elif row.kind == "LINK":
            await self.take(change, held)
        else:
            await self.move(change, held, row.person_before, state_of(row.before))

    async def _put_back(self, change: Change, row: Any) -> None:
        salt = await self._salt(change.connection, row.person_before)
        kept = (
            await change.connection.execute(
                select(link_removed.c.key_sealed, link_removed.c.traits_sealed).where(
                    link_removed.c.change_id == row.change_id, link_removed.c.order == row.order
                )
            )
        ).one()
        key, text = (
            self._opener.open(removed_place(column, row.change_id, row.order), sealed, salt)
            for column, sealed in zip(("key_sealed", "traits_sealed"), kept, strict=True)
        )
        await self.put(
            change,
            Held(
                person_id=row.person_before, agency=row.agency, record=row.record, key=key, traits=read(text),
                anchor=is_anchor(text), state=state_of(row.before),
            ),
        )  # fmt: skip

    async def _held(self, connection: AsyncConnection, wanted: Any) -> list[Held]:
        rows = await connection.execute(
            select(link, trait.c.traits_sealed, person_salt.c.salt)
            .join(trait, (trait.c.person_id == link.c.person_id) & (trait.c.record == link.c.record))
            .join(person_salt, person_salt.c.person_id == link.c.person_id)
            .where(wanted)
            .order_by(link.c.record)
        )
        return [self._opened(row) for row in rows]

    def _opened(self, row: Any) -> Held:
        text = self._opener.open(trait_place(row.person_id, row.record), row.traits_sealed, row.salt)
        state = LinkState(
            method=row.method, weight=row.weight, model=row.model,
            evidence={} if row.evidence is None else orjson.loads(row.evidence), author=row.author,
            linked_at=aware(row.linked_at),
        )  # fmt: skip
        key = self._opener.open(key_place(row.agency, row.person_id), row.key_sealed, row.salt)
        return Held(
            person_id=row.person_id, agency=row.agency, record=row.record, key=key, traits=read(text),
            anchor=is_anchor(text), state=state, salt=row.salt,
        )  # fmt: skip

    def rows(self, held: Held, salt: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rows of `person_link` and `identity_trait`."""
        state = held.state
        sealed = self._sealer.seal(key_place(held.agency, held.person_id), held.key, salt)
        text = written(held.traits, anchor=held.anchor)
        return {
            "person_id": held.person_id, "agency": held.agency, "key_index": self._keys.of(held.key),
            "key_sealed": sealed, "method": state.method, "linked_at": state.linked_at, "record": held.record,
            "weight": state.weight, "model": state.model, "author": state.author,
            "evidence": packed(state.evidence) if state.evidence else None,
        }, {
            "person_id": held.person_id, "record": held.record, "agency": held.agency,
            "traits_sealed": self._sealer.seal(trait_place(held.person_id, held.record), text, salt),
        }  # fmt: skip

    async def _insert(self, connection: AsyncConnection, held: Held) -> None:
        linked, known = self.rows(held, await self._salt(connection, held.person_id))
        await connection.execute(insert(link), linked)
        await connection.execute(insert(trait), known)

    async def _delete(self, connection: AsyncConnection, held: Held) -> None:
        for gone in _GONE:
            await connection.execute(gone, {"person": held.person_id, "named": held.record})

    async def _live(self, connection: AsyncConnection, person_id: str) -> None:
        row = (await connection.execute(select(person.c.merged_into).where(person.c.person_id == person_id))).first()
        if row is None or row.merged_into is not None:
            raise LinkError("no such person, or merged before")
        await self._salt(connection, person_id)

    async def _salt(self, connection: AsyncConnection, person_id: str | None) -> bytes:
        salt = await connection.scalar(select(person_salt.c.salt).where(person_salt.c.person_id == person_id))
        if salt is None:
            raise LinkError("no such person, or erased")
        found: bytes = salt
        return found


_GONE = tuple(
    delete(table).where(table.c.person_id == bindparam("person"), table.c.record == bindparam("named"))
    for table in (link, trait)
)


def _moved(held: Held, person_id: str, state: LinkState) -> Held:
    return Held(
        person_id=person_id, agency=held.agency, record=held.record, key=held.key, traits=held.traits,
        anchor=held.anchor, state=state,
    )  # fmt: skip
