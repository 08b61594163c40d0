"""One request of a verified caller, from the text of its document to the bytes of its answer.

The audit entry is durable before the answer is returned; if it cannot be written there is no answer. A refusal is an
entry too.
"""

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import orjson
from graphql import OperationType

from hub.audit.entry import Outcome
from hub.audit.log import AuditLog, new_entry_id
from hub.auth.policy_holder import PolicyHolder
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.engine.deferral import Split
from hub.engine.execute import Executed
from hub.errors import AuditUnavailableError, RateLimitedError, RequestError
from hub.schema.cost import CostModel
from hub.schema.course import Clerk, Course, first_code, outcome_of, refused
from hub.schema.documents import InvalidDocumentError, OperationNameError
from hub.schema.errors import EVERY_STATUS, field_errors, request_error
from hub.schema.later import LaterParts
from hub.schema.limits import ParseFailedError
from hub.schema.operations import Begun, Operation, VariablesError
from hub.schema.request import GraphQLRequest
from hub.schema.split_cost import SplitCost
from hub.schema.subscription import EventParts, Events
from hub.schema.views import View, Views


class SubscriptionStreamError(RequestError):
    code = "BAD_REQUEST"
    public = "A subscription is answered as a stream: accept text/event-stream, or use a WebSocket."


class SubscriptionForbiddenError(RequestError):
    code = "FORBIDDEN"
    public = "You may not subscribe to this."


