"""Builders over shaped rows; generated shapes are in test_differential."""

import pytest
from graphql import build_schema, get_operation_ast, parse

from hub.engine.builder import ShapeError, compile_builder
from hub.engine.execute import Engine
from hub.engine.plan import SelectionPlan
from hub.engine.shape import Shape, Slot
from tests.engine.oracle import variables_of

SCHEMA = build_schema(
    """
    type Query { p: Person }
    type Person { id: ID! name: String tags: [String] codes: [String!] home: Place jobs: [Job!] boss: Person }
    type Place { street: String owner: ID }
    type Job { title: String holder: ID place: Place }
    """
)


def selection(text: str) -> SelectionPlan:
    document = parse("{ p { " + text + " } }")
    operation = get_operation_ast(document)
    plan = Engine(SCHEMA).plan(document, operation, variables_of(SCHEMA, operation, {}))
    return plan.root.fields[0].children["Person"]


def built(text: str, rows: list[tuple[object, ...]], **slots: Slot) -> tuple[list[dict[str, object]], int]:
    return compile_builder(selection(text), Shape(type_name="Person", slots=slots)).build(rows)


def test_values_stand_where_the_shape_says_under_the_keys_of_the_query():
    rows = [("a", "1"), (None, "2")]
    assert built(
        "name: id n: name t: __typename", rows, id=Slot(path="{row}[1]", never_null=True), name=Slot(path="{row}[0]")
    ) == (
        [{"name": "1", "n": "a", "t": "Person"}, {"name": "2", "n": None, "t": "Person"}],
        2,
    )


def test_a_field_that_the_shape_does_not_name_is_null():
    assert built("name home { street }", [()]) == ([{"name": None, "home": None}], 1)


def test_convert_is_given_no_null_and_the_row_if_it_wants():
    slots = {
        "name": Slot(path="{row}[0]", convert=str.upper),
        "tags": Slot(path="{row}[1]", convert=lambda row, value: (row[0] or "-") + value, whole_row=True, many=True),
    }
    assert built("name tags", [("a", ["x"]), (None, None), (None, ["y"])], **slots)[0] == [
        {"name": "A", "tags": ["ax"]},
        {"name": None, "tags": None},
        {"name": None, "tags": ["-y"]},
    ]


def test_convert_is_given_no_null_inside_a_list_either():
    """Regression: items that are null went into `convert`."""
    rows = [(["x", None],)]
    assert built("tags", rows, tags=Slot(path="{row}[0]", convert=str.upper, many=True))[0] == [{"tags": ["X", None]}]
    assert built("codes", [(["x"],)], codes=Slot(path="{row}[0]", convert=str.upper, many=True))[0] == [
        {"codes": ["X"]}
    ]


def test_records_nest_share_the_row_and_reach_the_outermost_one():
    place = Shape(type_name="Place", slots={"street": Slot(path="{row}[0]"), "owner": Slot(path="{top}[0]")})
    flat = Shape(type_name="Place", slots={"street": Slot(path="{row}[1]")})
    job = Shape(
        type_name="Job",
        slots={
            "title": Slot(path="{row}[0]"),
            "holder": Slot(path="{top}[0]"),
            "place": Slot(path="{row}[1]", shape=place),
        },
    )
    slots = {"home": Slot(path="{row}", shape=flat), "jobs": Slot(path="{row}[2]", shape=job, many=True)}
    rows = [("1", "s", [("t", None), ("u", ("v",))]), ("2", None, [])]
    assert built("home { street } jobs { title holder place { owner street } }", rows, **slots) == (
        [
            {
                "home": {"street": "s"},
                "jobs": [
                    {"title": "t", "holder": "1", "place": None},
                    {"title": "u", "holder": "1", "place": {"owner": "1", "street": "v"}},
                ],
            },
            {"home": {"street": None}, "jobs": []},
        ],
        2 + 2 + 2 + 1,
    )


def test_a_non_null_field_needs_a_promise():
    with pytest.raises(ShapeError):
        built("id", [("1",)], id=Slot(path="{row}[0]"))
    with pytest.raises(ShapeError):
        built("id", [("1",)])


def test_rows_are_of_the_type_that_is_selected_on():
    with pytest.raises(ShapeError):
        compile_builder(selection("name"), Shape(type_name="Job", slots={}))
