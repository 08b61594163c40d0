import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.auth.masks import mask
from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.gateway.plan import ReleaseNode
from hub.gateway.release import Releaser, SealedColumn, release_value

RING = KeyRing(keys={"seal:tax:3": {1: bytes(range(32))}})
NUMBER, NOTE = "TaxRecord.number", "Filing.note"
STAMP = "2026-11-01"


def node(coordinate: str, mask_name: str | None = None) -> ReleaseNode:
    name = coordinate.partition(".")[2]
    return ReleaseNode(name=name, coordinate=coordinate, mask=mask_name, many=False, children=None)


def sealed(text: str, row: str, *, table: str = "payers", column: str = "number") -> bytes:
    return Sealer(RING).seal(Place(agency="tax", table=table, column=column, row=row), text)


@pytest.fixture
def releaser():
    return Releaser(
        Opener(RING),
        {
            NUMBER: SealedColumn(agency="tax", table="payers", column="number", nested=False),
            NOTE: SealedColumn(agency="tax", table="filings", column="note", nested=True),
        },
    )


def test_a_plain_value_leaves_as_it_is_or_masked(releaser):
    assert releaser.conversion(node("TaxRecord.office")) is None
    masking = releaser.conversion(node("TaxRecord.name", "name"))
    assert (masking.whole_row, masking.apply("张三")) == (False, "张*")


def test_a_sealed_value_opens_in_its_own_row_and_is_masked_then(releaser):
    row = [sealed("360700199001010018", "R1"), "R1", STAMP]
    opening, masking = (releaser.conversion(node(NUMBER, name)) for name in (None, "identity-number"))
    assert opening.whole_row
    assert masking.whole_row
    assert opening.apply(row, row[0]) == "360700199001010018"
    assert masking.apply(row, row[0]) == "3****************8"
    assert releaser.unreadable == 0


def test_a_nested_sealed_value_stands_in_the_row_that_ends_with_its_name(releaser):
    row = [sealed("a", "7", table="filings", column="note"), 7]
    assert releaser.conversion(node(NOTE)).apply(row, row[0]) == "a"


MOVED = {
    "row": sealed("x", "R2"),
    "column": sealed("x", "R1", column="phone"),
    "table": sealed("x", "R1", table="filings"),
    "damaged": sealed("x", "R1")[:-1] + b"!",
    "too short": b"\x01",
    "unknown suite": b"\x09" + sealed("x", "R1")[1:],
    "unknown key": b"\x01\x00\x00\x00\x09" + sealed("x", "R1")[5:],
}


@pytest.mark.parametrize("given", MOVED.values(), ids=MOVED.keys())
@pytest.mark.parametrize("mask_name", [None, "identity-number"])
def test_a_value_that_does_not_open_here_is_withheld_and_counted_and_the_others_stay(
    releaser, given, mask_name, capsys
):
    convert = releaser.conversion(node(NUMBER, mask_name)).apply
    good = ["R3", STAMP]
    assert convert(["R1", STAMP], given) is None
    assert convert(good, sealed("360700199001010018", "R3")) is not None
    assert releaser.unreadable == 1
    assert NUMBER in capsys.readouterr().out  # the log says which coordinate, never a value


@given(text=st.text(min_size=1), row=st.text())
def test_what_leaves_is_the_mask_of_what_was_sealed(text, row):
    releaser = Releaser(
        Opener(RING), {NUMBER: SealedColumn(agency="tax", table="payers", column="number", nested=False)}
    )
    convert = releaser.conversion(node(NUMBER, "identity-number")).apply
    assert convert([row, STAMP], sealed(text, row)) == mask("identity-number", text)


def test_only_what_is_sealed_is_opened(releaser):
    assert releaser.opening("TaxRecord.office") is None
    assert releaser.opening(NUMBER) is releaser.opening(NUMBER)


def test_a_merged_value_is_masked_as_its_field_is():
    assert [release_value("name", "张三"), release_value(None, "张三"), release_value("name", None)] == [
        "张*",
        "张三",
        None,
    ]
