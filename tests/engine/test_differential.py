"""The engine against graphql-core: the same documents over the same data, and the answers must be equal.

The bulk is drawn from seeded `random.Random` generators, not by Hypothesis, which at some 30 ms a case of this size would
take an hour and a half for the 200,000 cases of the full run. Each document is planned and validated once and run over
several roots. A smaller `@given` drives the very same generators through Hypothesis' own random source, so that a failure
there is shrunk. A case is named by (seed, document, run) and can be run again by that name alone.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from graphql import DocumentNode, is_object_type, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.engine.execute import Engine, Resolver
from hub.engine.plan import SelectionPlan
from tests.conftest import FULL
from tests.engine.generated import Document, Material, document, materials
from tests.engine.grown import Grower, Weather, rows_of
from tests.engine.oracle import Fetched, by_core, by_engine, held, planned

SEED = os.environ.get("HUB_TEST_SEED", "hub")
CASES = 200_000 if FULL else 6_000
RUNS = 6  # a document
MATERIALS = materials(Random(SEED), 240 if FULL else 40)
Key = tuple[str, str]


async def test_generated_cases_are_answered_as_by_graphql_core():
    print(f"seed {SEED!r}, set HUB_TEST_SEED for another")  # noqa: T201  # pytest shows it where the test fails
    tally = Tally()
    for number, (material, text, parsed) in zip(range(-(-CASES // RUNS)), accepted(tally), strict=False):
        for run in range(RUNS):
            case = f"{SEED}/{number}/{run}"
            await compare(Random(case), material, text, parsed, name=case)
    print(f"{tally.drawn} documents, {tally.refused} of them refused")  # noqa: T201
    assert tally.refused < 0.2 * tally.drawn


@settings(
    max_examples=2_000 if FULL else 150,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.randoms(use_true_random=False), st.sampled_from(MATERIALS))
def test_any_case_is_answered_as_by_graphql_core(rng, material):
    text = document(rng, material.schema, depth=2)
    parsed = parse(text.text)
    if not validate(material.schema, parsed):
        asyncio.run(compare(rng, material, text, parsed, name="given"))


@pytest.mark.parametrize("number", range(200 if FULL else 40))
async def test_calls_do_not_depend_on_the_number_of_parents(number):
    rng = Random(f"{SEED}/parents/{number}")
    material = rng.choice(MATERIALS)
    text = document(rng, material.schema)
    parsed = parse(text.text)
    if validate(material.schema, parsed):
        return
    raw = text.variables(rng, True)
    fetchers, _ = connected(rng, material)
    calls = set()
    for parents in (1, 2, 17, 50):
        again = Random(number)
        calm = Weather(null=0.0, fault=0.0)
        root = Grower(again, material.schema, calm, sizes=lambda depth, n=parents: n if depth == 1 else 1).root()
        for fetcher in fetchers.values():
            fetcher.calls = 0
        engine = Engine(material.schema, fetchers=fetchers, max_objects=1_000_000)
        plan, variables = planned(engine, parsed, raw)
        executed = await engine.execute(plan, variables, None, root)
        assert by_engine(executed) == by_core(material.schema, parsed, root, raw)
        calls.add(sum(fetcher.calls for fetcher in set(fetchers.values())))
    assert len(calls) == 1


@dataclass(slots=True)
class Tally:
    drawn: int = 0
    refused: int = 0


def accepted(tally: Tally) -> Iterator[tuple[Material, Document, DocumentNode]]:
    """Documents that validation accepts, without end."""
    while True:
        rng = Random(f"{SEED}/{tally.drawn}")
        material = rng.choice(MATERIALS)
        text = document(rng, material.schema)
        parsed = parse(text.text)
        tally.drawn += 1
        if validate(material.schema, parsed):
            tally.refused += 1
        else:
            yield material, text, parsed


async def compare(rng: Random, material: Material, text: Document, parsed: DocumentNode, *, name: str) -> None:
    """One run, in one of three ways: plain, with fetchers and resolvers, over shaped rows."""
    way = rng.choice(("plain", "plain", "fetched", "fetched", "shaped"))
    raw = text.variables(rng, way == "shaped")
    fetchers, resolvers = connected(rng, material) if way == "fetched" else ({}, {})
    weather = Weather.draw(rng, callables=way == "fetched")
    rows: dict[str, Any] = {}
    if way == "shaped":
        rows = rows_of(rng, planned(Engine(material.schema), parsed, raw)[0])
    root = Grower(rng, material.schema, weather, rows).root()
    engine = Engine(material.schema, fetchers=fetchers, resolvers=resolvers, shaped=frozenset(rows))
    plan, variables = planned(engine, parsed, raw)
    theirs = by_core(material.schema, parsed, root, raw)
    executed = await engine.execute(plan, variables, None, root)
    assert by_engine(executed) == theirs, (
        f"case {name}, {way}\n{material.sdl}\n{text.text}\nvariables {raw}\nroot {root!r}"
    )
    for fetcher in {id(item): item for item in fetchers.values()}.values():
        mine = {key for key, item in fetchers.items() if item is fetcher}
        assert fetcher.calls <= selections_with(plan.root, mine), f"case {name}: more calls than selections"
    if not executed.faults:
        assert executed.objects == objects_in([executed.data]), f"case {name}: objects miscounted"


def connected(rng: Random, material: Material) -> tuple[dict[Key, Fetched], dict[Key, Resolver]]:
    """Some fields through a few fetchers that they share; every field with arguments through one or a resolver."""
    shared = [Fetched() for _ in range(rng.randint(1, 3))]
    fetchers: dict[Key, Fetched] = {}
    resolvers: dict[Key, Resolver] = {}
    share = rng.choice((0.1, 0.3, 0.7))
    for type_name, type_ in material.schema.type_map.items():
        if not is_object_type(type_) or type_name.startswith("__"):
            continue
        for field_name, definition in type_.fields.items():
            if rng.random() < share:
                fetchers[type_name, field_name] = rng.choice(shared)
            elif definition.args or rng.random() < 0.1:
                resolvers[type_name, field_name] = held
    return fetchers, resolvers


def selections_with(selection: SelectionPlan, keys: set[Key]) -> int:
    """How many selections of a plan, by path and concrete type, hold one of the fields."""
    own = any((selection.type.name, item.name) in keys for item in selection.fields)
    return int(own) + sum(selections_with(child, keys) for item in selection.fields for child in item.children.values())


def objects_in(data: Any) -> int:
    if isinstance(data, list):
        return sum(objects_in(item) for item in data)
    return 1 + sum(objects_in(item) for item in data.values()) if isinstance(data, dict) else 0
