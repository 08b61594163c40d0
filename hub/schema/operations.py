"""One operation against one schema: its plan, whether its purpose may ask what it asks, and its execution.

Every field that reads persons goes through one read of the gateway, so that each agency is called once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from graphql import GraphQLField, GraphQLSchema
from graphql.execution.values import VariableValues

from hub.auth.decision import Judge
from hub.auth.principal import Principal
from hub.engine.deferral import Part, Split, clean, mentions_defer
from hub.engine.delivery import Delivery, Spot, deliver, locate, places
from hub.engine.execute import Engine, Executed, Fetcher
from hub.engine.faults import Path
from hub.engine.plan import OperationPlan, condition_variables
from hub.engine.variables import Variables
from hub.errors import (
    CostLimitError,
    DeadlineExceededError,
    HubError,
    PurposeNotAllowedError,
    PurposeRequiredError,
    RequestError,
)
from hub.gateway.gateway import Gateway
from hub.gateway.reading import Ask, AskAnswer, Asker, Reading
from hub.schema.access import AccessDesk
from hub.schema.audit_exports import ExportFetcher
from hub.schema.audit_roots import AuditFetcher
from hub.schema.case_lists import CaseFetcher
from hub.schema.commands import CommandFetcher, ListFetcher
from hub.schema.context import OperationContext
from hub.schema.documents import Prepared
from hub.schema.identity_roots import IdentityFetcher
from hub.schema.oversight_lists import OversightFetcher
from hub.schema.remembered import Remembered
from hub.schema.roots import PeopleFetcher, viewer
from hub.schema.shapes import PersonShapes
from hub.schema.statutory import StatutoryFetcher

MAX_OBJECTS = 10_000
"""Objects (not leaves) that one answer may hold (SECURITY section 1)."""
MAX_KNOWN_BYTES = 32 * 1024 * 1024
"""Memory, estimated, of the operations whose plans are kept: their documents, and `BYTES_A_FIELD` in each plan."""
BYTES_A_FIELD = 1_500
MAX_VARIANTS = 16
"""Plans kept of one operation, which `@skip` and `@include` make differ."""


NEEDS_PURPOSE = frozenset(
    {
        *AuditFetcher.FIELDS,
        *CaseFetcher.FIELDS,
        *CommandFetcher.FIELDS,
        *ExportFetcher.FIELDS,
        *IdentityFetcher.FIELDS,
        *ListFetcher.FIELDS,
        *OversightFetcher.FIELDS,
        *PeopleFetcher.FIELDS,
        *StatutoryFetcher.FIELDS,
    }
)
"""Root fields that are answered for a stated purpose only."""


class VariablesError(RequestError):
    code = "BAD_REQUEST"
    public = "A variable does not fit its declared type."


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A valid document with the operation to run, and who runs it for what."""

    prepared: Prepared
    variables: dict[str, Any]
    principal: Principal
    purpose: str | None
    cases: tuple[str, ...]
    judge: Judge
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is remembered of an operation: its variables, and its plans by the values of `conditions`.

    `defers`: some fragment carries `@defer`. A split is None where with these values nothing comes later.
    """

    variables: Variables
    conditions: tuple[str, ...]
    defers: bool
    plans: dict[tuple[Any, ...], OperationPlan] = field(default_factory=dict)
    splits: dict[tuple[Any, ...], Split | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Course:
    """One execution: when it must end, and how many objects its parts may still hold."""

    operation: Operation
    variables: VariableValues
    ends: float
    left: int
    together: frozenset[str] = frozenset()  # every coordinate that the parts ask for


class LatePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that comes later, and where."""

    part: Part
    spot: Spot
    places: tuple[Path, ...]
    course: _Course


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer. Without `parts` it is the whole one; `split` is what the operation was split into."""

    executed: Executed
    split: Split | None = None
    parts: tuple[LatePart, ...] = ()


SharedPlans = Remembered[tuple[object, str, str | None], _Known]


def shared_plans() -> SharedPlans:
    """Memory for the plans of all views together."""
    return SharedPlans(limit_bytes=MAX_KNOWN_BYTES)


class Operations:
    """Runs operations of one schema. `purposes` is the closed list of DOMAIN section 3.2.

    `shared`: memory that plans over several schemas share. None of them finds what another one remembered.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        gateway: Gateway,
        shapes: PersonShapes,
        *,
        purposes: frozenset[str],
        deadline_s: float,
        max_objects: int = MAX_OBJECTS,
        shared: SharedPlans | None = None,
        desk: AccessDesk | None = None,
        commands: CommandFetcher | None = None,
        lists: ListFetcher | None = None,
        cases: CaseFetcher | None = None,
        oversight: OversightFetcher | None = None,
        audit: AuditFetcher | None = None,
        exports: ExportFetcher | None = None,
        statutory: StatutoryFetcher | None = None,
        identity: IdentityFetcher | None = None,
    ) -> None:
        people = PeopleFetcher(shapes, desk)
        fetchers: dict[tuple[str, str], Fetcher] = {("Query", name): people for name in PeopleFetcher.FIELDS}
        if commands is not None:
            fetchers |= {("Mutation", name): commands for name in CommandFetcher.FIELDS}
        if lists is not None:
            fetchers |= {("Query", name): lists for name in ListFetcher.FIELDS}
        if cases is not None:
            fetchers |= {("Query", name): cases for name in CaseFetcher.FIELDS}
        if oversight is not None:
            fetchers |= {("Query", name): oversight for name in OversightFetcher.FIELDS}
        if statutory is not None:
            fetchers |= {("Query", name): statutory for name in StatutoryFetcher.FIELDS}
        if audit is not None:
            fetchers |= {("Query", name): audit for name in AuditFetcher.FIELDS}
        if exports is not None:
            fetchers |= {("Query", name): exports for name in ExportFetcher.FIELDS}
        if identity is not None:
            fetchers |= {("Query", name): identity for name in IdentityFetcher.FIELDS}
        self._schema = schema
        self._engine = Engine(
            schema,
            fetchers=fetchers,
            resolvers={("Query", "viewer"): viewer, **(desk.resolvers if desk is not None else {})},
            shaped=frozenset({"Person"}),
            member_name=_member_name,
            max_objects=max_objects,
            identities={"Person": "id"},
        )
        self._max_objects = max_objects
        self._gateway = gateway
        self._purposes = purposes
        self._deadline_s = deadline_s
        self._own = object()  # the key of this schema's plans: nothing else equals it
        self._known = shared if shared is not None else shared_plans()

    @property
    def remembered_bytes(self) -> int:
        return self._known.size_bytes

    async def run(self, operation: Operation, reading: Reading) -> Executed:
        """Execute; everything that was read is noted in `reading` even if execution fails later.

        Raises:
            RequestError: the request is refused as a whole (purpose, variables, deadline, limits).
        """
        known = self._look_up(operation.prepared)
        variables = _coerced(known, operation)
        plan = self._plan(known, operation.prepared, variables)
        self._check_purpose(operation, plan)
        return await self._execute(self._course(operation, variables, plan), plan, reading)

    async def begin(self, operation: Operation, reading: Reading) -> Begun:
        """Execute what is answered first, for a caller who takes the rest later; `finish` brings each part.

        Raises:
            RequestError: as `run`; parts are not even tried then.
        """
        known = self._look_up(operation.prepared)
        split = self._split(known, operation.prepared, _coerced(known, operation)) if known.defers else None
        if split is None:
            return Begun(executed=await self.run(operation, reading))
        plans = (split.first, *(part.plan for part in split.parts))
        self._check_purpose(operation, *plans)
        course = self._course(operation, _coerced(known, operation), *plans)
        executed = await self._execute(course, split.first, reading)
        found = [(part, locate(part, executed.data)) for part in split.parts]
        clean(executed.data)
        parts = [
            LatePart(part=part, spot=spot, places=tuple(places(spot)), course=course)
            for part, spot in found
            if spot is not None and places(spot)
        ]
        return Begun(executed=executed, split=split, parts=tuple(parts))

    async def finish(self, late: LatePart, reading: Reading) -> tuple[Executed, list[Delivery]]:
        """Execute a part; its deadline is that of the whole operation, and so is the number of its objects.

        Raises:
            RequestError: nothing of this part is answered.
        """
        executed = await self._execute(late.course, late.part.plan, reading)
        return executed, deliver(late.spot, executed)

    def _course(self, operation: Operation, variables: VariableValues, *plans: OperationPlan) -> _Course:
        ends = asyncio.get_running_loop().time() + self._deadline_s
        roots = [item.coordinates for plan in plans for item in plan.root.fields if item.name in PeopleFetcher.FIELDS]
        return _Course(operation, variables, ends, self._max_objects, frozenset().union(*roots))

    async def _execute(self, course: _Course, plan: OperationPlan, reading: Reading) -> Executed:
        operation = course.operation
        asker = Asker(
            principal=operation.principal,
            purpose=operation.purpose or "",
            cases=operation.cases,
            judge=operation.judge,
            together=course.together,
        )

        async def read(asks: Sequence[Ask]) -> Sequence[AskAnswer]:
            return await self._gateway.read(asker, asks, reading) if asks else ()

        context = OperationContext(
            principal=operation.principal,
            purpose=operation.purpose,
            read=read,
            reading=reading,
            asker=asker,
            request_id=operation.request_id,
            document=operation.prepared.digest,
        )
        try:
            async with asyncio.timeout_at(course.ends):
                executed = await self._engine.execute(plan, course.variables, context, given=operation.variables)
        except TimeoutError as exc:
            raise DeadlineExceededError("operation deadline") from exc
        reading.objects = executed.objects - 1  # the root is nobody's object
        course.left -= executed.objects
        if course.left < 0:
            raise CostLimitError("too many objects")
        for fault in executed.faults:
            if not isinstance(fault.error, HubError):
                raise fault.error  # nothing here fails but by our own errors
        return executed

    def warm(self, prepared: Prepared) -> None:
        """Plan an operation before anybody asks for it; one whose variables decide its shape is planned when asked."""
        known = self._look_up(prepared)
        if not known.conditions:
            self._plan(known, prepared, VariableValues({}, {}))

    def _plan(self, known: _Known, prepared: Prepared, variables: VariableValues) -> OperationPlan:
        chosen = tuple(variables.coerced.get(name) for name in known.conditions)
        plan = known.plans.get(chosen)
        if plan is None:
            plan = known.plans[chosen] = self._engine.plan(prepared.document, prepared.operation, variables)
            if len(known.plans) > MAX_VARIANTS:
                known.plans.pop(next(iter(known.plans)))
            self._remember(prepared, known)
        return plan

    def _split(self, known: _Known, prepared: Prepared, variables: VariableValues) -> Split | None:
        chosen = tuple(variables.coerced.get(name) for name in known.conditions)
        if chosen not in known.splits:
            known.splits[chosen] = self._engine.split(prepared.document, prepared.operation, variables)
            if len(known.splits) > MAX_VARIANTS:
                known.splits.pop(next(iter(known.splits)))
            self._remember(prepared, known)
        return known.splits[chosen]

    def _look_up(self, prepared: Prepared) -> _Known:
        """What is remembered of the operation."""
        known = self._known.get((self._own, *_key(prepared)))
        if known is None:
            known = _Known(
                variables=Variables(self._schema, prepared.operation),
                conditions=condition_variables(prepared.document),
                defers=mentions_defer(prepared.document),
            )
            self._remember(prepared, known)
        return known

    def _remember(self, prepared: Prepared, known: _Known) -> None:
        plans = len(known.plans) + len(known.splits)
        size_bytes = prepared.size_bytes + plans * prepared.cost.fields * BYTES_A_FIELD
        self._known.put((self._own, *_key(prepared)), known, size_bytes)

    def _check_purpose(self, operation: Operation, *plans: OperationPlan) -> None:
        if not any(item.name in NEEDS_PURPOSE for plan in plans for item in plan.root.fields):
            return
        if operation.purpose is None:
            raise PurposeRequiredError("no Hub-Purpose on a personal root field")
        if operation.purpose not in self._purposes or operation.purpose not in operation.principal.purposes:
            raise PurposeNotAllowedError("purpose is unknown or not in the token")


def _coerced(known: _Known, operation: Operation) -> VariableValues:
    variables = known.variables.coerce(operation.variables)
    if variables is None:
        raise VariablesError("variables do not fit")
    return variables


def _key(prepared: Prepared) -> tuple[str, str | None]:
    return prepared.digest, prepared.operation.name.value if prepared.operation.name else None


def _member_name(_type: str, name: str, field: GraphQLField) -> str:
    """Under which name Strawberry's types hold a field."""
    definition = field.extensions.get("strawberry-definition") if field.extensions else None
    return definition.python_name if definition is not None else name
