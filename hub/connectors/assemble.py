"""From one raw record of a source to a `SourceRecord`: coerced field by field, misfits quarantined."""

from collections.abc import Mapping, Sequence

from hub.connectors.base import Quarantine, SourceFailure, SourceRecord, SourceState
from hub.connectors.coerce import UnfitValueError, as_of, coerce
from hub.connectors.mapping import AgencyMapping, Nested, Rule
from hub.domain.catalogue import Shape
from hub.domain.codes import Codes

MAX_NESTED = 200  # rows of one nested list


class Assembler:
    """Turns raw values into canonical records for one mapping."""

    def __init__(self, mapping: AgencyMapping, codes: Codes, quarantine: Quarantine) -> None:
        self._mapping = mapping
        self._codes = codes
        self._quarantine = quarantine

    def record(
        self,
        key: str,
        record_id: object,
        stamp: object,
        flat: Mapping[str, object],
        nested: Mapping[str, Sequence[Mapping[str, object]] | None],
    ) -> SourceRecord:
        """`flat` and `nested` are keyed by canonical field name and hold raw values by canonical name.

        Raises:
            SourceFailure: the record carries no usable time stamp or id; the source is not what its mapping says.
        """
        name = str(record_id)
        try:
            moment = as_of(stamp, self._mapping.as_of.format)
        except UnfitValueError as exc:
            raise SourceFailure(self._mapping.agency, SourceState.INVALID, "record without a time stamp") from exc
        values: dict[str, object] = {}
        misfits = 0
        for field, raw in flat.items():
            values[field], bad = self._value(name, self._mapping.rules[field], raw)
            misfits += bad
        for field, rows in nested.items():
            values[field], bad = self._rows(name, self._mapping.nested[field], rows)
            misfits += bad
        return SourceRecord(key=key, record=name, as_of=moment, values=values, quarantined=misfits)

    def _rows(self, record: str, nested: Nested, rows: Sequence[Mapping[str, object]] | None) -> tuple[object, int]:
        out: list[dict[str, object]] = []
        misfits = 0
        for row in (rows or ())[:MAX_NESTED]:
            item: dict[str, object] = {}
            for field, raw in row.items():
                item[field], bad = self._value(record, nested.rules[field], raw)
                misfits += bad
            out.append(item)
        if nested.field.shape is Shape.RECORD:
            return (out[0] if out else None), misfits
        return out, misfits

    def _value(self, record: str, rule: Rule, raw: object) -> tuple[object, int]:
        try:
            return coerce(rule, raw, self._codes), 0
        except UnfitValueError as exc:
            self._quarantine.report(
                agency=self._mapping.agency,
                record=record,
                coordinate=rule.field.coordinate,
                value=str(raw)[:200],
                reason=str(exc),
            )
            return None, 1


def split_coordinates(
    mapping: AgencyMapping, coordinates: frozenset[str]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """(flat field names, nested field name → its field names) among `coordinates`, in the mapping's order."""
    flat = tuple(name for name, rule in mapping.rules.items() if rule.field.coordinate in coordinates)
    nested = {
        name: tuple(inner for inner, rule in item.rules.items() if rule.field.coordinate in coordinates)
        for name, item in mapping.nested.items()
        if item.field.coordinate in coordinates
    }
    return flat, nested
