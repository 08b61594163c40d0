"""The installed command: outputs, exit codes, one-line errors."""

import json
import subprocess
import sys

import pytest


def test_audit_verify_says_what_it_found(demo):
    demo.ask("developer", "{ __typename }")
    found = demo.hub("audit", "verify", "--json")
    verdict = json.loads(found.stdout)
    assert verdict.keys() == {"ok", "entries", "root", "firstBad", "reason", "witnessed"}
    assert verdict["ok"]
    assert verdict["entries"] > 0


def test_audit_dump_is_json_lines_with_sorted_keys(demo):
    for line in demo.hub("audit", "dump").stdout.splitlines():
        entry = json.loads(line)
        assert list(entry) == sorted(entry)


def test_a_token_of_the_command_works(demo):
    token = demo.hub("token", "tax", "--officer", "77", "--purpose", "TAX_RELIEF", "--case", "C-1").stdout.strip()
    reply = demo.ask("tax", "{ viewer { officer purposes } }", Authorization=f"Bearer {token}")
    assert reply.json["data"]["viewer"] == {"officer": "77", "purposes": ["TAX_RELIEF"]}


def test_a_token_bound_to_a_case_opens_no_other(demo):
    held = demo.held["personas"]["prison"]
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id } }"
    number = {"n": demo.held["people"]["in"][0]}
    bound = demo.hub("token", "prison", "--case", "CASE-0002-justice").stdout.strip()
    assert demo.ask("prison", query, number).json["data"]["person"] is not None
    assert demo.ask("prison", query, number, Authorization=f"Bearer {bound}").json["data"]["person"] is None
    right = demo.hub("token", "prison", "--case", held["case"]).stdout.strip()
    assert demo.ask("prison", query, number, Authorization=f"Bearer {right}").json["data"]["person"] is not None


def test_doctor_finds_nothing_wrong(demo):
    assert json.loads(demo.hub("doctor", "--json").stdout)["ok"]


def test_keys_status_names_keys_and_shows_none(demo):
    held = json.loads(demo.hub("keys", "status", "--json").stdout)
    assert held["seal:justice"] == [1]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(["token", "nobody"], 2, "unknown persona", id="unknown persona"),
        pytest.param(["token", "tax", "--purpose", "HANDOVER"], 2, "not a purpose", id="foreign purpose"),
        pytest.param(["nonsense"], 2, "No such command", id="unknown command"),
        pytest.param(["demo", "--port", "banana"], 2, "--port", id="bad option"),
    ],
)
def test_wrong_use_exits_with_2(demo, arguments, code, text):
    found = demo.hub(*arguments, check=False)
    assert found.returncode == code
    assert text in found.stderr
    assert found.stderr.startswith("error USAGE: ")
    assert found.stderr.count("\n") == 1


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "hub.cli.main", *arguments], capture_output=True, text=True, check=False
    )


def test_a_taken_port_exits_with_3(demo, tmp_path):
    port = demo.url.rsplit(":", 1)[1]
    found = run("demo", "--data", str(tmp_path), "--port", port)
    assert found.returncode == 3
    assert found.stderr.splitlines()[-1].startswith("error SETTINGS_INVALID: --port")


def test_a_hub_without_keys_does_not_start(tmp_path):
    found = run("serve", "--data", str(tmp_path), "--port", "8999")
    assert found.returncode == 3
    assert found.stderr.strip() == "error KEYS_INVALID: kek.bin: is missing"


def test_a_bad_setting_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_AGENCY_DEADLINE_S", "-1")
    found = run("doctor", "--data", str(tmp_path))
    assert found.returncode == 3
    assert found.stderr.startswith("error SETTINGS_INVALID: HUB_AGENCY_DEADLINE_S")


def test_the_committed_schema_is_the_exported_one():
    from pathlib import Path

    committed = Path(__file__).parent.parent.parent / "schema.graphql"
    assert run("schema", "export").stdout == committed.read_text("utf-8")
