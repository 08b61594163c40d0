from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.base import Layout, MemoryQuarantine, SourceFailure, SourceState
from hub.connectors.coerce import MAX_TEXT, UnfitValueError, coerce
from hub.connectors.mapping_reader import read_mappings
from hub.connectors.rows import MAX_NESTED, Columns, RowReader, layout_of
from hub.domain.catalogue import Shape, ValueType
from tests.auth.parts import catalogue, read_codes
from tests.connectors.parts import mapping, nested, rule

CODES = read_codes()
MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
STAMP = "2026-11-23T03:00:00+08:00"
INNER = {"type_name": "Child"}
FLAT = (
    rule("text"),
    rule("whole", ValueType.INT),
    rule("yes", ValueType.BOOLEAN),
    rule("day", ValueType.DATE),
)
OTHERS = (
    rule("amount", ValueType.DECIMAL),
    rule("month", ValueType.MONTH),
    rule("moment", ValueType.DATE_TIME),
    rule("sex", ValueType.CODE, field_of={"code_list": "sex"}, codes={"M": "MALE", "F": "FEMALE"}),
    rule("region", ValueType.CODE, field_of={"code_list": "region"}),
    rule("dated", ValueType.DATE, format="%Y%m%d"),
    rule("tags", field_of={"shape": Shape.VALUES}, split=";"),
    rule("held", ValueType.BOOLEAN, is_in=frozenset({"1", "2"})),
    rule("some", ValueType.BOOLEAN, positive=True),
    rule("there", ValueType.BOOLEAN, present=True),
    rule("wan", ValueType.INT, factor=Decimal(10_000)),
    rule("no", ValueType.BOOLEAN, default=False),
    rule("none", ValueType.INT, default=0),
    rule("sealed", field_of={"sealed": True}, sealed=True),
)

FITTING = st.tuples(
    st.none() | st.text("张三abc ", min_size=1).filter(lambda text: text.strip() == text),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.booleans(),
    st.none() | st.dates(),
).map(list)
ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(["1", "0", "M", "是", " x", "x ", "2026-11-24", "202611", "20261124", "a;b", "\x00", "x" * 2001]),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(),
    st.decimals(allow_nan=True),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=8),
    st.lists(st.text(max_size=3), max_size=3),
)


@pytest.fixture
def quarantine():
    return MemoryQuarantine()


def read(made, row, quarantine=None):
    layout = Layout(
        fields=tuple(made.rules), nested=tuple((name, tuple(item.rules)) for name, item in made.nested.items())
    )
    reader = RowReader(made, layout, CODES, quarantine if quarantine is not None else MemoryQuarantine())
    return reader.record("k", "R1", STAMP, row)


def coerced(how, raw):
    """The canonical value, None where there is none, and whether it is a misfit."""
    try:
        return coerce(how, raw, CODES), False
    except UnfitValueError:
        return None, True


def same(one, other) -> bool:
    """Equal and of one type: 1, True and Decimal(1) are three values."""
    return type(one) is type(other) and (one == other or one != one)


@given(FITTING)
def test_a_row_of_fitting_values_is_passed_on_as_the_same_object(row):
    assert read(mapping(*FLAT), row).values is row


@given(st.lists(ANYTHING, min_size=len(FLAT + OTHERS), max_size=len(FLAT + OTHERS)))
def test_every_other_row_is_coerced_value_by_value(row):
    rules, held = (*FLAT, *OTHERS), list(row)
    record = read(mapping(*rules), row)
    expected = [coerced(how, raw) for how, raw in zip(rules, held, strict=True)]
    assert all(same(value, wanted) for value, (wanted, _) in zip(record.values, expected, strict=True))
    assert record.quarantined == sum(misfit for _, misfit in expected)


EACH = [*FLAT, *OTHERS]
CELLS = st.one_of(
    ANYTHING, st.sampled_from(["张三", "a b", "a|b", "a||b", "a | b", "1", "M", 7, True, date(2020, 1, 2)])
)


