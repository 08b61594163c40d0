import pytest
from graphql import (
    DocumentNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    get_introspection_query,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import CostLimitError
from hub.schema import limits
from hub.schema.selection import Selected, Selection, select

SCHEMA = build_schema(
    """
    interface Node { id: ID! }
    type Person implements Node { id: ID! name: String friend: Person tax: Tax }
    type Tax { number: String }
    type Query { person(n: String): Person node(id: ID!): Node }
    """
)


def read(text: str) -> Selection:
    document = parse(text)
    operation = next(item for item in document.definitions if isinstance(item, OperationDefinitionNode))
    return select(SCHEMA, document, operation)


def tree(fields) -> dict[str, object]:
    """Coordinates, nested; `?` where the schema knows no type."""

    def name(field: Selected) -> str:
        return f"{field.parent.name if field.parent else '?'}.{field.name}"

    return {name(field): tree(field.children) for field in fields}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{ person { name tax { number } } }", id="plain"),
        pytest.param("{ person { name } person { name tax { number } } }", id="same key twice"),
        pytest.param("{ person { ... { name } ... on Person { tax { number } } } }", id="inline fragments"),
        pytest.param("{ person { ...A ...B } } fragment A on Person { name } fragment B on Person { name tax { number } }", id="fragments"),
        pytest.param("{ person { ... on Node { ... on Person { name tax { number } } } } }", id="by way of an interface"),
    ],
)  # fmt: skip
def test_documents_that_execute_alike_are_read_alike(text):
    assert tree(read(text).roots) == {"Query.person": {"Person.name": {}, "Person.tax": {"Tax.number": {}}}}


def test_an_alias_is_a_field_of_its_own():
    roots = read("{ a: person { name } b: person { name } }").roots
    assert [tree([root]) for root in roots] == [{"Query.person": {"Person.name": {}}}] * 2


def test_a_field_asked_for_by_way_of_an_interface_is_the_object_types_own():
    (person,) = read("{ person { id ... on Node { id } } }").roots
    assert [(field.parent.name, field.name) for field in person.children] == [("Person", "id")]


def test_unknown_fields_fragments_and_types_are_read_with_no_type():
    found = read("{ nope { deeper { still } } person { ...Gone ... on Martian { name } name { first } } }")
    assert tree(found.roots) == {
        "Query.nope": {"?.deeper": {"?.still": {}}},
        "Query.person": {"Person.name": {"String.first": {}}, "?.name": {}},
    }


def test_a_mutation_that_the_schema_lacks_is_read_with_no_type():
    assert tree(read("mutation { dropEverything { id } }").roots) == {"?.dropEverything": {"?.id": {}}}


def test_introspection_counts_its_fields_and_no_depth():
    found = read("{ __schema { types { name } } person { __typename } }")
    assert (found.introspection, found.fields, found.depth) == (3, 5, 2)
    assert tree(found.roots) == {"Query.person": {"Person.__typename": {}}}


def test_the_standard_introspection_query_is_within_the_limits():
    assert read(get_introspection_query()).roots == []


def test_a_fragment_cycle_ends_where_it_closes():
    found = read("{ person { ...A } } fragment A on Person { friend { ...B } } fragment B on Person { name ...A }")
    assert tree(found.roots) == {"Query.person": {"Person.friend": {"Person.name": {}}}}


def deep(levels: int) -> str:
    return "{ person " + "{ friend " * (levels - 2) + "{ name }" + " }" * (levels - 2) + " }"


def wide(fields: int) -> str:
    return "{ person { " + "name " * (fields - 1) + "} }"


def aliased(aliases: int) -> str:
    return "{ person { " + " ".join(f"a{n}: name" for n in range(aliases)) + " } }"


def rooted(roots: int) -> str:
    return "{ " + "person { name } " * roots + "}"


def defined(definitions: int) -> str:
    return "{ person { name } } " + " ".join(f"fragment F{n} on Person {{ name }}" for n in range(definitions - 1))


def spread(selections: int) -> str:
    return "{ person { name " + "...Gone " * (selections - 2) + "} }"


