"""Coercion compiled for one layout: rows of a source become rows of canonical values, one pass, misfits quarantined.

A row whose values are all canonical already (a driver gave an int where an Int is wanted, a printable text where a
String is) is passed on as it is. Every other row is coerced value by value by `coerce`, where the rules are.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from hub.connectors.base import Layout, Quarantine, SourceFailure, SourceRecord, SourceState
from hub.connectors.coerce import MAX_TEXT, UnfitValueError, as_of, coerce
from hub.connectors.column_fit import Column, ColumnFit, column_fit
from hub.connectors.mapping import AgencyMapping, Nested, Rule
from hub.domain.catalogue import Catalogue, Shape, ValueType
from hub.domain.codes import Codes

MAX_NESTED = 200  # rows of one nested list
FitTest = Callable[[Sequence[Any]], bool]


def _NEVER(_row: Sequence[Any]) -> bool:  # noqa: N802  # a constant that is called
    return False


_FITS = {
    ValueType.STRING: (
        f"type({{v}}) is str and {{v}} and {{v}}.isprintable() and len({{v}}) <= {MAX_TEXT} and {{v}}.strip() is {{v}}"
    ),
    ValueType.INT: "type({v}) is int and -2147483648 <= {v} < 2147483648",
    ValueType.BOOLEAN: "type({v}) is bool",
    ValueType.DATE: "type({v}) is date",
}


def layout_of(catalogue: Catalogue, type_name: str, coordinates: frozenset[str]) -> Layout:
    """The layout of rows that hold exactly `coordinates` of a record type and the types nested in it."""
    fields: list[str] = []
    nested: list[tuple[str, tuple[str, ...]]] = []
    for field in catalogue.types[type_name].fields:
        if field.coordinate not in coordinates:
            continue
        if field.record_type is None:
            fields.append(field.name)
        else:
            inner = catalogue.types[field.record_type].fields
            nested.append((field.name, tuple(item.name for item in inner if item.coordinate in coordinates)))
    return Layout(fields=tuple(fields), nested=tuple(nested))


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Raw records column by column: flat columns in the layout's order, then what stands beside them.

    `nested`: for each nested field in the layout's order the numbers (from 1) of the records that its rows belong to,
    and the rows' columns, maybe more than the layout has. A record's rows stand together, in order.
    """

    keys: Sequence[str]
    names: Sequence[Any]
    stamps: Sequence[Any]
    flat: Sequence[Column]
    nested: Sequence[tuple[Sequence[int], Sequence[Column]]]


