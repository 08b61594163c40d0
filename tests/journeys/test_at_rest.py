"""Whoever steals what the hub stores learns nothing: its files, searched for what the agencies know of its persons."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.at_rest import forms, hits, seeded, spread
from tests.conftest import FULL
from tests.journeys.conftest import Demo, start, stop

PEOPLE = 2_000 if FULL else 600
VALUES = 1_000
PERSONS = 400 if FULL else 200
QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) { name identityNumber birthDate
    justice { name identityNumber prisonerNo phone registeredAddress residenceAddress }
    police { name } socialSecurity { name } } }"""


@pytest.fixture(scope="module")
def stored(demo, tmp_path_factory) -> Iterator[Demo]:
    """A hub that has imported, answered, refused, logged, erased and re-keyed."""
    if not FULL:
        yield demo
        return
    directory = tmp_path_factory.mktemp("rest") / "data"
    process, port = start(directory, people=PEOPLE)
    try:
        yield Demo(directory, f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_no_seeded_value_stands_in_any_file_of_the_hub(stored):
    values = seeded(stored.directory / "agencies", PERSONS)
    number = stored.held["people"]["in"][0]
    for persona in ("judicial-office", "tax", "police-station"):
        stored.ask(persona, QUERY, {"n": number})
    stored.ask("judicial-office", QUERY.replace("name", "nam", 1), {"n": number})
    stored.ask("judicial-office", "{ people(first: 100) { edges { node { name identityNumber } } } }")
    stored.hub("keys", "status")
    contents = {}
    for path in files(stored.directory / "hub"):
        with suppress(FileNotFoundError):  # a partial tile gives way to a fuller one while the server runs
            contents[path.name] = path.read_bytes()
    assert {"hub.db", "hub.db-wal", "keys.json", "agencies.toml"} <= contents.keys()
    log = stored.directory.parent / f"{stored.directory.name}.log"
    contents["server log, the demo's own words taken out"] = b"".join(
        line for line in log.read_bytes().splitlines(keepends=True) if b"variables" not in line
    )
    chosen = spread(values, VALUES)
    assert len(chosen) >= (VALUES if FULL else 500)
    assert hits(chosen, contents) == []


def test_the_search_would_find_what_is_there(tmp_path):
    for number, form in enumerate(sorted(forms("36070019900101001X") | forms("欧阳建国"))):
        (tmp_path / str(number)).write_bytes(b"noise" + form + b"noise")
        assert form in (tmp_path / str(number)).read_bytes()
    for padding in range(3):
        coded = b64encode(b"x" * padding + b"36070019900101001X" + b"tail")
        assert any(form in coded for form in forms("36070019900101001X"))


def test_the_server_may_not_dump_its_memory(demo):
    children = psutil.Process(demo.pid).children(recursive=True)
    servers = [child for child in children if "serve" in child.cmdline()]
    assert servers
    for server in servers:
        assert server.rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_what_is_stored_is_the_operators_alone(demo):
    for path in files(demo.directory / "hub" / "keys"):
        assert path.stat().st_mode & 0o077 == 0, path.name
