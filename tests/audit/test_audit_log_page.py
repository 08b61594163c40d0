"""docs/audit-log.md says what the program does: kinds and their numbers, members of an entry, sizes and times."""

import re
from dataclasses import fields
from pathlib import Path

import orjson

from hub.audit.entry import EFFECTS, Draft, Outcome, Pattern, SourceSeen, encode, spell_out
from hub.audit.kinds import BY_NUMBER, NUMBERS, Kind
from hub.audit.leaf import HEADER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audit-log.md").read_text("utf-8")


def rows(after: str) -> list[list[str]]:
    """Cells of the first table behind the heading `after`, without its head."""
    table = PAGE.split(after, 1)[1].split("| --- ", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[1:]]


def test_the_page_has_every_kind_under_its_number_and_no_other():
    told: dict[str, int] = {}
    for numbers, names, written in rows("### Kinds"):
        pairs = zip(numbers.split(", "), re.findall(r"`([a-z-]+)`", names), strict=True)
        told |= {name: int(number) for number, name in pairs}
        assert len(written) > 10
    assert told == {kind.value: number for kind, number in NUMBERS.items()}


def test_every_kind_has_a_number_of_its_own():
    assert set(NUMBERS) == set(Kind)
    assert len(BY_NUMBER) == len(NUMBERS)
    assert sorted(BY_NUMBER) == list(range(1, len(Kind) + 1))


def test_every_kind_is_written_somewhere():
    sources = {path: path.read_text("utf-8") for path in (ROOT / "hub").rglob("*.py") if path.name != "kinds.py"}
    written = {
        kind
        for kind in Kind
        for text in sources.values()
        if re.search(rf"(?<!NUMBERS\[)Kind\.{kind.name}\b(?!\])", text)
    }
    assert set(Kind) - written == set()


def test_the_page_has_every_member_of_an_entry_and_no_other():
    everything = Draft(
        request_id="r",
        parent="p",
        on_behalf_of="o",
        approver="a",
        persons=(("x", Pattern(full=("Person.name",), facts="case")),),
        sources=(SourceSeen(agency="tax", status="OK", as_of=None, latency_ms=1),),
        outcome=Outcome.OK,
        answer_bytes=1,
        answer_digest="00",
        note={"n": 1},
        looked_at={"l": "1"},
    )
    shown = spell_out(seq=1, entry_id="e", time_us=0, kind=1, body=encode(everything))
    removed = spell_out(seq=1, entry_id="e", time_us=0, kind=1, body=None)
    told = {name for cell, _ in rows("## An entry") for name in re.findall(r"`(\w+)`", cell)}
    assert told == set(shown) | set(removed)
    of_persons = next(text for cell, text in rows("## An entry") if cell == "`persons`")
    assert set(re.findall(r"`(\w+)`", of_persons)) == set(shown["persons"][0]) == {"person", *EFFECTS, "facts"}
    assert {field.name for field in fields(Pattern)} == {*EFFECTS, "facts"}
    assert orjson.loads(encode(everything))["patterns"] == [[["Person.name"], [], [], [], [], "case"]]


def test_the_header_is_as_long_as_the_page_says():
    assert f"Header, {HEADER.size} bytes" in PAGE
