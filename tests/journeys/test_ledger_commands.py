"""The commands of the audit log on the running demo, with a witness that is a process of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.journeys.conftest import free_port


@pytest.fixture
def witness(demo, tmp_path):
    """Directory of a running witness that knows the demo's log, and what `HUB_WITNESSES` says of it."""
    port, key = free_port(), demo.directory / "hub" / "keys" / "audit.vkey"
    command = [sys.executable, "-m", "hub.cli.main", "witness", "--data", str(tmp_path / "w"), "--port", str(port)]
    process = subprocess.Popen([*command, "--log", str(key), "--name", "w.test"], stdout=subprocess.PIPE, text=True)
    try:
        name = process.stdout.readline().strip()
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/key", timeout=5) as answer:
                    assert answer.read().decode().strip() == name
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.2)
        yield tmp_path / "w", json.dumps([f"{name} http://127.0.0.1:{port}"])
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_from_the_running_demo_to_a_witnessed_verdict_without_hub(demo, witness, tmp_path, monkeypatch):
    directory, setting = witness
    key = str(demo.directory / "hub" / "keys" / "audit.vkey")
    plain = demo.hub("audit", "verify", "--json")
    assert json.loads(plain.stdout)["witnessed"] is False
    alone = demo.hub("audit", "verify", "--json", "--trust", key, check=False)
    assert (alone.returncode, json.loads(alone.stdout)["reason"]) == (3, "unwitnessed")
    empty = demo.hub("audit", "verify", "--json", "--trust", key, "--witness", str(directory), check=False)
    assert (empty.returncode, json.loads(empty.stdout)["reason"]) == (3, "unwitnessed")

    demo.ask("judicial-office", "{ __typename }")
    monkeypatch.setenv("HUB_WITNESSES", setting)
    note = demo.hub("audit", "checkpoint").stdout
    assert note.count("— ") == 2
    found = demo.hub("audit", "verify", "--json", "--trust", key, "--witness", str(directory))
    said = json.loads(found.stdout)
    assert list(said) == ["ok", "entries", "root", "firstBad", "reason", "witnessed"]
    assert (said["ok"], said["witnessed"], said["firstBad"]) == (True, True, None)
    assert demo.hub("audit", "verify", "--witness", str(directory)).returncode == 0

    demo.hub("audit", "package", "--out", str(tmp_path / "copy"))
    command = [sys.executable, "-I", str(tmp_path / "copy" / "hub_verify.py"), str(tmp_path / "copy"), "--json"]
    done = subprocess.run(
        [*command, "--trust", key, "--witness", str(directory)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["witnessed"] is True
    assert (tmp_path / "copy" / "log.vkey").read_text() == (demo.directory / "hub" / "keys" / "audit.vkey").read_text()


def test_another_key_is_not_trusted(demo, tmp_path):
    from tests.audit.parts import key_file

    done = demo.hub("audit", "verify", "--json", "--trust", str(key_file(tmp_path)), check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False
    wrong = demo.hub("audit", "verify", "--trust", "nonsense", check=False)
    assert wrong.returncode == 3
    assert wrong.stderr.startswith("error KEYS_INVALID")


def test_tiles_and_segments(demo, tmp_path):
    demo.hub("audit", "tiles", "--out", str(tmp_path / "tiles"), "--entries")
    size = int((tmp_path / "tiles" / "checkpoint").read_text().split("\n")[1])
    found = [os.path.relpath(path, tmp_path / "tiles") for path in (tmp_path / "tiles").rglob("*") if path.is_file()]
    assert any(name.startswith("tile/0/") for name in found)
    assert any(name.startswith("tile/entries/") for name in found)
    assert size > 0
    assert (demo.directory / "hub" / "audit" / "checkpoint").exists()
    assert demo.hub("audit", "segments", "list").stdout == ""  # far from a whole segment
    refused = demo.hub("audit", "segments", "hold", "1", "--reason", "x", check=False)
    assert (refused.returncode, refused.stderr.split(":")[0]) == (1, "error RETENTION_REFUSED")
    refused = demo.hub("audit", "segments", "remove", "--older-than-days", "1", check=False)
    assert refused.returncode == 1
