"""Later parts of an answer: an entry before each payload, an end without the log, an entry for what was cancelled."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import build_schema, get_operation_ast, parse

from hub.audit.entry import Outcome
from hub.audit.log import Receipt, Waiting
from hub.auth.principal import Principal
from hub.engine.delivery import deliver, locate, places
from hub.engine.execute import Engine
from hub.errors import AuditUnavailableError, DeadlineExceededError, RateLimitedError
from hub.schema.course import Clerk, Course
from hub.schema.later import LaterParts
from hub.schema.operations import LatePart
from hub.schema.request import GraphQLRequest
from tests.engine.deferred import deferring
from tests.engine.oracle import variables_of

SCHEMA = deferring(build_schema("type Query { a: Int b: Int c: Int! always: Int }"))
DOCUMENT = parse('{ always ... @defer(label: "a") { a } ... @defer(label: "b") { b } ... @defer(label: "c") { c } }')
ROOT = {"always": 0, "a": 1, "b": 2, "c": 3}


class Log:
    """Keeps drafts, in order; refuses from the `fails_at`-th on."""

    def __init__(self, fails_at: int = 99) -> None:
        self.drafts: list[Any] = []
        self._fails_at = fails_at

    def submit(self, draft: Any, entry: str | None = None) -> Waiting:
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        if len(self.drafts) + 1 >= self._fails_at:
            raise AuditUnavailableError("no log")
        self.drafts.append(draft)
        number = len(self.drafts)
        asyncio.get_running_loop().call_later(0.01, done.set_result, Receipt(entry_id=f"entry-{number}", seq=number))
        return Waiting(f"entry-{number}", draft, done)


class Parts:
    """Runs parts: each waits for its gate; `errors` and what was cancelled by label."""

    def __init__(self, root: Any = None, **errors: Exception) -> None:
        self.engine = Engine(SCHEMA)
        self.root = root or ROOT
        self.gates = {label: asyncio.Event() for label in "abc"}
        self.errors = errors
        self.cancelled: list[str] = []

    async def finish(self, late: LatePart, reading: Any) -> Any:
        label = late.part.label
        try:
            await self.gates[label].wait()
        except asyncio.CancelledError:
            self.cancelled.append(label)
            raise
        if label in self.errors:
            raise self.errors[label]
        executed = await self.engine.execute(late.part.plan, late.course, None, self.root)
        return executed, deliver(late.spot, executed)


async def started(parts: Parts, log: Log) -> LaterParts:
    operation = get_operation_ast(DOCUMENT)
    variables = variables_of(SCHEMA, operation, {})
    split = parts.engine.split(DOCUMENT, operation, variables)
    first = await parts.engine.execute(split.first, variables, None, ROOT)
    late = []
    for part in split.parts:
        spot = locate(part, first.data)
        late.append(LatePart(part=part, spot=spot, places=tuple(places(spot)), course=variables))
    principal = Principal(
        agency="tax",
        role="tax",
        officer="1",
        client="c",
        regions=(),
        purposes=frozenset(),
        cases=None,
        token_id="t",
        expires_at=0,
    )
    course = Course(
        principal=principal,
        request=GraphQLRequest(query="", request_id="r"),
        started=0.0,
        judge=SimpleNamespace(policy_digest="p"),
    )
    free = SimpleNamespace(actual=lambda _calls, _asked, _objects: 0)
    clerk = Clerk(log, free, SimpleNamespace(monotonic=lambda: 1.0))
    found = LaterParts(parts, clerk, course, late, [5] * len(late))
    found.start("parent")
    return found


async def read(later: LaterParts) -> list[dict[str, Any]]:
    return [json.loads(payload) async for payload in later]


async def test_parts_come_as_they_are_ready_each_after_its_entry():
    parts, log = Parts(), Log()
    later = await started(parts, log)
    assert [(item["id"], item["label"]) for item in later.pending()] == [("0", "a"), ("1", "b"), ("2", "c")]
    payloads = []

    async def reading() -> None:
        async for payload in later:
            payloads.append((json.loads(payload), len(log.drafts)))

    reader = asyncio.create_task(reading())
    for count, label in enumerate("bca", 1):
        parts.gates[label].set()
        while len(payloads) < count:
            await asyncio.sleep(0.001)
    await reader
    assert [payload["incremental"][0]["data"] for payload, _ in payloads] == [{"b": 2}, {"c": 3}, {"a": 1}]
    assert [payload["hasNext"] for payload, _ in payloads] == [True, True, False]
    assert [entries for _, entries in payloads] == [1, 2, 3]
    assert [payload["extensions"]["hub"]["auditEntry"] for payload, _ in payloads] == ["entry-1", "entry-2", "entry-3"]
    assert {(draft.parent, draft.request_id, draft.cost) for draft in log.drafts} == {("parent", "r", 5)}
    await later.aclose()
    assert len(log.drafts) == 3


async def test_without_the_log_the_answer_ends_with_that_and_nothing_more():
    parts, log = Parts(), Log(fails_at=2)
    later = await started(parts, log)
    parts.gates["a"].set()
    parts.gates["b"].set()
    first, last = await read(later)
    assert first["completed"] == [{"id": "0"}]
    assert last.keys() == {"completed", "hasNext"}
    assert [item["id"] for item in last["completed"]] == ["1", "2"]
    assert {item["errors"][0]["extensions"]["code"] for item in last["completed"]} == {"AUDIT_UNAVAILABLE"}
    assert last["hasNext"] is False
    await later.aclose()
    assert parts.cancelled == ["c"]
    assert len(log.drafts) == 1


async def test_who_goes_away_cancels_what_runs_and_each_leaves_an_entry():
    parts, log = Parts(), Log()
    later = await started(parts, log)
    parts.gates["b"].set()
    async for payload in later:
        assert json.loads(payload)["hasNext"] is True
        break
    await later.aclose()
    assert sorted(parts.cancelled) == ["a", "c"]
    assert [(draft.outcome, draft.parent) for draft in log.drafts] == [
        (Outcome.OK, "parent"),
        (Outcome.ABORTED, "parent"),
        (Outcome.ABORTED, "parent"),
    ]


async def test_parts_that_had_no_time_to_begin_are_aborted_too():
    parts, log = Parts(), Log()
    later = await started(parts, log)
    await later.aclose()
    assert [draft.outcome for draft in log.drafts] == [Outcome.ABORTED] * 3


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (DeadlineExceededError("late"), "DEADLINE_EXCEEDED", Outcome.FAILED),
        (RateLimitedError("much", retry_after_s=1), "RATE_LIMITED", Outcome.DENIED),
        (KeyError("secret"), "INTERNAL", Outcome.FAILED),
    ],
    ids=["deadline", "quota", "crash"],
)
async def test_a_part_that_fails_is_completed_with_its_code(error, code, outcome):
    parts, log = Parts(a=error), Log()
    for gate in parts.gates.values():
        gate.set()
    later = await started(parts, log)
    failed, *others = await read(later)
    assert failed["completed"][0]["errors"][0]["extensions"] == {"code": code}
    assert "incremental" not in failed
    assert "secret" not in json.dumps(failed)
    assert [payload["completed"] for payload in others] == [[{"id": "1"}], [{"id": "2"}]]
    assert (log.drafts[0].outcome, log.drafts[0].code) == (outcome, code)


async def test_null_at_the_place_itself_completes_it_with_errors():
    parts, log = Parts(root={**ROOT, "c": None}), Log()
    for gate in parts.gates.values():
        gate.set()
    payloads = await read(await started(parts, log))
    assert payloads[2]["completed"][0]["errors"][0]["path"] == ["c"]
    assert log.drafts[2].outcome is Outcome.FAILED
