"""One operation against one schema: its plan, whether its purpose may ask what it asks, and its execution.

Every field that reads persons goes through one read of the gateway, so that each agency is called once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from graphql import GraphQLField, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode

from hub.auth.principal import Principal
from hub.engine.execute import Engine, Executed
from hub.engine.plan import OperationPlan, condition_variables
from hub.engine.variables import Variables
from hub.errors import DeadlineExceededError, HubError, PurposeNotAllowedError, PurposeRequiredError, RequestError
from hub.gateway.gateway import Gateway
from hub.gateway.reading import Ask, AskAnswer, Asker, Reading
from hub.schema.context import OperationContext
from hub.schema.remembered import Remembered
from hub.schema.roots import PeopleFetcher, viewer
from hub.schema.shapes import PersonShapes

MAX_OBJECTS = 10_000
"""Objects (not leaves) that one answer may hold (SECURITY section 1)."""
MAX_KNOWN_BYTES = 32 * 1024 * 1024
"""Memory, estimated, of the operations whose plans are kept: their documents, and `BYTES_A_FIELD` in each plan."""
BYTES_A_FIELD = 1_500
MAX_VARIANTS = 16
"""Plans kept of one operation, which `@skip` and `@include` make differ."""


class VariablesError(RequestError):
    code = "BAD_REQUEST"
    public = "A variable does not fit its declared type."


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A valid document with the operation to run, and who runs it for what.

    `digest` names the document, `size_bytes` is the memory that it takes, `fields` how many are selected, fragments
    expanded.
    """

    digest: str
    size_bytes: int
    fields: int
    document: DocumentNode
    definition: OperationDefinitionNode
    variables: dict[str, Any]
    principal: Principal
    purpose: str | None
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is remembered of an operation: its variables, and its plans by the values of `conditions`."""

    variables: Variables
    conditions: tuple[str, ...]
    plans: dict[tuple[Any, ...], OperationPlan] = field(default_factory=dict)


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
        self._known = Remembered[tuple[str, str | None], _Known](limit_bytes=MAX_KNOWN_BYTES)

    @property
    def remembered_bytes(self) -> int:
        return self._known.size_bytes

    async def run(self, operation: Operation, reading: Reading) -> Executed:
        """Execute; everything that was read is noted in `reading` even if execution fails later.

        Raises:
            RequestError: the request is refused as a whole (purpose, variables, deadline, limits).
        """
        known = self._look_up(operation)
        variables = known.variables.coerce(operation.variables)
        if variables is None:
            raise VariablesError("variables do not fit")
        plan = self._plan(operation, known, variables)
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

    def _plan(self, operation: Operation, known: _Known, variables: VariableValues) -> OperationPlan:
        chosen = tuple(variables.coerced.get(name) for name in known.conditions)
        plan = known.plans.get(chosen)
        if plan is None:
            plan = known.plans[chosen] = self._engine.plan(operation.document, operation.definition, variables)
            if len(known.plans) > MAX_VARIANTS:
                known.plans.pop(next(iter(known.plans)))
            self._remember(operation, known)
        return plan

    def _look_up(self, operation: Operation) -> _Known:
        """What is remembered of the operation."""
        known = self._known.get(_key(operation))
        if known is None:
            known = _Known(
                variables=Variables(self._schema, operation.definition),
                conditions=condition_variables(operation.document),
            )
            self._remember(operation, known)
        return known

    def _remember(self, operation: Operation, known: _Known) -> None:
        size_bytes = operation.size_bytes + len(known.plans) * operation.fields * BYTES_A_FIELD
        self._known.put(_key(operation), known, size_bytes)

    def _check_purpose(self, operation: Operation) -> None:
        if operation.purpose is None:
            raise PurposeRequiredError("no Hub-Purpose on a personal root field")
        if operation.purpose not in self._purposes or operation.purpose not in operation.principal.purposes:
            raise PurposeNotAllowedError("purpose is unknown or not in the token")


def _key(operation: Operation) -> tuple[str, str | None]:
    return operation.digest, operation.definition.name.value if operation.definition.name else None


def _member_name(_type: str, name: str, field: GraphQLField) -> str:
    """Under which name Strawberry's types hold a field."""
    definition = field.extensions.get("strawberry-definition") if field.extensions else None
    return definition.python_name if definition is not None else name
