"""Strawberry types read off the field catalogue: one object type per record type, one enum per closed code list."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from hub.domain.catalogue import Catalogue, Field, RecordType, Shape, ValueType
from hub.domain.catalogue_reader import PREDICATES
from hub.domain.codes import CodeList, Codes
from hub.schema.structure import Conflict, FieldAccess, FieldProvenance, Node, Predicate, Provenance, SourceStatus

Month = NewType("Month", str)
"""A calendar month, YYYY-MM."""

_SCALARS: Mapping[ValueType, Any] = {
    ValueType.STRING: str,
    ValueType.BOOLEAN: bool,
    ValueType.INT: int,
    ValueType.DECIMAL: Decimal,
    ValueType.DATE: date,
    ValueType.MONTH: Month,
    ValueType.DATE_TIME: datetime,
}


def schema_config() -> StrawberryConfig:
    return StrawberryConfig(
        auto_camel_case=True,
        disable_field_suggestions=True,
        scalar_map={
            Month: strawberry.scalar(
                name="Month", description="A calendar month, YYYY-MM. / 年月。", serialize=str, parse_value=str
            )
        },
    )


class RecordTypes:
    """The object types of one catalogue. `person` is the root of the person view."""

    def __init__(self, catalogue: Catalogue, codes: Codes) -> None:
        self._catalogue = catalogue
        self._codes = codes
        self._enums: dict[str, Any] = {}
        self._types: dict[str, Any] = {}
        for record in catalogue.agency_types():
            self._type(record)
        self.person = self._person(catalogue.types["Person"])

    def enum(self, list_id: str) -> Any:
        """The GraphQL enum of a closed code list; canonical values are its names."""
        if list_id not in self._enums:
            self._enums[list_id] = _enum(self._codes[list_id])
        return self._enums[list_id]

    def _person(self, record: RecordType) -> Any:
        annotations: dict[str, Any] = {}
        members: dict[str, Any] = {}
        self._declare(record, annotations, members)
        for top in self._catalogue.agency_types():
            assert top.person_field is not None
            annotations[top.person_field] = self._types[top.name] | None
            members[top.person_field] = strawberry.field(name=top.person_field, description=_both(top.en, top.zh))
        for name, annotation, en, zh in (
            ("sources", list[SourceStatus], "How each agency took part.", "各来源机构应答情况。"),
            ("conflicts", list[Conflict], "Fields on which agencies disagree.", "部门间冲突。"),
            ("access", list[FieldAccess], "What you may see of this person, field by field.", "逐字段访问权限。"),
            ("provenance", list[FieldProvenance], "Where the merged fields come from.", "合并字段来源。"),
        ):
            annotations[name] = annotation
            members[name] = strawberry.field(name=name, description=_both(en, zh))
        if PREDICATES in self._catalogue.types:
            annotations["predicates"] = self._predicates(self._catalogue.types[PREDICATES]) | None
            members["predicates"] = strawberry.field(
                name="predicates", description=_both("Answers without the record.", "是否类结论。")
            )
        return _object(record, annotations, members, bases=(Node,))

    def _predicates(self, record: RecordType) -> Any:
        annotations = {field.name: Predicate | None for field in record.fields}
        members = {
            field.name: strawberry.field(name=field.name, description=_both(field.en, field.zh))
            for field in record.fields
        }
        return _object(record, annotations, members)

    def _type(self, record: RecordType) -> Any:
        if record.name not in self._types:
            annotations: dict[str, Any] = {}
            members: dict[str, Any] = {}
            self._declare(record, annotations, members)
            if record.agency is not None:
                annotations["provenance"] = Provenance | None
                members["provenance"] = strawberry.field(
                    name="provenance", description=_both("Where this record comes from.", "本记录来源。")
                )
            self._types[record.name] = _object(record, annotations, members)
        return self._types[record.name]

    def _declare(self, record: RecordType, annotations: dict[str, Any], members: dict[str, Any]) -> None:
        for field in record.fields:
            annotations[field.name] = self._annotation(field) | None
            members[field.name] = strawberry.field(name=field.name, description=_both(field.en, field.zh))

    def _annotation(self, field: Field) -> Any:
        if field.record_type is not None:
            item = self._type(self._catalogue.types[field.record_type])
        elif field.value_type is ValueType.CODE:
            assert field.code_list is not None
            item = str if self._codes[field.code_list].open else self.enum(field.code_list)
        else:
            assert field.value_type is not None
            item = _SCALARS[field.value_type]
        return list[item] if field.shape in (Shape.VALUES, Shape.RECORDS) else item  # type: ignore[valid-type]


def _object(
    record: RecordType, annotations: dict[str, Any], members: dict[str, Any], bases: tuple[type, ...] = ()
) -> Any:
    body = {"__annotations__": annotations, "is_type_of": classmethod(_any), "__module__": __name__, **members}
    return strawberry.type(type(record.name, bases, body), description=_both(record.en, record.zh))


def _any(_cls: type, _value: object, _info: object) -> bool:
    return True


def _enum(codes: CodeList) -> Any:
    values = {item.name: strawberry.enum_value(item.name, description=_both(item.en, item.zh)) for item in codes.items}
    members: Any = Enum(codes.type_name, values)  # type: ignore[misc]  # members are data, read at start
    return strawberry.enum(members, name=codes.type_name, description=_both(codes.en, codes.zh))


def _both(en: str, zh: str) -> str:
    return f"{en} / {zh}"
