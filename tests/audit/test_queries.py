"""Auditors' queries against a plain walk over all entries."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from hub.audit import tables
from hub.audit.counting import counts_agree
from hub.audit.entry import EFFECTS
from hub.audit.indexing import Indexer, remove_indexed
from hub.audit.kinds import BY_NUMBER, NUMBERS, Kind
from hub.audit.merkle import verify_inclusion
from hub.audit.queries import AuditQueries, EntryFilter
from hub.audit.verifier import verify_index
from hub.errors import StoreError
from tests.audit.parts import PATTERNS, draft, ledger
from tests.conftest import FULL

COUNT = 240
COORDINATES = sorted({name for pattern in PATTERNS for effect in EFFECTS for name in getattr(pattern, effect)})


@pytest.fixture
async def one(store, clock):
    one = ledger(store, clock)
    await one.write(COUNT, 0, clock)
    return one


def meets(wanted: EntryFilter, number: int, time_us: int) -> bool:
    said = draft(number)
    plain = (
        (wanted.officer, said.officer),
        (wanted.agency, said.agency),
        (wanted.purpose, said.purpose),
        (wanted.outcome, said.outcome),
        (wanted.kind, said.kind),
    )
    if any(asked is not None and asked != given for asked, given in plain):
        return False
    if wanted.case is not None and wanted.case not in said.cases:
        return False
    if (wanted.from_us is not None and time_us < wanted.from_us) or (
        wanted.to_us is not None and time_us >= wanted.to_us
    ):
        return False
    of = [pattern for person, pattern in said.persons if wanted.person in (None, person)]
    if wanted.person is not None and not of:
        return False
    if wanted.coordinate is None and wanted.decision is None:
        return True
    effects = [wanted.decision] if wanted.decision else EFFECTS
    return any(
        getattr(pattern, effect) and wanted.coordinate in (None, *getattr(pattern, effect))
        for pattern in of
        for effect in effects
    )


async def all_pages(queries: AuditQueries, wanted: EntryFilter, first: int) -> list[int]:
    found, before = [], None
    while True:
        page = await queries.find(wanted, first=first, before=before)
        assert len(page.entries) <= first
        found += [row.seq for row in page.entries]
        assert found == sorted(set(found), reverse=True)
        if not page.more:
            return found
        assert before is None or page.end < before
        before = page.end


def maybe(values):
    return st.none() | st.sampled_from(values)


async def test_every_mix_of_filters_finds_what_a_walk_finds(one, store, monkeypatch):
    monkeypatch.setattr("hub.audit.queries.LOOK_AT", (3, 20, 50))  # so that pages end before enough was found
    async with store.read() as connection:
        rows = await connection.execute(select(tables.audit_entry.c.time_us).order_by(tables.audit_entry.c.seq))
        times = [row.time_us for row in rows]
    made = st.builds(
        EntryFilter,
        person=maybe([f"p{n}" for n in range(14)]),
        officer=maybe([f"officer:{n}" for n in range(8)]),
        agency=maybe(["tax", "police", "nobody"]),
        coordinate=maybe([*COORDINATES, "Person.none"]),
        decision=maybe(EFFECTS),
        purpose=maybe(["TAX_RELIEF"]),
        case=maybe([f"case-{n}" for n in range(12)]),
        outcome=maybe(["OK", "DENIED"]),
        kind=maybe([Kind.OPERATION, Kind.LOGIN]),
        from_us=maybe([times[40], times[100] + 1, times[-1] + 1]),
        to_us=maybe([times[60], times[-1] + 1, times[0]]),
    )
    examples = []

    @settings(
        max_examples=300 if FULL else 40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(made, st.integers(1, 30))
    def collect(wanted, first):
        examples.append((wanted, first))

    collect()
    for wanted, first in examples:
        expected = [number + 1 for number in range(COUNT) if meets(wanted, number, times[number])]
        assert await all_pages(one.queries, wanted, first) == expected[::-1], wanted


async def test_a_query_misses_nothing_that_was_durable_before_it(one):
    receipt = await one.log.append(draft(1))
    page = await one.queries.find(EntryFilter(), first=1)
    assert page.entries[0].entry_id == receipt.entry_id


@pytest.mark.parametrize("first", [0, 201, -1])
async def test_a_page_of_no_or_too_many_entries_is_refused(one, first):
    with pytest.raises(ValueError):
        await one.queries.find(EntryFilter(), first=first)


async def test_an_entry_is_proven_under_a_signed_checkpoint(one):
    row = (await one.queries.find(EntryFilter(), first=1)).entries[0]
    proof = await one.queries.proof(row.entry_id)
    checkpoint = proof.checkpoint.checkpoint
    assert proof.checkpoint.note.is_signed_by(one.checkpoints.key)
    assert verify_inclusion(
        index=proof.index, size=checkpoint.size, leaf=row.leaf, proof=proof.hashes, root=checkpoint.root
    )
    assert await one.queries.proof("no such entry") is None


async def test_an_altered_entry_is_not_proven(one, store):
    await one.checkpoints.make(force=True)
    row = (await one.queries.find(EntryFilter(), first=1)).entries[0]
    async with store.write() as connection:
        changed = update(tables.audit_entry).where(tables.audit_entry.c.seq == row.seq)
        await connection.execute(changed.values(leaf=b"\1" * 32))
    with pytest.raises(StoreError):
        await one.queries.proof(row.entry_id)


async def test_status_says_what_is_anchored(one, clock):
    before = await one.queries.status()
    assert (before.entries, before.checkpointed, before.lag) == (COUNT, 0, COUNT)
    await one.checkpoints.make(force=True)
    await one.write(3)
    after = await one.queries.status()
    assert (after.checkpointed, after.lag, after.witnessed) == (COUNT, 3, 0)


async def test_statistics_count_every_entry_once(one):
    rows = await one.queries.statistics(from_us=0, to_us=1 << 60)
    assert sum(row[3] for row in rows) == COUNT
    assert sum(row[4] for row in rows) == sum(len(draft(number).persons) for number in range(COUNT))


async def test_the_index_can_be_made_again(one, store):
    await Indexer(store).catch_up()
    async with store.write() as connection:
        for table in (
            tables.audit_index,
            tables.audit_index_person,
            tables.audit_index_case,
            tables.audit_hour,
            tables.audit_officer_day,
        ):
            await connection.execute(delete(table))
        await connection.execute(delete(tables.audit_index_pattern))
        await connection.execute(update(tables.audit_follower).values(seq=0))
    await Indexer(store).catch_up()
    assert await verify_index(store) is None
    assert len((await one.queries.find(EntryFilter(), first=200)).entries) == 200


async def test_two_processes_fill_one_index(one, store, store_url, opened):
    import asyncio

    await asyncio.gather(Indexer(store).catch_up(), Indexer(opened(store_url)).catch_up())
    assert await verify_index(store) is None


def test_kinds_have_numbers_of_their_own():
    assert set(NUMBERS) == set(Kind)
    assert len(BY_NUMBER) == len(NUMBERS)
    assert all(0 < number < 256 for number in BY_NUMBER)


async def test_what_stands_for_a_person_elsewhere_is_in_no_entry(one, store):
    """The index holds nothing that the entry does not."""
    async with store.read() as connection:
        bodies = [orjson.loads(row.body) for row in await connection.execute(select(tables.audit_entry.c.body))]
        persons = {row.person for row in await connection.execute(select(tables.audit_index_person.c.person))}
    assert persons <= {item[0] for body in bodies for item in body["persons"]}


async def test_counts_are_those_of_the_index_whatever_is_added_or_removed(one, clock, store):
    """The console's counts: kept as entries come, taken back with a segment, compared by verification."""
    await Indexer(store).catch_up()
    hours, days = tables.audit_hour, tables.audit_officer_day

    async def total(table):
        async with store.read() as connection:
            return sum(row.operations for row in await connection.execute(select(table)))

    async with store.read() as connection:
        operations = (
            await connection.scalars(
                select(tables.audit_index.c.seq).where(tables.audit_index.c.kind == NUMBERS[Kind.OPERATION])
            )
        ).all()
    assert await total(hours) == await total(days) == len(operations)
    assert await verify_index(store) is None
    async with store.write() as connection:
        await remove_indexed(connection, 1, COUNT // 2)
        assert await counts_agree(connection)
    assert await total(hours) == await total(days) == sum(seq > COUNT // 2 for seq in operations)


@pytest.mark.parametrize("table", [tables.audit_hour, tables.audit_officer_day], ids=["hour", "day"])
@pytest.mark.parametrize("change", ["raised", "dropped", "made up"])
async def test_a_count_that_was_changed_is_found(one, store, table, change):
    await Indexer(store).catch_up()
    async with store.write() as connection:
        if change == "raised":
            await connection.execute(update(table).values(operations=table.c.operations + 1))
        elif change == "dropped":
            await connection.execute(delete(table))
        else:
            row = dict((await connection.execute(select(table).limit(1))).mappings().one())
            name = "agency" if table is tables.audit_hour else "officer"
            await connection.execute(insert(table).values({**row, name: "nobody"}))
    wrong = await verify_index(store)
    assert wrong is not None
    assert wrong[1] == "counts differ from the index"
