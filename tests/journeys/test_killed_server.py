"""A server that is killed in the middle of a command: sent again to another, the command has its one effect.

Bounded to two kills at each place; `make test-all` makes fifty.
"""

import os
import random
import secrets
import signal
import subprocess
import sys
from collections import Counter
from http.client import HTTPException

import pytest

from tests.conftest import FULL
from tests.journeys.conftest import Demo, free_port
from tests.journeys.test_casework import Officer, admitted
from tests.journeys.test_workers import wait_ready

KILLS = 50 if FULL else 2
POINTS = ("command.before-transaction", "command.before-commit", "command.after-commit", "audit.before-commit")
STARTING = {"audit.before-commit": 1}
"""How often a place is passed before the first command."""


def killed(demo, point, passage, case):
    """Send commands to a server of its own until it dies; the ids of those sent, and the entries of those answered."""
    port = free_port()
    environment = {**os.environ, "HUB_URL": demo.url, "HUB_ISSUER": demo.url, "HUB_DEMO": "true"}
    environment["HUB_FAILPOINT"] = f"{point}:{passage + STARTING.get(point, 0)}"
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    sent, entries = [], []
    try:
        wait_ready(process, url := f"http://127.0.0.1:{port}")
        prison = Officer(Demo(directory=demo.directory, url=url, pid=process.pid), "prison", "HANDOVER")
        while len(sent) < 10:
            sent.append(secrets.token_hex(8))
            try:
                entries.append(teach(prison, case, sent[-1]))
            except (HTTPException, OSError):
                break
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    return sent, entries


def teach(prison, case, mutation_id):
    given = {"case": case, "passed": True, "happenedAt": "2026-03-20T09:00:00+08:00"}
    answer = prison.send("recordExitEducation", mutation_id, **given)
    assert answer["__typename"].endswith("Success"), answer
    return answer["auditEntry"]


@pytest.mark.parametrize("point", POINTS)
def test_a_command_whose_server_is_killed_has_its_effect_once(demo, point):
    chance = random.Random(point)
    prison = Officer(demo, "prison", "HANDOVER")
    case = admitted({"prison": prison}, demo, 41 + POINTS.index(point))
    sent, entries = [], []
    for _ in range(KILLS):
        more, answered = killed(demo, point, chance.randint(1, 2), case)
        sent += more
        entries += answered
    entries += [teach(prison, case, mutation_id) for mutation_id in sent for _ in range(2)]
    query = "query ($id: ID!) { case(id: $id) { events { kind } } }"
    events = demo.ask("prison", query, {"id": case}, **{"Hub-Purpose": "HANDOVER"}).json["data"]["case"]["events"]
    assert Counter(each["kind"] for each in events)["EXIT_EDUCATION"] == len(sent)
    assert set(entries) <= {entry["id"] for entry in demo.entries()}
    assert demo.hub("audit", "verify").returncode == 0
