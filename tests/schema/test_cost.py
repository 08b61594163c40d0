"""Figures are worked out by hand beside each example: o = objects, c = calls, r = records."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from random import Random

import pytest
from graphql import (
    GraphQLObjectType,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_enum_type,
    is_list_type,
    parse,
    print_schema,
    validate,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub import rules
from hub.connectors.mapping import DEFAULT_ASSUMED, Price
from hub.connectors.mapping_reader import read_mappings
from hub.errors import CostLimitError
from hub.gateway.survivorship import read_survivorship
from hub.schema.cost import Cost, CostModel, CostPlan
from hub.schema.limits import MAX_COST
from hub.schema.weights import Weights, read_weights
from tests.auth.parts import catalogue, read_codes
from tests.conftest import FULL

TOY = build_schema(
    """
    interface Node { id: ID! }
    type Person implements Node { id: ID! name: String tax: Tax police: Police conflicts: [Conflict!]! }
    type Conflict { values: [Value!]! }
    type Value { text: String }
    type Tax { number: String filings: [Filing!] tags: [String!] grid: [[Cell!]] }
    type Filing { year: Int }
    type Cell { x: Int }
    type Police { station: Station moves(first: Int = 4): [Move!] }
    type Station { name: String }
    type Move { to: String }
    type Page { totalCount: Int edges: [Edge!]! pageInfo: PageInfo }
    type PageInfo { more: Boolean }
    type Edge { cursor: String node: Person }
    type Query {
      person(n: String, asOf: String, knownAt: String): Person
      persons(ids: [ID!]!): [Person]!
      people(first: Int = 20): Page
      node(id: ID!): Node
      viewer: Station
    }
    """
)
WEIGHTS = Weights(
    prices={"tax": Price(call=100, record=10), "police": Price(call=7, record=3)},
    sizes={"Tax.filings": 6, "Person.conflicts": 5, "Conflict.values": 2},
    asks={"tax": frozenset({"tax"}), "police": frozenset({"police"}), "name": frozenset({"police"})},
    witnesses={"name": frozenset({"tax"})},
)
MODEL = CostModel(TOY, WEIGHTS)


def plan(text: str, model: CostModel = MODEL) -> CostPlan:
    document = parse(text)
    operation = next(item for item in document.definitions if isinstance(item, OperationDefinitionNode))
    return model.compile(document, operation)


def total(text: str, **variables: object) -> int:
    return plan(text).evaluate(variables).total


@pytest.mark.parametrize(
    ("condition", "variables", "allowed"),
    [("", {}, False), ("(if: true)", {}, False), ("(if: false)", {}, True), ("(if: $late)", {"late": True}, False),
     ("(if: $late)", {"late": False}, True), ("(if: $late)", {}, True)],
    ids=["always", "true", "false", "variable true", "variable false", "default false"],
)  # fmt: skip
def test_at_most_ten_fragments_are_deferred(condition, variables, allowed):
    text = "query ($late: Boolean! = false) { person { id %s } }"
    compiled = [plan(text % (f"... @defer{condition} {{ name }} " * number)) for number in (10, 11)]
    compiled[0].evaluate(variables)
    if allowed:
        compiled[1].evaluate(variables)
    else:
        with pytest.raises(CostLimitError):
            compiled[1].evaluate(variables)


def test_what_is_deferred_costs_as_ever():
    plain = "{ person { name tax { number } } }"
    assert total(plain.replace("tax {", "... @defer { tax {").replace("} } }", "} } } }")) == total(plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{ __typename }", 0, id="a scalar is free"),
        pytest.param("{ viewer { name } }", 1, id="an object is 1"),
        # o person + tax, c 100, r 10
        pytest.param("{ person { tax { number } } }", 2 + 100 + 10, id="an agency's record"),
        # the name comes from the police: o person, c 7, r 3
        pytest.param("{ person { name } }", 1 + 7 + 3, id="a merged field asks its providers"),
        # o person + 5 conflicts + 5 x 2 values; both agencies asked
        pytest.param(
            "{ person { name conflicts { values { text } } } }", 16 + 10 + 110, id="conflicts ask the witnesses too"
        ),
        pytest.param("{ person { conflicts { values { text } } } }", 16, id="conflicts of nothing ask nobody"),
        # o person + tax + 6 filings
        pytest.param("{ person { tax { filings { year } } } }", 8 + 110, id="a list has its assumed size"),
        pytest.param("{ person { tax { tags } } }", 2 + 110, id="a list of scalars is free"),
        # two levels of list, each of the default size
        pytest.param("{ person { tax { grid { x } } } }", 2 + DEFAULT_ASSUMED**2 + 110, id="lists of lists"),
        # persons 2, each with a police record and a station: o 6, c 7, r 2 x 3
        pytest.param('{ persons(ids: ["a", "b"]) { police { station { name } } } }', 6 + 7 + 6, id="ids"),
        # o page + 20 edges + 20 persons
        pytest.param("{ people { edges { node { id } } } }", 41, id="the schema's default for first"),
        # o page + pageInfo: neither is as long as the page
        pytest.param("{ people(first: 50) { totalCount pageInfo { more } } }", 2, id="first sizes the edges alone"),
        # o page + 3 edges + 3 persons + 3 police + 3 x 2 moves, c 7, r 3 x 3
        pytest.param(
            "{ people(first: 3) { edges { node { police { moves(first: 2) { to } } } } } }", 16 + 7 + 9, id="nested first"
        ),
        # o person + police + 4 moves
        pytest.param("{ person { police { moves { to } } } }", 6 + 10, id="nested default"),
        # one call for both: o 4, c 100, r 20
        pytest.param("{ a: person { tax { number } } b: person { tax { number } } }", 4 + 100 + 20, id="one call an agency"),
        # each time of its own is a call of its own: o 6, c 3 x 100, r 30
        pytest.param(
            '{ a: person { tax { number } } b: person(asOf: "x") { tax { number } } c: person(knownAt: "x") { tax { number } } }',
            6 + 300 + 30,
            id="earlier times",
        ),
        # o 3, c 100, r 10
        pytest.param('{ a: person(asOf: "x") { tax { number } } b: person { __typename } }', 3 + 100 + 10, id="only an earlier time"),
        # o person + 2 x tax + 2 x 6 filings; the record is fetched once
        pytest.param(
            "{ person { a: tax { filings { year } } b: tax { filings { year } } } }", 15 + 110, id="aliases of one record"
        ),
        pytest.param(
            "{ person { tax { number } ...A ... { tax { number } } } } fragment A on Person { tax { number } }",
            2 + 110,
            id="what execution merges is counted once",
        ),
        # o node + tax
        pytest.param('{ node(id: "x") { id ... on Person { tax { number } } } }', 2 + 110, id="a person behind an interface"),
        pytest.param("{ nope }", 1, id="an unknown field is an object"),
        pytest.param("{ nope { a { b } c } }", 4, id="and so is each below it"),
        pytest.param("{ person { name { first } } }", 2 + 10, id="a field below a scalar"),
        pytest.param("mutation { drop { id } }", 2, id="a mutation that does not exist"),
        pytest.param("{ person { ...A } } fragment A on Person { tax { number } ...B } fragment B on Person { ...A }", 112, id="fragment cycle"),
        pytest.param("{ person { tax @skip(if: true) { number } } }", 112, id="directives save nothing"),
    ],
)  # fmt: skip
def test_what_an_operation_costs(text, expected):
    assert total(text) == expected


SLICED = "query ($n: Int = 2, $ids: [ID!]) { people(first: $n) { edges { node { tax { number } } } } persons(ids: $ids) { id } }"  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "edges", "ids"),
    [
        pytest.param({}, 2, DEFAULT_ASSUMED, id="missing"),
        pytest.param({"n": 30, "ids": ["a"] * 7}, 30, 7, id="both"),
        pytest.param({"n": None, "ids": None}, 20, DEFAULT_ASSUMED, id="null"),
        pytest.param({"n": "many", "ids": 5.0}, 20, 5, id="wrong types"),
        pytest.param({"n": -1, "ids": []}, 1, 1, id="at least one"),
    ],
)
def test_one_plan_serves_all_variables(variables, edges, ids):
    # o page + edges + persons + tax, and persons by id; c tax once; r for each edge
    assert plan(SLICED).evaluate(variables).total == 1 + 3 * edges + ids + 100 + 10 * edges


def test_sizes_of_nested_variables_multiply():
    text = "query ($n: Int, $m: Int) { people(first: $n) { edges { node { police { moves(first: $m) { to } } } } } }"
    # o page + n (edge, person, police) + n x m moves, c 7, r 3 n
    assert total(text, n=5, m=8) == 1 + 15 + 40 + 7 + 15


def test_a_register_that_confirms_persons_is_paid_for_where_the_operation_does_not_ask_it():
    both = plan('{ person { tax { number } } persons(ids: ["a", "b"]) { id } }')
    one = plan("{ person { tax { number } } }")
    none = plan('{ node(id: "x") { id } }')
    assert both.evaluate({}, registers=["tax"]).total == both.evaluate({}).total + 2 * 10
    assert one.evaluate({}, registers=["tax"]) == one.evaluate({})
    assert one.evaluate({}, registers=["police"]).total == one.evaluate({}).total + 7 + 3
    assert none.evaluate({}, registers=["tax", "police"]).total == 1 + 110 + 10
    assert plan("{ viewer { name } }").evaluate({}, registers=["tax"]).total == 1


def test_introspection_is_costed_apart():
    cost = plan(get_introspection_query()).evaluate({})
    assert cost.total == 0
    assert cost.introspection == cost.fields > 0
    mixed = plan("{ __schema { types { name } } viewer { name } }").evaluate({})
    assert mixed == Cost(fields=5, depth=2, aliases=0, introspection=3, total=1)


@pytest.mark.parametrize(
    "variables",
    [{"n": 10**9}, {"n": 1e300}, {"n": float("inf")}, {"n": MAX_COST}, {"ids": ["a"] * (MAX_COST + 1)}],
    ids=lambda sent: next(iter(sent)),
)
def test_more_than_the_ceiling_is_refused(variables):
    compiled = plan(SLICED)
    with pytest.raises(CostLimitError):
        compiled.evaluate(variables)


def test_the_ceiling_itself_is_allowed():
    text = "query ($n: Int) { people(first: $n) { edges { cursor } } }"
    assert total(text, n=MAX_COST - 1) == MAX_COST
    with pytest.raises(CostLimitError):
        total(text, n=MAX_COST)


def test_the_actual_cost_has_the_same_weights():
    assert MODEL.actual({"tax": 1, "police": 2}, {"tax": 5}, 12) == 100 + 14 + 50 + 12
    assert MODEL.actual({}, {}, 0) == 0


def test_measure_is_compile_and_evaluate():
    document = parse(SLICED)
    operation = document.definitions[0]
    assert MODEL.measure(document, operation, {"n": 9}) == MODEL.compile(document, operation).evaluate({"n": 9})


# The real schema, over generated documents and generated answers.

SCHEMA = build_schema(print_schema(rules.build_schema(catalogue(), read_codes())))  # without its resolvers
REAL = read_weights(catalogue(), read_mappings(catalogue(), read_codes()), read_survivorship(catalogue()))
HUB = CostModel(SCHEMA, REAL)
LEAVES = {"Int": 1, "Boolean": True}


class Documents:
    """Valid documents over the schema: aliases, inline fragments, fields that repeat, variables that slice."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.fragments: list[str] = []
        self.keys = 0

    def operation(self) -> str:
        roots = " ".join(self.root() for _ in range(self.random.randint(1, 3)))
        declared = ["$n: Int = 3"] * ("$n" in roots) + ['$ids: [ID!]! = ["a", "b"]'] * ("$ids" in roots)
        variables = f"({', '.join(declared)})" if declared else ""
        return f"query Q{variables} {{ viewer {{ role }} {roots} }} " + " ".join(self.fragments)

    def root(self) -> str:
        key = self.key()
        below = self.below(SCHEMA.type_map["Person"], 3)
        return self.random.choice(
            [
                f'{key}: person(lookup: {{caseNumber: "x"}}) {below}',
                f'{key}: persons(ids: ["a", "b"]) {below}',
                f"{key}: persons(ids: $ids) {below}",
                f"{key}: people(first: $n) {{ totalCount pageInfo {{ endCursor }} edges {{ cursor node {below} }} }}",
                f"{key}: people(first: 2) {{ edges {{ a: node {below} b: node {below} }} }}",
                f"{key}: people {{ edges {{ node {below} }} }}",
                f'{key}: node(id: "x") {{ id ... on Person {below} }}',
            ]
        )

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def below(self, parent: GraphQLObjectType, levels: int) -> str:
        items = ["__typename"]
        for name in self.random.sample(list(parent.fields), k=min(len(parent.fields), self.random.randint(1, 4))):
            child = get_named_type(parent.fields[name].type)
            if is_composite_type(child) and levels == 0:
                continue
            below = self.below(child, levels - 1) if is_composite_type(child) else ""
            alias = f"{self.key()}: " if self.random.random() < 0.1 else ""
            items.append(f"{alias}{name} {below}")
            if self.random.random() < 0.2:
                items.append(f"... on {parent.name} {{ {name} {below} }}")
            if self.random.random() < 0.1 and len(self.fragments) < 10:
                fragment = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {fragment} on {parent.name} {{ {name} {below} }}")
                items.append(f"...{fragment}")
        return "{ " + " ".join(items) + " }"


