"""One request of a verified caller, from the text of its document to the bytes of its answer.

The audit entry is durable before the answer is returned; if it cannot be written there is no answer. A refusal is an
entry too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
from graphql import GraphQLSchema, OperationType, print_schema

from hub.audit.entry import Draft, Outcome, SourceSeen
from hub.audit.log import AuditLog, Waiting
from hub.auth.decision import Judge
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.connectors.base import SourceState
from hub.engine.execute import Executed
from hub.errors import AuditUnavailableError, HubError, RateLimitedError, RequestError
from hub.gateway.reading import Reading
from hub.schema.documents import Documents, InvalidDocumentError, OperationNameError, Prepared
from hub.schema.errors import STATUS, field_errors, request_error
from hub.schema.limits import ParseFailedError
from hub.schema.operations import Operation, Operations, VariablesError

_DOCUMENT_ERRORS = (ParseFailedError, InvalidDocumentError, OperationNameError, VariablesError)
"""Errors of the document itself: 200 for callers that accept only application/json (GraphQL over HTTP, 6.4.1)."""


class GraphQLRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the web hands it over, media types and sizes checked."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = msgspec.field(default_factory=dict)
    purpose: str | None = None
    cases: tuple[str, ...] = ()
    request_id: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is the one under application/graphql-response+json; `well_formed`: 200 under application/json."""

    status: int
    body: bytes
    well_formed: bool
    retry_after_s: int | None = None


@dataclass(slots=True, kw_only=True)
class _Course:
    """What is known of a request so far, for its audit entry."""

    principal: Principal
    request: GraphQLRequest
    started: float
    reading: Reading = field(default_factory=Reading)
    prepared: Prepared | None = None