@given(
    how=st.sampled_from(EACH),
    cells=st.lists(CELLS, min_size=1, max_size=6) | st.lists(st.text(max_size=3) | st.none(), min_size=1, max_size=9),
    spread=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_columns_are_read_as_their_rows_are(how, cells, spread):
    """A flat column, the same column as a nested list and as single nested records: `record` says what is right."""
    made = mapping(how, nested("rows", how), nested("one", how, shape=Shape.RECORD))
    names = (how.field.name,)
    layout = Layout(fields=names, nested=(("rows", names), ("one", names)))
    size = len(cells)
    owners = [owner + 1 for owner, count in zip(range(size), spread, strict=False) for _ in range(count)]
    listed = [cells[place % size] for place in range(len(owners))]
    columns = Columns(
        keys=[f"k{n}" for n in range(size)],
        names=list(range(size)),
        stamps=[MOMENT] * size,
        flat=[cells],
        nested=[(owners, [listed]), ([size], [cells[:1]])],
    )
    whole, single = MemoryQuarantine(), MemoryQuarantine()
    found = RowReader(made, layout, CODES, whole).records(columns)
    reader = RowReader(made, layout, CODES, single)
    for place, record in enumerate(found):
        rows = [(cell,) for owner, cell in zip(owners, listed, strict=True) if owner == place + 1]
        raw = [cells[place], rows, (cells[0],) if place == size - 1 else None]
        wanted = reader.record(f"k{place}", place, MOMENT, raw)
        assert (record.key, record.record, record.as_of) == (wanted.key, wanted.record, wanted.as_of)
        assert record.quarantined == wanted.quarantined
        assert values_of(record) == values_of(wanted)
    assert len(whole.reports) == len(single.reports)


def values_of(record) -> str:
    """Comparable with types and with values that are not equal to themselves."""
    flat, rows, one = list(record.values)[:3]
    return repr((flat, [list(row) for row in rows], one and list(one)))


@pytest.mark.parametrize("how", EACH, ids=lambda how: how.field.name)
@given(raw=ANYTHING)
def test_a_value_on_its_own_is_what_coercion_makes_of_it(how, raw):
    """One column a row, so that no neighbour decides whether it is looked at."""
    wanted, misfit = coerced(how, raw)
    record = read(mapping(how), [raw])
    assert same(record.values[0], wanted)
    assert record.quarantined == misfit


@pytest.mark.parametrize(
    ("how", "raw", "expected"),
    [
        pytest.param(OTHERS[10], 3, 30_000, id="a factor is applied to a number that fits already"),
        pytest.param(OTHERS[11], None, False, id="an empty value becomes its default"),
        pytest.param(OTHERS[12], None, 0, id="also where the default is nought"),
        pytest.param(OTHERS[12], 5, 5, id="another value does not"),
    ],
)
def test_units_and_defaults_are_no_fitting_values(how, raw, expected):
    assert read(mapping(how), [raw]).values[0] == expected
    inside = rule("a", how.field.value_type, field_of=INNER, factor=how.factor, default=how.default)
    assert read(mapping(nested("list", inside)), [[[raw]]]).values[0] == [[expected]]


def test_a_row_with_a_default_that_is_not_needed_stays_as_it_is():
    row = [True, 4]
    assert read(mapping(OTHERS[11], OTHERS[12]), row).values is row


def test_a_misfit_is_null_and_quarantined_with_source_record_and_reason(quarantine):
    row = ["章贡", "9", "perhaps"]
    made = read_mappings(catalogue(), CODES)["tax"]
    layout = Layout(fields=("taxOffice", "incomeBand", "selfEmployed"))
    record = RowReader(made, layout, CODES, quarantine).record("k", "R1", STAMP, row)
    assert record.values == ["章贡", None, None]
    assert record.quarantined == 2
    assert quarantine.reports == [
        ("tax", "R1", "TaxRecord.incomeBand", "9", "unknown code"),
        ("tax", "R1", "TaxRecord.selfEmployed", "perhaps", "neither yes nor no"),
    ]


def test_a_misfit_in_a_nested_row_leaves_its_neighbours(quarantine):
    year, kind = rule("year", ValueType.INT, field_of=INNER), rule("kind", field_of=INNER)
    record = read(mapping(FLAT[0], nested("list", year, kind)), ["a", [["2025", "x"], ["soon", "y"]]], quarantine)
    assert record.values == ["a", [[2025, "x"], [None, "y"]]]
    assert record.quarantined == 1
    assert quarantine.reports == [("tax", "R1", "Child.year", "soon", "not a whole number")]


def test_a_row_whose_nested_rows_all_fit_is_the_same_object():
    row = ["a", [["x"], [None]], []]
    made = mapping(FLAT[0], nested("one", rule("x", field_of=INNER)), nested("two", rule("y", field_of=INNER)))
    assert read(made, row).values is row


def test_what_a_row_has_beyond_its_layout_stays():
    assert read(mapping(FLAT[1]), ["7", "R1", STAMP]).values == [7, "R1", STAMP]


@pytest.mark.parametrize("given", ["text", 7, {"a": 1}, [["x"]] * (MAX_NESTED + 1)], ids=["str", "int", "dict", "long"])
def test_a_nested_list_that_is_none_or_too_long_is_invalid_not_cut(given):
    with pytest.raises(SourceFailure) as failure:
        read(mapping(nested("list", rule("x", field_of=INNER))), [given])
    assert failure.value.state is SourceState.INVALID


def test_the_longest_list_is_taken_and_an_absent_one_is_empty():
    made = mapping(nested("list", rule("x", field_of=INNER)))
    assert len(read(made, [[["x"]] * MAX_NESTED]).values[0]) == MAX_NESTED
    assert list(read(made, [None]).values[0]) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param([], None, id="no row"),
        pytest.param([["7"]], [7], id="one row of a list"),
        pytest.param([[7]], [7], id="one fitting row of a list"),
        pytest.param(("7",), [7], id="a row as the driver gives it"),
    ],
)
def test_a_single_nested_record_is_a_row_or_none(given, expected):
    made = mapping(nested("one", rule("n", ValueType.INT, field_of=INNER), shape=Shape.RECORD))
    assert read(made, [given]).values == [expected]


