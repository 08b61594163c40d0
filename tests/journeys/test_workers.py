"""Several processes serve one hub: `hub serve --workers N` over the store of a running demo."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest

from tests.journeys.conftest import free_port

QUERY = "query ($n: String!) { person(lookup: {identityNumber: $n}) { name justice { releaseDate } } }"


@pytest.fixture
def workers(demo):
    port = free_port()
    environment = {**os.environ, "HUB_URL": demo.url, "HUB_ISSUER": demo.url, "HUB_DEMO": "true"}
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    process = subprocess.Popen([*command, "--workers", "2"], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(process, url)
        yield process, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_ready(process: subprocess.Popen, url: str) -> None:
    end = time.monotonic() + 240  # a bound for a machine under load, not a promise
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("not ready")


def test_two_workers_answer_and_leave_one_log(demo, workers):
    process, url = workers
    serving = [
        child for child in psutil.Process(process.pid).children() if "resource_tracker" not in str(child.cmdline())
    ]
    assert len(serving) == 2
    known = demo.held["personas"]["judicial-office"]
    body = json.dumps({"query": QUERY, "variables": {"n": demo.held["people"]["in"][0]}}).encode()
    headers = {
        "Authorization": f"Bearer {known['token']}",
        "Hub-Purpose": known["purpose"],
        "Content-Type": "application/json",
    }
    entries = set()
    for _ in range(20):
        with urllib.request.urlopen(urllib.request.Request(f"{url}/graphql", body, headers), timeout=20) as answer:
            entries.add(json.load(answer)["extensions"]["hub"]["auditEntry"])
    assert entries <= {entry["id"] for entry in demo.entries()}
    assert len(entries) == 20
    assert demo.hub("audit", "verify").returncode == 0


def test_a_setting_that_is_wrong_is_told_once_before_any_worker_starts(demo):
    environment = {**os.environ, "HUB_DOCUMENTS_DIR": str(demo.directory), "HUB_AGENCY_DEADLINE_S": "-1"}
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--workers", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stderr.startswith("error SETTINGS_INVALID: HUB_AGENCY_DEADLINE_S")
    assert done.stderr.count("\n") == 1
