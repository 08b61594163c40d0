"""What a document may look like before it is parsed, and what it may cost before it is validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    IntValueNode,
    Lexer,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    VariableNode,
)
from graphql.language import DocumentNode

from hub.errors import CostLimitError, RequestError

MAX_TOKENS = 1_500
MAX_NESTING = 40
MAX_DEFINITIONS = 20
MAX_DIRECTIVES = 50
MAX_DEPTH = 12
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_FIELDS = 500
MAX_COST = 100_000
INTROSPECTION_DEPTH = 16
DEFAULT_FIRST = 20


class ParseFailedError(RequestError):
    code = "GRAPHQL_PARSE_FAILED"
    public = "The document is not GraphQL."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Static figures of one operation. `total` is the product of worst-case list sizes summed over fields."""

    fields: int
    depth: int
    aliases: int
    total: int


def check_tokens(text: str) -> None:
    """Count tokens, brackets, directives before a parser recurses over them.

    Raises:
        ParseFailedError: not GraphQL's alphabet. CostLimitError: beyond a limit.
    """
    lexer = Lexer(Source(text))
    tokens = nesting = directives = 0
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            tokens += 1
            if token.kind in (TokenKind.BRACE_L, TokenKind.PAREN_L, TokenKind.BRACKET_L):
                nesting += 1
            elif token.kind in (TokenKind.BRACE_R, TokenKind.PAREN_R, TokenKind.BRACKET_R):
                nesting -= 1
            elif token.kind is TokenKind.AT:
                directives += 1
            if tokens > MAX_TOKENS or nesting > MAX_NESTING or directives > MAX_DIRECTIVES:
                raise CostLimitError("document is too large")
    except GraphQLSyntaxError as exc:
        raise ParseFailedError("lexical error") from exc


def measure(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Cost:
    """The static cost of `operation`; safe against fragment cycles, which validation refuses later.

    A list costs its `first` argument or the length of its `ids`; every field costs one for each object it is read on.

    Raises:
        CostLimitError: beyond a limit.
    """
    if len(document.definitions) > MAX_DEFINITIONS:
        raise CostLimitError("too many definitions")
    return _Meter(document, variables).run(operation)


class _Meter:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._variables = variables
        self._fields = self._aliases = self._deepest = self._total = 0

    def run(self, operation: OperationDefinitionNode) -> Cost:
        roots = self._visit(operation.selection_set, 1, 1, (), introspection=False)
        if roots > MAX_ROOT_FIELDS:
            raise CostLimitError("too many root fields")
        return Cost(fields=self._fields, depth=self._deepest, aliases=self._aliases, total=self._total)

    def _visit(
        self, selections: SelectionSetNode, depth: int, times: int, spread: tuple[str, ...], *, introspection: bool
    ) -> int:
        """Number of fields directly in this selection set, fragments included."""
        if depth > (INTROSPECTION_DEPTH if introspection else MAX_DEPTH):
            raise CostLimitError("too deep")
        count = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                count += 1
                self._field(selection, depth, times, spread, introspection=introspection)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                definition = self._fragments.get(name)
                if definition is not None and name not in spread:
                    inner = (*spread, name)
                    count += self._visit(definition.selection_set, depth, times, inner, introspection=introspection)
            else:
                inline: SelectionSetNode = selection.selection_set  # type: ignore[attr-defined]
                count += self._visit(inline, depth, times, spread, introspection=introspection)
        return count

    def _field(self, node: FieldNode, depth: int, times: int, spread: tuple[str, ...], *, introspection: bool) -> None:
        introspection = introspection or node.name.value in ("__schema", "__type")
        self._fields += 1
        self._aliases += node.alias is not None
        self._total += times
        if not introspection:
            self._deepest = max(self._deepest, depth)
        if self._fields > MAX_FIELDS or self._aliases > MAX_ALIASES or self._total > MAX_COST:
            raise CostLimitError("too many fields")
        if node.selection_set is not None:
            inner = times if introspection else times * self._size(node)
            self._visit(node.selection_set, depth + 1, inner, spread, introspection=introspection)

    def _size(self, node: FieldNode) -> int:
        """How many objects the field may yield, from its own arguments; one where it says nothing."""
        for argument in node.arguments or ():
            value: Any = argument.value
            if isinstance(value, VariableNode):
                value = self._variables.get(value.name.value)
            if argument.name.value == "first":
                return self._number(value)
            if argument.name.value == "ids":
                items = value.values if isinstance(value, ListValueNode) else value
                return max(1, len(items)) if isinstance(items, list | tuple) else 1
        return DEFAULT_FIRST if node.name.value == "people" else 1

    def _number(self, value: Any) -> int:
        if isinstance(value, IntValueNode):
            return max(1, int(value.value)) if len(value.value) < 10 else MAX_COST
        return max(1, value) if isinstance(value, int) else DEFAULT_FIRST
