"""Each agency down, slow, lying, huge: the others' data is answered inside the deadline, and `sources` says so."""

import asyncio
import hashlib
import json
import shutil
import time
from contextlib import AsyncExitStack

import aiohttp
import psutil
import pytest

from hub.bootstrap.build import build_hub
from hub.clock import SystemClock
from hub.connectors.base import Fetch, Layout, MemoryQuarantine, Part, SourceState
from hub.connectors.mapping_reader import read_mappings
from hub.connectors.registry import Endpoint, build_connectors
from hub.connectors.rows import MAX_NESTED
from hub.demo.launch import AgencyFleet
from hub.demo.run import _write_endpoints
from hub.errors import StoreError
from hub.identity.importer import ImportReport
from hub.rules import read_rules
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from hub.store.migration import migrate
from tests.auth.parts import catalogue, read_codes

DEADLINE_S = 1.5
QUERY = """{ people(first: 5) { edges { node {
  justice { releaseDate } police { householdStatus } socialSecurity { insuredNow lastPaidMonth }
  civilAffairs { reliefCases { reliefType } } tax { employedThisMonth }
} } } }"""
FIELDS = {
    "justice": "justice",
    "police": "police",
    "social-security": "socialSecurity",
    "civil-affairs": "civilAffairs",
    "tax": "tax",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    running = AgencyFleet(directory=tmp_path_factory.mktemp("fleet") / "agencies", people=300, seed=3)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def rules():
    return read_rules(load_settings())


@pytest.fixture
async def hub(fleet, rules, tmp_path):
    settings = load_settings(data_dir=tmp_path, demo=True, agency_deadline_s=DEADLINE_S, request_deadline_s=60)
    _write_endpoints(settings, fleet, {})
    built = build_hub(settings, rules=rules)
    try:
        await migrate(built.store)
        report = await built.importer.run(built.sources["justice"].connector)
        assert isinstance(report, ImportReport)
        yield built
    finally:
        await built.close()


async def switch(fleet, hub, agency: str, fault: str) -> None:
    folder = fleet.directory / agency
    if agency == "civil-affairs":
        switch_drop(folder / "drop", fault)
        source = hub.sources[agency].connector
        if fault == "slow":
            load = source._load
            source._load = lambda mark: (time.sleep(0.5), load(mark))[1]
            return
        await source.start()
        if source._loading is not None:
            await source._loading
        return
    if fleet.endpoints[agency]["kind"] == "sql":
        (folder / "faults.json").write_text(json.dumps({"fault": fault}))
        for _ in range(200):
            await asyncio.sleep(0.05)
            if json.loads((folder / "faults.json").read_text() or "{}").get("applied") == fault:
                return
        raise AssertionError("fault was not applied")
    base = fleet.endpoints[agency]["url"].split("/", 3)
    url = f"{base[0]}//{base[2]}/_faults"
    async with aiohttp.ClientSession() as session, session.post(url, json={"fault": fault}) as answer:
        assert answer.status == 200


def switch_drop(folder, fault: str) -> None:
    """A newer drop that is broken in its own way, or none at all; `none` brings back what was there."""
    newer, aside = folder / "9999-01-01", folder / "aside"
    if fault == "none":
        shutil.rmtree(newer, ignore_errors=True)
        for drop in aside.glob("[0-9]*"):
            drop.rename(folder / drop.name)
        return
    last = max(folder.glob("[0-9]*"))
    if fault == "down":
        aside.mkdir(exist_ok=True)
        last.rename(aside / last.name)
        return
    shutil.copytree(last, newer)
    manifest = json.loads((newer / "manifest.json").read_text("utf-8"))
    if fault == "lie":
        manifest["created"] = "?? {}"
    if fault == "huge":  # a list of hundreds of rows for everybody
        name = "社会救助.csv"
        header, line, *_ = (newer / name).read_text("gb18030").splitlines()
        main = (newer / "基本信息.csv").read_text("gb18030").splitlines()[1:]
        rest = line.partition(",")[2]
        lines = [f"{row.partition(',')[0]},{rest}\n" * (MAX_NESTED + 1) for row in main]
        (newer / name).write_text(f"{header}\n{''.join(lines)}", "gb18030", newline="\n")
        manifest["files"][name]["sha256"] = hashlib.sha256((newer / name).read_bytes()).hexdigest()
    (newer / "manifest.json").write_text(json.dumps(manifest), "utf-8")


async def ask(hub):
    office = hub.issuer.principal_of(hub.rules.personas["judicial-office"])
    request = GraphQLRequest(query=QUERY, purpose="HANDOVER", request_id="fault")
    started = time.monotonic()
    body = json.loads((await hub.service.answer(office, request)).body)
    return body, time.monotonic() - started


FAULTS = [
    ("social-security", "error", "DOWN"),
    ("social-security", "hang", "TIMEOUT"),
    ("social-security", "slow", "OK"),
    ("social-security", "lie", "INVALID"),
    ("social-security", "foreign", "INVALID"),
    ("social-security", "huge", "INVALID"),
    ("social-security", "trickle", "TIMEOUT"),
    ("social-security", "badjson", "INVALID"),
    ("social-security", "redirect", "INVALID"),
    ("social-security", "throttle", "THROTTLED"),
    ("tax", "error", "DOWN"),
    ("tax", "hang", "TIMEOUT"),
    ("tax", "slow", "OK"),
    ("tax", "lie", "INVALID"),
    ("tax", "huge", "INVALID"),
    ("police", "down", "DOWN"),
    ("police", "slow", "OK"),
    ("police", "hang", "TIMEOUT"),
    ("police", "lie", "INVALID"),
    ("police", "huge", "INVALID"),
    ("justice", "down", "DOWN"),
    ("justice", "hang", "TIMEOUT"),
    ("justice", "slow", "OK"),
    ("justice", "lie", "INVALID"),
    ("justice", "huge", "INVALID"),
    ("civil-affairs", "down", "DOWN"),
    ("civil-affairs", "slow", "OK"),
    ("civil-affairs", "lie", "INVALID"),
    ("civil-affairs", "huge", "INVALID"),
]


@pytest.mark.parametrize(("agency", "fault", "state"), FAULTS)
async def test_one_broken_agency_does_not_take_the_others_along(fleet, hub, agency, fault, state):
    healthy, _ = await ask(hub)
    assert {use["status"] for use in healthy["extensions"]["hub"]["sources"]} == {"OK"}
    before = psutil.Process().memory_info().rss
    await switch(fleet, hub, agency, fault)
    try:
        body, took_s = await ask(hub)
    finally:
        await switch(fleet, hub, agency, "none")
    assert "errors" not in body
    states = {use["agency"]: use["status"] for use in body["extensions"]["hub"]["sources"]}
    assert states.pop(agency) in ({state, "TIMEOUT"} if fault in ("throttle", "slow", "huge") else {state})
    assert set(states.values()) == {"OK"}
    persons = [edge["node"] for edge in body["data"]["people"]["edges"]]
    before_persons = [edge["node"] for edge in healthy["data"]["people"]["edges"]]
    for found, was in zip(persons, before_persons, strict=True):
        for other, field in FIELDS.items():
            if other != agency:
                assert found[field] == was[field]
        if state != "OK":
            assert found[FIELDS[agency]] is None
    assert took_s < DEADLINE_S * 10  # a watchdog, not a measurement
    assert psutil.Process().memory_info().rss - before < 200 * 1024 * 1024
    assert "secret" not in json.dumps(body)


async def test_the_breaker_opens_after_five_failures_and_closes_again(fleet, hub):
    guard = hub.sources["tax"]
    await switch(fleet, hub, "tax", "error")
    try:
        for _ in range(5):
            await ask(hub)
        assert guard.breaker_open
        calls = guard.connector.calls
        body, _ = await ask(hub)
        assert guard.connector.calls == calls
        assert {use["agency"]: use["status"] for use in body["extensions"]["hub"]["sources"]}["tax"] == "DOWN"
    finally:
        await switch(fleet, hub, "tax", "none")
    guard._opened_at -= 10
    await ask(hub)
    assert not guard.breaker_open


async def test_a_broken_new_drop_leaves_the_last_one_in_use_and_says_stale(fleet, hub):
    await ask(hub)
    folder = fleet.directory / "civil-affairs" / "drop"
    last = max(folder.glob("[0-9]*"))
    broken = folder / "9999-01-01"
    shutil.copytree(last, broken)
    with (broken / "基本信息.csv").open("ab") as file:
        file.write(b"tampered")
    try:
        body, _ = await ask(hub)
    finally:
        shutil.rmtree(broken)
    states = {use["agency"]: use["status"] for use in body["extensions"]["hub"]["sources"]}
    assert states["civil-affairs"] == SourceState.STALE
    assert any(edge["node"]["civilAffairs"] for edge in body["data"]["people"]["edges"])


async def test_a_first_drop_that_fails_its_manifest_is_invalid(fleet, tmp_path):
    source = max((fleet.directory / "civil-affairs" / "drop").glob("[0-9]*"))
    shutil.copytree(source, tmp_path / "drop" / source.name)
    with (tmp_path / "drop" / source.name / "基本信息.csv").open("ab") as file:
        file.write(b"x")
    codes = read_codes()
    endpoint = Endpoint(agency="civil-affairs", path=str(tmp_path / "drop"))
    built = build_connectors(
        read_mappings(catalogue(), codes),
        {"civil-affairs": endpoint},
        codes,
        MemoryQuarantine(),
        SystemClock(),
        concurrency=1,
    )
    part = Part(keys=("360700194001011018",), coordinates=frozenset({"CivilAffairsRecord.name"}))
    answer = await built["civil-affairs"].ask(Fetch(parts=(part,), layout=Layout(fields=("name",)), timeout_s=5))
    assert answer.state is SourceState.INVALID


async def test_a_pool_that_has_no_connection_left_refuses_and_heals(hub):
    """What reads over SQLAlchemy's pool fails with a stable code while the pool is held, and answers afterwards."""
    hub.store.engine.sync_engine.pool._timeout = 0.05
    office = hub.issuer.principal_of(hub.rules.personas["judicial-office"])
    request = GraphQLRequest(query="{ changes(first: 1) { position } }", purpose="HANDOVER", request_id="pool")
    async with AsyncExitStack() as held:
        for _ in range(8):
            await held.enter_async_context(hub.store.engine.connect())
        with pytest.raises(StoreError) as refused:  # INTERNAL over HTTP
            await hub.service.answer(office, request)
    assert refused.value.code == "STORE_UNAVAILABLE"
    answered = await hub.service.answer(office, request)
    assert json.loads(answered.body)["data"] == {"changes": {"position": "0"}}