class RowReader:
    """Reads rows of one mapping in one layout. Raw rows have the layout's order and may be longer."""

    def __init__(self, mapping: AgencyMapping, layout: Layout, codes: Codes, quarantine: Quarantine) -> None:
        self._mapping = mapping
        self._codes = codes
        self._quarantine = quarantine
        self._flat = tuple(mapping.rules[name] for name in layout.fields)
        self._nested = tuple(
            (mapping.nested[name], tuple(mapping.nested[name].rules[field] for field in inner))
            for name, inner in layout.nested
        )
        self._flat_fit = _fit_test(self._flat)
        self._never_fit = tuple(slot for slot, rule in enumerate(self._flat) if _fit(rule) is None)
        self._rest_fit = _compiled(f" return {' and '.join(_tests(self._flat, 'r', some=True) or ()) or 'True'}")
        self._nested_fit = tuple(_fit_test(rules) for _, rules in self._nested)
        self._is_fit = _whole_fit_test(self._flat, self._nested)
        self._flat_columns = [column_fit(rule) for rule in self._flat]
        self._nested_columns = [[column_fit(rule) for rule in rules] for _, rules in self._nested]

    def record(self, key: str, record_id: object, stamp: object, raw: Sequence[Any]) -> SourceRecord:
        """The canonical record of one raw row.

        Raises:
            SourceFailure: no usable time stamp, or a nested list that is none or too long.
        """
        name = _name(record_id)
        if type(stamp) is datetime and stamp.tzinfo is UTC:
            moment = stamp
        else:
            try:
                moment = as_of(stamp, self._mapping.as_of.format)
            except UnfitValueError as exc:
                raise self._invalid("record without a time stamp") from exc
        if self._is_fit(raw):
            return SourceRecord(key, name, moment, raw)
        values: Sequence[Any] = raw
        misfits = 0
        if not self._flat_fit(raw):
            slots = self._never_fit if self._rest_fit(raw) else range(len(self._flat))
            values, misfits = self._coerced(name, self._flat, raw, slots)
        values, bad = self._with_nested(name, values)
        return SourceRecord(key, name, moment, values, misfits + bad)

    def records(self, columns: Columns) -> list[SourceRecord]:
        """The canonical records of many raw ones; each as `record` would read it.

        Raises:
            SourceFailure: as `record`.
        """
        found = self._fitting(columns)
        tails = (columns.keys, columns.names, columns.stamps)
        if found is not None:
            rows = zip(*found, *tails, strict=True)
            return [SourceRecord(row[-3], _name(row[-2]), row[-1], row) for row in rows]
        size = len(columns.keys)
        nested = [
            self._grouped(place, size, owners, zip(*cells, strict=True) if cells else [()] * len(owners))
            for place, (owners, cells) in enumerate(columns.nested)
        ]
        raw = zip(*columns.flat, *nested, *tails, strict=True)
        return [self.record(row[-3], row[-2], row[-1], row) for row in raw]

    def _fitting(self, columns: Columns) -> list[Column] | None:
        """Columns of a record's values, nested rows among them, if everything is canonical."""
        if not all(type(stamp) is datetime and stamp.tzinfo is UTC for stamp in columns.stamps):
            return None
        found = _all_fit(self._flat_columns, columns.flat)
        if found is None:
            return None
        for place, (owners, cells) in enumerate(columns.nested):
            fitting = _all_fit(self._nested_columns[place], cells)
            if fitting is None:
                return None
            rows = zip(*fitting, strict=True) if fitting else [()] * len(owners)
            lists = self._grouped(place, len(columns.keys), owners, rows)
            if len(owners) > MAX_NESTED and any(len(rows) > MAX_NESTED for rows in lists if rows is not None):
                return None
            found.append(lists)
        return found

    def _grouped(self, place: int, size: int, owners: Sequence[int], rows: Iterable[Any]) -> list[Any]:
        """For each of `size` records its nested rows, or its one row."""
        if self._nested[place][0].field.shape is not Shape.RECORDS:
            single: list[Any] = [None] * size
            for owner, row in zip(owners, rows, strict=True):
                single[owner - 1] = row
            return single
        lists: list[Any] = [[] for _ in range(size)]
        for owner, row in zip(owners, rows, strict=True):
            lists[owner - 1].append(row)
        return lists

    def _with_nested(self, name: str, values: Sequence[Any]) -> tuple[Sequence[Any], int]:
        """`values` with every nested row canonical; a new row only where something had to change."""
        changed: list[Any] | None = None
        misfits = 0
        slot = len(self._flat)
        for (nested, rules), is_fit in zip(self._nested, self._nested_fit, strict=True):
            given = values[slot]
            made: Any = given
            if nested.field.shape is Shape.RECORDS:
                if given is None:
                    made = ()
                elif not all(map(is_fit, self._list(given))):
                    made, bad = self._rows(name, rules, given)
                    misfits += bad
            elif given is not None:
                made = given[0] if type(given) is list and given else given if type(given) is not list else None
                if made is not None and not is_fit(made):
                    made, bad = self._coerced(name, rules, made)
                    misfits += bad
            if made is not given:
                if changed is None:
                    changed = list(values)
                changed[slot] = made
            slot += 1
        return (values if changed is None else changed), misfits

    def _list(self, given: Any) -> Sequence[Any]:
        if not isinstance(given, list | tuple) or len(given) > MAX_NESTED:
            raise self._invalid("a nested list is none or too long")
        return given

    def _rows(self, name: str, rules: tuple[Rule, ...], given: Sequence[Any]) -> tuple[list[Any], int]:
        out: list[Any] = []
        misfits = 0
        for row in given:
            made, bad = self._coerced(name, rules, row)
            out.append(made)
            misfits += bad
        return out, misfits

    def _coerced(
        self, record: str, rules: tuple[Rule, ...], raw: Sequence[Any], slots: Sequence[int] | None = None
    ) -> tuple[list[Any], int]:
        """Value by value, or those of `slots` alone; whatever follows the layout's own values in `raw` stays."""
        values = list(raw)
        misfits = 0
        for slot in range(len(rules)) if slots is None else slots:
            rule = rules[slot]
            try:
                values[slot] = coerce(rule, values[slot], self._codes)
            except UnfitValueError as exc:
                self._quarantine.report(
                    agency=self._mapping.agency,
                    record=record,
                    coordinate=rule.field.coordinate,
                    value=str(values[slot])[:200],
                    reason=str(exc),
                )
                values[slot] = None
                misfits += 1
        return values, misfits

    def _invalid(self, text: str) -> SourceFailure:
        return SourceFailure(self._mapping.agency, SourceState.INVALID, text)


