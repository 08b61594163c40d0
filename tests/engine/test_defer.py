"""`@defer`: what is answered first, what later and where, and that together it is the whole answer."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    Visitor,
    build_schema,
    get_operation_ast,
    parse,
    print_ast,
    validate,
    visit,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.engine.execute import Engine, Executed
from tests.conftest import FULL
from tests.engine.deferred import Deferred, core_merged, deferring, run_split
from tests.engine.generated import Material, document, materials
from tests.engine.grown import Grower, Weather
from tests.engine.oracle import Fetched, planned, variables_of

SDL = """
interface Named { name: String }
type Query { me: Person everyone: [Person!]! named: [Named] nobody: Person }
type Person implements Named { id: ID! name: String tax: Tax friend: Person strict: Int! }
type Dog implements Named { name: String barks: Boolean }
type Tax { number: String employers: [Employer!] must: Int! }
type Employer { name: String }
"""
SCHEMA = deferring(build_schema(SDL))
OOPS = GraphQLError("oops")
TAX = {"number": "T1", "employers": [{"name": "E1"}, {"name": "E2"}], "must": 1}
ME: dict[str, Any] = {"__typename": "Person", "id": "1", "name": "A", "tax": TAX, "strict": 1}
OTHER: dict[str, Any] = {"__typename": "Person", "id": "2", "name": "B", "tax": None, "strict": 2, "friend": ME}
ROOT = {
    "me": ME,
    "everyone": [ME, OTHER],
    "named": [OTHER, None, {"__typename": "Dog", "name": "D", "barks": True}],
}
ENGINE = Engine(SCHEMA, identities={"Person": "id"})


async def run(text: str, root: Any = ROOT, raw: Any = None, *, later_root: Any = None) -> Deferred:
    parsed = parse(text)
    assert not validate(SCHEMA, parsed)
    found = await run_split(ENGINE, parsed, root, raw, later_root)
    assert found is not None
    return found


async def whole(text: str, root: Any = ROOT, raw: Any = None) -> Any:
    plan, variables = planned(ENGINE, parse(text), raw or {})
    return (await ENGINE.execute(plan, variables, None, root)).data


CASES = [
    pytest.param(
        '{ me { name ... @defer(label: "tax") { tax { number } } } }',
        {"me": {"name": "A"}},
        [("tax", [("me",)])],
        id="an inline fragment",
    ),
    pytest.param(
        "{ me { name ...Tax @defer } } fragment Tax on Person { tax { number employers { name } } }",
        {"me": {"name": "A"}},
        [(None, [("me",)])],
        id="a fragment spread",
    ),
    pytest.param(
        "{ me { name tax { number } ... @defer { name tax { number must } strict } } }",
        {"me": {"name": "A", "tax": {"number": "T1"}}},
        [(None, [("me",)])],
        id="what both select is answered first",
    ),
    pytest.param(
        "{ me { tax { number } } ... @defer { me { tax { must } strict } } }",
        {"me": {"tax": {"number": "T1"}}},
        [(None, [()])],
        id="at the root, through fields of the first answer",
    ),
    pytest.param(
        "{ everyone { name ... @defer { tax { number } } } }",
        {"everyone": [{"name": "A"}, {"name": "B"}]},
        [(None, [("everyone", 0), ("everyone", 1)])],
        id="one place for each item of a list",
    ),
    pytest.param(
        "{ named { name ... on Person @defer { tax { number } } } }",
        {"named": [{"name": "B"}, None, {"name": "D"}]},
        [(None, [("named", 0)])],
        id="only on the types that it is on, not where there is null",
    ),
    pytest.param(
        '{ me { ... @defer(label: "a") { tax { number } } ... @defer(label: "b") { strict } name } }',
        {"me": {"name": "A"}},
        [("a", [("me",)]), ("b", [("me",)])],
        id="two parts",
    ),
    pytest.param(
        '{ me { ... @defer(label: "a") { strict ... @defer(label: "b") { tax { number } } } } }',
        {"me": {}},
        [("a", [("me",)])],
        id="nested parts come together, and the first answer may be empty",
    ),
    pytest.param(
        "{ me { ...F } everyone { ...F } } fragment F on Person { name ... @defer { strict } }",
        {"me": {"name": "A"}, "everyone": [{"name": "A"}, {"name": "B"}]},
        [(None, [("me",), ("everyone", 0), ("everyone", 1)])],
        id="one fragment in two places",
    ),
    pytest.param(
        "{ me { ...F @defer ...F name } } fragment F on Person { strict tax { ... @defer { number } } }",
        {"me": {"strict": 1, "name": "A", "tax": {}}},
        [(None, [("me", "tax")])],
        id="a fragment spread deferred and not",
    ),
]


@pytest.mark.parametrize(("text", "first", "parts"), CASES)
async def test_first_answer_places_and_the_whole(text, first, parts):
    found = await run(text)
    assert found.first.data == first
    assert [(part.label, list(part.places)) for part in found.later] == parts
    assert found.merged == await whole(text)
    assert not found.failed


@pytest.mark.parametrize(("text", "first", "parts"), CASES)
def test_graphql_core_puts_the_same_together(text, first, parts):
    assert core_merged(SCHEMA, parse(text), ROOT, {}) == (asyncio.run(whole(text)), False)


@pytest.mark.parametrize(
    "text",
    [
        "{ me { name } }",
        "{ me { name ... @defer(if: false) { strict } } }",
        "{ me { name ... @defer { name } } }",
        "{ me { name ... @defer @skip(if: true) { strict } } }",
        "{ me { ... on Dog @defer { barks } name } }".replace("on Dog", "on Named").replace("barks", "name"),
    ],
    ids=["no directive", "if: false", "nothing new", "skipped", "nothing new under an interface"],
)
async def test_nothing_is_split_where_nothing_comes_later(text):
    assert await run_split(ENGINE, parse(text), ROOT) is None


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_variable_decides(wanted):
    text = "query ($late: Boolean!) { me { name ... @defer(if: $late) { strict } } }"
    found = await run_split(ENGINE, parse(text), ROOT, {"late": wanted})
    assert (found is not None) is wanted


async def test_a_default_decides_where_the_variable_is_missing():
    text = "query ($late: Boolean! = false) { me { name ... @defer(if: $late) { strict } } }"
    assert await run_split(ENGINE, parse(text), ROOT) is None


async def test_a_null_place_has_no_payload():
    found = await run("{ nobody { name ... @defer { strict } } me { name } }")
    assert found.first.data == {"nobody": None, "me": {"name": "A"}}
    assert found.later == []


def test_coordinates_of_parts_are_not_in_the_first_plan():
    text = "{ everyone { name ... @defer { tax { number } } } }"
    operation = get_operation_ast(parse(text))
    split = ENGINE.split(parse(text), operation, variables_of(SCHEMA, operation, {}))
    assert not {"Person.tax", "Tax.number"} & split.first.root.coordinates
    (part,) = split.parts
    assert {"Person.tax", "Tax.number"} <= part.plan.root.coordinates
    assert "Person.name" not in part.plan.root.coordinates


async def test_an_error_stays_in_its_piece():
    root = {"me": {**ME, "tax": {**TAX, "number": OOPS}}}
    found = await run("{ me { name ... @defer { tax { number must } } } }", root)
    assert found.first.faults == ()
    ((delivery,),) = [part.deliveries for part in found.later]
    (piece,) = delivery.pieces
    assert piece.data == {"tax": {"number": None, "must": 1}}
    assert [fault.path for fault in piece.faults] == [("me", "tax", "number")]


async def test_null_goes_up_to_the_next_nullable_field_of_the_part():
    root = {"me": {**ME, "tax": {**TAX, "must": None}}}
    found = await run("{ me { name ... @defer { tax { number must } } } }", root)
    ((delivery,),) = [part.deliveries for part in found.later]
    assert delivery.pieces[0].data == {"tax": None}


async def test_null_that_reaches_the_place_fails_that_place_alone():
    root = {"everyone": [ME, {**OTHER, "strict": OOPS}, {**OTHER, "id": "3"}]}
    found = await run("{ everyone { name ... @defer { tax { number } strict } } }", root)
    (part,) = found.later
    assert [delivery.failed for delivery in part.deliveries] == [False, True, False]
    assert part.deliveries[1].pieces == ()
    assert [fault.path for fault in part.deliveries[1].faults] == [("everyone", 1, "strict")]
    assert found.merged["everyone"][1] == {"name": "B"}


@pytest.mark.parametrize(
    "later",
    [
        {"everyone": [OTHER, ME]},
        {"everyone": [ME]},
        {"everyone": None},
        {"everyone": [None, None]},
        {"everyone": OOPS},
    ],
    ids=["another order", "fewer", "none", "null", "error"],
)
async def test_what_is_no_longer_the_same_object_is_never_delivered(later):
    found = await run("{ everyone { name ... @defer { strict } } }", later_root=later)
    assert found.merged == {"everyone": [{"name": "A"}, {"name": "B"}]}
    assert found.failed


async def test_a_part_that_finds_its_deeper_object_gone_fails_as_a_whole():
    text = "{ me { tax { number } } ... @defer { me { strict tax { must } } } }"
    found = await run(text, later_root={"me": {**ME, "tax": None}})
    assert [delivery.failed for delivery in found.later[0].deliveries] == [True]


async def test_each_part_asks_its_fetcher_once():
    fetcher = Fetched()
    engine = Engine(SCHEMA, fetchers={("Query", "everyone"): fetcher})
    text = "{ everyone { name ... @defer { strict } ... @defer { tax { number } } } }"
    await run_split(engine, parse(text), ROOT)
    assert fetcher.calls == 3


class _Deferring(Visitor):
    """Puts `@defer` on fragments at random."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    def enter(self, node: Any, *_args: Any) -> Any:
        if node.kind not in ("inline_fragment", "fragment_spread") or self._rng.random() < 0.4:
            return None
        given = ()
        if self._rng.random() < 0.4:
            wanted = BooleanValueNode(value=self._rng.random() < 0.8)
            given = (ArgumentNode(name=NameNode(value="if"), value=wanted),)
        directive = DirectiveNode(name=NameNode(value="defer"), arguments=given)
        kept = {key: getattr(node, key) for key in node.keys}
        return type(node)(**{**kept, "directives": (*(node.directives or ()), directive)})


