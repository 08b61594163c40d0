import pytest
from graphql import build_schema, parse
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.mapping import DEFAULT_ASSUMED
from hub.schema.limits import MAX_COST
from hub.schema.list_size import Slicer, slicing

FIELDS = build_schema(
    "type Query { page(first: Int = 20): [Int] many(ids: [ID!]!): [Int] bare(first: Int): [Int] plain(x: Int): [Int] }"
).query_type.fields


def size(text: str, **variables: object) -> int | None:
    operation = parse(text).definitions[0]
    node = operation.selection_set.selections[0]
    defaults = {item.variable.name.value: item.default_value for item in operation.variable_definitions or ()}
    found = slicing(node, FIELDS[node.name.value], defaults)
    return found.size(variables) if isinstance(found, Slicer) else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{ page }", 20, id="default of the schema"),
        pytest.param("{ bare }", DEFAULT_ASSUMED, id="no default"),
        pytest.param("{ plain(x: 7) }", None, id="no slicing argument"),
        pytest.param("{ page(first: 7) }", 7, id="number"),
        pytest.param("{ page(first: null) }", 20, id="null"),
        pytest.param("{ page(first: 0) }", 1, id="zero"),
        pytest.param("{ page(first: -5) }", 1, id="negative"),
        pytest.param("{ page(first: -50000000000) }", 1, id="very negative"),
        pytest.param("{ page(first: 1000000000) }", MAX_COST, id="a billion"),
        pytest.param("{ page(first: " + "9" * 5000 + ") }", MAX_COST, id="5,000 digits"),
        pytest.param('{ page(first: "7") }', 20, id="text"),
        pytest.param("{ page(first: {a: 1}) }", 20, id="object"),
        pytest.param('{ many(ids: ["a", "b", "c"]) }', 3, id="ids"),
        pytest.param("{ many(ids: []) }", 1, id="no ids"),
        pytest.param("{ many }", DEFAULT_ASSUMED, id="ids missing"),
        pytest.param("query ($a: ID!) { many(ids: [$a, $a]) }", 2, id="ids of variables"),
    ],
)
def test_a_literal_size(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({}, 5, id="missing: the operation's default"),
        pytest.param({"f": 7}, 7, id="number"),
        pytest.param({"f": 7.0}, 7, id="a whole float is an Int"),
        pytest.param({"f": None}, 20, id="null: the schema's default"),
        pytest.param({"f": True}, 20, id="boolean is no number"),
        pytest.param({"f": "9"}, 20, id="text"),
        pytest.param({"f": {"a": 1}}, 20, id="object"),
        pytest.param({"f": -3}, 1, id="negative"),
        pytest.param({"f": 10**30}, MAX_COST, id="huge"),
        pytest.param({"f": float("inf")}, MAX_COST, id="infinite"),
        pytest.param({"f": float("nan")}, MAX_COST, id="not a number"),
        pytest.param({"g": 7}, 5, id="another variable"),
    ],
)
def test_a_size_in_a_variable(sent, expected):
    assert size("query ($f: Int = 5) { page(first: $f) }", **sent) == expected


def test_ids_in_a_variable_count_one_by_one():
    assert size("query ($i: [ID!]!) { many(ids: $i) }", i=["a", "b", "c"]) == 3


def test_a_variable_that_is_not_declared_counts_as_sent():
    assert size("{ page(first: $f) }", f=90) == 90


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_whatever_is_sent_has_a_size_within_bounds(value):
    for text in ("query ($f: Int) { page(first: $f) }", "query ($f: [ID!]) { many(ids: $f) }"):
        assert 1 <= size(text, f=value) <= MAX_COST