_DOCUMENT_ERRORS = (ParseFailedError, InvalidDocumentError, OperationNameError, VariablesError)
"""Errors of the document itself: 200 for callers that accept only application/json (GraphQL over HTTP, 6.4.1)."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is the one under application/graphql-response+json; `well_formed`: 200 under application/json.

    `later`: payloads that follow `body`; whoever gets them closes them.
    """

    status: int
    body: bytes
    well_formed: bool
    retry_after_s: int | None = None
    later: LaterParts | Events | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What was executed, and the view that it was executed in: later parts keep to it whatever views are made since."""

    begun: Begun
    view: View


class GraphQLService:
    def __init__(
        self,
        *,
        views: Views,
        costs: CostModel,
        policies: PolicyHolder,
        log: AuditLog,
        clock: Clock,
        events: EventParts | None = None,
    ) -> None:
        self._events = events
        self._views = views
        self._policies = policies
        self._clerk = Clerk(log, costs, clock)
        self._costs: WeakKeyDictionary[Split, SplitCost] = WeakKeyDictionary()

    def sdl(self, principal: Principal) -> str:
        """The caller's view of the schema."""
        return self._views.of(principal, self._policies.current).sdl

    async def answer(self, principal: Principal, request: GraphQLRequest) -> Answer:
        """Execute `request`. Never raises but on cancellation, which leaves an entry ABORTED."""
        course = self._course(principal, request)
        try:
            answering = await self._execute(course)
            if isinstance(answering, Events):
                return await self._subscribed(course, answering)
        except RequestError as error:
            return await self._refused(course, error)
        except Exception as error:
            await self._clerk.record(course, Outcome.FAILED, "INTERNAL")
            raise error
        except BaseException:
            await self._clerk.record(course, Outcome.ABORTED, None)
            raise
        try:
            result = answering.begun.executed
            later = self._later(course, answering) if answering.begun.parts else None
            entry = new_entry_id()
            body = self._encode(course, result, entry, later)
            outcome = outcome_of(course.reading, result)
            waiting = self._clerk.submit(course, outcome, first_code(result), entry=entry, body=body)
            await waiting.durable()
        except AuditUnavailableError as error:
            return self._refusal(course, error, None)
        if later is not None:
            later.start(waiting.entry_id)
        return Answer(status=200, body=body, well_formed=True, later=later)

    async def refuse(self, principal: Principal, request_id: str, error: RequestError) -> Answer:
        """The answer and the entry for a verified caller whose request does not get as far as a document."""
        request = GraphQLRequest(query="", request_id=request_id)
        course = self._course(principal, request)
        return await self._refused(course, error)

    def warm(self, text: str) -> None:
        """Parse, validate and plan every operation of a document that clients are known to send, for all who may.

        Raises:
            RequestError: the document would be refused, whoever sends it.
        """
        judge = self._policies.current
        views = [self._views.of_role(judge, agency=agency, role=role) for role, agency in self._roles()]
        refusals = [self._warm(view, text) for view in views]
        if all(refusals):
            raise next(error for error in refusals if error is not None)

    def _roles(self) -> list[tuple[str, str]]:
        return sorted(self._views.roles.items())

    def _warm(self, view: View, text: str) -> RequestError | None:
        """Why the document does not fit a view; None if it does."""
        try:
            for name in view.documents.operation_names(text):
                view.operations.warm(view.documents.prepare(text, name, {}))
        except RequestError as error:
            return error
        return None

    def _course(self, principal: Principal, request: GraphQLRequest) -> Course:
        return Course(principal=principal, request=request, started=self._clerk.now(), judge=self._policies.current)

    async def _execute(self, course: Course) -> Answering | Events:
        request = course.request
        view = self._views.of(course.principal, course.judge)
        course.prepared = prepared = view.documents.prepare(request.query, request.operation_name, request.variables)
        course.cost = prepared.cost.total
        if prepared.operation.operation is OperationType.SUBSCRIPTION:
            return self._subscription(course)
        operation = Operation(
            prepared=prepared,
            variables=dict(request.variables),
            principal=course.principal,
            purpose=request.purpose,
            cases=request.cases,
            judge=course.judge,
            request_id=request.request_id,
        )
        if request.incremental and prepared.operation.operation is OperationType.QUERY:
            begun = await view.operations.begin(operation, course.reading)
            return Answering(begun=begun, view=view)
        return Answering(begun=Begun(executed=await view.operations.run(operation, course.reading)), view=view)

    def _subscription(self, course: Course) -> Events:
        """Raises RequestError: the caller takes no stream, or has no purpose for it."""
        if self._events is None or not course.request.events:
            raise SubscriptionStreamError("a subscription without a stream")
        events = Events(self._views.of(course.principal, course.judge).schema, self._events, self._clerk, course)
        events.check()
        if not events.permitted():
            raise SubscriptionForbiddenError("no rule permits it")
        events.open()
        return events

    async def _subscribed(self, course: Course, events: Events) -> Answer:
        try:
            events.start(await self._clerk.record(course, Outcome.OK, None))
        except AuditUnavailableError as error:
            await events.aclose()
            return self._refusal(course, error, None)
        except BaseException:
            await events.aclose()
            raise
        return Answer(status=200, body=b"", well_formed=True, later=events)

    def _later(self, course: Course, answering: Answering) -> LaterParts:
        """What comes later; from here on `course` has the cost of the first answer alone."""
        begun, view = answering.begun, answering.view
        assert begun.split is not None
        assert course.prepared is not None
        costs = self._costs.get(begun.split)
        if costs is None:
            nodes = [part.node for part in begun.split.parts]
            costs = self._costs[begun.split] = view.documents.split_cost(course.prepared, nodes)
        course.cost, of_parts = costs.evaluate(course.request.variables)
        ranks = {id(part): rank for rank, part in enumerate(begun.split.parts)}
        return LaterParts(
            view.operations,
            self._clerk,
            course,
            begun.parts,
            [of_parts[ranks[id(late.part)]] for late in begun.parts],
        )

    async def _refused(self, course: Course, error: RequestError) -> Answer:
        entry = new_entry_id()
        answer = self._refusal(course, error, entry)
        try:
            await self._clerk.submit(course, refused(error), error.code, entry=entry, body=answer.body).durable()
        except AuditUnavailableError as unavailable:
            return self._refusal(course, unavailable, None)
        return answer

    def _refusal(self, course: Course, error: RequestError, entry: str | None) -> Answer:
        errors = [request_error(error)]
        if isinstance(error, InvalidDocumentError) and error.errors:
            errors = [dict(shown) for shown in error.errors]
        hub = {"requestId": course.request.request_id, **({"auditEntry": entry} if entry else {})}
        return Answer(
            status=EVERY_STATUS[error.code],
            body=orjson.dumps({"errors": errors, "extensions": {"hub": hub}}),
            well_formed=error.code not in ("BAD_REQUEST", "UNAUTHENTICATED", "RATE_LIMITED")
            and EVERY_STATUS[error.code] < 500,
            retry_after_s=error.retry_after_s if isinstance(error, RateLimitedError) else None,
        )

    def _encode(self, course: Course, result: Executed, entry: str, later: LaterParts | None) -> bytes:
        body: dict[str, Any] = {"data": result.data, "extensions": {"hub": self._clerk.hub(course, entry)}}
        if result.faults:
            body = {"errors": field_errors(result.faults), **body}
        if later is not None:
            body = {**body, "pending": later.pending(), "hasNext": True}
        return orjson.dumps(body)
