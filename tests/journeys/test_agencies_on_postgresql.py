"""The two SQL agencies on PostgreSQL say what they say on SQLite, through the same mapping and connector."""

import asyncio
from datetime import date

import pytest

from hub.clock import SystemClock
from hub.connectors.base import Fetch, Layout, MemoryQuarantine, Part, SourceRecord, SourceState
from hub.connectors.mapping_reader import read_mappings
from hub.connectors.registry import Endpoint, build_connectors
from hub.connectors.rows import layout_of
from hub.demo.launch import AgencyFleet
from hub.demo.population import World, someone
from hub.domain.catalogue import Shape
from tests.auth.parts import catalogue, read_codes


@pytest.fixture
def fleets(tmp_path, postgres_url):
    url = postgres_url.replace("+asyncpg", "")
    lite = AgencyFleet(directory=tmp_path / "lite", people=200, seed=5)
    full = AgencyFleet(directory=tmp_path / "full", people=200, seed=5, databases={"justice": url, "police": url})
    try:
        lite.start()
        full.start()
        yield lite, full
    finally:
        lite.stop()
        full.stop()


def plain(record: SourceRecord, layout: Layout, type_name: str):
    """A record without what its row has beyond the layout, whatever type the driver's rows have."""
    flat = len(layout.fields)
    lists = []
    for given, (name, inner) in zip(list(record.values)[flat:], layout.nested, strict=False):
        single = catalogue().fields[f"{type_name}.{name}"].shape is Shape.RECORD
        rows = () if given is None else (given,) if single else given
        lists.append([list(row)[: len(inner)] for row in rows])
    return record.key, record.record, record.as_of, record.quarantined, list(record.values)[:flat], lists


async def answers(fleet: AgencyFleet, agency: str, keys: tuple[str, ...]):
    codes = read_codes()
    endpoint = {agency: Endpoint(agency=agency, url=fleet.endpoints[agency]["url"])}
    built = build_connectors(
        read_mappings(catalogue(), codes), endpoint, codes, MemoryQuarantine(), SystemClock(), concurrency=2
    )
    every = frozenset(name for name, field in catalogue().fields.items() if field.owner == agency)
    less = every - {"RiskAssessment.score", "NewCase.caseNo"}
    parts = (Part(keys=keys[:20], coordinates=every), Part(keys=keys[20:], coordinates=less))
    type_name = read_mappings(catalogue(), codes)[agency].type_name
    layout = layout_of(catalogue(), type_name, every)
    try:
        answer = await built[agency].ask(Fetch(parts=parts, layout=layout, timeout_s=20))
        scanned = [record async for batch in built[agency].connector.scan(frozenset(), batch=64) for record in batch]
    finally:
        await built[agency].close()
    return answer.state, {key: plain(record, layout, type_name) for key, record in answer.records.items()}, scanned


@pytest.mark.parametrize("agency", ["justice", "police"])
async def test_both_databases_give_the_same_records(fleets, agency):
    world = World(seed=5, members=200, today=date(2026, 11, 24))
    people = [someone(world, index) for index in range(60)]
    keys = tuple(f"36{p.index:08d}" if agency == "justice" else p.number for p in people)
    (state, lite, lite_scan), (full_state, full, full_scan) = [await answers(fleet, agency, keys) for fleet in fleets]
    assert state is full_state is SourceState.OK
    assert lite == full
    assert len(lite) >= 35
    assert {record.key for record in lite_scan} == {record.key for record in full_scan}


async def test_a_hanging_postgresql_is_given_up_at_the_deadline(fleets):
    _, full = fleets
    folder = full.directory / "police"
    (folder / "faults.json").write_text('{"fault": "hang"}')
    for _ in range(200):
        await asyncio.sleep(0.05)
        if "applied" in (folder / "faults.json").read_text():
            break
    codes = read_codes()
    endpoint = {"police": Endpoint(agency="police", url=full.endpoints["police"]["url"])}
    built = build_connectors(
        read_mappings(catalogue(), codes), endpoint, codes, MemoryQuarantine(), SystemClock(), concurrency=2
    )
    world = World(seed=5, members=200, today=date(2026, 11, 24))
    part = Part(keys=(someone(world, 0).number,), coordinates=frozenset({"PoliceRecord.name"}))
    try:
        answer = await built["police"].ask(Fetch(parts=(part,), layout=Layout(fields=("name",)), timeout_s=1))
    finally:
        await built["police"].close()
    assert answer.state is SourceState.TIMEOUT
