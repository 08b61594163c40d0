"""How one answer grows: time and memory for 1, 10, 100, 1,000 persons, through the engine and to bytes.

Rows are at hand, so that what is measured is the answer and not the agencies; the limit of objects is raised here by
the engine's own constructor. `python -m benchmarks.growth --rounds 7`.
"""

import argparse
import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
from graphql import build_schema, get_operation_ast, parse

from hub.engine.execute import Engine
from hub.engine.plan import OperationPlan
from hub.engine.shape import Shape, Slot
from hub.engine.variables import Variables

SIZES = (1, 10, 100, 1_000)
SCHEMA = build_schema(
    """
    type Query { people: [Person!]! }
    type Person { id: ID! name: String home: Place jobs: [Job!]! }
    type Place { street: String } type Job { title: String since: String }
    """
)
TEXT = "{ people { id name home { street } jobs { title since } } }"
PLACE = Shape(type_name="Place", slots={"street": Slot(path="{row}[0]")})
JOB = Shape(type_name="Job", slots={"title": Slot(path="{row}[0]"), "since": Slot(path="{row}[1]", convert=str)})
PERSON = Shape(
    type_name="Person",
    slots={
        "id": Slot(path="{row}.values[0]", never_null=True),
        "name": Slot(path="{row}.values[1]"),
        "home": Slot(path="{row}.values[2]", shape=PLACE),
        "jobs": Slot(path="{row}.values[3]", shape=JOB, many=True, never_null=True),
    },
)


class Row:
    """A shaped person."""

    __slots__ = ("values",)
    shape = PERSON

    def __init__(self, number: int) -> None:
        jobs = [(f"job {number}-{job}", 2000 + job) for job in range(5)]
        self.values = (str(number), f"name {number}", (f"street {number}",), jobs)


def plain(number: int) -> dict[str, Any]:
    jobs = [{"title": f"job {number}-{job}", "since": str(2000 + job)} for job in range(5)]
    return {"id": str(number), "name": f"name {number}", "home": {"street": f"street {number}"}, "jobs": jobs}


KINDS: dict[str, tuple[Callable[[int], Any], frozenset[str]]] = {
    "shaped rows": (Row, frozenset({"Person"})),
    "plain dicts": (plain, frozenset()),
}


class Answering:
    """One kind of rows with its engine and plan."""

    def __init__(self, kind: str) -> None:
        self.make, shaped = KINDS[kind]
        self.engine = Engine(SCHEMA, shaped=shaped, max_objects=100_000)
        document = parse(TEXT)
        operation = get_operation_ast(document)
        assert operation is not None
        variables = Variables(SCHEMA, operation).coerce({})
        assert variables is not None
        self.variables = variables
        self.plan: OperationPlan = self.engine.plan(document, operation, variables)

    def answer(self, people: list[Any]) -> bytes:
        executed = asyncio.run(self.engine.execute(self.plan, self.variables, None, {"people": people}))
        return orjson.dumps(executed.data)

    def time_us(self, people: list[Any], seconds: float = 0.05) -> float:
        """Microseconds of an answer: the event loop is started once for as many as fit into `seconds`."""

        async def many() -> float:
            done = 0
            started = time.perf_counter()
            while (passed := time.perf_counter() - started) < seconds:
                executed = await self.engine.execute(self.plan, self.variables, None, {"people": people})
                orjson.dumps(executed.data)
                done += 1
            return passed / done * 1e6

        return asyncio.run(many())

    def peak_bytes(self, people: list[Any]) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            self.answer(people)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    kinds = {kind: Answering(kind) for kind in KINDS}
    people = {(kind, size): [kinds[kind].make(n) for n in range(size)] for kind in kinds for size in SIZES}
    times: dict[tuple[str, int], list[float]] = {case: [] for case in people}
    for _ in range(given.rounds):
        for (kind, size), taken in times.items():
            taken.append(kinds[kind].time_us(people[kind, size]))
    print(
        f"{'rows':12} {'persons':>8} {'us':>9} {'us/person':>10} {'ratio':>6} {'peak kB':>8} {'kB/person':>10} {'ratio':>6}"
    )
    for kind, answering in kinds.items():
        before: tuple[float, float] | None = None
        for size in SIZES:
            took = statistics.median(times[kind, size])
            peak = answering.peak_bytes(people[kind, size]) / 1024
            each = took / size, peak / size
            ratios = (1.0, 1.0) if before is None else (each[0] / before[0], each[1] / before[1])
            before = each
            print(
                f"{kind:12} {size:8} {took:9.0f} {each[0]:10.2f} {ratios[0]:6.2f} {peak:8.1f} {each[1]:10.2f} {ratios[1]:6.2f}"
            )


if __name__ == "__main__":
    main()