def _name(record_id: object) -> str:
    return record_id if type(record_id) is str else str(record_id)


def _all_fit(fits: Sequence[ColumnFit | None], columns: Sequence[Column]) -> list[Column] | None:
    """The canonical columns, those beyond the rules as they are; None if one of them does not fit as a whole."""
    found: list[Column] = []
    for fit, column in zip(fits, columns, strict=False):
        fitting = None if fit is None else fit(column)
        if fitting is None:
            return None
        found.append(fitting)
    found += columns[len(fits) :]
    return found


def _fit_test(rules: Sequence[Rule]) -> FitTest:
    """A compiled test whether all values of a row are canonical as they stand; constantly false where one never is."""
    tests = _tests(rules, "r")
    return _NEVER if tests is None else _compiled(f" return {' and '.join(tests) or 'True'}")


def _whole_fit_test(flat: Sequence[Rule], nested: Sequence[tuple[Nested, tuple[Rule, ...]]]) -> FitTest:
    """The same for a whole row with its nested rows, as drivers give them: lists of rows, or one row, or None."""
    tests = _tests(flat, "r")
    if tests is None:
        return _NEVER
    lines = [f" if not ({' and '.join(tests) or 'True'}): return False"]
    for slot, (item, rules) in enumerate(nested, len(flat)):
        inner = _tests(rules, "i")
        if inner is None:
            return _NEVER
        lines.append(f" n = r[{slot}]")
        if item.field.shape is Shape.RECORDS:
            lines.append(f" if type(n) is not list or len(n) > {MAX_NESTED}: return False")
            lines.append(" for i in n:")
            lines.append(f"  if not ({' and '.join(inner) or 'True'}): return False")
        else:
            lines.append(" if type(n) is list: return False")
            lines.append(" if n is not None:")
            lines.append(f"  i = n; v = None\n  if not ({' and '.join(inner) or 'True'}): return False")
    return _compiled("\n".join([*lines, " return True"]))


def _compiled(body: str) -> FitTest:
    names: dict[str, Any] = {"date": date}
    exec(compile(f"def fits(r):\n{body}", "<fit test>", "exec"), names)  # noqa: S102  # made of constants of this module
    test: FitTest = names["fits"]
    return test


def _tests(rules: Sequence[Rule], row: str, *, some: bool = False) -> list[str] | None:
    """A test for each rule; None if one can never hold, which with `some` is left out instead."""
    tests: list[str] = []
    for slot, rule in enumerate(rules):
        test = _fit(rule)
        if test is None:
            if some:
                continue
            return None
        empty = "is None or" if rule.default is None else "is not None and"  # an empty value becomes its default
        tests.append(f"((v := {row}[{slot}]) {empty} ({test.format(v='v')}))")
    return tests


def _fit(rule: Rule) -> str | None:
    if rule.sealed:
        return "type({v}) is bytes"
    read = (rule.codes, rule.format, rule.is_in, rule.factor)
    plain = all(how is None for how in read) and not rule.positive and not rule.present
    if not plain or rule.field.shape is not Shape.VALUE or rule.field.value_type is None:
        return None
    return _FITS.get(rule.field.value_type)
