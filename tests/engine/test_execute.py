"""Execution by the specification's examples, by bugs of other engines, and by bugs this engine has had.

Sections are those of the GraphQL specification of September 2025. Every case is also asked of graphql-core.
"""

import asyncio
from typing import Any

import pytest
from graphql import GraphQLError, build_schema, get_operation_ast, parse

from hub.engine.execute import Engine
from hub.errors import CostLimitError
from tests.engine.grown import Again, Thing
from tests.engine.oracle import Fetched, same, variables_of

OOPS = ValueError("oops")


async def run(sdl: str, text: str, root: Any, **variables: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """Data and error paths, on which both executors agree."""
    executed = await same(Engine(build_schema(sdl)), text, root, variables)
    return executed.data, [fault.path for fault in executed.faults]


COLLECTED = "type Query { a: A b: String } type A { subfield1: String subfield2: String }"
A = {"a": {"subfield1": "1", "subfield2": "2"}, "b": "b"}
PERSON = """
type Query { me: Person birthday: Date address: Address }
type Person { firstName: String lastName: String home: Address }
type Date { month: Int } type Address { street: String city: String }
"""
ME = {
    "me": {"firstName": "A", "lastName": "B", "home": {"street": "s", "city": "c"}},
    "birthday": {"month": 5},
    "address": {"street": "s"},
}


@pytest.mark.parametrize(
    ("sdl", "text", "root", "expected"),
    [
        pytest.param(
            COLLECTED,
            "{ a { subfield1 } ...ExampleFragment } fragment ExampleFragment on Query { a { subfield2 } b }",
            A,
            {"a": {"subfield1": "1", "subfield2": "2"}, "b": "b"},
            id="6.3.2 two instances of a and one of b",
        ),
        pytest.param(
            COLLECTED,
            "{ ...ExampleFragment a { subfield1 } } fragment ExampleFragment on Query { b a { subfield2 } }",
            A,
            {"b": "b", "a": {"subfield2": "2", "subfield1": "1"}},
            id="6.3.2 the order is that of the first appearance",
        ),
        pytest.param(
            PERSON,
            "{ me { firstName } me { lastName } }",
            ME,
            {"me": {"firstName": "A", "lastName": "B"}},
            id="6.3.2 merging selection sets",
        ),
        pytest.param(
            PERSON,
            "{ me { home { street } } me { home { city } } }",
            ME,
            {"me": {"home": {"street": "s", "city": "c"}}},
            id="6.3.2 merging nested selection sets",
        ),
        pytest.param(
            PERSON,
            "{ birthday { month } address { street } }",
            ME,
            {"birthday": {"month": 5}, "address": {"street": "s"}},
            id="6.3.4 normal execution",
        ),
        pytest.param(
            "type Query { a: [Int] b: [[Int]] }",
            "{ a b }",
            {"a": [1, None], "b": [[1], [], None]},
            {"a": [1, None], "b": [[1], [], None]},
            id="6.4.3 lists",
        ),
    ],
)
async def test_examples_of_the_specification(sdl, text, root, expected):
    data, errors = await run(sdl, text, root)
    assert repr(data) == repr(expected)
    assert errors == []


@pytest.mark.parametrize(
    ("skip", "include", "kept"),
    [(True, True, False), (True, False, False), (False, True, True), (False, False, False)],
)
async def test_6_3_2_a_field_is_kept_if_not_skipped_and_included(skip, include, kept):
    expected = ({"b": "b"} if kept else {}, [])
    given = {"skip": skip, "include": include}
    for order in ("@skip(if: $skip) @include(if: $include)", "@include(if: $include) @skip(if: $skip)"):
        for place in (f"b {order}", f"... {order} {{ b }}", f"...F {order}"):
            text = f"query ($skip: Boolean!, $include: Boolean!) {{ {place} __typename @skip(if: true) }}"
            text += " fragment F on Query { b }" if place.startswith("...F") else ""
            assert await run(COLLECTED, text, A, **given) == expected


async def test_6_3_2_a_condition_that_is_null_is_not_true():
    """What the text of CollectFields says; graphql-core raises here instead."""
    schema = build_schema(COLLECTED)
    document = parse("query ($v: Boolean = true) { b @skip(if: $v) c: b @include(if: $v) }")
    engine, operation = Engine(schema), get_operation_ast(document)
    variables = variables_of(schema, operation, {"v": None})
    executed = await engine.execute(engine.plan(document, operation, variables), variables, None, A)
    assert executed.data == {"b": "b"}


async def test_6_4_1_a_null_for_an_argument_that_must_have_a_value_is_the_field_s_error():
    sdl = "type Query { a(n: Int! = 1): String b(n: Int! = 1): String! c: Query }"
    root = {"a": "a", "b": "b", "c": {"a": "a", "b": "b"}}
    assert await run(sdl, "query ($n: Int = 2) { a(n: $n) c { b(n: $n) } }", root, n=None) == (
        {"a": None, "c": None},
        [("a",), ("c", "b")],
    )


HERO = "type Query {{ hero: Hero }} type Hero {{ name: String heroFriends: {friends} }} type Friend {{ id: ID! name: {name} }}"
FRIENDS = [{"id": "1000", "name": "Luke"}, {"id": "1002", "name": None}, {"id": "1003", "name": "Leia"}]
BAD = [{**friend, "name": friend["name"] or OOPS} for friend in FRIENDS]


@pytest.mark.parametrize(
    ("friends", "name", "given", "expected"),
    [
        pytest.param("[Friend]", "String", BAD, [FRIENDS[0], FRIENDS[1], FRIENDS[2]], id="nullable name"),
        pytest.param("[Friend]", "String!", BAD, [FRIENDS[0], None, FRIENDS[2]], id="Non-Null name, nullable item"),
        pytest.param("[Friend]", "String!", FRIENDS, [FRIENDS[0], None, FRIENDS[2]], id="null alone is an error"),
        pytest.param("[Friend!]", "String!", BAD, None, id="Non-Null item, nullable list"),
    ],
)
async def test_6_4_4_an_error_stops_at_the_next_nullable_position(friends, name, given, expected):
    """The path is that of the example in section 7: aliases and list indices, down to where the error happened."""
    sdl = HERO.format(friends=friends, name=name)
    text = "{ hero { name heroFriends { id name } } }"
    data, errors = await run(sdl, text, {"hero": {"name": "R2-D2", "heroFriends": given}})
    assert data == {"hero": {"name": "R2-D2", "heroFriends": expected}}
    assert errors == [("hero", "heroFriends", 1, "name")]


@pytest.mark.parametrize(
    ("type_", "value", "expected", "path"),
    [
        pytest.param("[Int]", [1, OOPS], [1, None], ("x", 1), id="[Int]"),
        pytest.param("[Int!]", [1, OOPS], None, ("x", 1), id="[Int!]"),
        pytest.param("[[Int!]]", [[1, None], [2]], [None, [2]], ("x", 0, 1), id="[[Int!]]"),
        pytest.param("[[Int!]!]", [[1, None], [2]], None, ("x", 0, 1), id="[[Int!]!]"),
        pytest.param("[[Int]!]", [None, [2]], None, ("x", 0), id="[[Int]!]"),
        pytest.param("[[Int]]", [OOPS, [2, "no"]], [None, [2, None]], None, id="[[Int]]"),
        pytest.param("[[[Int!]!]]", [[[1], [OOPS]], [[2]]], [None, [[2]]], ("x", 0, 1, 0), id="[[[Int!]!]]"),
    ],
)
async def test_6_4_4_a_list_takes_the_null_of_an_item_that_must_not_be_null(type_, value, expected, path):
    """Spelled out in graphql/graphql-spec#259 and #317; wrong in 99designs/gqlgen#1230 and absinthe-graphql/absinthe#1223."""
    data, errors = await run(f"type Query {{ list: {type_} }}", "{ x: list }", {"list": value})
    assert data == {"x": expected}
    assert path is None or errors == [path]


async def test_6_4_4_without_a_nullable_position_the_data_is_null():
    """graphql-rust/juniper#84, 99designs/gqlgen#2541 and graphql-hive/router#1154 kept part of it."""
    sdl = "type Query { posts: [Post!]! other: String } type Post { image: Image! } type Image { name: String! }"
    text = "{ other posts { image { n: name } } }"
    root = {"other": OOPS, "posts": [{"image": {"name": "a"}}, {"image": {"name": None}}, {"image": None}]}
    assert await run(sdl, text, root) == (None, [("other",), ("posts", 1, "image", "n")])


async def test_6_4_4_null_spreads_beyond_the_fragment_that_asked():
    """graphql-rust/juniper#1287 nulled the fields of the fragment and kept those beside it."""
    sdl = "type Query { o: O } type O { good: String bad: String! }"
    assert await run(sdl, "{ o { good ...F } } fragment F on O { bad }", {"o": {"good": "g", "bad": OOPS}}) == (
        {"o": None},
        [("o", "bad")],
    )


async def test_6_4_4_below_a_nulled_position_nothing_more_is_reported():
    sdl = "type Query { o: O } type O { a: String b: String! c: String d: [O!]! }"
    root = {"o": {"a": OOPS, "b": OOPS, "c": OOPS, "d": [{"b": OOPS}]}}
    assert await run(sdl, "{ o { a b c d { b } } }", root) == ({"o": None}, [("o", "a"), ("o", "b")])


async def test_an_interface_that_nothing_implements_has_no_objects():
    """Regression: taken for a leaf, because there is nothing to select on."""
    sdl = "interface I { a: Int } type Query { i: I is: [I] }"
    assert await run(sdl, "{ i { a } is { a } }", {"i": None, "is": [None]}) == ({"i": None, "is": [None]}, [])
    assert await run(sdl, "{ i { a } is { __typename } }", {"i": {"__typename": "Query"}, "is": [{}]}) == (
        {"i": None, "is": [None]},
        [("i",), ("is", 0)],
    )


async def test_a_list_that_breaks_while_it_is_read_is_the_field_s_error():
    """Regression: the exception ended the whole execution."""
    sdl = "type Query { a: [Int] b: Int }"
    assert await run(sdl, "{ a b }", {"a": Again([1], broken=True), "b": 2}) == ({"a": None, "b": 2}, [("a",)])


async def test_arguments_are_coerced_where_no_resolver_asks_for_them():
    """Regression: a plain member was given although its argument does not hold; see also graphql/graphql-spec#359."""
    sdl = "type Query { a(n: [Int!]): String }"
    assert await run(sdl, "query ($n: Int = 3) { a(n: [1, $n]) }", {"a": "a"}, n=None) == ({"a": None}, [("a",)])
    assert await run(sdl, "query ($n: Int = 3) { a(n: [1, $n]) }", {"a": "a"}) == ({"a": "a"}, [])


async def test_objects_tell_their_type_by_a_private_attribute():
    """Regression: asked for `__typename`, which Python stores under another name."""
    sdl = "interface I { a: Int } type A implements I { a: Int } type Query { i: I x: A }"
    assert await run(sdl, "{ i { __typename a } }", {"i": Thing(lambda _name: 3, "A")}) == (
        {"i": {"__typename": "A", "a": 3}},
        [],
    )


async def test_errors_of_graphql_keep_their_own_locations():
    sdl = "type Query { a: String b: [String] }"
    root = {"a": GraphQLError("a"), "b": [GraphQLError("b")]}
    assert (await run(sdl, "{ a b }", root))[1] == [("a",), ("b", 0)]


TREE = build_schema(
    "interface I { n: Int k: [I!] } type A implements I { n: Int k: [I!] } type B implements I { n: Int k: [I!] } type Query { k: [I!] l: [A!] n: Int }"
)
DEEP = {
    "k": [{"__typename": "A", "n": 1, "k": [{"__typename": "B", "n": 2}]}, {"__typename": "B", "n": 3, "k": []}],
    "n": 0,
}


async def _executed(engine: Engine, text: str, root: Any) -> Any:
    document = parse(text)
    operation = get_operation_ast(document)
    variables = variables_of(engine.schema, operation, {})
    return await engine.execute(engine.plan(document, operation, variables), variables, None, root)


@pytest.mark.parametrize("text", ["{ k { k { n } } n }", "{ a: k { n } b: k { n } n }"])
async def test_too_many_objects_are_refused_as_such_wherever_they_turn_up(text):
    """Regression: came as a group of exceptions out of fields that are awaited together, and left some unawaited."""
    fetchers = {("A", "n"): Fetched(), ("B", "n"): Fetched(), ("Query", "n"): Fetched()}
    for limit in (1, 2, 3):
        engine = Engine(TREE, fetchers=fetchers, max_objects=limit)
        with pytest.raises(CostLimitError):
            await _executed(engine, text, DEEP)


async def test_objects_are_counted_before_anything_is_fetched_for_them():
    """Regression: a level was refused only after everything below it had been done."""
    fetcher = Fetched()
    with pytest.raises(CostLimitError):
        await _executed(Engine(TREE, fetchers={("A", "n"): fetcher}, max_objects=50), "{ l { n } }", {"l": [{}] * 50})
    assert fetcher.calls == 0


async def test_a_failed_fetch_stops_those_beside_it_and_is_raised_as_it_is():
    """Regression: a fetch for one concrete type failed, and those for the others went on behind the answer's back."""
    ended: list[str] = []

    class Slow:
        async def fetch(self, _context, _calls):
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("cancelled")

    class Failing:
        async def fetch(self, _context, _calls):
            await asyncio.sleep(0)
            raise LookupError("no agency")

    with pytest.raises(LookupError):
        await _executed(Engine(TREE, fetchers={("A", "n"): Slow(), ("B", "n"): Failing()}), "{ k { n } }", DEEP)
    assert ended == ["cancelled"]


async def test_one_call_for_all_parents_and_all_fields_of_a_fetcher():
    fetcher = Fetched()
    engine = Engine(TREE, fetchers={("A", "n"): fetcher, ("A", "k"): fetcher})
    root = {"l": [{"n": number, "k": []} for number in range(50)]}
    executed = await _executed(engine, "{ l { n again: n k { n } } }", root)
    assert executed.data["l"][49] == {"n": 49, "again": 49, "k": []}
    assert (fetcher.calls, fetcher.parents) == (1, [50])