class Execution:
    """Executes with graphql-core over an invented answer and counts what was resolved."""

    def __init__(self, random: Random, *, full: bool) -> None:
        self.random = random
        self.full = full  # every list as long as it may be, nothing missing
        self.objects = 0
        self.wanted: dict[tuple[object, ...], set[str]] = {}

    def resolve(self, source, info, **given):
        if info.parent_type.name == "Person":
            person = tuple(info.path.prev.as_list())
            self.wanted.setdefault(person, set()).add(info.field_name)
        return self.value(info.return_type, self.length(info, source, given), given)

    def length(self, info, source, given) -> int:
        size = REAL.size(f"{info.parent_type.name}.{info.field_name}")
        if info.field_name == "persons":
            size = len(given["ids"])
        if info.parent_type.name == "PersonConnection" and info.field_name == "edges":
            size = source["first"]
        return size if self.full else self.random.randint(0, size)

    def value(self, output, length: int, given: Mapping[str, object]):
        inner = get_nullable_type(output)
        if is_list_type(inner):
            return [self.value(inner.of_type, 0, given) for _ in range(length)]
        if not is_composite_type(inner):
            return next(iter(inner.values)) if is_enum_type(inner) else LEAVES.get(inner.name, "x")
        if inner is output and not self.full and self.random.random() < 0.2:
            return None
        self.objects += 1
        return {"first": given.get("first")}

    def actual(self) -> int:
        calls, records = Counter(), Counter()
        for names in self.wanted.values():
            agencies = REAL.asked(names)
            records.update(agencies)
            calls.update({agency: 1 for agency in agencies if agency not in calls})
        return HUB.actual(calls, records, self.objects)


