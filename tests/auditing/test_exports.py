"""Export jobs: every format, the same bytes again, formulas tamed, evidence that is verified without the hub."""

import asyncio
import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hub.audit.hub_verify import KINDS as VERIFIER_KINDS
from hub.audit.kinds import NUMBERS
from hub.audit.queries import EntryFilter
from hub.auditing.desk import AuditArgumentError, Reader
from hub.auditing.exports import FORMATS, filter_of, said
from hub.auditing.formats import COLUMNS, flat, ocsf, safe
from hub.cli.audit import app
from tests.auditing.conftest import principal

AUDITOR = Reader(principal=principal("auditor"), purpose="AUDIT")
OF_TAX = EntryFilter(agency="tax")


async def made(office, file_format, wanted=OF_TAX):
    held = office.hub.policies.policy
    await office.hub.office.policies.start(held.judge.policy_digest, held.files)
    job_id = await office.hub.office.exports.ask(AUDITOR, wanted, file_format)
    assert await office.hub.office.exports.turn()
    assert not await office.hub.office.exports.turn()
    job = await office.hub.office.exports.job(job_id)
    assert (job.state, job.code) == ("DONE", "")
    return job, office.hub.office.exports.path(job)


@pytest.mark.parametrize("file_format", FORMATS)
async def test_a_job_gives_the_same_bytes_again_although_the_log_has_grown(office, file_format, monkeypatch):
    await office.write(9)
    job, path = await made(office, file_format)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert (job.entries, job.done, job.size) == (9, 9, len(first))
    await office.write(3)
    await office.hub.office.exports._change(job.job_id, {"state": "WAITING"})
    path.unlink()
    office.clock.advance(86_400)
    assert await office.hub.office.exports.turn()
    assert path.read_bytes() == first


async def test_an_export_is_an_entry(office):
    await office.write(2)
    job, _ = await made(office, "csv", EntryFilter(agency="tax", from_us=1, person=office.person))
    entry = (await office.entries())[-1]
    assert (entry["kind"], entry["outcome"], entry["officer"]) == ("export", "OK", "9001")
    assert entry["lookedAt"] == {"format": "csv", "agency": "tax", "from_us": "1", "person": office.person}
    assert (entry["answerDigest"], entry["answerBytes"], entry["note"]) == (job.digest, job.size, {"entries": 2})


async def test_a_job_that_cannot_be_done_fails_and_says_why(office, monkeypatch):
    await office.write(2)
    monkeypatch.setattr("hub.auditing.exports.EVIDENCE_ENTRIES", 1)
    job_id = await office.hub.office.exports.ask(AUDITOR, OF_TAX, "evidence")
    await office.hub.office.exports.turn()
    job = await office.hub.office.exports.job(job_id)
    assert (job.state, job.code) == ("FAILED", "EXPORT_TOO_LARGE")
    assert not office.hub.office.exports.path(job).exists()
    assert (await office.entries())[-1]["code"] == "EXPORT_TOO_LARGE"


async def test_a_job_whose_process_died_is_taken_up_again(office):
    await office.write(2)
    job_id = await office.hub.office.exports.ask(AUDITOR, OF_TAX, "jsonl")
    await office.hub.office.exports._claim()
    assert not await office.hub.office.exports.turn()
    office.clock.advance(61)
    assert await office.hub.office.exports.turn()
    assert (await office.hub.office.exports.job(job_id)).state == "DONE"


async def test_an_unknown_format_is_refused(office):
    with pytest.raises(AuditArgumentError):
        await office.hub.office.exports.ask(AUDITOR, OF_TAX, "xls")