@pytest.mark.parametrize(
    ("shape", "limit"),
    [
        pytest.param(deep, limits.MAX_DEPTH, id="depth"),
        pytest.param(wide, limits.MAX_FIELDS, id="fields"),
        pytest.param(aliased, limits.MAX_ALIASES, id="aliases"),
        pytest.param(rooted, limits.MAX_ROOT_FIELDS, id="root fields"),
        pytest.param(defined, limits.MAX_DEFINITIONS, id="definitions"),
        pytest.param(spread, limits.MAX_SELECTIONS, id="selections"),
    ],
)
def test_a_limit_is_in_and_one_more_is_out(shape, limit):
    read(shape(limit))
    with pytest.raises(CostLimitError):
        read(shape(limit + 1))


def ladder(wide: int, end: str) -> str:
    rungs = " ".join(f"fragment F{n} on Person {{ {f'...F{n + 1} ' * wide} }}" for n in range(18))
    return f"{{ person {{ ...F0 }} }} {rungs} fragment F18 on Person {{ {end} }}"


def tangle() -> str:
    """Every fragment spreads every fragment: 19! paths, not one field."""
    spreads = " ".join(f"...F{n}" for n in range(19))
    return "{ person { ...F0 } } " + " ".join(f"fragment F{n} on Person {{ {spreads} }}" for n in range(19))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ladder(2, "name"), id="ladder"),
        pytest.param(ladder(30, "...Gone"), id="ladder to nowhere, without one field"),
        pytest.param(tangle(), id="tangle"),
        pytest.param(
            "{ person { ...A } } fragment A on Person { a: friend { ...B } b: friend { ...B } } "
            + " ".join(f"fragment {a} on Person {{ a: friend {{ ...{b} }} b: friend {{ ...{b} }} }}" for a, b in zip("BCDEFGHI", "CDEFGHIJ", strict=True)),
            id="fields that double",
        ),
    ],
)  # fmt: skip
def test_a_document_that_explodes_is_refused(text):
    with pytest.raises(CostLimitError):
        read(text)


def test_inline_fragments_deeper_than_the_stack_are_refused():
    inner = parse("{ id }").definitions[0].selection_set
    for _ in range(5_000):  # more than a parser would build
        inner = SelectionSetNode(selections=(InlineFragmentNode(selection_set=inner, directives=()),))
    operation = OperationDefinitionNode(operation=OperationType.QUERY, selection_set=inner, variable_definitions=())
    with pytest.raises(CostLimitError):
        select(SCHEMA, DocumentNode(definitions=(operation,)), operation)


NAMES = st.sampled_from(["person", "node", "name", "friend", "tax", "id", "nope", "__typename", "__schema", "__type"])
ARGUMENTS = st.sampled_from(["", "(n: $v)", "(first: 3)", "(id: {a: [1]})"])
CONDITIONS = st.sampled_from(["Person", "Node", "Query", "Tax", "String", "Gone", "Node"])
SELECTION_SETS = st.recursive(
    st.sampled_from(["{ name }", "{ id }", "{ ...A }", "{ ...Gone }"]),
    lambda inner: st.lists(
        st.builds(lambda name, given, below: f"{name}{given} {below}", NAMES, ARGUMENTS, inner)
        | st.builds(lambda name: f"x: {name}", NAMES)
        | st.builds(lambda on, below: f"... on {on} {below}", CONDITIONS, inner)
        | st.sampled_from(["...A", "...B", "...Gone"]),
        min_size=1,
        max_size=4,
    ).map(lambda items: "{ " + " ".join(items) + " }"),
    max_leaves=25,
)


@given(st.sampled_from(["query", "mutation", "subscription"]), SELECTION_SETS, SELECTION_SETS, SELECTION_SETS)
def test_any_document_is_read_or_refused_and_nothing_else(kind, top, one, two):
    try:
        found = read(f"{kind} Q {top} fragment A on Person {one} fragment B on Gone {two}")
    except CostLimitError:
        return
    assert found.fields <= limits.MAX_FIELDS
    assert found.depth <= limits.MAX_DEPTH
