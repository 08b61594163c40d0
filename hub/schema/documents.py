"""From the text of a document to an operation that fits the schema, or a refusal in our own words."""

import sys
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
from hub.schema.one_of import RULES
from hub.schema.remembered import Remembered
from hub.schema.split_cost import SplitCost, split_cost

MAX_VALIDATION_ERRORS = 5
MAX_REMEMBERED_BYTES = 32 * 1024 * 1024
BYTES_A_TOKEN = 640
"""Memory of a parsed document: the most that was measured of a token with its node (tests/engine/test_growth.py)."""


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
    """`size_bytes`: the memory that the document takes, estimated."""

    document: DocumentNode
    operation: OperationDefinitionNode
    digest: str
    size_bytes: int
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A parsed document with the cost plans of its operations so far, by operation name."""

    document: DocumentNode
    size_bytes: int
    plans: dict[str | None, tuple[OperationDefinitionNode, CostPlan]] = field(default_factory=dict)


SharedDocuments = Remembered[tuple[object, str], _Known]


def shared_documents() -> SharedDocuments:
    """Memory for the documents of all views together."""
    return SharedDocuments(limit_bytes=MAX_REMEMBERED_BYTES)


class Documents:
    """Parses and validates against one schema; valid documents are remembered, bounded by their memory.

    `shared`: memory that documents of several schemas share. None of them finds what another one remembered.
    """

    def __init__(self, schema: GraphQLSchema, costs: CostModel, *, shared: SharedDocuments | None = None) -> None:
        self._schema = schema
        self._costs = costs
        self._own = object()  # the key of this schema's documents: nothing else equals it
        self._valid = shared if shared is not None else shared_documents()

    @property
    def remembered_bytes(self) -> int:
        return self._valid.size_bytes

    def prepare(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> Prepared:
        """In the order of SECURITY section 1: tokens, parse, cost, validation.

        Raises:
            ParseFailedError, CostLimitError, OperationNameError, InvalidDocumentError
        """
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        kept = self._valid.get((self._own, digest))
        known = kept or self._parse(text)
        operation, plan = self._plan(known, operation_name)
        cost = plan.evaluate(variables)
        if kept is None:
            errors = validate(self._schema, known.document, RULES, max_errors=MAX_VALIDATION_ERRORS)
            if errors:
                raise InvalidDocumentError([_shown(error) for error in errors[:MAX_VALIDATION_ERRORS]])
            self._valid.put((self._own, digest), known, known.size_bytes)
        return Prepared(
            document=known.document, operation=operation, digest=digest, size_bytes=known.size_bytes, cost=cost
        )

    def operation_names(self, text: str) -> list[str | None]:
        """Names of the operations in a document, in order; None for one without a name."""
        found = [node for node in self._parse(text).document.definitions if isinstance(node, OperationDefinitionNode)]
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

    def _parse(self, text: str) -> _Known:
        tokens = check_tokens(text)
        try:
            document = parse(text)
        except (GraphQLSyntaxError, RecursionError) as exc:
            raise ParseFailedError("syntax error") from exc
        return _Known(document=document, size_bytes=tokens * BYTES_A_TOKEN + 2 * sys.getsizeof(text))


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
