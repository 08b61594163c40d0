"""Merging of fields: cases in which other engines have been wrong. Each is also asked of graphql-core."""

import pytest
from graphql import build_schema, get_operation_ast, parse

from hub.engine.execute import Engine
from hub.engine.plan import plan_operation
from tests.engine.oracle import same, variables_of

SCHEMA = build_schema(
    """
    interface Character { id: ID! name: String! friends: [Character] best: Character }
    interface Secret { code: String }
    type Human implements Character & Secret {
      id: ID! name: String! friends: [Character] best: Character code: String height(unit: String = "m"): Float
    }
    type Droid implements Character { id: ID! name: String! friends: [Character] best: Character purpose: String motto: String }
    union Found = Human | Droid
    type Query {
      hero: Character human: Human droid: Droid grid: [[Human]] found: [Found!] heroes: [Character!]! self: Query name: String
    }
    """
)
DROID = {"__typename": "Droid", "id": "2", "name": "R2", "purpose": "repair", "motto": "beep", "friends": None}
HUMAN = {
    "__typename": "Human",
    "id": "1",
    "name": "Leia",
    "code": "x",
    "height": 1.5,
    "best": DROID,
    "friends": [DROID],
}
ROOT = {
    "hero": HUMAN,
    "human": HUMAN,
    "droid": DROID,
    "grid": [[HUMAN, None], [], None],
    "found": [HUMAN, {**DROID, "best": DROID}],
    "heroes": [HUMAN, DROID],
    "self": {"name": "inner"},
    "name": "outer",
}


async def answered(text: str, **variables: object) -> object:
    return (await same(Engine(SCHEMA), text, ROOT, variables)).data


async def test_one_field_in_two_fragments_keeps_the_selections_of_both():
    """rmosolgo/graphql-ruby#55 answered with the last fragment's attributes only."""
    text = "{ human { ...A ...B } } fragment A on Human { best { id name } id } fragment B on Human { best { id __typename } }"
    assert await answered(text) == {"human": {"best": {"id": "2", "name": "R2", "__typename": "Droid"}, "id": "1"}}


async def test_a_later_fragment_adds_to_the_object_of_a_direct_field():
    """async-graphql/async-graphql#114 lost what only the direct selection asked for."""
    text = "{ human { best { name __typename id } ...A id } } fragment A on Human { best { id name } }"
    assert await answered(text) == {"human": {"best": {"name": "R2", "__typename": "Droid", "id": "2"}, "id": "1"}}


async def test_selections_on_lists_of_lists_are_merged():
    """async-graphql/async-graphql#1840 dropped every selection but the first on a field of type [[T]]."""
    assert await answered("{ grid { id } grid { name } }") == {"grid": [[{"id": "1", "name": "Leia"}, None], [], None]}


async def test_fragments_on_one_sub_object_do_not_override_each_other():
    """graphql-rust/juniper#914 kept the fields of the later fragment only."""
    text = "{ hero { ...P ...Q } } fragment P on Human { best { id } } fragment Q on Human { best { name } }"
    assert await answered(text) == {"hero": {"best": {"id": "2", "name": "R2"}}}


async def test_fragments_are_merged_below_their_top_level():
    """fsprojects/FSharp.Data.GraphQL#129 and absinthe-graphql/absinthe#174 merged fragments at their top level only."""
    text = """{ hero { ...T1 ...T2 } }
    fragment T1 on Human { friends { ... on Human { name } ... on Droid { name } } }
    fragment T2 on Human { friends { ... on Human { id } ... on Droid { id } } }"""
    assert await answered(text) == {"hero": {"friends": [{"name": "R2", "id": "2"}]}}


async def test_a_type_condition_adds_to_what_the_interface_asks():
    """walmartlabs/lacinia#118 let the later, smaller selection of a field replace the earlier one."""
    text = "{ hero { best { name id } ... on Human { best { name } } } }"
    assert await answered(text) == {"hero": {"best": {"name": "R2", "id": "2"}}}


async def test_overlapping_fragments_on_the_root_are_merged():
    """supabase/pg_graphql#237 and directus/directus#28133 answered one fragment's selection of a shared root field."""
    text = "{ ...A ...B } fragment A on Query { heroes { id } } fragment B on Query { heroes { name } }"
    assert await answered(text) == {"heroes": [{"id": "1", "name": "Leia"}, {"id": "2", "name": "R2"}]}


async def test_inline_fragments_without_a_condition_are_merged():
    """grafbase/grafbase#1405: of two `... { bar }` the second overwrote the first."""
    assert await answered("{ human { ... { best { id } } ... { best { name } } } }") == {
        "human": {"best": {"id": "2", "name": "R2"}}
    }


async def test_one_response_key_means_another_field_on_another_type():
    """graphql-java/graphql-java#2511: children under one key differ by the type of their parent."""
    text = """{ found { ... on Human { best { ... on Droid { label: purpose } } }
                        ... on Droid { best { ... on Droid { label: motto } } } } }"""
    assert await answered(text) == {"found": [{"best": {"label": "repair"}}, {"best": {"label": "beep"}}]}


async def test_a_field_asked_on_each_of_two_types_is_given_on_both():
    """99designs/gqlgen#1280: the same field under two type conditions was collected for the first type only."""
    text = "{ heroes { ... on Human { best { id } } ... on Droid { best { id } } } }"
    assert await answered(text) == {"heroes": [{"best": {"id": "2"}}, {"best": None}]}


