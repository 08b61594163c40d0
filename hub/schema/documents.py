"""From the text of a document to an operation that fits the schema, or a refusal in our own words."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
from graphql import GraphQLError, GraphQLSchema, GraphQLSyntaxError, OperationDefinitionNode, parse, validate
from graphql.language import DocumentNode, Node

from hub.errors import RequestError
from hub.schema.cost import Cost, CostModel, CostPlan
from hub.schema.limits import ParseFailedError, check_tokens
from hub.schema.split_cost import SplitCost, split_cost

MAX_VALIDATION_ERRORS = 5
MAX_REMEMBERED_BYTES = 8 * 1024 * 1024


class OperationNameError(RequestError):
    code = "BAD_REQUEST"
    public = "Name one operation of the document in operationName."


class InvalidDocumentError(RequestError):
    """The document does not fit the schema. `errors` say where, and nothing the caller did not send."""

    code = "GRAPHQL_VALIDATION_FAILED"
    public = "The document does not fit the schema."

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("validation failed")
        self.errors = errors


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    document: DocumentNode
    operation: OperationDefinitionNode
    digest: str
    cost: Cost
    size: int  # of the text, in characters


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A parsed document with the cost plans of its operations so far, by operation name."""

    document: DocumentNode
    size: int
    plans: dict[str | None, tuple[OperationDefinitionNode, CostPlan]] = field(default_factory=dict)


class Documents:
    """Parses and validates against one schema; valid documents are remembered, bounded by their bytes."""

    def __init__(self, schema: GraphQLSchema, costs: CostModel) -> None:
        self._schema = schema
        self._costs = costs
        self._valid: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0

    def prepare(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> Prepared:
        """In the order of SECURITY section 1: tokens, parse, cost, validation.

        Raises:
            ParseFailedError, CostLimitError, OperationNameError, InvalidDocumentError
        """
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        kept = self._valid.get(digest)
        known = kept or _Known(document=self._parse(text), size=len(text))
        operation, plan = self._plan(known, operation_name)
        cost = plan.evaluate(variables)
        if kept is None:
            errors = validate(self._schema, known.document, max_errors=MAX_VALIDATION_ERRORS)
            if errors:
                raise InvalidDocumentError([_shown(error) for error in errors[:MAX_VALIDATION_ERRORS]])
            self._remember(digest, known)
        else:
            self._valid.move_to_end(digest)
        return Prepared(document=known.document, operation=operation, digest=digest, cost=cost, size=known.size)

    def operation_names(self, text: str) -> list[str | None]:
        """Names of the operations in a document, in order; None for one without a name."""
        found = [node for node in self._parse(text).definitions if isinstance(node, OperationDefinitionNode)]
        return [node.name.value if node.name else None for node in found]

    def split_cost(self, prepared: Prepared, nodes: Sequence[Node]) -> SplitCost:
        """The cost of what is answered first and of each deferred fragment among `nodes`."""
        return split_cost(self._costs, prepared.document, prepared.operation, nodes)

    def _plan(self, known: _Known, name: str | None) -> tuple[OperationDefinitionNode, CostPlan]:
        found = known.plans.get(name)
        if found is None:
            operation = _operation(known.document, name)
            found = known.plans[name] = (operation, self._costs.compile(known.document, operation))
        return found

    def _parse(self, text: str) -> DocumentNode:
        check_tokens(text)
        try:
            return parse(text)
        except (GraphQLSyntaxError, RecursionError) as exc:
            raise ParseFailedError("syntax error") from exc

    def _remember(self, digest: str, known: _Known) -> None:
        self._valid[digest] = known
        self._bytes += known.size
        while self._bytes > MAX_REMEMBERED_BYTES:
            _, dropped = self._valid.popitem(last=False)
            self._bytes -= dropped.size


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = [
        definition
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        and (name is None or (definition.name is not None and definition.name.value == name))
    ]
    if len(found) != 1:
        raise OperationNameError("no such operation, or several")
    return found[0]


def _shown(error: GraphQLError) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "message": InvalidDocumentError.public,
        "extensions": {"code": InvalidDocumentError.code},
    }
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations[:5]]
    return shown
