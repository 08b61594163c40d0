"""The index for auditors' queries: what an entry says, in columns; and the follower that fills it.

The index is made from the log alone, so it can be made again, and verification compares it with the entries.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.counting import count_indexed, discount_indexed
from hub.audit.entry import EFFECTS
from hub.audit.tables import (
    audit_entry,
    audit_follower,
    audit_head,
    audit_index,
    audit_index_case,
    audit_index_pattern,
    audit_index_person,
    audit_pattern,
)
from hub.errors import StoreError
from hub.store.engine import Store

ENTRIES_A_TURN = 100  # so that a turn does not keep writers of the log waiting
TEXTS = {"agency": 40, "officer": 128, "role": 40, "purpose": 40, "outcome": 8, "code": 40}
"""Members of an entry that are columns of the index, with their width."""


class Indexed(NamedTuple):
    """`texts` in the order of `TEXTS`; `persons` with the number of their pattern; coordinates by pattern."""

    texts: tuple[str, ...]
    persons: Mapping[str, int]
    cases: frozenset[str]
    patterns: Mapping[int, Sequence[Sequence[str]]]


def index_of(body: bytes) -> Indexed:
    """What the index holds of an entry. Pure.

    Raises:
        ValueError: the body is not one of an entry.
    """
    said = orjson.loads(body)
    patterns = said["patterns"]
    ids = [pattern_id(pattern) for pattern in patterns]
    return Indexed(
        texts=tuple((said.get(name) or "")[:width] for name, width in TEXTS.items()),
        persons={item[0][:64]: ids[item[1]] for item in reversed(said["persons"])},
        cases=frozenset(case[:100] for case in said["case"]),
        patterns=dict(zip(ids, patterns, strict=True)),
    )


def pattern_id(pattern: Sequence[Sequence[str]]) -> int:
    """A number for coordinates by effect: the same wherever it is made."""
    return int.from_bytes(sha256(orjson.dumps(pattern)).digest()[:8], "big", signed=True)


class Indexer:
    """Keeps the index up to the log; any process may, one at a time does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[int] = set()

    async def catch_up(self) -> None:
        """Index what the log has that the index has not. Readers call this first, so that they miss nothing.

        Raises:
            StoreError: the database does not answer, or an entry cannot be read.
        """
        while await self._turn():
            pass

    async def _turn(self) -> bool:
        async with self._store.read() as connection:
            done = await connection.scalar(select(audit_follower.c.seq).where(audit_follower.c.name == "index"))
            last = await connection.scalar(select(audit_head.c.seq))
        if done is None or last is None or last <= done:
            return False
        async with self._store.write() as connection:
            follower = select(audit_follower.c.seq).where(audit_follower.c.name == "index").with_for_update()
            done = await connection.scalar(follower)
            columns = [audit_entry.c[name] for name in ("seq", "time_us", "kind", "body")]
            statement = select(*columns).where(audit_entry.c.seq > done).order_by(audit_entry.c.seq)
            rows = (await connection.execute(statement.limit(ENTRIES_A_TURN))).all()
            if rows:
                await self._enter(connection, rows)
                moved = update(audit_follower).where(audit_follower.c.name == "index")
                await connection.execute(moved.values(seq=rows[-1].seq))
        return bool(rows)

    async def _enter(self, connection: AsyncConnection, rows: Sequence[Any]) -> None:
        made: dict[Table, list[dict[str, Any]]] = {
            audit_index: [],
            audit_index_person: [],
            audit_index_case: [],
            audit_index_pattern: [],
        }
        patterns: dict[int, Sequence[Sequence[str]]] = {}
        for seq, time_us, kind, body in rows:
            if body is None:
                continue
            try:
                indexed = index_of(body)
            except (ValueError, KeyError, TypeError, IndexError) as exc:
                raise StoreError(f"entry {seq} cannot be read") from exc
            texts = dict(zip(TEXTS, indexed.texts, strict=True))
            count = len(indexed.persons)
            made[audit_index].append({"seq": seq, "time_us": time_us, "kind": kind, **texts, "persons": count})
            made[audit_index_person] += [
                {"person": person, "seq": seq, "pattern_id": number} for person, number in indexed.persons.items()
            ]
            made[audit_index_case] += [{"case_id": case, "seq": seq} for case in sorted(indexed.cases)]
            made[audit_index_pattern] += [{"pattern_id": number, "seq": seq} for number in indexed.patterns]
            patterns.update(indexed.patterns)
        await self._enter_patterns(connection, patterns)
        for table, values in made.items():
            if values:
                await connection.execute(insert(table), values)
        await count_indexed(connection, made[audit_index])

    async def _enter_patterns(
        self, connection: AsyncConnection, patterns: Mapping[int, Sequence[Sequence[str]]]
    ) -> None:
        fresh = patterns.keys() - self._known
        if not fresh:
            return
        known = select(audit_pattern.c.pattern_id).where(audit_pattern.c.pattern_id.in_(fresh)).distinct()
        missing = fresh - {row.pattern_id for row in await connection.execute(known)}
        values = [row for number in missing for row in pattern_rows(number, patterns[number])]
        if values:
            await connection.execute(insert(audit_pattern), values)
        if len(self._known) > 50_000:
            self._known.clear()
        self._known |= fresh


def pattern_rows(number: int, pattern: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Where rules were asked, the facts stand behind the lists of coordinates: they are no coordinates."""
    return [
        {"coordinate": coordinate, "decision": effect, "pattern_id": number}
        for effect, coordinates in zip(EFFECTS, pattern[: len(EFFECTS)], strict=True)
        for coordinate in coordinates
    ]


async def remove_indexed(connection: AsyncConnection, first: int, last: int) -> None:
    """Take the entries from `first` to `last` out of the index, in the caller's transaction."""
    await discount_indexed(connection, first, last)
    for table in (audit_index, audit_index_person, audit_index_case, audit_index_pattern):
        within: ColumnElement[bool] = table.c.seq.between(first, last)
        await connection.execute(delete(table).where(within))
