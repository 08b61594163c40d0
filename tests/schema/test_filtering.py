"""A schema with less in it: what is hidden goes, and all that would stand for it; the rest is as it was."""

from random import Random

import pytest
from graphql import GraphQLSchema, build_schema, print_schema, validate_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.schema.filtering import NothingLeftError, coordinates, filter_schema
from hub.schema.views import sdl_of
from tests.conftest import FULL
from tests.fitting import shipped

TEXT = """
interface Node { id: ID! secret: Int }
interface Named implements Node { id: ID! secret: Int name(style: Style): String }
type Person implements Node & Named { id: ID! secret: Int name(style: Style): String tax: Tax friends(by: Filter, n: Int): [Person!] }
type Tax implements Node { id: ID! secret: Int sum: Int owner: Person cycle: Loop }
type Loop { next: Loop back: [Loop!]! }
type Police { code: Code }
enum Code { A B }
enum Style { LONG SHORT }
union Found = Person | Police | Tax
input Filter { sex: Code region: String deep: Deep! }
input Deep { code: Code! self: Deep }
type Query { node(id: ID!): Node named: Named found(what: Filter): [Found!]! person(only: Deep!): Person police: Police one: Int }
type Mutation { poke(in: Filter): Police }
"""
WHOLE = build_schema(TEXT)


def less(*hidden: str, schema: GraphQLSchema = WHOLE) -> GraphQLSchema:
    return filter_schema(schema, set(hidden).__contains__)


def fields(schema: GraphQLSchema, name: str) -> set[str]:
    return set(schema.type_map[name].fields)


def test_what_cannot_be_reached_by_any_value_goes_even_if_nothing_is_hidden():
    assert WHOLE.type_map.keys() - less().type_map.keys() == {"Loop"}  # types that only lead to one another


def test_types_that_become_empty_go_with_the_fields_that_return_them():
    found = less("Tax.id", "Tax.secret", "Tax.sum", "Tax.owner")
    assert "Tax" not in found.type_map
    assert "tax" not in fields(found, "Person")
    assert {one.name for one in found.type_map["Found"].types} == {"Person", "Police"}


def test_an_interface_shows_no_field_that_an_implementation_hides():
    found = less("Tax.secret")
    assert fields(found, "Node") == {"id"}
    assert fields(found, "Person") >= {"secret"}
    bare = less("Person.secret", "Tax.secret", "Tax.id")  # on which they have no field in common
    assert "Node" not in bare.type_map
    assert "node" not in fields(bare, "Query")
    assert [one.name for one in bare.type_map["Person"].interfaces] == ["Named"]


def test_an_interface_that_nobody_implements_goes_with_the_fields_that_return_it():
    found = less(*(f"Person.{name}" for name in ("id", "secret", "name", "tax", "friends")))
    assert "Named" not in found.type_map
    assert "named" not in fields(found, "Query")
    assert "Node" in found.type_map


def test_hidden_arguments_go_and_input_types_that_nobody_reaches():
    found = less("Person.friends(by:)", "Query.found(what:)", "Mutation.poke(in:)")
    assert "Filter" not in found.type_map
    assert "Deep" in found.type_map
    assert set(found.type_map["Person"].fields["friends"].args) == {"n"}


def test_a_field_whose_required_argument_is_hidden_goes():
    assert "person" not in fields(less("Query.person(only:)"), "Query")


def test_an_input_type_without_a_field_that_must_be_given_goes():
    found = less("Deep.code")
    assert not found.type_map.keys() & {"Deep", "Filter"}
    assert "person" not in fields(found, "Query")
    assert set(found.type_map["Person"].fields["friends"].args) == {"n"}


def test_an_argument_hidden_on_an_implementation_is_hidden_on_the_interface():
    found = less("Person.name(style:)")
    assert not found.type_map["Named"].fields["name"].args
    assert "Style" not in found.type_map


def test_a_root_without_fields_goes_and_without_query_there_is_no_schema():
    assert less("Mutation.poke").mutation_type is None
    with pytest.raises(NothingLeftError):
        less(*(f"Query.{name}" for name in fields(WHOLE, "Query")))


def test_types_from_which_nothing_went_are_shared():
    found = less("Tax.sum")
    shared = {name for name, named in found.type_map.items() if named is WHOLE.type_map[name]}
    assert shared >= {"Police", "Code", "Style", "Filter", "Deep"}
    assert not shared & {"Tax", "Person", "Query", "Found"}


def test_the_whole_schema_is_not_touched():
    before = print_schema(WHOLE)
    less("Tax.sum", "Person.id", "Filter.sex")
    assert print_schema(WHOLE) == before


def check(whole: GraphQLSchema, hidden: set[str], found: GraphQLSchema) -> None:
    assert validate_schema(found) == []
    left = coordinates(found)
    assert not left.keys() & hidden
    assert left.keys() <= coordinates(whole).keys()
    for name, member in left.items():
        assert str(member.type) == str(coordinates(whole)[name].type)
    assert GraphQLSchema(**{**found.to_kwargs(), "assume_valid": False}) is not None
    assert build_schema(print_schema(found)) is not None  # no reference to a type that is not there


@settings(max_examples=100 if not FULL else 3000, deadline=None)
@given(st.sets(st.sampled_from(sorted(coordinates(WHOLE)))))
def test_whatever_is_hidden_what_is_left_is_a_valid_schema_without_it(hidden):
    try:
        found = less(*hidden)
    except NothingLeftError:
        return
    check(WHOLE, hidden, found)


@settings(max_examples=15 if not FULL else 300, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.9))
def test_so_it_is_for_the_schema_of_the_hub(seed, share):
    whole, dice = shipped().schema, Random(seed)
    kept = ("Query.viewer", "Viewer.role")
    hidden = {name for name in coordinates(whole) if dice.random() < share and name not in kept}
    check(whole, hidden, less(*hidden, schema=whole))


@settings(max_examples=20, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(coordinates(WHOLE))), max_size=8),
    st.sets(st.sampled_from(sorted(coordinates(WHOLE))), max_size=8),
)
def test_hiding_more_never_shows_more(some, more):
    try:
        assert coordinates(less(*some, *more)).keys() <= coordinates(less(*some)).keys()
    except NothingLeftError:
        return


def test_hidden_things_leave_no_trace_in_the_text():
    text = sdl_of(less("Tax.id", "Tax.secret", "Tax.sum", "Tax.owner"))
    assert "Tax" not in text
    assert "tax" not in text
