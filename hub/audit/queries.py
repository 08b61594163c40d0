"""What auditors ask of the log: entries by any mix of filters, newest first, in keyset pages; counts; one proof.

A query walks the entries of its most selective filter and checks the others. It looks at some 4,000 of them at most for
one page: a page may then hold fewer than asked for, also none, and `more` is true. So a page costs the same however
large the log is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, and_, exists, func, select, union

from hub.audit.checkpoints import Checkpoints, Stored
from hub.audit.indexing import Indexer
from hub.audit.kinds import NUMBERS, Kind
from hub.audit.merkle import verify_inclusion
from hub.audit.reader import EntryRow, entry
from hub.audit.tables import (
    audit_checkpoint,
    audit_entry,
    audit_index,
    audit_index_case,
    audit_index_pattern,
    audit_index_person,
    audit_pattern,
)
from hub.errors import StoreError
from hub.store.engine import Store

LOOK_AT = (250, 1_000, 3_000)  # at first a few: mostly they are enough
INDEX_EVERY_S = 1.0
MAX_FIRST = 200
FEW_PATTERNS = 24
_log = structlog.get_logger(__name__)
_ENTRY = [audit_entry.c[name] for name in EntryRow._fields]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """None: any. `person`: a pseudonym. `coordinate` was asked (with `person`: of this person), with `decision` (one of
    `hub.audit.entry.EFFECTS`) if given. Times in microseconds, `from_us` is in, `to_us` out.
    """

    person: str | None = None
    officer: str | None = None
    agency: str | None = None
    coordinate: str | None = None
    decision: str | None = None
    purpose: str | None = None
    case: str | None = None
    outcome: str | None = None
    kind: Kind | None = None
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries newest first. `end`: number to give as `before` for the next page, if there is `more`."""

    entries: Sequence[EntryRow]
    end: int | None
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """That the entry is in the tree of a checkpoint: leaf `index` from 0, hashes from the leaf up."""

    entry: EntryRow
    index: int
    hashes: Sequence[bytes]
    checkpoint: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What of the log is anchored. `lag`: entries after the last checkpoint. Times in microseconds, None: not yet."""

    entries: int
    from_us: int | None
    to_us: int | None
    checkpointed: int
    checkpoint_us: int | None
    witnessed: int
    witnessed_us: int | None
    lag: int


class AuditQueries:
    """Every answer covers the log as it stood when the question came: the index is brought up to it first."""

    def __init__(self, store: Store, checkpoints: Checkpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._indexer = Indexer(store)

    async def keep_up(self) -> None:
        """Bring the index up to the log every second, until cancelled, so that no query has much to catch up."""
        while True:
            await asyncio.sleep(INDEX_EVERY_S)
            try:
                await self._indexer.catch_up()
            except StoreError as error:
                _log.error("audit index", code=error.code, text=str(error))
                await asyncio.sleep(5)

    async def find(self, wanted: EntryFilter, *, first: int = 20, before: int | None = None) -> Page:
        """Entries that meet all of `wanted`, newest first, older than number `before`.

        Raises:
            ValueError: `first` is not 1..200. StoreError: the database does not answer.
        """
        if not 1 <= first <= MAX_FIRST:
            raise ValueError(f"first must be 1 to {MAX_FIRST}")
        await self._indexer.catch_up()
        async with self._store.read() as connection:
            bounds = await self._bounds(connection, wanted, before)
            patterns = await self._patterns(connection, wanted)
            if bounds is None or patterns == []:
                return Page(entries=(), end=None, more=False)
            numbers, end = await self._numbers(connection, wanted, bounds, patterns, first + 1)
            more = end is not None or len(numbers) > first
            chosen = select(*_ENTRY).where(audit_entry.c.seq.in_(numbers[:first])).order_by(audit_entry.c.seq.desc())
            rows = [EntryRow(*row) for row in (await connection.execute(chosen)).all()]
        return Page(
            entries=rows, end=(numbers[first - 1] if len(numbers) > first else end) if more else None, more=more
        )

    async def _numbers(
        self, connection: Any, wanted: EntryFilter, bounds: tuple[int, int], patterns: list[int] | None, enough: int
    ) -> tuple[list[int], int | None]:
        """Numbers of entries that meet the filter, newest first; and where looking ended before there were enough."""
        first, end = bounds
        found: list[int] = []
        for look_at in LOOK_AT:
            cut = _candidates(wanted, (first, end), patterns, look_at).cte("cut")
            statement = (
                select(cut.c.seq)
                .join(audit_index, audit_index.c.seq == cut.c.seq)
                .where(*_conditions(wanted, patterns))
                .order_by(cut.c.seq.desc())
                .limit(enough - len(found))
            )
            found += [row.seq for row in await connection.execute(statement)]
            if len(found) >= enough:
                return found, None
            looked, lowest = (await connection.execute(select(func.count(), func.min(cut.c.seq)))).one()
            if looked < look_at:
                return found, None
            end = lowest
        return found, end

    async def _bounds(self, connection: Any, wanted: EntryFilter, before: int | None) -> tuple[int, int] | None:
        """The numbers between which entries of the wanted times lie: from the first, to before the last."""
        first, end = 0, before if before is not None else (1 << 62)
        column = audit_index.c.time_us
        for at_us, is_end in ((wanted.from_us, False), (wanted.to_us, True)):
            if at_us is None:
                continue
            nearest = select(audit_index.c.seq).where(column >= at_us).order_by(column, audit_index.c.seq).limit(1)
            seq = await connection.scalar(nearest)
            if is_end:
                end = min(end, seq) if seq is not None else end
            elif seq is None:
                return None
            else:
                first = seq
        return (first, end) if first < end else None

    async def _patterns(self, connection: Any, wanted: EntryFilter) -> list[int] | None:
        """The patterns with the wanted coordinate and decision; None if any will do."""
        if wanted.coordinate is None and wanted.decision is None:
            return None
        statement = select(audit_pattern.c.pattern_id).distinct()
        if wanted.coordinate is not None:
            statement = statement.where(audit_pattern.c.coordinate == wanted.coordinate)
        if wanted.decision is not None:
            statement = statement.where(audit_pattern.c.decision == wanted.decision)
        return [row.pattern_id for row in await connection.execute(statement)]

    async def by_id(self, entry_id: str) -> EntryRow | None:
        return await entry(self._store, entry_id)

    async def numbered(self, numbers: Sequence[int]) -> list[EntryRow]:
        """Entries by their numbers, in order."""
        chosen = select(*_ENTRY).where(audit_entry.c.seq.in_(numbers)).order_by(audit_entry.c.seq)
        async with self._store.read() as connection:
            return [EntryRow(*row) for row in (await connection.execute(chosen)).all()]

    async def proof(self, entry_id: str) -> Inclusion | None:
        """That an entry is in the log, under the newest checkpoint; one is made if the entry is younger.

        Raises:
            StoreError: the database does not answer. LogBrokenError: the log does not continue its last checkpoint.
        """
        row = await self.by_id(entry_id)
        if row is None:
            return None
        last = await self._checkpoints.latest()
        if last is None or last.checkpoint.size < row.seq:
            last = await self._checkpoints.make(force=True)
        if last is None:
            raise StoreError("there is no checkpoint")
        size, root = last.checkpoint.size, last.checkpoint.root
        hashes = await self._checkpoints.tree.inclusion(row.seq - 1, size)
        if not verify_inclusion(index=row.seq - 1, size=size, leaf=bytes(row.leaf), proof=hashes, root=root):
            raise StoreError("the entry is not the one that was signed")
        return Inclusion(entry=row, index=row.seq - 1, hashes=hashes, checkpoint=last)

    async def status(self) -> Status:
        size, last_us, _ = await self._checkpoints.tree.head()
        last = await self._checkpoints.latest()
        witnessed = (
            select(audit_checkpoint.c.size, audit_checkpoint.c.time_us)
            .where(audit_checkpoint.c.witnesses > 0)
            .order_by(audit_checkpoint.c.size.desc())
            .limit(1)
        )
        async with self._store.read() as connection:
            first_us = await connection.scalar(select(audit_entry.c.time_us).order_by(audit_entry.c.seq).limit(1))
            seen = (await connection.execute(witnessed)).one_or_none()
        done = last.checkpoint.size if last else 0
        return Status(
            entries=size,
            from_us=first_us,
            to_us=last_us if size else None,
            checkpointed=done,
            checkpoint_us=last.time_us if last else None,
            witnessed=seen.size if seen else 0,
            witnessed_us=seen.time_us if seen else None,
            lag=size - done,
        )

    async def statistics(self, *, from_us: int, to_us: int) -> Sequence[tuple[str, str, str, int, int]]:
        """Agency, purpose, outcome, number of entries, sum of persons; sorted. Cost: the entries of the period."""
        await self._indexer.catch_up()
        by = (audit_index.c.agency, audit_index.c.purpose, audit_index.c.outcome)
        statement = (
            select(*by, func.count(), func.sum(audit_index.c.persons))
            .where(audit_index.c.time_us >= from_us, audit_index.c.time_us < to_us)
            .group_by(*by)
            .order_by(*by)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [(agency, purpose, outcome, count, int(persons)) for agency, purpose, outcome, count, persons in rows]


def _candidates(wanted: EntryFilter, bounds: tuple[int, int], patterns: list[int] | None, look_at: int) -> Select[Any]:
    """Numbers of entries to look at, newest first: those of the filter that leaves the fewest."""
    first, end = bounds

    def newest(column: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
        chosen = select(column.label("seq")).where(*conditions, column >= first, column < end)
        return chosen.order_by(column.desc()).limit(look_at)

    if wanted.person is not None:
        return newest(audit_index_person.c.seq, audit_index_person.c.person == wanted.person)
    if wanted.case is not None:
        return newest(audit_index_case.c.seq, audit_index_case.c.case_id == wanted.case)
    if wanted.officer is not None:
        return newest(audit_index.c.seq, audit_index.c.officer == wanted.officer)
    if patterns is not None and len(patterns) <= FEW_PATTERNS:
        table = audit_index_pattern
        each = [select(newest(table.c.seq, table.c.pattern_id == one).subquery()) for one in patterns]
        joined = union(*each).subquery()
        return select(joined.c.seq).order_by(joined.c.seq.desc()).limit(look_at)
    for column, value in _texts(wanted):
        return newest(audit_index.c.seq, column == value)
    return newest(audit_index.c.seq)


def _texts(wanted: EntryFilter) -> list[tuple[Any, Any]]:
    """Columns of the index with their wanted values, the most selective first."""
    pairs = (
        (audit_index.c.officer, wanted.officer),
        (audit_index.c.kind, NUMBERS[wanted.kind] if wanted.kind else None),
        (audit_index.c.outcome, wanted.outcome),
        (audit_index.c.agency, wanted.agency),
        (audit_index.c.purpose, wanted.purpose),
    )
    return [(column, value) for column, value in pairs if value is not None]


def _conditions(wanted: EntryFilter, patterns: list[int] | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [column == value for column, value in _texts(wanted)]
    seq = audit_index.c.seq
    if wanted.person is not None:
        of = audit_index_person.c
        person = and_(of.person == wanted.person, of.seq == seq)
        found.append(exists().where(person if patterns is None else and_(person, of.pattern_id.in_(patterns))))
    elif patterns is not None:
        had = audit_index_pattern.c
        found.append(exists().where(had.seq == seq, had.pattern_id.in_(patterns)))
    if wanted.case is not None:
        found.append(exists().where(audit_index_case.c.case_id == wanted.case, audit_index_case.c.seq == seq))
    return found
