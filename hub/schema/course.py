"""What is known of one answer or of one part of it: for its audit entry, and for `extensions.hub`."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from hub.audit.entry import Draft, Outcome, SourceSeen, asked_by
from hub.audit.log import AuditLog, Waiting
from hub.auth.decision import Judge
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.connectors.base import SourceState
from hub.engine.execute import Executed
from hub.errors import HubError
from hub.gateway.reading import Reading
from hub.schema.cost import CostModel
from hub.schema.documents import Prepared
from hub.schema.errors import STATUS
from hub.schema.request import GraphQLRequest


@dataclass(slots=True, kw_only=True)
class Course:
    """`judge` decides the whole answer, also its later parts. `parent` is set for a later part: the entry of the first.

    `cost` is this part's own.
    """

    principal: Principal
    request: GraphQLRequest
    started: float
    judge: Judge
    reading: Reading = field(default_factory=Reading)
    prepared: Prepared | None = None
    parent: str | None = None
    cost: int = 0


class Clerk:
    """Hands courses in to the audit log, and tells callers what became of them."""

    def __init__(self, log: AuditLog, costs: CostModel, clock: Clock) -> None:
        self._costs = costs
        self._log = log
        self._clock = clock

    def now(self) -> float:
        return self._clock.monotonic()

    def hub(self, course: Course, entry: str) -> dict[str, Any]:
        """`extensions.hub`."""
        reading = course.reading
        return {
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
            "cost": {
                "static": course.cost,
                "actual": self._costs.actual(reading.calls, reading.asked, reading.objects),
            },
            "denied": [
                {
                    "coordinate": denied.coordinate,
                    "code": denied.code.value,
                    **({"remedy": denied.remedy} if denied.remedy else {}),
                }
                for denied in sorted(reading.denied, key=lambda item: (item.coordinate, item.code, item.remedy or ""))
            ],
        }

    async def record(self, course: Course, outcome: Outcome, code: str | None) -> str:
        """Write the entry of `course`; its id, once it is durable.

        Raises:
            AuditUnavailableError: the log cannot be written.
        """
        return (await self.submit(course, outcome, code).durable()).entry_id

    def submit(
        self,
        course: Course,
        outcome: Outcome,
        code: str | None,
        *,
        entry: str | None = None,
        body: bytes | None = None,
    ) -> Waiting:
        """Hand in the entry of `course`. `entry`: its id, where `body`, the bytes of the answer, names it already.

        Raises:
            AuditUnavailableError: too many entries wait already.
        """
        principal, request, reading = course.principal, course.request, course.reading
        operation = course.prepared.operation if course.prepared else None
        draft = Draft(
            kind=reading.kind,
            request_id=request.request_id,
            parent=course.parent,
            **asked_by(principal),
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
            policy_digest=course.judge.policy_digest,
            approver=" ".join(sorted(reading.approvers)) or None,
            policies=tuple(sorted(reading.policies)),
            outcome=outcome,
            code=code,
            cost=course.cost,
            latency_ms=round((self._clock.monotonic() - course.started) * 1000),
            answer_bytes=len(body) if body is not None else None,
            answer_digest=sha256(body).hexdigest() if body is not None else None,
            note={**reading.note, **{f"explained {name}": 1 for name in sorted(reading.explained)}},
            looked_at=reading.looked_at,
        )
        return self._log.submit(draft, entry)


def refused(error: HubError) -> Outcome:
    """The outcome of what was refused as a whole."""
    return Outcome.FAILED if STATUS.get(error.code, 500) >= 500 else Outcome.DENIED


def outcome_of(reading: Reading, result: Executed) -> Outcome:
    if result.faults:
        return Outcome.FAILED if result.data is None else Outcome.PARTIAL
    if any(use.state is not SourceState.OK for use in reading.sources.values()):
        return Outcome.PARTIAL
    given = any(pattern.full or pattern.masked or pattern.predicate for _, pattern in reading.access)
    return Outcome.DENIED if reading.denied and not given else Outcome.OK


def first_code(result: Executed) -> str | None:
    if not result.faults:
        return None
    first = result.faults[0].error
    return first.code if isinstance(first, HubError) else "INTERNAL"
