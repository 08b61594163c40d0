"""The real demo as a child process, started once, asked over HTTP as every persona."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RESPONSE = "application/graphql-response+json"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def hub(self) -> dict[str, Any]:
        return self.json["extensions"]["hub"]

    @property
    def code(self) -> str:
        return self.json["errors"][0]["extensions"]["code"]


@dataclass(frozen=True)
class Demo:
    """A running demo. `ask` posts as a persona, with its purpose and case unless told otherwise."""

    directory: Path
    url: str
    pid: int

    @property
    def held(self) -> dict[str, Any]:
        return json.loads((self.directory / "demo.json").read_text("utf-8"))

    def ask(self, persona: str, query: str, variables: dict | None = None, **headers: str | None) -> Reply:
        known = self.held["personas"][persona]
        sent = {
            "Authorization": f"Bearer {known['token']}",
            "Content-Type": "application/json",
            "Accept": RESPONSE,
            "Hub-Purpose": known["purpose"],
            "Hub-Case": known["case"],
        }
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        return self.send("/graphql", body, {name: value for name, value in sent.items() if value is not None})

    def send(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None
    ) -> Reply:
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def hub(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the installed command on this demo's data."""
        command = [sys.executable, "-m", "hub.cli.main", *arguments, "--data", str(self.directory)]
        return subprocess.run(command, capture_output=True, text=True, check=check)

    def entries(self, after: int = 0) -> list[dict[str, Any]]:
        out = self.hub("audit", "dump", "--after", str(after)).stdout
        return [json.loads(line) for line in out.splitlines()]

    def entry(self, entry_id: str) -> dict[str, Any]:
        (found,) = [entry for entry in self.entries() if entry["id"] == entry_id]
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(directory: Path, people: int = 600, *options: str) -> tuple[subprocess.Popen, int]:
    port = free_port()
    command = [sys.executable, "-m", "hub.cli.main", "demo", "--data", str(directory), "--port", str(port)]
    log = (directory.parent / f"{directory.name}.log").open("wb")
    process = subprocess.Popen(
        [*command, "--people", str(people), "--no-worker", *options],
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=dict(os.environ),
    )
    log.close()
    try:
        _await_promise(process, directory)
    except BaseException:
        stop(process)
        raise
    return process, port


def _await_promise(process: subprocess.Popen, directory: Path) -> None:
    """Until demo.json names a hub that answers; a file of an earlier run is withdrawn by then."""
    end = time.monotonic() + 300
    while "Ctrl-C ends everything" not in (text := (directory.parent / f"{directory.name}.log").read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < end, f"the demo did not start: {text}"
        time.sleep(0.1)


def stop(process: subprocess.Popen) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@pytest.fixture(scope="package", autouse=True)
def _many_persons() -> Iterator[None]:
    """Hubs on the demo's data share one limit of distinct persons, and the tests ask for many as one officer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_PERSONS_PER_HOUR", "100000")
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo") / "data"
    process, port = start(directory)
    try:
        yield Demo(directory, f"http://127.0.0.1:{port}", process.pid)
    finally:
        code = stop(process)
    assert code == 0
