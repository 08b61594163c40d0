"""Small mappings made by hand, for tests of what reads rows."""

from typing import Any

from hub.connectors.base import KeyKind
from hub.connectors.mapping import AgencyMapping, AsOf, Nested, Price, Rule
from hub.domain.catalogue import Field, Sensitivity, Shape, ValueType


def field(
    name: str,
    value_type: ValueType | None = ValueType.STRING,
    *,
    type_name: str = "TaxRecord",
    shape: Shape = Shape.VALUE,
    code_list: str | None = None,
    record_type: str | None = None,
    sealed: bool = False,
) -> Field:
    return Field(
        type_name=type_name,
        name=name,
        shape=shape,
        value_type=value_type,
        code_list=code_list,
        record_type=record_type,
        owner="tax",
        group="FG1",
        facet="detail",
        sensitivity=Sensitivity.PERSONAL,
        mask=None,
        sealed=sealed,
        indexed=False,
        zh="",
        en="",
        file="",
        line=1,
    )


def rule(name: str, value_type: ValueType = ValueType.STRING, *, field_of: dict[str, Any] | None = None, **how) -> Rule:
    """A rule for a field `name` that is read off the column of the same name unless `source` says otherwise."""
    how.setdefault("source", name)
    return Rule(field=field(name, value_type, **(field_of or {})), **how)


def nested(name: str, *rules: Rule, shape: Shape = Shape.RECORDS, at: str = "child", **how) -> Nested:
    settings: dict[str, Any] = {"key": "parent", "order": None, "assumed": 10, **how}
    made = field(name, None, shape=shape, record_type="Child")
    return Nested(field=made, at=at, rules={item.field.name: item for item in rules}, **settings)


def mapping(*parts: Rule | Nested, **how) -> AgencyMapping:
    """A mapping whose main table `main` has key, record id and ISO time stamp in `id`, `rec` and `stamp`."""
    settings: dict[str, Any] = {
        "agency": "tax",
        "kind": "sql",
        "type_name": "TaxRecord",
        "key_kind": KeyKind.OWN,
        "at": "main",
        "key": "id",
        "record": "rec",
        "as_of": AsOf(source="stamp", format="iso"),
        "variants": False,
        "price": Price(call=1, record=1),
        "index": {},
        "offices": {},
        "file": "toy.toml",
        **how,
    }
    return AgencyMapping(
        rules={part.field.name: part for part in parts if isinstance(part, Rule)},
        nested={part.field.name: part for part in parts if isinstance(part, Nested)},
        **settings,
    )