async def test_csv_has_a_row_for_each_person_of_each_entry(office):
    await office.write(4)
    _, path = await made(office, "csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    assert len(rows) == 8
    assert {row["person"] for row in rows} >= {office.person, "other-0"}
    assert rows[0]["masked"] == "Person.identityNumber"
    assert [int(row["number"]) for row in rows] == sorted(int(row["number"]) for row in rows)


async def test_parquet_says_what_csv_says(office):
    import pyarrow.parquet as pq

    await office.write(4)
    _, path = await made(office, "parquet")
    rows = pq.read_table(path).to_pylist()
    assert rows == [row for shown in await office.entries() if shown["agency"] == "tax" for row in flat(shown)]


@given(st.text(max_size=20), st.sampled_from("=+-@\t\r＝＋－＠"), st.sampled_from(["", " ", "  "]))
def test_no_cell_starts_a_formula(text, sign, before):
    assert safe(before + sign + text).startswith("'")
    assert safe(text).removeprefix("'") == text.removeprefix("'")


async def test_a_formula_in_a_name_is_tamed_in_the_file(office):
    from hub.audit.entry import Draft, Outcome

    await office.hub.log.append(
        Draft(request_id='=HYPERLINK("x")', agency="tax", officer="@SUM(1)", outcome=Outcome.OK)
    )
    _, path = await made(office, "csv")
    (row,) = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
    assert row["officer"] == "'@SUM(1)"


async def test_ocsf_events_have_what_the_class_requires(office):
    await office.write(4)
    _, path = await made(office, "ocsf")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (6003, 6, 600302)
        assert {"activity_id", "actor", "api", "metadata", "severity_id", "src_endpoint", "time"} <= event.keys()
        assert event["actor"]["user"]["uid"]
        assert event["metadata"]["version"] == "1.3.0"
        assert event["resources"][0] == {"type": "person", "uid": office.person}
    assert [event["status_id"] for event in events] == [2, 1, 1, 1]
    bare = ocsf({"seq": 1, "id": "x", "time": "2026-01-01T00:00:00.000000Z", "kind": "operation", "removed": True}, "o")
    assert bare["unmapped"] == {"seq": 1, "kind": "operation", "removed": True}


async def test_a_statement_is_a_pdf_of_numbered_pages(office):
    await office.write(35)
    _, path = await made(office, "pdf")
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.count(b"/Type /Page\n") == 2


def verify(folder, *options):
    done = subprocess.run(
        [sys.executable, "hub_verify.py", ".", "--json", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


async def test_evidence_is_verified_without_the_hub_and_any_change_is_found(office, tmp_path):
    await office.write(9)
    await office.write(2)
    _, path = await made(office, "evidence", EntryFilter(agency="tax", purpose="TAX_RELIEF"))
    folder = tmp_path / "evidence"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        archive.extractall(folder)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(names)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["entries"] == 6
    assert verify(folder)[0] == 0
    assert tuple(VERIFIER_KINDS) == tuple(NUMBERS)
    code, said_of = verify(folder, "--trust", "log.vkey")
    assert (code, said_of["ok"], said_of["reason"], said_of["entries"]) == (3, True, "unwitnessed", 6)
    for name in ("proofs.jsonl", "entries.jsonl", "checkpoint.note"):
        for change in (_swap_digit, _drop_line, _swap_lines):
            broken = tmp_path / "broken"
            shutil.copytree(folder, broken)
            text = (broken / name).read_text("utf-8")
            changed = change(text)
            if changed != text:
                (broken / name).write_text(changed, "utf-8")
                assert not _is_ok(broken), (name, change)
            shutil.rmtree(broken)


def _is_ok(folder):
    said_of = verify(folder, "--trust", "log.vkey")[1]
    return isinstance(said_of, dict) and said_of["ok"]


def _swap_digit(text):
    return text.translate(str.maketrans("14", "41"))


def _drop_line(text):
    lines = text.splitlines(keepends=True)
    return "".join(lines[:1] + lines[2:])


def _swap_lines(text):
    lines = text.splitlines(keepends=True)
    return "".join([lines[1], lines[0], *lines[2:]])


async def test_policy_texts_are_kept_by_digest_and_a_change_is_an_entry(office):
    policies, held = office.hub.office.policies, office.hub.policies.policy
    digest = held.judge.policy_digest
    await policies.start(digest, held.files)
    await policies.start(digest, held.files)
    assert [known for known, _ in await policies.versions()] == [digest]
    assert (await policies.of([digest]))[digest]["hub.cedar"]
    assert "policy" not in [one["kind"] for one in await office.entries()]
    office.clock.advance(1)
    await policies.start("f" * 64, {"x.cedar": "text"})
    assert [one["kind"] for one in await office.entries()][-1] == "policy"
    assert await policies.of(["f" * 64]) == {"f" * 64: {"x.cedar": "text"}}


@given(
    st.builds(
        EntryFilter,
        person=st.none() | st.text(max_size=9),
        kind=st.none() | st.sampled_from(list(__import__("hub.audit.kinds", fromlist=["Kind"]).Kind)),
        from_us=st.none() | st.integers(0, 2**62),
    )
)
def test_a_filter_survives_being_stored(wanted):
    assert filter_of(said(wanted)) == wanted


def test_columns_are_named_once():
    assert len(set(COLUMNS)) == len(COLUMNS)


async def test_the_whole_log_is_printed_as_ocsf_events(office):
    await office.write(4)
    folder = str(office.hub.settings.data_dir)
    ran = await asyncio.to_thread(CliRunner().invoke, app, ["dump", "--ocsf", "--after", "1", "--data", folder])
    assert ran.exit_code == 0, ran.output
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    origin = office.hub.checkpoints.key.name
    assert events == [ocsf(shown, origin) for shown in (await office.entries())[1:]]
    assert [event["class_uid"] for event in events] == [6003] * 3
