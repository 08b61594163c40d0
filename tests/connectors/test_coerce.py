from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.coerce import UnfitValueError, coerce
from hub.connectors.mapping import Rule
from hub.domain.catalogue import Field, Sensitivity, Shape, ValueType
from hub.domain.codes_reader import read_codes

CODES = read_codes()


def rule(value_type: ValueType, *, code_list: str | None = None, shape: Shape = Shape.VALUE, **more) -> Rule:
    field = Field(
        type_name="T", name="f", shape=shape, value_type=value_type, code_list=code_list, record_type=None, owner="tax",
        group="FG1", facet="detail", sensitivity=Sensitivity.PERSONAL, mask=None, sealed=False, indexed=False, zh="", en="",
        file="", line=1,
    )  # fmt: skip
    return Rule(field=field, source="x", **more)


SEX = rule(ValueType.CODE, code_list="sex", codes={"M": "MALE"})


@pytest.mark.parametrize(
    ("how", "raw", "expected"),
    [
        (rule(ValueType.STRING), "  李四 ", "李四"),
        (rule(ValueType.STRING), "", None),
        (rule(ValueType.BOOLEAN), "1", True),
        (rule(ValueType.BOOLEAN), "否", False),
        (rule(ValueType.INT), "-7", -7),
        (rule(ValueType.DECIMAL), "10.50", Decimal("10.50")),
        (rule(ValueType.DATE), "2026-11-24", date(2026, 11, 24)),
        (rule(ValueType.DATE, format="%Y%m%d"), "20261124", date(2026, 11, 24)),
        (rule(ValueType.MONTH), "202611", "2026-11"),
        (SEX, "M", "MALE"),
        (rule(ValueType.CODE, code_list="region"), "360702001", "360702001"),
        (rule(ValueType.BOOLEAN, is_in=frozenset({"1"})), "2", False),
        (rule(ValueType.BOOLEAN, positive=True), "3", True),
        (rule(ValueType.BOOLEAN, present=True), None, False),
        (rule(ValueType.DECIMAL, factor=Decimal(10_000)), "3.5", Decimal("35000.0")),
        (rule(ValueType.INT, factor=Decimal(12)), "3", 36),
        (rule(ValueType.INT, factor=Decimal("0.5")), "4", 2),
        (rule(ValueType.BOOLEAN, default=False), "", False),
        (rule(ValueType.CODE, code_list="sex", codes={"M": "MALE"}, default="UNKNOWN"), None, "UNKNOWN"),
        (rule(ValueType.STRING, shape=Shape.VALUES, split=";"), "a;b", ["a", "b"]),
    ],
)
def test_fitting_values(how, raw, expected):
    assert coerce(how, raw, CODES) == expected


@pytest.mark.parametrize(
    ("how", "raw"),
    [
        (rule(ValueType.STRING), "x" * 3000),
        (rule(ValueType.STRING), "a\x00b"),
        (rule(ValueType.STRING), {"a": 1}),
        (rule(ValueType.STRING), True),
        (rule(ValueType.BOOLEAN), "perhaps"),
        (rule(ValueType.INT), "1.5"),
        (rule(ValueType.INT), "９"),
        (rule(ValueType.INT), 2**40),
        (rule(ValueType.DECIMAL), "NaN"),
        (rule(ValueType.DECIMAL), "1e99"),
        (rule(ValueType.DATE), "2026-02-30"),
        (rule(ValueType.DATE), "24.11.2026"),
        (rule(ValueType.MONTH), "2026-13"),
        (rule(ValueType.DATE_TIME), "0001-01-01"),
        (rule(ValueType.DATE_TIME), datetime(1, 1, 1)),
        (rule(ValueType.DATE_TIME), "9999-12-31T23:59:59-12:00"),
        (rule(ValueType.DECIMAL), "1e999999999"),
        (rule(ValueType.INT, factor=Decimal("0.5")), "3"),
        (rule(ValueType.INT, factor=Decimal(10**6)), "99999"),
        (rule(ValueType.BOOLEAN, default=False), "perhaps"),
        (SEX, "X"),
        (rule(ValueType.CODE, code_list="region"), "moon"),
    ],
)
def test_misfits_are_named_never_guessed(how, raw):
    with pytest.raises(UnfitValueError) as misfit:
        coerce(how, raw, CODES)
    assert str(raw) not in str(misfit.value)


RAW = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.lists(st.integers(), max_size=3)
)


@given(raw=RAW, value_type=st.sampled_from(sorted(set(ValueType) - {ValueType.CODE})))
def test_whatever_comes_in_fits_or_is_refused(raw, value_type):
    try:
        value = coerce(rule(value_type), raw, CODES)
    except UnfitValueError:
        return
    kinds = {
        "String": str, "Boolean": bool, "Int": int, "Decimal": Decimal, "Date": date, "Month": str, "DateTime": date,
    }  # fmt: skip
    assert value is None or isinstance(value, kinds[value_type])
