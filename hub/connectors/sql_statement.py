"""The one SELECT of a fetch: flat columns as they stand, nested lists as arrays of rows, built once per kind of fetch.

Keys are parameters, so the text depends only on the layout and on which part may see what. A column that not every
part may see is wrapped in CASE over the keys that may be asked for it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
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
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
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
TAIL = 3  # a row ends with key, record id and time stamp


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

    def fetch(self, layout: Layout, parts: Sequence[frozenset[str]]) -> Select[Any]:
        """The statement for parts that may be asked for these coordinates.

        A row has the layout's columns, then key, record id and time stamp. Of a row larger than `ROOM` PostgreSQL sends
        nothing but its key.
        """
        columns = [self._flat(self._mapping.rules[name], parts).label(f"f{n}") for n, name in enumerate(layout.fields)]
        for number, (name, inner) in enumerate(layout.nested):
            columns.append(self._nested(name, inner, parts).label(f"n{number}"))
        key = self.main.c[self._mapping.key]
        tail = (key, self.main.c[self._mapping.record], self.main.c[self._mapping.as_of.source])
        asked = or_(*(self._among(key, part) for part in range(len(parts))))
        statement = select(*columns, *(column.label(f"t{n}") for n, column in enumerate(tail))).where(asked)
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

    def _flat(self, rule: Rule, parts: Sequence[frozenset[str]]) -> ColumnElement[Any]:
        return self._guarded(rule.field.coordinate, self._cell(self.main.c[rule.source], rule), parts)

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
        ending = [table.c[nested.row]] if nested.row and any(nested.rules[field].sealed for field in inner) else []
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
        allowed = [number for number, coordinates in enumerate(parts) if coordinate in coordinates]
        if len(allowed) == len(parts):
            return value
        nothing = null() if otherwise is None else otherwise
        if not allowed:
            return nothing
        key = self.main.c[self._mapping.key]
        return case((or_(*(self._among(key, part) for part in allowed)), value), else_=nothing)

    def _among(self, key: ColumnElement[Any], part: int) -> ColumnElement[bool]:
        if self._sqlite:
            given = func.json_each(bindparam(keys_parameter(part), type_=Text))
            return key.in_(select(named("value")).select_from(given))
        return key == any_(bindparam(keys_parameter(part), type_=ARRAY(Text)))

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