class GraphQLService:
    def __init__(
        self,
        *,
        schema: GraphQLSchema,
        documents: Documents,
        operations: Operations,
        judge: Judge,
        log: AuditLog,
        clock: Clock,
    ) -> None:
        self._schema = schema
        self._documents = documents
        self._operations = operations
        self._judge = judge
        self._log = log
        self._clock = clock

    def sdl(self, _principal: Principal) -> str:
        """The caller's view of the schema."""
        return print_schema(self._schema)

    async def answer(self, principal: Principal, request: GraphQLRequest) -> Answer:
        """Execute `request`. Never raises but on cancellation, which leaves an entry ABORTED."""
        course = _Course(principal=principal, request=request, started=self._clock.monotonic())
        try:
            result = await self._execute(course)
        except RequestError as error:
            return await self._refused(course, error)
        except Exception as error:
            await self._record(course, Outcome.FAILED, "INTERNAL")
            raise error
        except BaseException:
            await self._record(course, Outcome.ABORTED, None)
            raise
        try:
            waiting = self._submit(course, _outcome(course.reading, result), _first_code(result))
            body = self._encode(course, result, waiting.entry_id)  # while the entry is being written
            await waiting.durable()
        except AuditUnavailableError as error:
            return self._refusal(course, error, None)
        return Answer(status=200, body=body, well_formed=True)

    async def refuse(self, principal: Principal, request_id: str, error: RequestError) -> Answer:
        """The answer and the entry for a verified caller whose request does not get as far as a document."""
        request = GraphQLRequest(query="", request_id=request_id)
        course = _Course(principal=principal, request=request, started=self._clock.monotonic())
        return await self._refused(course, error)

    async def _execute(self, course: _Course) -> Executed:
        request = course.request
        course.prepared = prepared = self._documents.prepare(request.query, request.operation_name, request.variables)
        if prepared.operation.operation is not OperationType.QUERY:
            raise InvalidDocumentError([])
        return await self._operations.run(
            Operation(
                digest=prepared.digest,
                size_bytes=prepared.size_bytes,
                fields=prepared.cost.fields,
                document=prepared.document,
                definition=prepared.operation,
                variables=dict(request.variables),
                principal=course.principal,
                purpose=request.purpose,
                cases=request.cases,
            ),
            course.reading,
        )

    async def _refused(self, course: _Course, error: RequestError) -> Answer:
        outcome = Outcome.FAILED if STATUS[error.code] >= 500 else Outcome.DENIED
        try:
            entry = await self._record(course, outcome, error.code)
        except AuditUnavailableError as unavailable:
            return self._refusal(course, unavailable, None)
        return self._refusal(course, error, entry)

    def _refusal(self, course: _Course, error: RequestError, entry: str | None) -> Answer:
        errors = [request_error(error)]
        if isinstance(error, InvalidDocumentError) and error.errors:
            errors = [dict(shown) for shown in error.errors]
        hub = {"requestId": course.request.request_id, **({"auditEntry": entry} if entry else {})}
        return Answer(
            status=STATUS[error.code],
            body=orjson.dumps({"errors": errors, "extensions": {"hub": hub}}),
            well_formed=error.code not in ("BAD_REQUEST", "UNAUTHENTICATED", "RATE_LIMITED")
            and STATUS[error.code] < 500,
            retry_after_s=error.retry_after_s if isinstance(error, RateLimitedError) else None,
        )

    def _encode(self, course: _Course, result: Executed, entry: str) -> bytes:
        reading = course.reading
        hub = {
            "requestId": course.request.request_id,
            "auditEntry": entry,
            "sources": [
                {
                    "agency": use.agency,
                    "status": use.state.value,
                    "asOf": use.as_of.isoformat() if use.as_of else None,
                    "latencyMs": use.latency_ms,
                }
                for _, use in sorted(reading.sources.items())
            ],
            "cost": course.prepared.cost.total if course.prepared else 0,
            "denied": [
                {"coordinate": denied.coordinate, "code": denied.code.value}
                for denied in sorted(reading.denied, key=lambda item: (item.coordinate, item.code))
            ],
        }
        body: dict[str, Any] = {"data": result.data, "extensions": {"hub": hub}}
        if result.faults:
            body = {"errors": field_errors(result.faults), **body}
        return orjson.dumps(body)

    async def _record(self, course: _Course, outcome: Outcome, code: str | None) -> str:
        return (await self._submit(course, outcome, code).durable()).entry_id

    def _submit(self, course: _Course, outcome: Outcome, code: str | None) -> Waiting:
        principal, request, reading = course.principal, course.request, course.reading
        operation = course.prepared.operation if course.prepared else None
        draft = Draft(
            request_id=request.request_id,
            agency=principal.agency,
            client=principal.client,
            officer=principal.officer,
            role=principal.role,
            purpose=request.purpose,
            cases=request.cases,
            document=course.prepared.digest if course.prepared else None,
            operation=operation.name.value if operation and operation.name else None,
            persons=tuple(reading.access),
            sources=tuple(
                SourceSeen(
                    agency=use.agency,
                    status=use.state.value,
                    as_of=use.as_of.isoformat() if use.as_of else None,
                    latency_ms=use.latency_ms,
                )
                for _, use in sorted(reading.sources.items())
            ),
            policy_digest=self._judge.policy_digest,
            policies=tuple(sorted(reading.policies)),
            outcome=outcome,
            code=code,
            cost=course.prepared.cost.total if course.prepared else 0,
            latency_ms=round((self._clock.monotonic() - course.started) * 1000),
        )
        return self._log.submit(draft)


def _outcome(reading: Reading, result: Executed) -> Outcome:
    if result.faults:
        return Outcome.FAILED if result.data is None else Outcome.PARTIAL
    if any(use.state is not SourceState.OK for use in reading.sources.values()):
        return Outcome.PARTIAL
    given = any(pattern.full or pattern.masked or pattern.predicate for _, pattern in reading.access)
    return Outcome.DENIED if reading.denied and not given else Outcome.OK


def _first_code(result: Executed) -> str | None:
    if not result.faults:
        return None
    first = result.faults[0].error
    return first.code if isinstance(first, HubError) else "INTERNAL"