def run(seed: int, variables: Mapping[str, object], *, full: bool) -> tuple[int, int]:
    """Static and actual cost of one generated document."""
    random = Random(seed)
    text = Documents(random).operation()
    document = parse(text)
    operation = document.definitions[0]
    try:
        static = HUB.measure(document, operation, variables)
    except CostLimitError:
        assume(False)
    assert not validate(SCHEMA, document)
    execution = Execution(random, full=full)
    result = execute_sync(
        SCHEMA,
        document,
        variable_values=dict(variables),
        field_resolver=execution.resolve,
        type_resolver=lambda *_: "Person",
    )
    assert not result.errors
    return static.total, execution.actual()


VARIABLES = st.fixed_dictionaries(
    {}, optional={"n": st.integers(1, 6), "ids": st.lists(st.text(max_size=2), min_size=1, max_size=5)}
)
CASES = settings(max_examples=2_000 if FULL else 60, deadline=None)


@CASES
@given(st.integers(0, 2**32), VARIABLES)
def test_an_answer_within_its_list_sizes_never_costs_more_than_was_foretold(seed, variables):
    static, actual = run(seed, variables, full=False)
    assert actual <= static


@CASES
@given(st.integers(0, 2**32), VARIABLES)
def test_a_full_answer_costs_exactly_what_was_foretold(seed, variables):
    static, actual = run(seed, variables, full=True)
    assert actual == static


