"""Reads the field catalogue from `catalogue/*.toml`; what is undeclared, unclassified or doubtful does not start."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue, Field, RecordType, Sensitivity, Shape, ValueType
from hub.domain.codes import Codes
from hub.domain.located import Document, load_toml
from hub.errors import CatalogueError

CATALOGUE_DIR = Path(__file__).with_name("catalogue")

FACETS: Mapping[str, frozenset[str]] = {
    f"FG{number}": frozenset({"detail", *extra.split()})
    for number, extra in enumerate(
        [
            "predicate",
            "name",
            "phone",
            "",
            "class release-date",
            "class",
            "skills predicate",
            "arrival-date",
            "status notes contact-person",
            "predicate",
            "status household predicate",
            "months key-group predicate",
            "status predicate",
            "predicate",
            "predicate",
            "predicate",
            "predicate",
            "",
            "",
        ]
    )
}
"""Field groups of DOMAIN section 3.1, each with the facets that a rule may name apart."""

MASKS = frozenset({"name", "identity-number", "phone", "address", "bank-card", "birth-date"})
_KEYS = frozenset(
    [
        "type",
        "code",
        "record",
        "list",
        "values",
        "values_code",
        "group",
        "facet",
        "class",
        "mask",
        "sealed",
        "indexed",
        "zh",
        "en",
    ]
)
_TYPE_KEYS = ("type", "code", "record", "list", "values", "values_code")
PREDICATES = "PersonPredicates"
"""The type whose fields the hub computes; each names the agency whose rules decide on it."""
_FIELD_NAME = re.compile(r"[a-z][A-Za-z0-9]*")
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")


def read_catalogue(codes: Codes, directories: Sequence[Path] = (CATALOGUE_DIR,)) -> Catalogue:
    """The catalogue of all `*.toml` files of all directories.

    Raises:
        CatalogueError: names file, line and coordinate.
    """
    headers: dict[str, tuple[Document, dict[str, Any], str | None]] = {}
    fields: dict[str, list[Field]] = {}
    documents = [load_toml(path, CatalogueError) for folder in directories for path in sorted(folder.glob("*.toml"))]
    for document in documents:
        _read_headers(document, headers)
    seen: dict[str, Field] = {}
    for document in documents:
        for type_name, entries in document.data.get("fields", {}).items():
            if type_name not in headers:
                raise _error(document, "field of an undeclared type", "fields", type_name)
            for name, entry in entries.items():
                field = _read_field(document, type_name, name, entry, codes)
                if field.coordinate in seen:
                    raise _error(
                        document, f"declared before in {seen[field.coordinate].file}", "fields", type_name, name
                    )
                seen[field.coordinate] = field
                fields.setdefault(type_name, []).append(field)
    types = {
        name: RecordType(
            name=name,
            agency=agency if "person_field" in entry else None,
            person_field=entry.get("person_field"),
            fields=tuple(fields.get(name, ())),
            zh=entry["zh"],
            en=entry["en"],
        )
        for name, (_, entry, agency) in headers.items()
    }
    _check_nesting(headers, types, seen)
    return Catalogue(types=types, fields=seen)


def _read_headers(document: Document, headers: dict[str, tuple[Document, dict[str, Any], str | None]]) -> None:
    agency = document.data.get("agency")
    for name, entry in document.data.get("types", {}).items():
        if name in headers:
            raise _error(document, f"declared before in {headers[name][0].file}", "types", name)
        if not _TYPE_NAME.fullmatch(name):
            raise _error(document, "is not a type name", "types", name)
        if not entry.get("zh") or not entry.get("en"):
            raise _error(document, "needs a description in both languages", "types", name)
        if "person_field" in entry and agency is None:
            raise _error(document, "a top record needs the file's agency", "types", name)
        headers[name] = (document, entry, agency)


def _read_field(document: Document, type_name: str, name: str, entry: dict[str, Any], codes: Codes) -> Field:
    def fail(text: str) -> CatalogueError:
        return _error(document, text, "fields", type_name, name)

    if not _FIELD_NAME.fullmatch(name):
        raise fail("is not a field name")
    if ("owner" in entry) != (type_name == PREDICATES):
        raise fail(f"names an owner exactly where it is a field of {PREDICATES}")
    kind = _check_entry({key: value for key, value in entry.items() if key != "owner"}, fail)
    shape, value_type, code_list, record_type = _read_type(kind, entry[kind], codes, fail)
    return Field(
        type_name=type_name,
        name=name,
        shape=shape,
        value_type=value_type,
        code_list=code_list,
        record_type=record_type,
        owner=entry.get("owner") or document.data.get("agency", HUB),
        group=entry["group"],
        facet=entry.get("facet", "detail"),
        sensitivity=Sensitivity(str(entry["class"])),
        mask=entry.get("mask"),
        sealed=bool(entry.get("sealed", False)),
        indexed=bool(entry.get("indexed", False)),
        zh=entry["zh"],
        en=entry["en"],
        file=document.file,
        line=document.line("fields", type_name, name) or 0,
    )


def _check_entry(entry: dict[str, Any], fail: Callable[[str], CatalogueError]) -> str:
    """The one key that tells the field's type; the entry says everything a field must say, and nothing unknown."""
    if unknown := entry.keys() - _KEYS:
        raise fail(f"unknown key {min(unknown)}")
    kinds = [key for key in _TYPE_KEYS if key in entry]
    if len(kinds) != 1:
        raise fail("needs exactly one of type, code, record, list, values, values_code")
    if "class" not in entry or str(entry["class"]) not in set(Sensitivity):
        raise fail("is not classified (class = 1 to 4)")
    group, facet = str(entry.get("group")), entry.get("facet", "detail")
    if group not in FACETS:
        raise fail(f"unknown field group {group}")
    if facet not in FACETS[group]:
        raise fail(f"unknown facet {facet} of {group}")
    if not entry.get("zh") or not entry.get("en"):
        raise fail("needs a description in both languages")
    if entry.get("mask") is not None and entry["mask"] not in MASKS:
        raise fail(f"unknown mask {entry['mask']}")
    return kinds[0]


