"""An agency whose system is a SQL database: one SELECT a fetch, nested lists in the same answer.

A source that lies about its size cannot exhaust memory: PostgreSQL does not send a row beyond its share of the byte
budget, SQLite is read step by step under it.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.exc import SQLAlchemyError

from hub.connectors.base import (
    Fetch,
    KeyKind,
    Layout,
    Quarantine,
    ScannedRecord,
    SourceFailure,
    SourceRecord,
    SourceState,
    Stamp,
)
from hub.connectors.coerce import UnfitValueError, as_of, coerce
from hub.connectors.mapping import AgencyMapping
from hub.connectors.rows import RowReader
from hub.connectors.sql_arrays import ArrayReader
from hub.connectors.sql_statement import ROOM, TAIL, StatementBuilder, keys_parameter, keys_value
from hub.domain.codes import Codes
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.errors import StoreError
from hub.store.reader import Prepared, Reader, TooLargeError

MAX_BYTES = 10 * 1024 * 1024
MAX_STATEMENTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """What one kind of fetch needs, made once."""

    prepared: Prepared
    reader: RowReader
    nested: range  # slots of nested lists
    arrays: ArrayReader | None  # where the answer is one row of arrays


class SqlConnector:
    def __init__(self, mapping: AgencyMapping, codes: Codes, quarantine: Quarantine, reader: Reader) -> None:
        self._mapping = mapping
        self._codes = codes
        self._quarantine = quarantine
        self._reader = reader
        self._statements = StatementBuilder(mapping, sqlite=reader.sqlite)
        self._ready: OrderedDict[tuple[Layout, tuple[frozenset[str], ...], bool], _Ready] = OrderedDict()
        self.calls = 0

    @property
    def agency(self) -> str:
        return self._mapping.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._mapping.key_kind

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        size = sum(len(part.keys) for part in fetch.parts)
        ready = self._prepare(fetch.layout, tuple(part.coordinates for part in fetch.parts), size)
        given: dict[str, Any] = {ROOM: MAX_BYTES if ready.arrays else MAX_BYTES // max(1, size)}
        canonical: dict[str, str] = {}
        for number, part in enumerate(fetch.parts):
            forms = self._forms(part.keys, canonical)
            given[keys_parameter(number)] = keys_value(forms, sqlite=self._reader.sqlite)
        self.calls += 1
        rows = await self._rows(ready.prepared, given)
        records: dict[str, SourceRecord] = {}
        for record in self._records(ready, rows, canonical):
            held = records.get(record.key)
            if held is None or held.as_of < record.as_of:
                records[record.key] = record
        return records

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every record, ordered by record id; the mapping's `[index]` and `[offices]` come beside `coordinates`."""
        fields = [name for name, rule in self._mapping.rules.items() if rule.field.coordinate in coordinates]
        prepared = self._reader.prepare(self._statements.scan(fields, batch))
        last = ""
        while rows := await self._rows(prepared, {"after": last}):
            yield [self._scanned(row, fields) for row in rows]
            last = rows[-1][1]

    async def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every record sealed by law, by its own id; nothing where the mapping has no `[vaulted]`."""
        if not self._mapping.vaulted:
            return
        prepared = self._reader.prepare(self._statements.vaulted(batch))
        last = ""
        while rows := await self._rows(prepared, {"after": last}):
            yield [self._vaulted(row) for row in rows]
            last = str(rows[-1][0])

    async def newest(self) -> object:
        """The newest time stamp there is, as the driver gives it."""
        rows = await self._rows(self._reader.prepare(self._statements.newest()), {})
        return rows[0][0] if rows else None

    async def changes(self, after: Stamp, *, batch: int) -> tuple[Sequence[str], Stamp | None]:
        """Keys of the next records by time stamp, then record id, and the place of the last one."""
        prepared = self._reader.prepare(self._statements.changes(batch))
        rows = await self._rows(prepared, {"after": after[0], "record": after[1]})
        return [row[0] or "" for row in rows], (rows[-1][2], str(rows[-1][1])) if rows else None

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        await self._reader.close()

    def _prepare(self, layout: Layout, parts: tuple[frozenset[str], ...], size: int) -> _Ready:
        in_columns = self._statements.in_columns(layout, size)
        ready = self._ready.get((layout, parts, in_columns))
        if ready is None:
            flat = len(layout.fields)
            ready = self._ready[layout, parts, in_columns] = _Ready(
                prepared=self._reader.prepare(self._statements.fetch(layout, parts, in_columns=in_columns)),
                reader=RowReader(self._mapping, layout, self._codes, self._quarantine),
                nested=range(flat, flat + len(layout.nested)),
                arrays=ArrayReader(self._mapping, layout) if in_columns else None,
            )
            if len(self._ready) > MAX_STATEMENTS:
                self._ready.popitem(last=False)
        return ready

    def _records(
        self, ready: _Ready, rows: Sequence[Sequence[Any]], canonical: Mapping[str, str]
    ) -> Iterable[SourceRecord]:
        if ready.arrays is None:
            make = self._sqlite_record if self._reader.sqlite else self._record
            return (make(ready, row, canonical) for row in rows)
        if not rows:
            raise self._invalid("answer is too large")
        return ready.reader.records(ready.arrays.columns(rows[0], lambda given: self._keys(given, canonical)))

    def _record(self, ready: _Ready, row: Sequence[Any], canonical: Mapping[str, str]) -> SourceRecord:
        if row[-1] is None:
            raise self._invalid("answer is too large, or has no time stamp")
        return ready.reader.record(self._key(row[-TAIL], canonical), row[-2], row[-1], row)

    def _sqlite_record(self, ready: _Ready, row: Sequence[Any], canonical: Mapping[str, str]) -> SourceRecord:
        values = list(row)
        key = self._key(row[-TAIL], canonical)
        for slot in ready.nested:
            values[slot] = self._decoded(values[slot])
        return ready.reader.record(key, row[-2], row[-1], values)

    def _decoded(self, text: str | None) -> list[Any]:
        """The rows of a nested list from SQLite's JSON, in order, without the value they are ordered by."""
        if text is None:
            raise self._invalid("nested list is too long")
        try:
            return [cells[1:] for cells in sorted(orjson.loads(text), key=_order)]
        except (orjson.JSONDecodeError, TypeError, ValueError, IndexError) as exc:
            raise self._invalid("nested list is not readable") from exc

    def _key(self, given: object, canonical: Mapping[str, str]) -> str:
        key = canonical.get(given) if isinstance(given, str) else None
        if key is None:
            raise self._invalid("answered for a key that was not asked")
        return key

    def _keys(self, given: Sequence[Any], canonical: Mapping[str, str]) -> Sequence[str]:
        keys = [canonical.get(key) for key in given] if set(map(type, given)) <= {str} else [None]
        if None in keys:
            raise self._invalid("answered for a key that was not asked")
        return [key for key in keys if key is not None]

    async def _rows(self, prepared: Prepared, given: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        try:
            return await self._reader.rows(prepared, given, max_bytes=MAX_BYTES)
        except TooLargeError as exc:
            raise self._invalid("answer is too large") from exc
        except (StoreError, SQLAlchemyError, OSError) as exc:
            raise SourceFailure(self.agency, SourceState.DOWN, f"database: {type(exc).__name__}") from exc

    def _scanned(self, row: Sequence[Any], fields: Sequence[str]) -> ScannedRecord:
        values: dict[str, object] = {}
        for name, raw in zip(fields, row[3:], strict=False):
            try:
                values[name] = coerce(self._mapping.rules[name], raw, self._codes)
            except UnfitValueError:
                values[name] = None
        values |= {f"index.{name}": raw for name, raw in zip(self._mapping.index, row[3 + len(fields) :], strict=False)}
        values["index.offices"] = orjson.loads(row[-1]) if self._mapping.offices and row[-1] else []
        try:
            moment = as_of(row[2], self._mapping.as_of.format)
        except UnfitValueError as exc:
            raise self._invalid("record without a time stamp") from exc
        return ScannedRecord(key=row[0] or "", record=str(row[1]), as_of=moment, values=values)

    def _vaulted(self, row: Sequence[Any]) -> ScannedRecord:
        names = [f"index.{name}" for name in self._mapping.index]
        names += [name for name in self._mapping.vaulted if name not in ("at", "key", "record")]
        try:
            moment = as_of(row[1], self._mapping.as_of.format)
        except UnfitValueError as exc:
            raise self._invalid("record without a time stamp") from exc
        values = {name: value for name, value in zip(names, row[2:], strict=True) if value is not None}
        return ScannedRecord(key=str(row[0]), record=str(row[0]), as_of=moment, values=values)

    def _forms(self, keys: Sequence[str], canonical: dict[str, str]) -> list[str]:
        """The keys as the source may hold them; notes in `canonical` which key each form stands for."""
        if not self._mapping.variants:
            canonical.update(zip(keys, keys, strict=True))
            return list(keys)
        forms: list[str] = []
        for key in keys:
            try:
                variants: Sequence[str] = IdentityNumber.parse(key).variants()
            except IdentityNumberError:
                variants = (key,)
            canonical.update(dict.fromkeys(variants, key))
            forms += variants
        return forms

    def _invalid(self, text: str) -> SourceFailure:
        return SourceFailure(self.agency, SourceState.INVALID, text)


def _order(cells: list[Any]) -> tuple[int, str]:
    first = cells[0]
    return (int(first), "") if isinstance(first, str) and first.isdigit() else (0, str(first))
