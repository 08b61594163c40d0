"""One operation against one schema: what it asks for, whether its purpose may ask it, and its execution.

Execution reads all persons of all root fields through one loader, so that each agency is called once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode, execute
from graphql.execution import ExecutionResult, get_variable_values
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode
from strawberry.dataloader import DataLoader

from hub.auth.principal import Principal
from hub.engine.asked import asked_roots
from hub.errors import DeadlineExceededError, HubError, PurposeNotAllowedError, PurposeRequiredError, RequestError
from hub.gateway.gateway import Gateway
from hub.gateway.reading import Ask, AskAnswer, Asker, Reading
from hub.schema.context import OperationContext
from hub.schema.records import MAX_OBJECTS, OBJECTS_LEFT

PERSONAL_ROOTS = frozenset({"person", "persons", "people", "node"})
"""Root fields of Query that read people: each needs a purpose."""


class VariablesError(RequestError):
    code = "BAD_REQUEST"
    public = "A variable does not fit its declared type."


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A valid document with the operation to run, and who runs it for what."""

    document: DocumentNode
    definition: OperationDefinitionNode
    variables: dict[str, Any]
    principal: Principal
    purpose: str | None
    cases: tuple[str, ...]


class Operations:
    """Runs operations of one schema. `purposes` is the closed list of DOMAIN section 3.2."""

    def __init__(self, schema: GraphQLSchema, gateway: Gateway, *, purposes: frozenset[str], deadline_s: float) -> None:
        self._schema = schema
        self._gateway = gateway
        self._purposes = purposes
        self._deadline_s = deadline_s

    async def run(self, operation: Operation, reading: Reading) -> ExecutionResult:
        """Execute; everything that was read is noted in `reading` even if execution fails later.

        Raises:
            RequestError: the request is refused as a whole (purpose, variables, deadline, limits).
        """
        variables = self._variables(operation)
        roots = asked_roots(self._schema, operation.document, operation.definition, variables)
        if any(root.field in PERSONAL_ROOTS for root in roots):
            self._check_purpose(operation)
        asker = Asker(principal=operation.principal, purpose=operation.purpose or "", cases=operation.cases)

        async def load(asks: list[Ask]) -> Sequence[AskAnswer]:
            return await self._gateway.read(asker, asks, reading)

        context = OperationContext(
            principal=operation.principal,
            asked={root.response_key: root.coordinates for root in roots},
            people=DataLoader(load_fn=load),
            reading=reading,
        )
        OBJECTS_LEFT.set([MAX_OBJECTS])
        try:
            async with asyncio.timeout(self._deadline_s):
                result = execute(
                    self._schema,
                    operation.document,
                    context_value=context,
                    variable_values=operation.variables,
                    operation_name=operation.definition.name.value if operation.definition.name else None,
                    hide_suggestions=True,
                )
                finished = result if isinstance(result, ExecutionResult) else await result
        except TimeoutError as exc:
            raise DeadlineExceededError("operation deadline") from exc
        _raise_refusal(finished)
        return finished

    def _variables(self, operation: Operation) -> VariableValues:
        values = get_variable_values(
            self._schema,
            operation.definition.variable_definitions or (),
            operation.variables,
            max_errors=1,
            hide_suggestions=True,
        )
        if not isinstance(values, VariableValues):
            raise VariablesError("variables do not fit")
        return values

    def _check_purpose(self, operation: Operation) -> None:
        if operation.purpose is None:
            raise PurposeRequiredError("no Hub-Purpose on a personal root field")
        if operation.purpose not in self._purposes or operation.purpose not in operation.principal.purposes:
            raise PurposeNotAllowedError("purpose is unknown or not in the token")


def _raise_refusal(result: ExecutionResult) -> None:
    """A refusal that must stop the whole request surfaces as one field's error first; lift it."""
    for error in result.errors or ():
        original = error.original_error
        if isinstance(original, RequestError) and original.code in {"RATE_LIMITED", "COST_LIMIT", "DEADLINE_EXCEEDED"}:
            raise original
        if original is not None and not isinstance(original, HubError):
            raise original
