"""docs/operations.md as a stranger follows it: a hub that is no demo, from no database to an answer."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.settings import Settings
from tests.journeys.conftest import Demo, free_port
from tests.journeys.test_workers import wait_ready

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
STEPS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
(ASKING,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
QUERY = """query ($number: String!) { person(lookup: {identityNumber: $number}) {
  name justice { riskClass } tax { employedThisMonth } } }"""


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A directory where all that is there is where the agencies are."""
    place = tmp_path_factory.mktemp("operations")
    (place / "srv" / "hub").mkdir(parents=True)
    (place / "srv" / "hub" / "agencies.toml").write_bytes((demo.directory / "hub" / "agencies.toml").read_bytes())
    return place


def run(place, step, **more):
    """One line of the page; `> FILE` as a shell does it."""
    line, _, out = step.replace("/srv/hub", str(place / "srv")).replace("/srv/", f"{place}/").partition(" > ")
    name, *arguments = shlex.split(line)
    assert name == "hub"
    command = [sys.executable, "-m", "hub.cli.main", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")} | {
        key: value for key, value in os.environ.items() if key == "HUB_CRYPTO_SUITE"
    }
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False, **more)
    if out:
        (place / out).write_text(done.stdout)
    return done


@pytest.fixture(scope="module")
def made(place):
    """The page's steps up to its servers, each of which ended well."""
    for step in STEPS:
        if step.split()[1] not in ("serve", "worker"):
            done = run(place, step)
            assert done.returncode == 0, (step, done.stderr)
    return place


@pytest.fixture(scope="module")
def serving(demo, made):
    port = free_port()
    (step,) = [step for step in STEPS if step.startswith("hub serve")]
    command = [sys.executable, "-m", "hub.cli.main", *shlex.split(step.replace("/srv/hub", str(made / "srv")))[1:]]
    environment = {**os.environ, "HUB_PORT": str(port)}
    process = subprocess.Popen(command, env=environment, cwd=made)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(process, url)
        yield Demo(demo.directory, url, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_a_client_of_the_new_hub_reads_a_person(demo, made, serving):
    asking = ASKING.replace("http://127.0.0.1:8000", serving.url)
    token = subprocess.run([sys.executable, "-c", asking], cwd=made, capture_output=True, text=True, check=True).stdout
    headers = {
        "Authorization": f"Bearer {token.strip()}",
        "Content-Type": "application/json",
        "Hub-Purpose": "HANDOVER",
    }
    body = json.dumps({"query": QUERY, "variables": {"number": demo.held["people"]["in"][0]}}).encode()
    reply = serving.send("/graphql", body, headers)
    person = reply.json["data"]["person"]
    assert person["name"]
    assert person["justice"]["riskClass"]
    assert {source["status"] for source in reply.hub["sources"]} == {"OK"}


def test_a_worker_does_what_is_due(made, serving):
    (step,) = [step for step in STEPS if step.startswith("hub worker")]
    done = run(made, step.replace("worker", "worker --once"))
    assert done.returncode == 0, done.stderr


def test_again_changes_nothing(made):
    init, found, linked = (run(made, step) for step in STEPS if {"init", "import", "link"} & set(step.split()))
    assert init.returncode == 0
    assert re.match(r"\d+ members", found.stdout)
    assert all(" 0 linked" in line for line in linked.stdout.splitlines())


def test_records_sealed_by_law_are_in_the_vault(made):
    (found,) = [run(made, f"{step} --complete") for step in STEPS if "import" in step.split()]
    assert re.search(
        r"^[1-9]\d* records of police that are sealed by law are in the vault$", found.stdout, re.MULTILINE
    )
    assert found.stdout.endswith("0 members taken out whom the register no longer has\n")


def test_no_keys_are_made_beside_a_database_whose_keys_are_gone(made):
    keys = made / "srv" / "hub" / "keys" / "keys.json"
    kept = keys.read_bytes()
    keys.unlink()
    try:
        (refused,) = [run(made, step) for step in STEPS if "init" in step.split()]
        assert (refused.returncode, keys.exists()) == (3, False)
        assert refused.stderr.startswith("error KEYS_INVALID: keys.json: is missing, and the database is in use")
    finally:
        keys.write_bytes(kept)
        keys.chmod(0o600)


def test_a_register_that_is_away_is_told_of_in_one_line(made):
    endpoints = made / "srv" / "hub" / "agencies.toml"
    kept = endpoints.read_text("utf-8")
    (step,) = [step for step in STEPS if "import" in step.split()]
    try:
        away = re.sub(r'url = "sqlite[^"]*justice\.db"', 'url = "sqlite+aiosqlite:////no/such.db"', kept)
        assert away != kept
        endpoints.write_text(away)
        refused = run(made, step)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
        assert refused.stderr.startswith("error SOURCE_FAILED: justice: ")
    finally:
        endpoints.write_text(kept)


def test_every_setting_is_told_of():
    named = set(re.findall(r"HUB_[A-Z0-9_]+", PAGE[PAGE.index("## Settings") :]))
    assert named == {f"HUB_{name.upper()}" for name in Settings.model_fields}
