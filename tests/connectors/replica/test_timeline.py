"""Bitemporal reads against a naive oracle: after every statement a full table of what holds on each day."""

from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.clock import moment_of
from hub.connectors.base import Fetch, Moment, Part, SourceRecord, SourceState
from hub.connectors.replica.tables import replica_version
from hub.connectors.replica.timeline import FOREVER, GONE, Statement, effective, says
from hub.connectors.replica.writer import Fact
from tests.conftest import FULL
from tests.connectors.replica.parts import CIVIL, ask, value

DAYS = 10
DAY_US = 24 * 3600 * 1_000_000
EPOCH_DAY = 20_000  # days since the epoch


class Said(NamedTuple):
    """A change, a correction or a deletion (None) that holds from one day to another; None: for good."""

    what: str | None
    first: int
    end: int | None


@st.composite
def said(draw) -> Said:
    first = draw(st.integers(0, DAYS - 1))
    end = draw(st.none() | st.integers(first + 1, DAYS))
    return Said(draw(st.sampled_from(["a", "b", "c", None])), first, end)


class Oracle:
    """Day by day, what holds as known after each statement. It keeps everything and computes nothing cleverly."""

    def __init__(self) -> None:
        self.tables: list[list[str | None]] = [[None] * (DAYS + 1)]

    def say(self, one: Said) -> None:
        table = list(self.tables[-1])
        for day in range(one.first, DAYS + 1 if one.end is None else one.end):
            table[day] = one.what
        self.tables.append(table)


@given(st.lists(said(), max_size=12))
def test_what_is_effective_is_what_the_table_says(sequence):
    oracle = Oracle()
    statements: list[Statement] = []
    for number, one in enumerate(sequence, 1):
        oracle.say(one)
        end = FOREVER if one.end is None else one.end
        already = says(statements, one.what or GONE, one.first, end)
        assert already == (oracle.tables[-1] == oracle.tables[-2])
        statements.append(
            Statement(version=number, valid_from=one.first, valid_to=end, recorded=number, digest=one.what or GONE)
        )
    for known, table in enumerate(oracle.tables):
        for day, expected in enumerate(table):
            found = effective(statements, day, known)
            assert (None if found is None or found.digest == GONE else found.digest) == expected


@settings(
    max_examples=60 if FULL else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(said(), min_size=1, max_size=8))
async def test_reads_of_stored_copies_equal_the_table(hub, agencies, clock, sequence):
    """Through the real writer, the sealed rows and the one statement; every example has a key of its own."""
    writer, codec = hub.copier.writer, hub.copier.codec(CIVIL)
    key = f"key-{hash(tuple(sequence))}-{clock.monotonic()}"
    oracle, knowns, added = Oracle(), [clock.now()], 0
    for one in sequence:
        clock.advance(10)
        oracle.say(one)
        fact = Fact(
            key=key,
            valid_from=(EPOCH_DAY + one.first) * DAY_US,
            valid_to=FOREVER if one.end is None else (EPOCH_DAY + one.end) * DAY_US,
            content=None if one.what is None else codec.pack(_record(codec, key, one.what), {}, dated=False),
        )
        for _ in range(2):  # the second time it is known
            added += await writer.put(CIVIL, [fact])
        knowns.append(clock.now())
    changed = sum(before != after for before, after in zip(oracle.tables, oracle.tables[1:], strict=False))
    assert added == changed
    for table, known in zip(oracle.tables, knowns, strict=True):
        for day, expected in enumerate(table):
            valid = moment_of((EPOCH_DAY + day) * DAY_US + DAY_US // 2)
            answer = await ask(hub, CIVIL, key, valid=valid, known=known)
            assert answer.state is SourceState.OK
            assert value(hub, CIVIL, answer, key, "name") == expected
    now = await ask(hub, CIVIL, key)
    assert value(hub, CIVIL, now, key, "name") == oracle.tables[-1][-1]


def _record(codec, key: str, name: str) -> SourceRecord:
    values = [name if field == "name" else None for field in codec.layout.fields]
    return SourceRecord(key, f"record of {key}", moment_of(0), values + [[] for _ in codec.layout.nested])


async def test_what_is_known_never_becomes_older_when_the_clock_goes_back(hub, agencies, clock):
    writer, codec = hub.copier.writer, hub.copier.codec(CIVIL)
    for name, step in (("first", -3600.0), ("second", -3600.0)):
        clock.advance(step)
        content = codec.pack(_record(codec, "k", name), {}, dated=False)
        await writer.put(CIVIL, [Fact(key="k", valid_from=DAY_US, content=content)])
    async with hub.store.read() as connection:
        rows = await connection.execute(
            select(replica_version.c.subject_id, replica_version.c.version, replica_version.c.recorded_us)
        )
        (times,) = [
            [row.recorded_us for row in sorted(held, key=lambda row: row.version)]
            for held in _by_subject(rows.all()).values()
            if len(held) == 2
        ]
    assert times == sorted(times)


def _by_subject(rows):
    found: dict[str, list] = {}
    for row in rows:
        found.setdefault(row.subject_id, []).append(row)
    return found


async def test_times_are_exact_to_the_microsecond(hub, agencies, clock):
    writer, codec = hub.copier.writer, hub.copier.codec(CIVIL)
    at = 1_795_591_099_123_457
    content = codec.pack(_record(codec, "k", "exact"), {}, dated=False)
    await writer.put(CIVIL, [Fact(key="k", valid_from=at, content=content)])
    part = Part(keys=("k",), coordinates=codec.coordinates)
    for shift, there in ((-1, False), (0, True)):
        moment = Moment(valid=moment_of(at + shift), known=None)
        fetch = Fetch(parts=(part,), layout=codec.layout, timeout_s=5, at=moment)
        assert bool((await hub.sources[CIVIL].ask(fetch)).records) is there