# Properties over the toy: what is more cannot cost less.

BELOW = st.sampled_from(
    [
        "name",
        "tax { number }",
        "tax { filings { year } }",
        "tax { grid { x } }",
        "police { station { name } }",
        "police { moves(first: 3) { to } }",
        "conflicts { values { text } }",
        "nope { nope }",
        "t: tax { filings { year } }",
    ]
)
FIELDS = st.lists(BELOW, min_size=1, max_size=6)
ROOTS = st.sampled_from(["person", 'persons(ids: ["a", "b", "c"])', "people(first: 4) { edges { node"])


def document(root: str, items: list[str], more: str = "") -> str:
    return "{ " + root + " { " + " ".join(items) + " }" + " }" * root.count("{") + " }" + more


@given(ROOTS, FIELDS, BELOW)
def test_one_more_field_never_costs_less(root, items, extra):
    assert total(document(root, [*items, extra])) >= total(document(root, items))


@given(ROOTS, FIELDS, st.data())
def test_moving_fields_to_fragments_or_repeating_them_changes_nothing(root, items, data):
    moved = data.draw(st.lists(st.sampled_from(items), max_size=3))
    kept = [item for item in items if item not in moved] + data.draw(st.lists(st.sampled_from(items), max_size=2))
    fragment = " fragment A on Person { " + " ".join([*moved, "__typename"]) + " }"
    inline = "... on Node { ... on Person { " + " ".join([*moved, "__typename"]) + " } }"
    assert total(document(root, [*kept, "...A"], fragment)) == total(document(root, items))
    assert total(document(root, [*kept, inline])) == total(document(root, items))


@given(ROOTS, FIELDS)
def test_the_same_under_another_alias_costs_its_objects_again_but_no_call(root, items):
    alone = total(document(root, items))
    twice = total("{ a: " + document(root, items)[2:-1] + " b: " + document(root, items)[2:-1] + "}")
    asked = WEIGHTS.asked(item.removeprefix("t: ").split()[0] for item in items)
    assert twice == 2 * alone - sum(WEIGHTS.prices[agency].call for agency in asked)


@given(FIELDS, st.lists(st.integers(1, 100), min_size=2, max_size=5))
def test_a_longer_page_never_costs_less(items, sizes):
    compiled = plan("query ($n: Int) { people(first: $n) { edges { node { " + " ".join(items) + " } } } }")
    costs = [compiled.evaluate({"n": size}).total for size in sorted(sizes)]
    assert all(less <= more for less, more in pairwise(costs))


@given(FIELDS, st.integers(-5, 200))
def test_a_variable_costs_what_its_value_costs_in_place(items, size):
    below = " { edges { node { " + " ".join(items) + " } } } }"
    assert total("query ($n: Int) { people(first: $n)" + below, n=size) == total(f"{{ people(first: {size})" + below)
