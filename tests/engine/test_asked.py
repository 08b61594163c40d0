import pytest
from graphql import build_schema, parse
from graphql.execution import get_variable_values
from graphql.execution.values import VariableValues
from hypothesis import given
from hypothesis import strategies as st

from hub.engine.asked import asked_roots

SCHEMA = build_schema(
    """
    interface Node { id: ID! }
    type Person implements Node { id: ID! name: String tax: Tax }
    type Tax { number: String employers: [Employer!] }
    type Employer { unit: String since: String }
    type Connection { edges: [Edge!]! totalCount: Int }
    type Edge { node: Person }
    type Query { person(n: String): Person people: Connection node(id: ID!): Node hello: String }
    """
)


def asked(text: str, **variables: object) -> dict[str, set[str]]:
    document = parse(text)
    operation = document.definitions[0]
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert isinstance(values, VariableValues)
    return {root.response_key: set(root.coordinates) for root in asked_roots(SCHEMA, document, operation, values)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{ hello }", {"hello": set()}, id="leaf root"),
        pytest.param("{ p: person { n: name } }", {"p": {"Person.name"}}, id="aliases"),
        pytest.param(
            "{ person { tax { employers { unit } } } }",
            {"person": {"Person.tax", "Tax.employers", "Employer.unit"}},
            id="nested",
        ),
        pytest.param(
            "{ person { ...A } } fragment A on Person { name tax { ...B } } fragment B on Tax { number }",
            {"person": {"Person.name", "Person.tax", "Tax.number"}},
            id="fragments",
        ),
        pytest.param(
            "{ node(id: 1) { id __typename ... on Person { name } } }",
            {"node": {"Node.id", "Person.name"}},
            id="type condition on an interface",
        ),
        pytest.param("{ person { ... on Node { id } } }", {"person": {"Person.id"}}, id="interface on an object"),
        pytest.param(
            "{ person { name } person { tax { number } } }",
            {"person": {"Person.name", "Person.tax", "Tax.number"}},
            id="one key twice merges",
        ),
        pytest.param(
            "{ a: person { name } b: person { tax { number } } }",
            {"a": {"Person.name"}, "b": {"Person.tax", "Tax.number"}},
            id="two roots stay apart",
        ),
        pytest.param(
            "{ people { edges { node { name } } } }",
            {"people": {"Connection.edges", "Edge.node", "Person.name"}},
            id="connection",
        ),
        pytest.param(
            "{ person { ...A } } fragment A on Person { tax { number } ...B } fragment B on Person { name }",
            {"person": {"Person.name", "Person.tax", "Tax.number"}},
            id="fragment in fragment",
        ),
    ],
)
def test_what_a_root_field_asks_for(text, expected):
    assert asked(text) == expected


@given(skip=st.booleans(), include=st.booleans())
def test_skip_and_include_are_followed(skip, include):
    text = "query ($s: Boolean!, $i: Boolean!) { person { name tax @skip(if: $s) @include(if: $i) { number } } }"
    expected = {"Person.name"} | ({"Person.tax", "Tax.number"} if include and not skip else set())
    assert asked(text, s=skip, i=include) == {"person": expected}


def test_a_skipped_spread_leaves_the_same_fragment_visible_elsewhere():
    text = "{ a: person { ...A @skip(if: true) } b: person { ...A } } fragment A on Person { name }"
    assert asked(text) == {"a": set(), "b": {"Person.name"}}
