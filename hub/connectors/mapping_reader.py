"""Reads mappings and holds them against catalogue and code lists; what does not fit does not start."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hub.connectors.base import KeyKind
from hub.connectors.mapping import DEFAULT_ASSUMED, AgencyMapping, AsOf, Mode, Nested, Price, ReplicaTerms, Rule
from hub.connectors.rows import MAX_NESTED
from hub.domain.catalogue import Catalogue, Field, RecordType, Shape, ValueType
from hub.domain.codes import Codes
from hub.domain.located import Document, load_toml
from hub.errors import MappingError

MAPPINGS_DIR = Path(__file__).with_name("agencies")
DEFAULT_PRICES: Mapping[str, Price] = {
    "sql": Price(call=10, record=1),
    "rest": Price(call=20, record=2),
    "file_drop": Price(call=5, record=1),
}
KINDS = frozenset(DEFAULT_PRICES)
MAX_PRICE = 10_000
_HOW = ("format", "codes", "standard", "split", "is_in", "positive", "present", "factor", "default")
_RULE_KEYS = frozenset({"from", "sealed", *_HOW})
_NESTED_KEYS = frozenset({"at", "key", "order", "row", "assumed"})
_PRICE_KEYS = frozenset({"call", "record"})
_TERMS_KEYS = {
    "every_s": 7 * 24 * 3600,
    "whole_every_s": 31 * 24 * 3600,
    "fresh_for_s": 31 * 24 * 3600,
    "usable_for_s": 366 * 24 * 3600,
    "most_gone_percent": 100,
}
"""The greatest value of each."""
_COPIED_KINDS = frozenset({"sql", "file_drop"})
"""Sources that tell of their changes, or that drop all they hold."""
_SORTED = re.compile(r"%Y[-/.]?%m[-/.]?%d([ T]?%H[:.]?%M([:.]?%S)?)?")
"""Forms of time stamps whose order as text is their order in time."""
_DEFAULTS: Mapping[ValueType, type] = {
    ValueType.STRING: str,
    ValueType.CODE: str,
    ValueType.BOOLEAN: bool,
    ValueType.INT: int,
    ValueType.DECIMAL: int,
}


def read_mappings(
    catalogue: Catalogue, codes: Codes, directories: Sequence[Path] = (MAPPINGS_DIR,)
) -> Mapping[str, AgencyMapping]:
    """All mappings by agency.

    Raises:
        MappingError: unknown kind, coordinate, code list or code, a field of another agency, an unmapped field, a
            price or size out of bounds; names file, line and coordinate.
    """
    mappings: dict[str, AgencyMapping] = {}
    for directory in directories:
        for path in sorted(directory.glob("*.toml")):
            mapping = _Reader(load_toml(path, MappingError), catalogue, codes).read()
            if mapping.agency in mappings:
                raise MappingError("mapped twice", file=path.name, name=mapping.agency)
            mappings[mapping.agency] = mapping
    return mappings


class _Reader:
    def __init__(self, document: Document, catalogue: Catalogue, codes: Codes) -> None:
        self._document = document
        self._catalogue = catalogue
        self._codes = codes
        self._data = document.data

    def read(self) -> AgencyMapping:
        agency = str(self._data.get("agency"))
        top = next((record for record in self._catalogue.agency_types() if record.agency == agency), None)
        if top is None:
            raise self._error(f"unknown agency {agency}", "agency")
        kind = self._data.get("kind")
        if kind not in KINDS:
            raise self._error(f"unknown kind {kind}", "kind")
        main = self._data.get("main", {})
        for needed in ("at", "key", "record", "as_of"):
            if needed not in main:
                raise self._error(f"lacks {needed}", "main")
        try:
            key_kind = KeyKind(main.get("key_kind", "identity-number"))
        except ValueError as exc:
            raise self._error("unknown key kind", "main", "key_kind") from exc
        self._check_coordinates(agency)
        rules, nested = self._record(top)
        terms = self._terms(rules, nested)
        return AgencyMapping(
            agency=agency,
            kind=str(kind),
            type_name=top.name,
            key_kind=key_kind,
            at=main["at"],
            key=main["key"],
            record=main["record"],
            as_of=AsOf(source=main["as_of"], format=main.get("as_of_format", "iso")),
            variants=bool(main.get("variants", False)),
            price=self._price(str(kind)),
            rules=rules,
            nested=nested,
            index=self._data.get("index", {}),
            offices=self._data.get("offices", {}),
            vaulted=self._vaulted(str(kind)),
            file=self._document.file,
            mode=self._mode(self._data.get("mode", "live"), terms, "mode"),
            replica=terms,
        )

    def _vaulted(self, kind: str) -> Mapping[str, str]:
        """The table of records sealed by law, if the agency has one; they are found by the number of their bearer."""
        table = self._data.get("vaulted", {})
        if not table:
            return {}
        if kind != "sql" or "number" not in self._data.get("index", {}):
            raise self._error("needs a SQL source whose [index] has a number", "vaulted")
        for needed in ("at", "key", "record"):
            if needed not in table:
                raise self._error(f"lacks {needed}", "vaulted")
        columns: Mapping[str, str] = table
        return columns

    def _mode(self, given: Any, terms: ReplicaTerms, *path: str) -> Mode:
        if given not in set(Mode):
            raise self._error(f"unknown mode {given}", *path)
        mode = Mode(given)
        if mode is not Mode.LIVE and mode not in terms.allows:
            raise self._error("[replica] does not allow it", *path)
        return mode

    def _terms(self, rules: Mapping[str, Rule], nested: Mapping[str, Nested]) -> ReplicaTerms:
        """What the mapping says of copies. Whatever cannot be copied well may not be allowed."""
        table = self._data.get("replica", {})
        if not isinstance(table, dict):
            raise self._error("is a table", "replica")
        if unknown := table.keys() - _TERMS_KEYS - {"allows"}:
            raise self._error(f"unknown key {min(unknown)}", "replica", min(unknown))
        allows = table.get("allows", [])
        if not isinstance(allows, list) or not set(allows) <= {Mode.REPLICA, Mode.FALLBACK}:
            raise self._error("is a list of replica and fallback", "replica", "allows")
        if allows:
            self._check_copied([*rules.values(), *(rule for item in nested.values() for rule in item.rules.values())])
        given = {
            name: self._whole(table[name], 1, most, "replica", name)
            for name, most in _TERMS_KEYS.items()
            if name in table
        }
        return ReplicaTerms(allows=frozenset(Mode(name) for name in allows), **given)

    def _check_copied(self, rules: Sequence[Rule]) -> None:
        if self._data["kind"] not in _COPIED_KINDS:
            raise self._error("only a SQL source or a file drop is copied", "replica", "allows")
        index = self._data.get("index", {})
        if not index:
            raise self._error("copying needs [index]: a source that can be read as a whole", "replica", "allows")
        if "vaulted" in index:
            raise self._error("records that may be sealed by law are not copied", "replica", "allows")
        if any(rule.sealed for rule in rules):
            raise self._error("a source that holds sealed values is not copied", "replica", "allows")
        form = self._data["main"].get("as_of_format", "iso")
        if self._data["kind"] == "sql" and form != "iso" and not _SORTED.fullmatch(form):
            raise self._error("time stamps of this form do not sort", "main", "as_of_format")

    def _price(self, kind: str) -> Price:
        default = DEFAULT_PRICES[kind]
        table = self._data.get("price", {})
        if not isinstance(table, dict):
            raise self._error("is a table of call and record", "price")
        if unknown := table.keys() - _PRICE_KEYS:
            raise self._error(f"unknown key {min(unknown)}", "price", min(unknown))
        return Price(
            call=self._whole(table.get("call", default.call), 0, MAX_PRICE, "price", "call"),
            record=self._whole(table.get("record", default.record), 0, MAX_PRICE, "price", "record"),
        )

    def _whole(self, value: Any, least: int, most: int, *path: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise self._error(f"needs a whole number from {least} to {most}", *path)
        return value

    def _check_coordinates(self, agency: str) -> None:
        for type_name, entries in self._data.get("fields", {}).items():
            for name in entries:
                field = self._catalogue.fields.get(f"{type_name}.{name}")
                if field is None:
                    raise self._error("unknown coordinate", "fields", type_name, name)
                if field.owner != agency:
                    raise self._error(f"belongs to {field.owner}", "fields", type_name, name)

    def _record(self, record: RecordType) -> tuple[dict[str, Rule], dict[str, Nested]]:
        rules: dict[str, Rule] = {}
        nested: dict[str, Nested] = {}
        entries = self._data.get("fields", {}).get(record.name, {})
        for field in record.fields:
            if field.name not in entries:
                raise self._error("is not mapped", "fields", record.name, field.name)
            entry = entries[field.name]
            if field.record_type is not None:
                nested[field.name] = self._nested(field, entry)
            else:
                rules[field.name] = self._rule(field, entry)
        return rules, nested

    def _nested(self, field: Field, entry: Any) -> Nested:
        path = ("fields", field.type_name, field.name)
        if not isinstance(entry, dict) or "at" not in entry or entry.keys() - _NESTED_KEYS:
            raise self._error("a nested record needs `at` (and may have key, order, row, assumed)", *path)
        assert field.record_type is not None
        rules, deeper = self._record(self._catalogue.types[field.record_type])
        if deeper:
            raise self._error("nests deeper than a mapping can", *path)
        if "row" not in entry and any(rule.sealed for rule in rules.values()):
            raise self._error("sealed columns need `row`", *path)
        many = field.shape is Shape.RECORDS
        if "assumed" in entry and not many:
            raise self._error("assumed is the size of a list", *path)
        return Nested(
            field=field,
            at=entry["at"],
            key=entry.get("key", ""),
            order=entry.get("order"),
            assumed=self._whole(entry.get("assumed", DEFAULT_ASSUMED if many else 1), 1, MAX_NESTED, *path),
            rules=rules,
            row=entry.get("row"),
        )

    def _rule(self, field: Field, entry: Any) -> Rule:
        path = ("fields", field.type_name, field.name)
        spec: dict[str, Any] = {"from": entry} if isinstance(entry, str) else entry
        if "from" not in spec:
            raise self._error("lacks `from`", *path)
        if unknown := spec.keys() - _RULE_KEYS:
            raise self._error(f"unknown key {min(unknown)}", *path)
        tests = [key for key in ("is_in", "positive", "present") if key in spec]
        if tests and (field.value_type is not ValueType.BOOLEAN or len(tests) > 1):
            raise self._error(f"{' and '.join(tests)} does not make a {field.value_type}", *path)
        if "split" in spec and field.shape is not Shape.VALUES:
            raise self._error("split makes a list", *path)
        if spec.get("sealed"):
            self._check_sealed(field, spec, path)
        return Rule(
            field=field,
            source=spec["from"],
            format=spec.get("format"),
            codes=self._codes_of(field, spec, path),
            split=spec.get("split"),
            is_in=frozenset(spec["is_in"]) if "is_in" in spec else None,
            positive=bool(spec.get("positive", False)),
            present=bool(spec.get("present", False)),
            factor=self._factor(field, spec, path),
            default=self._default(field, spec, path),
            sealed=bool(spec.get("sealed", False)),
        )

    def _check_sealed(self, field: Field, spec: dict[str, Any], path: tuple[str, ...]) -> None:
        """A sealed value is opened where it is released, and nothing can be read off it before that."""
        if self._data.get("kind") != "sql":
            raise self._error("only a SQL source can hold sealed values", *path)
        if not field.sealed:
            raise self._error("the catalogue does not declare it sealed", *path)
        if field.value_type is not ValueType.STRING or field.shape is not Shape.VALUE:
            raise self._error("only one String can be held sealed", *path)
        if others := [key for key in _HOW if key in spec]:
            raise self._error(f"{others[0]} cannot read a sealed value", *path)

    def _factor(self, field: Field, spec: dict[str, Any], path: tuple[str, ...]) -> Decimal | None:
        if "factor" not in spec:
            return None
        if field.value_type not in (ValueType.INT, ValueType.DECIMAL):
            raise self._error(f"a factor does not fit {field.value_type}", *path)
        try:
            factor = Decimal(str(spec["factor"]))
        except InvalidOperation as exc:
            raise self._error("factor is not a number", *path) from exc
        if not factor.is_finite() or factor <= 0:
            raise self._error("factor is not positive", *path)
        return factor

    def _default(self, field: Field, spec: dict[str, Any], path: tuple[str, ...]) -> str | bool | int | Decimal | None:
        if "default" not in spec:
            return None
        value: Any = spec["default"]
        kind = _DEFAULTS.get(field.value_type) if field.shape is Shape.VALUE and field.value_type else None
        fits = kind is not None and type(value) is kind and "present" not in spec
        if not fits:
            raise self._error(f"default does not fit {field.value_type}", *path)
        if field.value_type is ValueType.CODE:
            assert field.code_list is not None
            if not self._codes[field.code_list].admits(value):
                raise self._error(f"{field.code_list} has no {value}", *path)
        found: str | bool | int = value
        return Decimal(found) if field.value_type is ValueType.DECIMAL else found

    def _codes_of(self, field: Field, spec: dict[str, Any], path: tuple[str, ...]) -> Mapping[str, str] | None:
        if field.value_type is not ValueType.CODE:
            if "codes" in spec or "standard" in spec:
                raise self._error("codes for a field that is not a code", *path)
            return None
        assert field.code_list is not None
        known = self._codes[field.code_list]
        if known.open:
            return None
        if spec.get("standard"):
            return {item.code: item.name for item in known.items}
        table = self._data.get("codes", {}).get(spec.get("codes"))
        if table is None:
            raise self._error(f"needs `standard = true` or a known code table, not {spec.get('codes')}", *path)
        for source, name in table.items():
            if known.by_name(name) is None:
                raise self._error(f"{field.code_list} has no {name}", "codes", spec["codes"], source)
        return {str(source): str(name) for source, name in table.items()}

    def _error(self, text: str, *path: str) -> MappingError:
        name = ".".join(path[1:] if path[0] == "fields" else path)
        return MappingError(text, file=self._document.file, line=self._document.line(*path), name=name)
