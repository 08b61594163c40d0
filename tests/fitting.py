"""The views of the shipped rules, and documents cut to them: for tests that send one document as many roles."""

from functools import cache
from typing import Any

from graphql import (
    REMOVE,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    visit,
)

from hub.gateway.sight import Sight
from hub.rules import Rules, read_rules
from hub.schema.views import view_schema
from hub.settings import load_settings


@cache
def shipped() -> Rules:
    return read_rules(load_settings())


@cache
def sight() -> Sight:
    return shipped().sight


@cache
def view_of(role: str) -> GraphQLSchema:
    rules = shipped()
    return view_schema(rules.schema, sight(), rules.catalogue, agency=rules.purposes.roles[role].agency, role=role)


class _Cutter(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info

    def enter_field(self, _node: Any, *_args: Any) -> Any:
        return REMOVE if self._info.get_field_def() is None else None

    def leave_field(self, node: Any, *_args: Any) -> Any:
        return REMOVE if node.selection_set is not None and not node.selection_set.selections else None

    def enter_inline_fragment(self, _node: Any, *_args: Any) -> Any:
        return REMOVE if self._info.get_type() is None else None

    def leave_inline_fragment(self, node: Any, *_args: Any) -> Any:
        return None if node.selection_set.selections else REMOVE


@cache
def fitted(text: str, role: str) -> str:
    """`text` without the fields that the view of `role` does not hold."""
    return cut(text, view_of(role))


def cut(text: str, view: GraphQLSchema) -> str:
    """`text` without the fields that `view` does not hold."""
    info = TypeInfo(view)
    return print_ast(visit(parse(text), TypeInfoVisitor(info, _Cutter(info))))
