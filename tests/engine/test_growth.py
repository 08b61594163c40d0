"""Growth: what an answer costs in memory and calls grows with its objects alone, and caches keep to their bounds.

Memory and counts, no time: `benchmarks/growth.py` measures that.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from graphql import build_schema, get_operation_ast, parse

from hub.connectors.mapping import Price
from hub.engine.execute import MAX_BUILDERS, Engine, Executed, FieldCall
from hub.engine.shape import Shape, Slot
from hub.errors import CostLimitError
from hub.gateway.reading import Reading
from hub.schema.cost import CostModel
from hub.schema.documents import Documents
from hub.schema.operations import Operation, Operations
from hub.schema.weights import Weights
from tests.conftest import FULL
from tests.engine.grown import Row
from tests.engine.oracle import Fetched, variables_of

SCHEMA = build_schema(
    """
    type Query { people: [Person!]! work: [Job!] }
    type Person { id: ID! name: String home: Place jobs: [Job!]! score: Float }
    type Place { street: String } type Job { title: String since: String place: Place }
    """
)
TEXT = "{ people { id n: name home { street } jobs { title since place { street } } ...S } } fragment S on Person { score }"
JOBS = 3
OBJECTS_EACH = 1 + 1 + JOBS + JOBS  # the person, the home, jobs and their places
SIZES = (1, 10, 100, 1_000)
DOCUMENTS = 10_000 if FULL else 1_200
SMALL_BYTES = 512 * 1024

PLACE = Shape(type_name="Place", slots={"street": Slot(path="{row}[0]")})
JOB = Shape(
    type_name="Job",
    slots={
        "title": Slot(path="{row}[0]"),
        "since": Slot(path="{row}[1]", convert=str),
        "place": Slot(path="{row}[2]", shape=PLACE),
    },
)
PERSON = Shape(
    type_name="Person",
    slots={
        "id": Slot(path="{row}[0]", never_null=True),
        "name": Slot(path="{row}[1]"),
        "home": Slot(path="{row}[2]", shape=PLACE),
        "jobs": Slot(path="{row}[3]", shape=JOB, many=True, never_null=True),
        "score": Slot(path="{row}[4]"),
    },
)


def plain(number: int) -> dict[str, Any]:
    place = {"street": f"street {number}"}
    jobs = [{"title": f"job {number}-{job}", "since": str(2000 + job), "place": place} for job in range(JOBS)]
    return {"id": str(number), "name": f"name {number}", "home": place, "jobs": jobs, "score": number / 2}


def shaped(number: int) -> Row:
    place = (f"street {number}",)
    jobs = [(f"job {number}-{job}", 2000 + job, place) for job in range(JOBS)]
    return Row.of((str(number), f"name {number}", place, jobs, number / 2), PERSON, {})


class Resolved:
    """A resolver that counts its calls."""

    calls = 0

    def __call__(self, _context: Any, call: FieldCall) -> list[Any]:
        self.calls += 1
        return [parent["name"] for parent in call.parents]


Run = Callable[[int], Awaitable[Executed]]


def runner(make: Callable[[int], Any], **parts: Any) -> tuple[Run, Callable[[int], list[Any]]]:
    engine = Engine(SCHEMA, max_objects=OBJECTS_EACH * max(SIZES) + 1, **parts)
    document = parse(TEXT)
    operation = get_operation_ast(document)
    variables = variables_of(SCHEMA, operation, {})
    plan = engine.plan(document, operation, variables)
    kept: dict[int, list[Any]] = {}

    def people(size: int) -> list[Any]:
        return kept.setdefault(size, [make(number) for number in range(size)])

    async def run(size: int) -> Executed:
        return await engine.execute(plan, variables, None, {"people": people(size)})

    return run, people


KINDS = {
    "shaped rows": lambda: runner(shaped, shaped=frozenset({"Person"})),
    "plain dicts": lambda: runner(plain),
}


@pytest.mark.parametrize("kind", list(KINDS))
async def test_both_ways_give_the_same_answer_and_count_every_object(kind):
    run, _ = KINDS[kind]()
    for size in SIZES:
        executed = await run(size)
        assert executed.objects == OBJECTS_EACH * size + 1  # the root is one
        assert [person["id"] for person in executed.data["people"]] == [str(number) for number in range(size)]
        last = plain(size - 1)
        assert executed.data["people"][-1] == {"n": last.pop("name"), **last}


@pytest.mark.parametrize("kind", list(KINDS))
async def test_one_object_beyond_the_limit_is_refused(kind):
    run, _ = KINDS[kind]()
    with pytest.raises(CostLimitError):
        await run(max(SIZES) + 1)


@pytest.mark.parametrize("kind", list(KINDS))
async def test_memory_of_an_answer_grows_with_its_persons(kind):
    run, people = KINDS[kind]()
    peaks = {}
    for size in SIZES:
        people(size)
        await run(size)  # builders are compiled, caches filled
        gc.collect()
        tracemalloc.start()
        try:
            await run(size)
            peaks[size] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peaks[1_000] < 15 * peaks[100]
    assert peaks[100] < 15 * peaks[10]
    assert peaks[1_000] > 5 * peaks[100]  # else nothing was measured


async def test_calls_do_not_grow_with_persons():
    for size in SIZES:
        resolved, fetched = Resolved(), Fetched()
        parts = {"resolvers": {("Person", "name"): resolved}, "fetchers": {("Person", "jobs"): fetched}}
        run, _ = runner(plain, **parts)
        await run(size)
        assert (resolved.calls, fetched.calls, fetched.parents) == (1, 1, [size])


# --- caches --------------------------------------------------------------------------------------------------------------


def different(number: int, *, size: int) -> str:
    """A valid document of its own, of as much memory as one of its length can take."""
    return f"query Q{number} {{ work {{ {'title ' * size} a{number}: title }} }}"


def documents() -> Documents:
    weights = Weights(prices={"tax": Price(call=1, record=1)}, sizes={}, asks={}, witnesses={})
    return Documents(SCHEMA, CostModel(SCHEMA, weights))


class Nobody:
    """A gateway that is never asked: these operations read no persons."""


def operations() -> Operations:
    return Operations(SCHEMA, Nobody(), None, purposes=frozenset(), deadline_s=60, max_objects=10)


@pytest.fixture
def held() -> Iterator[Callable[[], int]]:
    """Bytes that Python holds now."""

    def bytes_held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    yield bytes_held
    tracemalloc.stop()


async def run_one(kept: Documents, runs: Operations, text: str) -> None:
    prepared = kept.prepare(text, None, {})
    operation = Operation(prepared=prepared, variables={}, principal=None, purpose=None, cases=(), judge=None)
    await runs.run(operation, Reading())
    await asyncio.sleep(0)  # a loop that never turns keeps the timers of deadlines that are over


def bound(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    monkeypatch.setattr("hub.schema.documents.MAX_REMEMBERED_BYTES", size_bytes)
    monkeypatch.setattr("hub.schema.operations.MAX_KNOWN_BYTES", size_bytes)


async def test_documents_and_plans_take_no_more_memory_than_their_bounds(held, monkeypatch):
    """Regression: documents were counted by their text, and their trees are up to three hundred times as large."""
    bound(monkeypatch, 4 * SMALL_BYTES)
    kept, runs = documents(), operations()
    before = held()
    for number in range(100):
        await run_one(kept, runs, different(number, size=100))
    assert held() - before < 1.1 * 2 * 4 * SMALL_BYTES


async def test_many_documents_do_not_fill_the_caches_beyond_their_bounds(held, monkeypatch):
    """The second half takes no memory that the first did not."""
    bound(monkeypatch, SMALL_BYTES)  # full long before the half
    kept, runs = documents(), operations()
    halves = []
    for half in range(2):
        for number in range(DOCUMENTS // 2):
            await run_one(kept, runs, different(half * DOCUMENTS + number, size=3))
            assert max(kept.remembered_bytes, runs.remembered_bytes) <= SMALL_BYTES
        halves.append(held())
    assert halves[1] <= 1.1 * halves[0]


def test_builders_of_shapes_that_come_and_go_do_not_pile_up():
    """Regression: each new shape of a kept plan added a builder for good."""
    document = parse("{ people { name } }")
    operation = get_operation_ast(document)
    engine = Engine(SCHEMA, shaped=frozenset({"Person"}))
    plan = engine.plan(document, operation, variables_of(SCHEMA, operation, {}))
    variables = variables_of(SCHEMA, operation, {})
    for number in range(3 * MAX_BUILDERS):
        shape = Shape(type_name="Person", slots={"name": Slot(path="{row}[0]")})
        rows = [Row.of((str(number),), shape, {})]
        executed = asyncio.run(engine.execute(plan, variables, None, {"people": rows}))
        assert executed.data == {"people": [{"name": str(number)}]}
    assert len(plan.root.fields[0].children["Person"].builders) <= MAX_BUILDERS + 1
