import asyncio
import hashlib
import json
import shutil
import threading
from datetime import date

import pytest

from hub.connectors.base import Fetch, MemoryQuarantine, Part, SourceFailure, SourceState
from hub.connectors.file_drop import FileDropConnector
from hub.connectors.mapping_reader import read_mappings
from hub.connectors.rows import MAX_NESTED, layout_of
from hub.demo.agencies.civil_affairs import write_drop
from hub.demo.agencies.civil_affairs_rows import rows as civil_affairs_rows
from hub.demo.agencies.process import Arguments
from hub.demo.population import World, someone
from tests.auth.parts import catalogue, read_codes

MAPPING = read_mappings(catalogue(), read_codes())["civil-affairs"]
WORLD = World(seed=5, members=200, today=date(2026, 11, 24))
NUMBER = someone(WORLD, 0).number
MAIN = "基本信息.csv"


def fetch(*coordinates: str) -> Fetch:
    wanted = frozenset(coordinates)
    layout = layout_of(catalogue(), "CivilAffairsRecord", wanted)
    return Fetch(parts=(Part(keys=(NUMBER,), coordinates=wanted),), layout=layout, timeout_s=5)


NAME = fetch("CivilAffairsRecord.name")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("civil-affairs")
    return write_drop(Arguments(directory=directory, world=WORLD, port=0, database_url=None))


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "2026-11-24")
    return tmp_path


@pytest.fixture
def quarantine():
    return MemoryQuarantine()


@pytest.fixture
async def source(folder, quarantine):
    built = FileDropConnector(MAPPING, read_codes(), quarantine, folder)
    yield built
    await built.close()


def tamper(drop, *, repair: bool = False, file: str = MAIN, row: str = "不是一行") -> None:
    """Add a row of nonsense; with `repair` the manifest tells the new checksum."""
    with (drop / file).open("ab") as opened:
        opened.write(f"{row}\n".encode("gb18030"))
    if repair:
        manifest = json.loads((drop / "manifest.json").read_text("utf-8"))
        manifest["files"][file]["sha256"] = hashlib.sha256((drop / file).read_bytes()).hexdigest()
        (drop / "manifest.json").write_text(json.dumps(manifest), "utf-8")


async def test_a_person_is_found_with_the_rows_of_every_file(source):
    wanted = fetch("CivilAffairsRecord.name", "CivilAffairsRecord.householdMembers", "ReliefHouseholdMember.student")
    (record,) = (await source.fetch(wanted)).values()
    name, members = record.values
    assert name == someone(WORLD, 0).name
    assert members


async def test_a_load_outlives_the_call_that_began_it(source, monkeypatch):
    """At a province's size a load takes longer than an agency's deadline; it must not begin again with every call."""
    loads, gate = [], threading.Event()
    load = source._load

    def slow(mark):
        loads.append(mark)
        gate.wait(10)
        return load(mark)

    monkeypatch.setattr(source, "_load", slow)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await source.fetch(NAME)
    gate.set()
    assert await source.fetch(NAME)
    assert len(loads) == 1


async def test_starting_begins_the_one_load_that_the_first_call_finds(source, monkeypatch):
    loads = []
    load = source._load
    monkeypatch.setattr(source, "_load", lambda mark: (loads.append(mark), load(mark))[1])
    await source.start()
    assert source._loading is not None
    assert await source.fetch(NAME)
    assert len(loads) == 1


async def test_starting_without_a_drop_is_no_error(source, folder):
    shutil.rmtree(folder / "2026-11-24")
    await source.start()
    assert source._loading is None


async def test_the_old_drop_answers_while_a_newer_one_loads(source, folder, monkeypatch):
    await source.fetch(NAME)
    load, gate = source._load, threading.Event()
    monkeypatch.setattr(source, "_load", lambda mark: (gate.wait(10), load(mark))[1])
    shutil.copytree(folder / "2026-11-24", folder / "2026-11-25")
    assert await source.fetch(NAME)
    assert source._drop.mark[0] == "2026-11-24"
    gate.set()
    await source._loading
    assert await source.fetch(NAME)
    assert source._drop.mark[0] == "2026-11-25"


async def test_a_broken_drop_is_invalid_until_it_is_repaired(source, folder, quarantine):
    drop = folder / "2026-11-24"
    tamper(drop)
    for _ in range(2):
        with pytest.raises(SourceFailure) as failure:
            await source.fetch(NAME)
        assert failure.value.state is SourceState.INVALID
    tamper(drop, repair=True)
    assert await source.fetch(NAME)
    assert not source.stale
    rows = (drop / MAIN).read_bytes().count(b"\n")
    assert {(record, reason) for _, record, _, _, reason in quarantine.reports} == {
        (f"{MAIN}:{rows - 1}", "bad row"),
        (f"{MAIN}:{rows}", "bad row"),
    }


async def test_a_broken_newer_drop_leaves_the_last_one_stale(source, folder):
    await source.fetch(NAME)
    shutil.copytree(folder / "2026-11-24", folder / "2026-11-25")
    tamper(folder / "2026-11-25")
    assert await source.fetch(NAME)
    assert source.stale


async def test_no_drop_is_down(folder, source):
    shutil.rmtree(folder / "2026-11-24")
    with pytest.raises(SourceFailure) as failure:
        await source.fetch(NAME)
    assert failure.value.state is SourceState.DOWN


async def test_a_nested_list_that_is_too_long_is_invalid_not_cut(source, folder):
    rows = "\n".join([f"{NUMBER},张三,子,否"] * (MAX_NESTED + 1))
    tamper(folder / "2026-11-24", repair=True, file="家庭成员.csv", row=rows)
    with pytest.raises(SourceFailure) as failure:
        await source.fetch(fetch("CivilAffairsRecord.householdMembers", "ReliefHouseholdMember.student"))
    assert failure.value.state is SourceState.INVALID


async def test_closing_ends_a_load(source, monkeypatch):
    begun = threading.Event()
    index = source._index
    monkeypatch.setattr(source, "_index", lambda *given: (begun.set(), index(*given))[1])
    task = asyncio.create_task(source.fetch(NAME))
    await asyncio.to_thread(begun.wait, 10)
    await source.close()
    await asyncio.gather(task, return_exceptions=True)
    assert source._loading is None


async def test_a_scan_gives_every_row_of_the_main_file_and_only_what_the_index_names(source, folder):
    found = [record async for batch in source.scan(frozenset(), batch=7) for record in batch]
    truth = [rows for index in range(WORLD.total) if (rows := civil_affairs_rows(WORLD, someone(WORLD, index)))]
    assert [record.record for record in found] == [rows[MAIN][0]["申请人编号"] for rows in truth]
    assert set(found[0].values) == {f"index.{name}" for name in MAPPING.index}
    assert {record.values["index.number"] for record in found} == {rows[MAIN][0]["身份证号"] or None for rows in truth}


async def test_a_scan_passes_over_what_is_no_row(source, folder):
    before = len([record async for batch in source.scan(frozenset(), batch=50) for record in batch])
    tamper(folder / "2026-11-24", repair=True)
    again = FileDropConnector(MAPPING, read_codes(), MemoryQuarantine(), folder)
    after = len([record async for batch in again.scan(frozenset(), batch=50) for record in batch])
    await again.close()
    assert after == before


async def test_fields_are_not_scanned(source):
    with pytest.raises(SourceFailure):
        [batch async for batch in source.scan(frozenset({"CivilAffairsRecord.name"}), batch=5)]