def _read_type(
    kind: str, value: str, codes: Codes, fail: Any
) -> tuple[Shape, ValueType | None, str | None, str | None]:
    if kind in ("record", "list"):
        return (Shape.RECORD if kind == "record" else Shape.RECORDS), None, None, value
    shape = Shape.VALUES if kind.startswith("values") else Shape.VALUE
    if kind in ("code", "values_code"):
        if value not in codes:
            raise fail(f"unknown code list {value}")
        return shape, ValueType.CODE, value, None
    if value not in set(ValueType) - {ValueType.CODE}:
        raise fail(f"unknown type {value}")
    return shape, ValueType(value), None, None


def _check_nesting(
    headers: Mapping[str, tuple[Document, dict[str, Any], str | None]],
    types: Mapping[str, RecordType],
    fields: Mapping[str, Field],
) -> None:
    """Every nested type hangs on exactly one field; so there can be no cycle that a person view reaches."""
    parents: dict[str, list[Field]] = {}
    for field in fields.values():
        if field.record_type is not None:
            if field.record_type not in types:
                raise CatalogueError(
                    f"unknown record type {field.record_type}", file=field.file, line=field.line, name=field.coordinate
                )
            parents.setdefault(field.record_type, []).append(field)
    for name, (document, entry, _) in headers.items():
        if not types[name].fields:
            raise _error(document, "declares no fields", "types", name)
        wanted = 0 if "person_field" in entry or name in ("Person", PREDICATES) else 1
        if len(parents.get(name, ())) != wanted:
            raise _error(
                document, f"must hang on {wanted} fields, hangs on {len(parents.get(name, ()))}", "types", name
            )


def _error(document: Document, text: str, *path: str) -> CatalogueError:
    return CatalogueError(text, file=document.file, line=document.line(*path), name=".".join(path[1:]))
