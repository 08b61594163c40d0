"""The installed command: outputs, exit codes, one-line errors."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

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
    assert (held["provider"], held["rotating"]) == ("kek.bin", False)
    (key,) = [key for key in held["keys"] if key["purpose"] == "seal:justice:2"]
    assert (key["version"], key["state"]) == (1, "active")
    assert key["uses"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(["token", "nobody"], 2, "unknown persona", id="unknown persona"),
        pytest.param(["token", "tax", "--purpose", "HANDOVER"], 2, "not a purpose", id="foreign purpose"),
        pytest.param(["token", "tax", "--officer", "a b"], 2, "--officer", id="officer"),
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


def test_a_demo_is_not_shown_to_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_DEMO", "true")
    found = run("serve", "--data", str(tmp_path), "--host", "0.0.0.0")
    assert found.returncode == 3
    assert found.stderr.startswith("error SETTINGS_INVALID: HUB_DEMO: ")


@pytest.mark.parametrize("arguments", [["audit", "verify"], ["audit", "dump"]])
def test_reading_a_log_that_is_not_there_makes_none(tmp_path, arguments):
    found = run(*arguments, "--data", str(tmp_path / "data"))
    assert found.returncode == 3
    assert found.stderr == "error STORE_UNAVAILABLE: there is no database here; run `hub migrate`\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [["migrate"], ["demo", "--people", "200"], ["schema", "export", "--out"]])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, arguments):
    (tmp_path / "file").write_text("")
    given = [*arguments, str(tmp_path / "file" / "x")] if "--out" in arguments else [
        *arguments, "--data", str(tmp_path / "file" / "x"),
    ]  # fmt: skip
    found = run(*given)
    assert found.returncode == 3
    assert found.stderr.startswith("error FILE_UNUSABLE: ")
    assert found.stderr.count("\n") == 1


def test_a_log_that_was_touched_exits_with_1(demo, tmp_path):
    demo.ask("developer", "{ __typename }")
    (tmp_path / "hub").mkdir()
    places = (demo.directory / "hub" / "hub.db", tmp_path / "hub" / "hub.db")
    with closing(sqlite3.connect(places[0])) as source, closing(sqlite3.connect(places[1])) as copy:
        source.backup(copy)
        assert run("audit", "verify", "--data", str(tmp_path)).returncode == 0
        copy.execute("DELETE FROM audit_entry WHERE seq = 1")
        copy.commit()
    found = run("audit", "verify", "--json", "--data", str(tmp_path))
    assert found.returncode == 1
    assert json.loads(found.stdout)["ok"] is False
    assert json.loads(found.stdout)["firstBad"] == 1


BAD_PLUGINS = [
    pytest.param(
        "catalogue", "x.toml", "[fields.Moon]\na = 1\n", "CATALOGUE_INVALID: x.toml:1: Moon: ", id="catalogue"
    ),
    pytest.param("codes", "x.toml", "[x]\nzh = 'x'\n", "CODE_LIST_INVALID: x.toml:1: x: lacks ", id="codes"),
    pytest.param("mappings", "x.toml", "agency = 'moon'\n", "MAPPING_INVALID: x.toml:1: agency: ", id="mapping"),
    pytest.param("policies", "x.cedar", "permit (\n", "POLICY_INVALID: x.cedar:1: is not Cedar", id="policy"),
]


@pytest.mark.parametrize(("folder", "file", "text", "error"), BAD_PLUGINS)
def test_a_bad_rule_starts_nothing_and_names_file_line_and_name(tmp_path, monkeypatch, folder, file, text, error):
    (tmp_path / "plugins" / folder).mkdir(parents=True)
    (tmp_path / "plugins" / folder / file).write_text(text)
    monkeypatch.setenv("HUB_PLUGINS_DIR", str(tmp_path / "plugins"))
    found = run("serve", "--data", str(tmp_path / "data"), "--port", "8999")
    assert found.returncode == 3
    assert found.stdout == ""
    assert found.stderr.startswith(f"error {error}"), found.stderr
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_the_committed_schema_is_the_exported_one():
    from pathlib import Path

    committed = Path(__file__).parent.parent.parent / "schema.graphql"
    assert run("schema", "export").stdout == committed.read_text("utf-8")