async def test_a_field_and_its_alias_in_one_fragment_are_both_given():
    """99designs/gqlgen#1299: an alias beside the field itself was ignored."""
    assert await answered("{ hero { ... on Human { name n: name } } }") == {"hero": {"name": "Leia", "n": "Leia"}}


async def test_a_skipped_spread_does_not_count_as_visited():
    """99designs/gqlgen#3708: a spread that is skipped first, and the same spread later on, gave nothing."""
    text = """query ($skip: Boolean!) { human { ...F @skip(if: $skip) ...F @include(if: $skip) ...F } }
              fragment F on Human { id code }"""
    for skip in (True, False):
        assert await answered(text, skip=skip) == {"human": {"id": "1", "code": "x"}}


async def test_an_excluded_spread_does_not_take_away_a_field_asked_directly():
    """ChilliCream/graphql-platform#5970: the field was left out with the fragment."""
    text = "{ human { name } ...A @include(if: false) } fragment A on Query { human { name } }"
    assert await answered(text) == {"human": {"name": "Leia"}}


async def test_one_of_two_merged_fields_is_skipped():
    """ChilliCream/graphql-platform#5970, the field itself: what is skipped brings no selection, and takes none."""
    text = "query ($no: Boolean!) { human { id } human @skip(if: $no) { name } human @include(if: $no) { code } }"
    assert await answered(text, no=True) == {"human": {"id": "1", "code": "x"}}
    assert await answered(text, no=False) == {"human": {"id": "1", "name": "Leia"}}


async def test_a_fragment_is_skipped_in_one_place_and_kept_in_another():
    """zalando-incubator/graphql-jit#166: one condition was used for every path to the same field node."""
    text = "{ human { ...F @skip(if: true) } droid { ...F @skip(if: false) } } fragment F on Character { id }"
    assert await answered(text) == {"human": {}, "droid": {"id": "2"}}


async def test_conditions_hold_on_spreads_in_abstract_positions():
    """graphile/crystal#3025: @skip and @include on a fragment in an abstract position were ignored."""
    text = "{ hero { ...F @skip(if: true) ... on Human @include(if: false) { code } id } } fragment F on Character { name }"
    assert await answered(text) == {"hero": {"id": "1"}}


async def test_an_interface_applies_to_the_object_that_implements_it():
    """graph-gophers/graphql-go#113: a fragment on an interface within an object's selection failed."""
    text = "{ human { ... on Character { name ... on Secret { code } } } }"
    assert await answered(text) == {"human": {"name": "Leia", "code": "x"}}


async def test_an_interface_applies_within_another_if_a_type_has_both():
    """alumbra/alumbra#20 and apollographql/apollo-kotlin#2090: `... on Secret` under Character was refused."""
    text = "{ heroes { ... on Secret { code } id } }"
    assert await answered(text) == {"heroes": [{"code": "x", "id": "1"}, {"id": "2"}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{ x: __typename }", {"x": "Query"}, id="alone"),
        pytest.param("{ x: __typename __typename }", {"x": "Query", "__typename": "Query"}, id="twice"),
        pytest.param(
            "{ h: hero { t: __typename id } t: __typename }",
            {"h": {"t": "Human", "id": "1"}, "t": "Query"},
            id="beside",
        ),
        pytest.param("{ hero { __typename: name } }", {"hero": {"__typename": "Leia"}}, id="taken by another field"),
    ],
)
async def test_typename_has_aliases(text, expected):
    """wundergraph/cosmo#92, apollographql/router#2330 and apollographql/router#2792: failed, null, or under the wrong key."""
    assert await answered(text) == expected


async def test_an_alias_may_be_another_field_s_name():
    """GatoGraphQL/GatoGraphQL#951 and #1049: the inner `name` overwrote the outer, objects being the same."""
    assert await answered("{ id: name self { name: __typename id: name } name: __typename }") == {
        "id": "outer",
        "self": {"name": "Query", "id": "inner"},
        "name": "Query",
    }


async def test_named_fragments_inside_fragments_are_opened_once_for_each_set():
    """andreas/ocaml-graphql-server#168 and dgraph-io/dgraph#8075: nested fragments were not merged."""
    text = """{ human { ...A } human { ...B } }
    fragment A on Character { ...C best { ...C } } fragment B on Human { ...C best { name ...C } } fragment C on Character { id }"""
    assert await answered(text) == {"human": {"id": "1", "best": {"id": "2", "name": "R2"}}}


def test_a_deep_query_over_an_interface_is_planned_in_proportion_to_its_text():
    types = "".join(f"type T{number} implements I {{ i: I n: Int }} " for number in range(10))
    schema = build_schema(f"interface I {{ i: I n: Int }} {types} type Query {{ i: I }}")
    document = parse("{ i " * 30 + "{ n }" + " }" * 30)
    operation = get_operation_ast(document)
    plan = plan_operation(schema, document, operation, variables_of(schema, operation, {}))
    seen, waiting = set(), [plan.root]
    while waiting:
        selection = waiting.pop()
        if id(selection) not in seen:
            seen.add(id(selection))
            waiting += [child for item in selection.fields for child in item.children.values()]
    assert len(seen) == 1 + 10 * 30
