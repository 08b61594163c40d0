"""One operation against one schema: its plan, whether its purpose may ask what it asks, and its execution.

Every field that reads persons goes through one read of the gateway, so that each agency is called once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLSchema, OperationDefinitionNode, get_variable_values
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode

from hub.auth.principal import Principal
from hub.engine.execute import Engine, Executed
from hub.engine.plan import OperationPlan, condition_variables
from hub.errors import DeadlineExceededError, HubError, PurposeNotAllowedError, PurposeRequiredError, RequestError
from hub.gateway.gateway import Gateway
from hub.gateway.reading import Ask, AskAnswer, Asker, Reading
from hub.schema.context import OperationContext
from hub.schema.roots import PeopleFetcher, viewer
from hub.schema.shapes import PersonShapes

MAX_OBJECTS = 10_000
"""Objects (not leaves) that one answer may hold (SECURITY section 1)."""
MAX_PLANS = 4096


class VariablesError(RequestError):
    code = "BAD_REQUEST"
    public = "A variable does not fit its declared type."


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A valid document with the operation to run, and who runs it for what. `digest` names the document."""

    digest: str
    document: DocumentNode
    definition: OperationDefinitionNode
    variables: dict[str, Any]
    principal: Principal
    purpose: str | None
    cases: tuple[str, ...]


class Operations:
    """Runs operations of one schema. `purposes` is the closed list of DOMAIN section 3.2."""

    def __init__(
        self,
        schema: GraphQLSchema,
        gateway: Gateway,
        shapes: PersonShapes,
        *,
        purposes: frozenset[str],
        deadline_s: float,
        max_objects: int = MAX_OBJECTS,
    ) -> None:
        people = PeopleFetcher(shapes)
        self._schema = schema
        self._engine = Engine(
            schema,
            fetchers={("Query", name): people for name in PeopleFetcher.FIELDS},
            resolvers={("Query", "viewer"): viewer},
            shaped=frozenset({"Person"}),
            member_name=_member_name,
            max_objects=max_objects,
        )
        self._gateway = gateway
        self._purposes = purposes
        self._deadline_s = deadline_s
        self._plans: OrderedDict[tuple[Any, ...], OperationPlan] = OrderedDict()
        self._conditions: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    async def run(self, operation: Operation, reading: Reading) -> Executed:
        """Execute; everything that was read is noted in `reading` even if execution fails later.

        Raises:
            RequestError: the request is refused as a whole (purpose, variables, deadline, limits).
        """
        variables = self._variables(operation)
        plan = self._plan(operation, variables)
        if any(item.name in PeopleFetcher.FIELDS for item in plan.root.fields):
            self._check_purpose(operation)
        asker = Asker(principal=operation.principal, purpose=operation.purpose or "", cases=operation.cases)

        async def read(asks: Sequence[Ask]) -> Sequence[AskAnswer]:
            return await self._gateway.read(asker, asks, reading) if asks else ()

        context = OperationContext(principal=operation.principal, read=read, reading=reading)
        try:
            async with asyncio.timeout(self._deadline_s):
                executed = await self._engine.execute(plan, variables, context, given=operation.variables)
        except TimeoutError as exc:
            raise DeadlineExceededError("operation deadline") from exc
        reading.objects = executed.objects
        for fault in executed.faults:
            if not isinstance(fault.error, HubError):
                raise fault.error  # nothing here fails but by our own errors
        return executed

    def _plan(self, operation: Operation, variables: VariableValues) -> OperationPlan:
        conditions = self._conditions.get(operation.digest)
        if conditions is None:
            conditions = self._conditions[operation.digest] = condition_variables(operation.document)
            if len(self._conditions) > MAX_PLANS:
                self._conditions.popitem(last=False)
        chosen = tuple(variables.coerced.get(name) for name in conditions)
        name = operation.definition.name.value if operation.definition.name else None
        key = (operation.digest, name, chosen)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._engine.plan(operation.document, operation.definition, variables)
            if len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        return plan

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


def _member_name(_type: str, name: str, field: GraphQLField) -> str:
    """Under which name Strawberry's types hold a field."""
    definition = field.extensions.get("strawberry-definition") if field.extensions else None
    return definition.python_name if definition is not None else name
