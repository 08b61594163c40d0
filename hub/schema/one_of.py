"""A validation rule that graphql-core 3.3.2 leaves out: variables in a `@oneOf` input whose place is Non-Null."""

from typing import Any

from graphql import GraphQLError, GraphQLInputObjectType, NonNullTypeNode, ValidationRule, is_non_null_type
from graphql.validation import specified_rules


class OneOfVariablesRule(ValidationRule):
    """A variable in a `@oneOf` input is declared Non-Null. Source: GraphQL, September 2025, section 5.8.5."""

    def leave_operation_definition(self, operation: Any, *_args: Any) -> None:
        declared = {one.variable.name.value: one.type for one in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            parent: Any = usage.parent_type
            if not is_non_null_type(parent) or not isinstance(parent.of_type, GraphQLInputObjectType):
                continue  # graphql-core sees the place of a nullable one
            type_ = declared.get(usage.node.name.value)
            if parent.of_type.is_one_of and type_ is not None and not isinstance(type_, NonNullTypeNode):
                self.report_error(GraphQLError("a nullable variable in a oneOf input", [usage.node]))


RULES = (*specified_rules, OneOfVariablesRule)
