"""The field catalogue: every canonical field, declared once.

Schema, policy validation, connector mappings, sealing and cost are read off it. This module holds the values; reading
them from `catalogue/*.toml` is `catalogue_reader`'s business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What a field holds: one value, one nested record, or a list of either."""

    VALUE = "value"
    VALUES = "values"
    RECORD = "record"
    RECORDS = "records"


class ValueType(StrEnum):
    STRING = "String"
    BOOLEAN = "Boolean"
    INT = "Int"
    DECIMAL = "Decimal"
    DATE = "Date"
    MONTH = "Month"  # YYYY-MM
    DATE_TIME = "DateTime"
    CODE = "Code"  # a value of `code_list`


class Sensitivity(StrEnum):
    """Class of a field, DESIGN section 1.2."""

    PUBLIC = "1"
    PERSONAL = "2"
    SENSITIVE = "3"
    SPECIAL = "4"


VAULT_GROUP = "FG17"
"""Fields sealed by law: in no person view, whatever a policy says; they have a statutory procedure of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One canonical field. `coordinate` is `Type.name`, as in the GraphQL schema."""

    type_name: str
    name: str
    shape: Shape
    value_type: ValueType | None  # None for records
    code_list: str | None  # id of the code list when value_type is CODE
    record_type: str | None  # name of the nested type when shape is RECORD or RECORDS
    owner: str  # agency id, or "hub" for what the hub itself composes
    group: str  # FG0 .. FG18
    facet: str  # part of the group that a rule may name; "detail" where nothing finer is meant
    sensitivity: Sensitivity
    mask: str | None  # name of a mask in hub.auth.masks; None: cannot be masked, only given or withheld
    sealed: bool
    indexed: bool
    zh: str
    en: str
    file: str
    line: int

    @property
    def coordinate(self) -> str:
        return f"{self.type_name}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """A GraphQL object type of the person view. Every nested type hangs on exactly one parent field."""

    name: str
    agency: str | None  # set on the five (or more) agency records at the top, e.g. JusticeRecord
    person_field: str | None  # the field of Person that holds it, e.g. "justice"; None for nested types and Person
    fields: tuple[Field, ...]
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All record types by name, `Person` among them, and all fields by coordinate."""

    types: Mapping[str, RecordType]
    fields: Mapping[str, Field]

    def agency_types(self) -> Iterator[RecordType]:
        """The top record type of each agency, in order of declaration."""
        return (record for record in self.types.values() if record.agency is not None)
