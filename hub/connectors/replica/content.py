"""A record of an agency as text for sealing, one text for each class of key, and back again as a row of a fetch.

What is not asked for is not opened: a reader is given only the texts of the classes that it needs, and takes from them
what a fetch's part names.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from hub.connectors.base import Layout, SourceRecord
from hub.connectors.rows import layout_of
from hub.crypto.envelope import PERSONAL, SENSITIVE, SPECIAL
from hub.domain.catalogue import VAULT_GROUP, Catalogue, Field, RecordType, Sensitivity, Shape, ValueType

_KEYS = {
    Sensitivity.PUBLIC: PERSONAL,
    Sensitivity.PERSONAL: PERSONAL,
    Sensitivity.SENSITIVE: SENSITIVE,
    Sensitivity.SPECIAL: SPECIAL,
}
"""Class of the key by class of the field; what is public of a person stands with what is personal."""
_RECORD, _AS_OF, _MISFITS = "@record", "@asOf", "@misfits"
_AS_TEXT: Mapping[ValueType, Callable[[Any], Any]] = {
    ValueType.DATE: date.isoformat,
    ValueType.DATE_TIME: datetime.isoformat,
    ValueType.DECIMAL: str,
}
_OF_TEXT: Mapping[ValueType, Callable[[str], Any]] = {
    ValueType.DATE: date.fromisoformat,
    ValueType.DATE_TIME: datetime.fromisoformat,
    ValueType.DECIMAL: Decimal,
}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """`texts` by class of key. `text` is all of it, by which two contents are told apart."""

    texts: Mapping[int, str]
    text: str


class ContentCodec:
    """Packs and unpacks records of one agency. Fields sealed by law are not copied."""

    def __init__(self, catalogue: Catalogue, top: RecordType) -> None:
        fields = [field for field in catalogue.fields.values() if _belongs(catalogue, top, field)]
        self._fields = {field.coordinate: field for field in fields if field.group != VAULT_GROUP}
        self._type = top.name
        self.coordinates = frozenset(self._fields)
        self.layout = layout_of(catalogue, top.name, self.coordinates)
        self._inner = {
            field.name: field.record_type for field in top.fields if field.record_type and field.group != VAULT_GROUP
        }

    def pack(self, record: SourceRecord, misfits: Mapping[str, int], *, dated: bool) -> Content:
        """The content of a record read in this codec's `layout`.

        Args:
            misfits: values withheld because they did not fit the mapping, by coordinate.
            dated: whether the source dates each record by itself; then a new date is a new content.
        """
        texts: dict[int, dict[str, Any]] = {PERSONAL: {_RECORD: record.record}}
        if dated:
            texts[PERSONAL][_AS_OF] = record.as_of.isoformat()

        def put(coordinate: str, value: Any) -> None:
            texts.setdefault(self._key(coordinate), {})[coordinate] = value

        for name, value in zip(self.layout.fields, record.values, strict=False):
            put(f"{self._type}.{name}", self._text(f"{self._type}.{name}", value))
        for (name, inner), given in zip(self.layout.nested, record.values[len(self.layout.fields) :], strict=False):
            rows = self._rows(name, given)
            put(f"{self._type}.{name}", len(rows))
            for slot, field in enumerate(inner):
                coordinate = f"{self._inner[name]}.{field}"
                put(coordinate, [self._text(coordinate, row[slot]) for row in rows])
        for coordinate, count in misfits.items():
            texts.setdefault(self._key(coordinate), {}).setdefault(_MISFITS, {})[coordinate] = count
        made = {key: _dumped(values) for key, values in texts.items()}
        return Content(texts=made, text="\n".join(made[key] for key in sorted(made)))

    def needed(self, coordinates: frozenset[str]) -> frozenset[int]:
        """Classes of key that hold what is asked for; the first one always, where the record's own id stands."""
        return frozenset({PERSONAL, *(self._key(name) for name in coordinates if name in self._fields)})

    def unpack(
        self,
        key: str,
        texts: Sequence[str],
        layout: Layout,
        coordinates: frozenset[str],
        *,
        as_of: datetime,
        received_at: datetime | None = None,
        unreadable: int = 0,
    ) -> SourceRecord:
        """The record in `layout`, with what `coordinates` name and `texts` hold.

        Args:
            as_of: where the source does not date each record.
            unreadable: values withheld because their text did not open.
        """
        held: dict[str, Any] = {}
        misfits: Counter[str] = Counter()
        for text in texts:
            values = orjson.loads(text)
            misfits.update(values.pop(_MISFITS, {}))
            held |= values
        row: list[Any] = []
        for name in layout.fields:
            row.append(self._value(held, coordinates, f"{self._type}.{name}"))
        for name, inner in layout.nested:
            row.append(self._nested(held, coordinates, name, inner))
        return SourceRecord(
            key,
            held.get(_RECORD, ""),
            datetime.fromisoformat(held[_AS_OF]) if _AS_OF in held else as_of,
            row,
            unreadable + sum(count for name, count in misfits.items() if name in coordinates),
            received_at,
        )

    def _nested(self, held: Mapping[str, Any], coordinates: frozenset[str], name: str, inner: Sequence[str]) -> Any:
        top = f"{self._type}.{name}"
        many = self._fields[top].shape is Shape.RECORDS
        if top not in coordinates or top not in held:  # not asked for, or its class did not open
            return [] if many else None
        columns = [self._column(held, coordinates, f"{self._inner[name]}.{field}", held[top]) for field in inner]
        rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(held[top])]
        return rows if many else rows[0] if rows else None

    def _column(self, held: Mapping[str, Any], coordinates: frozenset[str], name: str, size: int) -> Sequence[Any]:
        if name not in coordinates or name not in held:
            return [None] * size
        return [self._value_of(name, value) for value in held[name]]

    def _value(self, held: Mapping[str, Any], coordinates: frozenset[str], name: str) -> Any:
        return self._value_of(name, held.get(name)) if name in coordinates else None

    def _value_of(self, coordinate: str, given: Any) -> Any:
        return _each(_OF_TEXT.get(self._type_of(coordinate)), given)

    def _text(self, coordinate: str, value: Any) -> Any:
        return _each(_AS_TEXT.get(self._type_of(coordinate)), value)

    def _rows(self, name: str, given: Any) -> Sequence[Sequence[Any]]:
        if given is None:
            return ()
        return given if self._fields[f"{self._type}.{name}"].shape is Shape.RECORDS else [given]

    def _type_of(self, coordinate: str) -> ValueType:
        found = self._fields[coordinate].value_type
        assert found is not None
        return found

    def _key(self, coordinate: str) -> int:
        return _KEYS[self._fields[coordinate].sensitivity]


def _belongs(catalogue: Catalogue, top: RecordType, field: Field) -> bool:
    """Whether a field is one of the record type or of a type nested in it."""
    return field.type_name == top.name or any(field.type_name == parent.record_type for parent in top.fields)


def _each(convert: Callable[[Any], Any] | None, value: Any) -> Any:
    if convert is None or value is None:
        return value
    return [convert(item) for item in value] if isinstance(value, list | tuple) else convert(value)


def _dumped(values: Mapping[str, Any]) -> str:
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()
