"""The one SELECT of a fetch, built once per kind of fetch.

Keys are parameters, so the text depends only on the layout and on which part may see what. A column that not every
part may see is wrapped in CASE over the keys that may be asked for it.

An answer has a row for each record, with its nested lists as arrays of rows on PostgreSQL, as JSON on SQLite. For many
keys PostgreSQL gives one row instead: an array for each column of the records and of each list over all of them, which
the driver decodes several times faster than arrays of rows. For few keys that would cost PostgreSQL more than it saves.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy import column as named
from sqlalchemy.sql.schema import Column

from hub.connectors.base import Layout
from hub.connectors.coerce import MAX_TEXT
from hub.connectors.mapping import AgencyMapping, Nested, Rule
from hub.connectors.rows import MAX_NESTED
from hub.domain.catalogue import Shape, ValueType

ROOM = "room"  # parameter: bytes that one row of the answer may have (PostgreSQL)
_TEXTS = frozenset({ValueType.STRING, ValueType.CODE, ValueType.MONTH})
FEW_KEYS = 8
BETWEEN_KEYS = "\x1f"  # a control character (unit separator) between keys
_VAULTED_KEYS = frozenset({"at", "key", "record"})
TAIL = 3  # a row ends with key, record id and time stamp


def keys_value(keys: Sequence[str], *, sqlite: bool) -> str:
    """The keys of a part as its parameter holds them.

    One text on PostgreSQL, too: the driver takes longer to send an array. A key with the separator in it is left out;
    sent, it would be read as two.
    """
    if sqlite:
        return orjson.dumps(keys).decode()
    return BETWEEN_KEYS.join([key for key in keys if BETWEEN_KEYS not in key])


def names_rows(nested: Nested, inner: Sequence[str]) -> bool:
    """Whether rows of a nested list end with their names: values sealed in them are opened by those."""
    return nested.row is not None and any(nested.rules[field].sealed for field in inner)


def row_name(nested: Nested) -> str:
    """The column with the name of a row."""
    assert nested.row is not None
    return nested.row


def keys_parameter(part: int) -> str:
    """Name of the parameter that holds the keys of a part."""
    return f"keys_{part}"


class StatementBuilder:
    """Statements for one mapping. `sqlite` chooses JSON for what PostgreSQL gives as arrays of rows."""

    def __init__(self, mapping: AgencyMapping, *, sqlite: bool) -> None:
        self._mapping = mapping
        self._sqlite = sqlite
        metadata = MetaData()
        plain = [rule.source for rule in mapping.rules.values()] + list(mapping.index.values())
        self.main = _table(metadata, mapping.at, [mapping.key, mapping.record, mapping.as_of.source, *plain])
        self._children = {name: _child(metadata, nested) for name, nested in mapping.nested.items()}
        self._offices = None
        if mapping.offices:
            columns = [column for name, column in mapping.offices.items() if name != "at"]
            self._offices = _table(metadata, mapping.offices["at"], columns)
        self._vaulted = None
        if mapping.vaulted:
            columns = [column for name, column in mapping.vaulted.items() if name != "at"]
            self._vaulted = _table(metadata, mapping.vaulted["at"], columns)

    def in_columns(self, layout: Layout, keys: int) -> bool:
        """Whether `fetch` for so many keys gives one row of arrays. Values that may be arrays themselves forbid it."""
        if self._sqlite or not layout.nested or keys <= FEW_KEYS:
            return False
        rules = [self._mapping.rules[name] for name in layout.fields]
        rules += [self._mapping.nested[name].rules[field] for name, inner in layout.nested for field in inner]
        return all(rule.field.shape is Shape.VALUE or rule.field.value_type in _TEXTS for rule in rules)

    def fetch(self, layout: Layout, parts: Sequence[frozenset[str]], *, in_columns: bool = False) -> Select[Any]:
        """The statement for parts that may be asked for these coordinates.

        A row has the layout's columns, then key, record id and time stamp. Of a row larger than `ROOM` PostgreSQL sends
        nothing but its key. `in_columns`: see `_in_columns`.
        """
        if in_columns:
            return self._in_columns(layout, parts)
        columns = self._flats(layout, parts)
        for number, (name, inner) in enumerate(layout.nested):
            columns.append(self._nested(name, inner, parts).label(f"n{number}"))
        statement = select(*columns, *self._tail()).where(self._asked(parts))
        if self._sqlite:
            return statement
        # OFFSET 0 is a fence: nothing above it makes anything below it be computed twice.
        rows = statement.offset(literal_column("0", Integer)).subquery("r")
        size: ColumnElement[Any] = func.pg_column_size(literal_column("r.*"))
        measured = select(*rows.c, (size <= bindparam(ROOM, type_=Integer)).label("fits"))
        sent = measured.offset(literal_column("0", Integer)).subquery("s")
        return select(
            *(
                column if name == "t0" else case((sent.c.fits, column))
                for name, column in sent.c.items()
                if name != "fits"
            )
        )

    def _in_columns(self, layout: Layout, parts: Sequence[frozenset[str]]) -> Select[Any]:
        """One row, or none if it is larger than `ROOM`.

        Arrays of the layout's columns and of the tail, one element a record; then for each nested list the numbers
        (from 1) of the records that its rows belong to, and its columns. A list's rows stand together and in order.
        """
        may = [self._among(self.main.c[self._mapping.key], part).label(f"p{part}") for part in range(len(parts))]
        records = (
            select(
                *self._flats(layout, parts),
                *self._tail(),
                *(may if len(parts) > 1 else ()),
                cast(func.row_number().over(), Integer).label("n"),
            )
            .where(self._asked(parts))
            .cte("m")
        )
        names = [f"f{n}" for n in range(len(layout.fields))] + [f"t{n}" for n in range(TAIL)]
        sources: Any = select(*(func.array_agg(records.c[name]).label(name) for name in names)).subquery("a")
        arrays = list(sources.c)
        for number, (name, inner) in enumerate(layout.nested):
            lists = self._lists(f"n{number}", name, inner, parts, records)
            arrays += lists.c
            sources = sources.join(lists, true())
        row = select(*arrays).select_from(sources).subquery("r")
        size: ColumnElement[Any] = func.pg_column_size(literal_column("r.*"))
        return select(*row.c).where(size <= bindparam(ROOM, type_=Integer))

    def _lists(
        self, prefix: str, name: str, inner: Sequence[str], parts: Sequence[frozenset[str]], records: Any
    ) -> Any:
        """The arrays of one nested list over all `records`."""
        nested = self._mapping.nested[name]
        table = self._children[name]
        may = [records.c[f"p{part}"] for part in range(len(parts))] if len(parts) > 1 else [true()]
        cells: list[ColumnElement[Any]] = []
        for field in inner:
            rule = nested.rules[field]
            cells.append(self._guard(rule.field.coordinate, self._cell(table.c[rule.source], rule), parts, may))
        if names_rows(nested, inner):
            cells.append(table.c[row_name(nested)])
        allowed = [may[n] for n, coordinates in enumerate(parts) if nested.field.coordinate in coordinates]
        most = MAX_NESTED + 1 if nested.field.shape is Shape.RECORDS else 1
        query = select(*(cell.label(f"c{n}") for n, cell in enumerate(cells)))
        query = query.where(table.c[nested.key] == records.c.t1)
        if len(allowed) < len(parts):
            query = query.where(or_(false(), *allowed))
        if nested.order:
            query = query.order_by(table.c[nested.order])
        rows = query.limit(literal_column(str(most), Integer)).lateral("x")
        arrays = [func.array_agg(column) for column in (records.c.n, *rows.c)]
        labelled = (array.label(f"{prefix}_{n}") for n, array in enumerate(arrays))
        return select(*labelled).select_from(records.join(rows, true())).subquery(prefix)

    def scan(self, fields: Sequence[str], batch: int) -> Select[Any]:
        """Records after the parameter `after`, by record id, which every record has.

        A row: key, record id, time stamp, `fields`, index columns, offices.
        """
        key = self.main.c[self._mapping.key]
        columns = [self._text(self.main.c[self._mapping.rules[name].source]) for name in fields]
        extra = [self._text(self.main.c[source]) for source in self._mapping.index.values()]
        statement = select(
            key, self.main.c[self._mapping.record], self._text(self.main.c[self._mapping.as_of.source])
        ).add_columns(*columns, *extra, *self._office_list())
        record = self.main.c[self._mapping.record]
        return statement.where(record > bindparam("after", type_=Text)).order_by(record).limit(batch)

    def vaulted(self, batch: int) -> Select[Any]:
        """Records sealed by law after the parameter `after`, by their own id.

        A row: id, time stamp, index columns of the bearer, then the mapping's columns but `at`, `key` and `record`.
        """
        assert self._vaulted is not None
        named = self._mapping.vaulted
        record = self._vaulted.c[named["record"]]
        index = [self._text(self.main.c[source]) for source in self._mapping.index.values()]
        rest = [self._text(self._vaulted.c[column]) for name, column in named.items() if name not in _VAULTED_KEYS]
        stamp = self._text(self.main.c[self._mapping.as_of.source])
        joined = self._vaulted.c[named["key"]] == self.main.c[self._mapping.record]
        statement = select(record, stamp, *index, *rest).select_from(self._vaulted.join(self.main, joined))
        return statement.where(record > bindparam("after", type_=Text)).order_by(record).limit(batch)

    def newest(self) -> Select[Any]:
        """The greatest time stamp, in the source's own type and order."""
        return select(func.max(self.main.c[self._mapping.as_of.source]))

    def changes(self, batch: int) -> Select[Any]:
        """Key, record id and time stamp of the next records after the parameters `after` and `record`."""
        key, record, stamp = (
            self.main.c[name] for name in (self._mapping.key, self._mapping.record, self._mapping.as_of.source)
        )
        after: ColumnElement[Any] = bindparam("after")
        last = bindparam("record", type_=Text)
        beyond = or_(stamp > after, and_(stamp == after, record > last))
        return select(key, record, stamp).where(beyond).order_by(stamp, record).limit(batch)

    def _flats(self, layout: Layout, parts: Sequence[frozenset[str]]) -> list[ColumnElement[Any]]:
        columns: list[ColumnElement[Any]] = []
        for number, name in enumerate(layout.fields):
            rule = self._mapping.rules[name]
            cell = self._guarded(rule.field.coordinate, self._cell(self.main.c[rule.source], rule), parts)
            columns.append(cell.label(f"f{number}"))
        return columns

    def _tail(self) -> list[ColumnElement[Any]]:
        names = (self._mapping.key, self._mapping.record, self._mapping.as_of.source)
        return [self.main.c[name].label(f"t{number}") for number, name in enumerate(names)]

    def _asked(self, parts: Sequence[frozenset[str]]) -> ColumnElement[bool]:
        return or_(*(self._among(self.main.c[self._mapping.key], part) for part in range(len(parts))))

    def _cell(self, column: ColumnElement[Any], rule: Rule) -> ColumnElement[Any]:
        """A column as its rule reads it: SQLite's are texts cut to length, PostgreSQL's keep their type.

        Except texts and codes: whatever type a database keeps them in (uuid, enum), the driver need not know it.
        """
        if rule.sealed:
            return column
        if self._sqlite:
            return self._text(column)
        return cast(column, Text) if rule.field.value_type in _TEXTS else column

    def _nested(self, name: str, inner: Sequence[str], parts: Sequence[frozenset[str]]) -> ColumnElement[Any]:
        nested = self._mapping.nested[name]
        table = self._children[name]
        cells = [
            self._guarded(rule.field.coordinate, self._cell(table.c[rule.source], rule), parts)
            for rule in (nested.rules[field] for field in inner)
        ]
        joined = table.c[nested.key] == self.main.c[self._mapping.record]
        if self._sqlite:
            order = [self._text(table.c[nested.order])] if nested.order else [null()]
            rows: ColumnElement[Any] = (
                select(case((func.count() <= MAX_NESTED, self._aggregate([*order, *cells]))))
                .where(joined)
                .correlate(self.main)
                .scalar_subquery()
            )
            return self._guarded(nested.field.coordinate, rows, parts, otherwise=literal("[]"))  # null says: too long
        ending = [table.c[row_name(nested)]] if names_rows(nested, inner) else []
        query = select(func.row(*cells, *ending)).where(joined).correlate(self.main)
        if nested.order:
            query = query.order_by(table.c[nested.order])
        if nested.field.shape is Shape.RECORDS:
            rows = func.array(query.limit(literal_column(str(MAX_NESTED + 1), Integer)).scalar_subquery())
        else:
            rows = query.limit(literal_column("1", Integer)).scalar_subquery()
        return self._guarded(nested.field.coordinate, rows, parts)

    def _guarded(
        self,
        coordinate: str,
        value: ColumnElement[Any],
        parts: Sequence[frozenset[str]],
        otherwise: ColumnElement[Any] | None = None,
    ) -> ColumnElement[Any]:
        """`value` for the keys that may be asked for `coordinate`, `otherwise` (null) for all others."""
        key = self.main.c[self._mapping.key]
        return self._guard(coordinate, value, parts, [self._among(key, part) for part in range(len(parts))], otherwise)

    def _guard(
        self,
        coordinate: str,
        value: ColumnElement[Any],
        parts: Sequence[frozenset[str]],
        may: Sequence[ColumnElement[bool]],
        otherwise: ColumnElement[Any] | None = None,
    ) -> ColumnElement[Any]:
        """The same; `may` says for each part whether a row's key is in it."""
        allowed = [may[number] for number, coordinates in enumerate(parts) if coordinate in coordinates]
        if len(allowed) == len(parts):
            return value
        nothing = null() if otherwise is None else otherwise
        return case((or_(*allowed), value), else_=nothing) if allowed else nothing

    def _among(self, key: ColumnElement[Any], part: int) -> ColumnElement[bool]:
        if self._sqlite:
            values = func.json_each(bindparam(keys_parameter(part), type_=Text))
            return key.in_(select(named("value")).select_from(values))
        given = bindparam(keys_parameter(part), type_=Text)
        return key == any_(func.string_to_array(given, literal_column(f"chr({ord(BETWEEN_KEYS)})", Text)))

    def _office_list(self) -> list[ColumnElement[Any]]:
        if self._offices is None:
            return []
        names = [name for name in self._mapping.offices if name not in ("at", "key")]
        columns = [self._offices.c[self._mapping.offices[name]] for name in names]
        joined = self._offices.c[self._mapping.offices["key"]] == self.main.c[self._mapping.record]
        return [select(self._aggregate(columns)).where(and_(joined)).scalar_subquery()]

    def _aggregate(self, cells: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
        if self._sqlite:
            return func.json_group_array(func.json_array(*cells))
        return func.coalesce(cast(func.json_agg(func.json_build_array(*cells)), Text), "[]")

    def _text(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.substr(cast(value, Text), 1, MAX_TEXT + 1)


def _child(metadata: MetaData, nested: Nested) -> Table:
    named_by = [column for column in (nested.order, nested.row) if column]
    return _table(metadata, nested.at, [nested.key, *(rule.source for rule in nested.rules.values()), *named_by])


def _table(metadata: MetaData, name: str, columns: Sequence[str]) -> Table:
    """A table by its name in the mapping, `schema.table` where it has a schema."""
    schema, dot, bare = name.rpartition(".")
    held = metadata.tables.get(name)
    wanted: list[Column[Any]] = [Column(column) for column in dict.fromkeys(columns)]
    return Table(
        bare,
        metadata,
        *[column for column in wanted if held is None or column.name not in held.c],
        schema=schema if dot else None,
        extend_existing=True,
    )