MATERIALS = [(item, deferring(item.schema)) for item in materials(Random("defer"), 12)]


@settings(max_examples=2_000 if FULL else 250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from(MATERIALS))
def test_first_and_later_answers_together_are_the_whole_answer(rng, given_material):
    drawn = case(rng, *given_material, Weather(null=0.05, fault=0.0))
    if drawn is None or drawn.found is None or drawn.whole.faults:
        return
    assert drawn.found.merged == drawn.whole.data
    assert not drawn.found.failed
    assert core_merged(drawn.schema, drawn.document, drawn.root, drawn.raw) == (drawn.whole.data, False)


@settings(max_examples=2_000 if FULL else 250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from(MATERIALS))
def test_with_errors_anywhere_nothing_else_is_said_than_in_the_whole_answer(rng, given_material):
    drawn = case(rng, *given_material, Weather(null=0.05, fault=rng.choice((0.02, 0.1))))
    if drawn is not None and drawn.found is not None:
        assert nulled_no_further(drawn.found.merged, drawn.whole.data)
        faulty = bool(drawn.found.first.faults) or drawn.found.failed or drawn.found.piecewise
        assert faulty is bool(drawn.whole.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    schema: GraphQLSchema
    document: DocumentNode
    root: Any
    raw: dict[str, Any]
    found: Deferred | None
    whole: Executed


def case(rng: Random, material: Material, schema: GraphQLSchema, weather: Weather) -> Case | None:
    """A document with `@defer` here and there, executed in parts and as a whole; None if it is not valid."""
    text = document(rng, material.schema, depth=rng.choice((2, 3)))
    parsed = parse(print_ast(visit(parse(text.text), _Deferring(rng))))
    if validate(schema, parsed):
        return None
    raw = text.variables(rng, False)
    engine = Engine(schema)
    root = Grower(rng, material.schema, weather, {}).root()
    plan, variables = planned(engine, parsed, raw)

    async def both() -> tuple[Any, Any]:
        return await run_split(engine, parsed, root, raw), await engine.execute(plan, variables, None, root, given=raw)

    found, complete = asyncio.run(both())
    return Case(schema=schema, document=parsed, root=root, raw=raw, found=found, whole=complete)


def nulled_no_further(merged: Any, complete: Any) -> bool:
    """Whether both say the same; null may stand higher in the whole answer, what failed is missing in the merged."""
    if complete is None:
        return True
    if isinstance(merged, dict):
        return merged.keys() <= complete.keys() and all(nulled_no_further(merged[key], complete[key]) for key in merged)
    if isinstance(merged, list):
        return len(merged) == len(complete) and all(map(nulled_no_further, merged, complete))
    return merged == complete
