"""docs/policies.md, run line by line against a demo of its own; then what it promises of the running server."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.conftest import Demo, start, stop

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "policies.md"
INSURED = "query ($n: String!) { person(lookup: {identityNumber: $n}) { socialSecurity { insuredNow } } }"


@dataclass(frozen=True)
class Step:
    command: str
    output: str


def sections() -> dict[str, list[Step]]:
    """The commands of each section with the output the page shows."""
    found: dict[str, list[Step]] = {}
    for part in PAGE.read_text("utf-8").split("\n### ")[1:]:
        title = part.partition("\n")[0]
        for block in re.findall(r"```console\n(.*?)```", part, re.DOTALL):
            for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                lines = text.splitlines()
                count = 1 + sum(line.startswith("> ") for line in lines[1:])
                command = "\n".join([lines[0], *(line[2:] for line in lines[1:count])])
                found.setdefault(title, []).append(Step(command, "\n".join(lines[count:]).strip()))
    return found


class Shell:
    """A working directory with the policies and the command `hub`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "policies", folder / "policies")
        (folder / "bin").mkdir()
        hub = folder / "bin" / "hub"
        hub.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hub.cli.main "$@"\n')
        hub.chmod(0o755)

    def run(self, steps: list[Step]) -> None:
        for step in steps:
            done = self(step.command)
            said = done.stdout.strip()
            pattern = re.escape(step.output).replace("…", r"\S+")
            assert re.fullmatch(pattern, said), f"$ {step.command}\n{said}\n{done.stderr}"

    def __call__(self, command: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            ["sh", "-c", command],
            check=False,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Shell:
    return Shell(tmp_path_factory.mktemp("officer"))


def until(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.2)


def test_the_page_is_true_of_a_running_demo(shell):
    steps = sections()
    assert list(steps) == ["Once: a key", "Write", "Test", "See what it changes", "Ship", "Stop a client"]
    shell.run(steps["Once: a key"])
    process, port = start(shell.folder / ".demo", people=200)
    try:
        demo = Demo(shell.folder / ".demo", f"http://127.0.0.1:{port}", process.pid)
        _take_the_way(shell, demo, steps)
    finally:
        stop(process)


def _take_the_way(shell: Shell, demo: Demo, steps: dict[str, list[Step]]) -> None:
    case = demo.held["personas"]["tax"]["case"]
    assert case is not None
    number = {"n": demo.held["people"]["in"][0]}  # whom the persona's case concerns

    def insured():
        """None while the view of the role does not hold the field."""
        answer = demo.ask("tax", INSURED, number)
        if answer.status == 400:
            assert answer.code == "GRAPHQL_VALIDATION_FAILED"
            return None
        person = answer.json["data"]["person"]
        return person and person["socialSecurity"] and person["socialSecurity"]["insuredNow"]

    assert insured() is None
    for title in ("Write", "Test", "See what it changes", "Ship"):
        shell.run(steps[title])
    until(lambda: insured() is not None)
    (change,) = [entry for entry in demo.entries() if entry["kind"] == "policy"]
    assert (change["outcome"], change["note"]) == ("OK", {"version": 1, "previous": 0})
    _refuse_what_is_wrong(shell, demo, insured)
    _stop_and_start_a_client(shell, demo, number, steps["Stop a client"])


def _refuse_what_is_wrong(shell: Shell, demo: Demo, insured) -> None:
    again = shell("hub policy publish bundle.json")
    assert (again.returncode, "not above 1" in again.stderr) == (1, True)
    (demo.directory / "hub" / "policy" / "bundle.json").write_text("{}")
    until(lambda: any(entry["code"] == "POLICY_INVALID" for entry in demo.entries()))
    assert insured() is not None
    assert demo.send("/readyz").json["checks"]["policy"]
    metrics = demo.send("/metrics").raw.decode()
    assert 'hub_policy_changes_total{result="refused"} 1.0' in metrics
    assert "hub_policy_version 1.0" in metrics


def _stop_and_start_a_client(shell: Shell, demo: Demo, number: dict, steps: list[Step]) -> None:
    disable, enable = steps
    shell.run([disable])
    until(lambda: demo.ask("tax", INSURED, number).status == 401)
    assert demo.ask("prison", "{ __typename }").status == 200
    shell.run([enable])
    until(lambda: demo.ask("tax", INSURED, number).status == 200)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        pytest.param("hub policy check nowhere", 2, "does not exist", id="no such directory"),
        pytest.param("hub policy diff policies nowhere", 2, "no revision", id="no such revision"),
        pytest.param("hub policy explain --role nobody --purpose LOAN Person.name", 2, "unknown role", id="role"),
        pytest.param("hub policy explain --role tax --purpose X Person.name", 2, "unknown", id="purpose"),
        pytest.param("hub policy explain --role tax --purpose LOAN --facts mood Person.name", 2, "mood", id="fact"),
        pytest.param("hub policy explain --role tax --purpose LOAN Person.shoe", 2, "no such field", id="coordinate"),
        pytest.param("hub policy publish policies/purposes.toml", 1, "POLICY_INVALID", id="no bundle"),
        pytest.param("hub client disable 'a b'", 3, "no client id", id="no client id"),
        pytest.param("hub policy sign policies --key policies/purposes.toml -o x", 3, "no Ed25519 key", id="no key"),
    ],
)
def test_what_is_used_wrongly_says_so_in_one_line(shell, command, code, text):
    done = shell(command)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_draft_with_a_dead_rule_is_told_and_not_signed(shell):
    shell("hub policy keygen key.pem; cp -r policies bad")
    with (shell.folder / "bad" / "tax.cedar").open("a") as file:
        file.write(
            '@id("dead") @basis("Law") @explain("Words. / 说明。") permit (principal == Hub::Role::"tax", '
            'action == Hub::Action::"readFull", resource in Hub::Group::"FG13")\n'
            'when { context.purpose == Hub::Purpose::"LOAN" };\n'
        )
    done = shell("hub policy sign bad --key key.pem -o bad.json")
    assert done.returncode == 1
    assert "dead-rule dead:" in done.stderr
    assert not (shell.folder / "bad.json").exists()