@pytest.mark.parametrize("given", ["plain", 1, True, date(2026, 1, 1)])
def test_a_sealed_column_takes_bytes_only(given, quarantine):
    made = mapping(rule("number", field_of={"sealed": True}, sealed=True))
    row = [b"sealed"]
    assert read(made, row).values is row
    assert read(made, [given], quarantine).values == [None]
    assert [reason for *_, reason in quarantine.reports] == ["not sealed"]


def test_a_report_holds_the_beginning_of_a_long_value_only(quarantine):
    read(mapping(FLAT[0]), ["x" * (MAX_TEXT + 1)], quarantine)
    assert [len(value) for *_, value, _ in quarantine.reports] == [200]


def test_a_record_without_a_time_stamp_is_not_what_the_mapping_says():
    reader = RowReader(mapping(FLAT[0]), Layout(fields=("text",)), CODES, MemoryQuarantine())
    with pytest.raises(SourceFailure):
        reader.record("k", "R1", "yesterday", ["a"])


def test_the_record_id_is_a_text_and_the_time_stamp_universal_time():
    record = RowReader(mapping(FLAT[0]), Layout(fields=("text",)), CODES, MemoryQuarantine()).record(
        "k", 7, STAMP, [""]
    )
    assert (record.key, record.record, record.as_of) == ("k", "7", datetime(2026, 11, 22, 19, tzinfo=UTC))


def test_a_layout_names_what_was_asked_for_in_the_order_of_the_catalogue():
    layout = layout_of(catalogue(), "TaxRecord", frozenset({"TaxRecord.filings", "Filing.year", "TaxRecord.taxOffice"}))
    assert layout == Layout(fields=("taxOffice",), nested=(("filings", ("year",)),))
    assert (layout.slot("taxOffice"), layout.slot("filings"), layout.inner("filings")) == (0, 1, ("year",))
