"""An agency whose system is a SQL database: one SELECT a fetch, nested lists aggregated as JSON by the database.

Every text is cut in SQL and the answer is read as a stream under a byte budget, so that a source that lies about its
size cannot exhaust memory. A column that only some keys may be asked for is wrapped in CASE over those keys.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy import ColumnElement, MetaData, Select, Table, Text, case, cast, func, null, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.schema import Column

from hub.connectors.assemble import MAX_NESTED, Assembler, split_coordinates
from hub.connectors.base import Fetch, KeyKind, Part, SourceFailure, SourceRecord, SourceState
from hub.connectors.coerce import MAX_TEXT
from hub.connectors.mapping import AgencyMapping, Nested
from hub.domain.identity_number import IdentityNumber, IdentityNumberError

MAX_BYTES = 10 * 1024 * 1024


class SqlConnector:
    def __init__(self, mapping: AgencyMapping, assembler: Assembler, url: str) -> None:
        self._mapping = mapping
        self._assembler = assembler
        self._engine: AsyncEngine = create_async_engine(url, pool_size=4, max_overflow=4)
        self._sqlite = self._engine.dialect.name == "sqlite"
        metadata = MetaData()
        self._main = _table(
            metadata, mapping.at, [mapping.key, mapping.record, mapping.as_of.source, *_columns(mapping)]
        )
        self._children = {
            name: _table(metadata, nested.at, [nested.key, *_nested_columns(nested)])
            for name, nested in mapping.nested.items()
        }
        if mapping.offices:
            self._offices = _table(
                metadata, mapping.offices["at"], [v for k, v in mapping.offices.items() if k != "at"]
            )
        self.calls = 0

    @property
    def agency(self) -> str:
        return self._mapping.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._mapping.key_kind

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        forms = {key: self._forms(key) for key in fetch.keys}
        canonical = {form: key for key, variants in forms.items() for form in variants}
        flat, nested = split_coordinates(self._mapping, fetch.coordinates)
        statement = self._statement(fetch.parts, forms, flat, nested)
        records: dict[str, SourceRecord] = {}
        asked = {key: split_coordinates(self._mapping, part.coordinates) for part in fetch.parts for key in part.keys}
        self.calls += 1
        for row in await self._rows(statement):
            key = canonical.get(row[0])
            if key is None:
                raise SourceFailure(self.agency, SourceState.INVALID, "answered for a key that was not asked")
            record = self._record(key, row, flat, nested, asked[key])
            if key not in records or records[key].as_of < record.as_of:
                records[key] = record
        return records

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[SourceRecord]]:
        """Every record, ordered by key; the mapping's `[index]` and `[offices]` come beside `coordinates`."""
        flat, _ = split_coordinates(self._mapping, coordinates)
        key = self._main.c[self._mapping.key]
        last = ""
        while True:
            columns = [self._text(self._main.c[self._mapping.rules[name].source]) for name in flat]
            extra = [self._text(self._main.c[source]) for source in self._mapping.index.values()]
            statement = (
                select(key, self._main.c[self._mapping.record], self._main.c[self._mapping.as_of.source])
                .add_columns(*columns, *extra, *self._office_list())
                .where(key > last)
                .order_by(key)
                .limit(batch)
            )
            rows = await self._rows(statement)
            if not rows:
                return
            yield [self._scanned(row, flat) for row in rows]
            last = rows[-1][0]

    async def close(self) -> None:
        await self._engine.dispose()

    def _scanned(self, row: Sequence[Any], flat: tuple[str, ...]) -> SourceRecord:
        record = self._assembler.record(row[0], row[1], row[2], dict(zip(flat, row[3:], strict=False)), {})
        extra = dict(zip(self._mapping.index, row[3 + len(flat) :], strict=False))
        offices = orjson.loads(row[-1]) if self._mapping.offices and row[-1] else []
        return SourceRecord(
            key=record.key,
            record=record.record,
            as_of=record.as_of,
            values={
                **record.values,
                **{f"index.{name}": value for name, value in extra.items()},
                "index.offices": offices,
            },
            quarantined=record.quarantined,
        )

    def _office_list(self) -> list[ColumnElement[Any]]:
        if not self._mapping.offices:
            return []
        names = [name for name in self._mapping.offices if name not in ("at", "key")]
        columns = [self._offices.c[self._mapping.offices[name]] for name in names]
        joined = self._offices.c[self._mapping.offices["key"]] == self._main.c[self._mapping.record]
        return [select(self._aggregate(columns)).where(joined).scalar_subquery()]

    def _statement(
        self,
        parts: Sequence[Part],
        forms: Mapping[str, tuple[str, ...]],
        flat: tuple[str, ...],
        nested: Mapping[str, tuple[str, ...]],
    ) -> Select[Any]:
        key = self._main.c[self._mapping.key]
        keys_of = [[form for name in part.keys for form in forms[name]] for part in parts]

        def guarded(coordinate: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
            """`value` for the keys that may be asked for `coordinate`, null for all others."""
            allowed = [keys for keys, part in zip(keys_of, parts, strict=True) if coordinate in part.coordinates]
            if len(allowed) == len(parts):
                return value
            return case((key.in_([form for keys in allowed for form in keys]), value), else_=null())

        columns: list[ColumnElement[Any]] = []
        for name in flat:
            rule = self._mapping.rules[name]
            columns.append(guarded(rule.field.coordinate, self._text(self._main.c[rule.source])))
        for name, inner in nested.items():
            item = self._mapping.nested[name]
            table = self._children[name]
            order = [self._text(table.c[item.order])] if item.order else [null()]
            cells = [
                guarded(item.rules[field].field.coordinate, self._text(table.c[item.rules[field].source]))
                for field in inner
            ]
            rows = (
                select(case((func.count() <= MAX_NESTED, self._aggregate([*order, *cells]))))
                .where(table.c[item.key] == self._main.c[self._mapping.record])
                .correlate(self._main)
                .scalar_subquery()
            )
            columns.append(guarded(item.field.coordinate, rows))
        return (
            select(
                key,
                self._text(self._main.c[self._mapping.record]),
                self._text(self._main.c[self._mapping.as_of.source]),
            )
            .add_columns(*columns)
            .where(key.in_([form for keys in keys_of for form in keys]))
        )

    def _aggregate(self, cells: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
        if self._sqlite:
            return func.json_group_array(func.json_array(*cells))
        return func.coalesce(cast(func.json_agg(func.json_build_array(*cells)), Text), "[]")

    def _text(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.substr(cast(value, Text), 1, MAX_TEXT + 1)

    async def _rows(self, statement: Select[Any]) -> list[Sequence[Any]]:
        """Run `statement` and read it as a stream; stops the database when the caller is cancelled."""
        try:
            async with self._engine.connect() as connection:
                raw = await connection.get_raw_connection()
                reading = asyncio.ensure_future(self._read(connection, statement))
                try:
                    return await asyncio.shield(reading)
                except asyncio.CancelledError:
                    await self._abandon(reading, raw.driver_connection)
                    raise
        except (SQLAlchemyError, OSError) as exc:
            raise SourceFailure(self.agency, SourceState.DOWN, f"database: {type(exc).__name__}") from exc

    async def _read(self, connection: AsyncConnection, statement: Select[Any]) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = []
        size = 0
        result = await connection.stream(statement)
        async for row in result:
            size += sum(len(value) for value in row if isinstance(value, str))
            if size > MAX_BYTES:
                raise SourceFailure(self.agency, SourceState.INVALID, "answer is too large")
            rows.append(row)
        return rows

    async def _abandon(self, reading: "asyncio.Future[list[Sequence[Any]]]", driver: Any) -> None:
        """End a running statement before the connection goes back: SQLite is interrupted, PostgreSQL is told to cancel.

        Cancelling the task alone would wait for SQLite's thread, which is busy with the statement.
        """
        if self._sqlite:
            await driver.interrupt()
        else:
            reading.cancel()
        with suppress(SQLAlchemyError, SourceFailure, OSError, asyncio.CancelledError):
            await reading

    def _record(
        self,
        key: str,
        row: Sequence[Any],
        flat: tuple[str, ...],
        nested: Mapping[str, tuple[str, ...]],
        asked: tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]],
    ) -> SourceRecord:
        values = dict(zip(flat, row[3:], strict=False))
        lists = dict(zip(nested, row[3 + len(flat) :], strict=False))
        own_flat, own_nested = asked
        if any(lists[name] is None for name in own_nested):
            raise SourceFailure(self.agency, SourceState.INVALID, "nested list is too long")
        try:
            tables = {
                name: [
                    dict(zip(nested[name], cells[1:], strict=True))
                    for cells in sorted(orjson.loads(lists[name]), key=_order)
                ]
                for name in own_nested
            }
        except (orjson.JSONDecodeError, TypeError, ValueError) as exc:
            raise SourceFailure(self.agency, SourceState.INVALID, "nested list is not readable") from exc
        chosen = {
            name: [{field: item[field] for field in own_nested[name]} for item in items]
            for name, items in tables.items()
        }
        return self._assembler.record(key, row[1], row[2], {name: values[name] for name in own_flat}, chosen)

    def _forms(self, key: str) -> tuple[str, ...]:
        if not self._mapping.variants:
            return (key,)
        try:
            return IdentityNumber.parse(key).variants()
        except IdentityNumberError:
            return (key,)


def _order(cells: list[Any]) -> tuple[int, str]:
    first = cells[0]
    return (int(first), "") if isinstance(first, str) and first.isdigit() else (0, str(first))


def _columns(mapping: AgencyMapping) -> list[str]:
    return [rule.source for rule in mapping.rules.values()] + list(mapping.index.values())


def _nested_columns(nested: Nested) -> list[str]:
    return [rule.source for rule in nested.rules.values()] + ([nested.order] if nested.order else [])


def _table(metadata: MetaData, name: str, columns: Sequence[str]) -> Table:
    return Table(name, metadata, *(Column(column) for column in dict.fromkeys(columns)))
