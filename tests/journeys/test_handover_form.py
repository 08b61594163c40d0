"""The form of a hand-over as a page: Chinese text that can be seen, an audit entry first, nothing for who may not."""

import subprocess
from hashlib import sha256
from pathlib import Path
from shutil import which

import pytest

from tests.journeys.test_casework import OFFICE, admitted, dispatched
from tests.journeys.test_oversight import offices


def form(demo, persona, case, purpose="HANDOVER", **headers):
    known = demo.held["personas"][persona]
    sent = {"Authorization": f"Bearer {known['token']}", "Hub-Purpose": purpose, **headers}
    return demo.send(f"/cases/{case}/handover-form", headers={name: text for name, text in sent.items() if text})


@pytest.fixture(scope="module")
def handed_over(demo):
    every = offices(demo)
    case = admitted(every, demo, 33)
    dispatched(every, case)
    office = every["office"]
    office.do("acknowledgeHandover", case=case, happenedAt="2026-05-28T09:00:00+08:00")
    office.do(
        "planPickup",
        case=case,
        day="2026-06-30",
        mode="OFFICE",
        escorts="两名工作人员，电话七九七",
        happenedAt="2026-06-20T09:00:00+08:00",
    )
    every["prison"].do("recordRelease", case=case, certificate="2026-0630", happenedAt="2026-06-30T09:00:00+08:00")
    office.do(
        "recordPickup",
        case=case,
        outcome="OFFICE",
        persons=3,
        present="妻子、儿子",
        remarks="情绪稳定 <b>&",
        happenedAt="2026-06-30T15:00:00+08:00",
    )
    return case


def text_of(pdf, tmp_path):
    if which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed: the page cannot be read")
    (tmp_path / "form.pdf").write_bytes(pdf)
    command = ["pdftotext", "-layout", str(tmp_path / "form.pdf"), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_office_prints_the_form(demo, handed_over, tmp_path):
    reply = form(demo, "judicial-office", handed_over)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/pdf"), reply.raw[:500]
    text = text_of(reply.raw, tmp_path)
    person = demo.ask(
        "judicial-office",
        "query ($n: String!) { person(lookup: {identityNumber: $n}) { name identityNumber } }",
        {"n": demo.held["people"]["in"][33]},
    ).json["data"]["person"]
    for word in (
        "必接必送人员衔接登记表",
        person["name"],
        person["identityNumber"],
        "重点帮教对象",
        "03 司法所接回",
        "2026-06-30 15:00",
        "两名工作人员，电话七九七",
        "妻子、儿子",
        "情绪稳定 <b>&",
        "2026-0630",
        OFFICE,
    ):
        assert word in text
    entry = demo.entry(text.split("审计条目 ")[1].split()[0])
    assert (entry["operation"], entry["role"], entry["case"]) == ("HandoverForm", "judicial-office", [handed_over])
    full = entry["persons"][0]["full"]
    assert {"HandoverForm.remarks", "Person.name"} <= set(full) | set(entry["persons"][-1]["full"])


def assert_nothing_read(demo, reply):
    """There is no form: the one entry of the request names nobody and no source."""
    assert (reply.status, reply.code) == (404, "NOT_FOUND")
    entry = demo.entry(reply.hub["auditEntry"])
    assert (entry["persons"], entry["sources"]) == ([], [])
    same = [each["id"] for each in demo.entries(entry["seq"] - 1) if each["requestId"] == reply.hub["requestId"]]
    assert same == [entry["id"]]


def test_the_digest_in_the_entry_is_of_the_data_and_not_of_the_page(demo, handed_over, tmp_path):
    page = form(demo, "judicial-office", handed_over, **{"X-Request-Id": "form-digest"}).raw
    (printed,) = [
        entry for entry in demo.entries() if (entry["requestId"], entry["operation"]) == ("form-digest", "HandoverForm")
    ]
    assert printed["id"] in text_of(page, tmp_path)
    assert printed["answerDigest"] != sha256(page).hexdigest()
    assert printed["answerBytes"] != len(page)


def test_whose_case_it_is_not_gets_nothing(demo, handed_over):
    assert form(demo, "county-office", handed_over).status == 200
    refused = form(demo, "tax", handed_over, "TAX_RELIEF")
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    assert demo.entry(refused.hub["auditEntry"])["outcome"] == "DENIED"
    assert_nothing_read(demo, form(demo, "judicial-office", "C-none"))
    assert_nothing_read(demo, form(demo, "judicial-office", handed_over, "RELIEF"))  # its words serve other purposes
    malformed = form(demo, "judicial-office", "a" * 65)
    assert (malformed.status, malformed.code) == (400, "BAD_REQUEST")
    assert demo.entry(malformed.json["extensions"]["hub"]["auditEntry"])["outcome"] == "DENIED"
    assert form(demo, "judicial-office", handed_over, purpose="").code == "PURPOSE_REQUIRED"
    assert form(demo, "judicial-office", handed_over, Authorization="Bearer x").status == 401
    every = offices(demo)
    fresh = admitted(every, demo, 34)
    assert_nothing_read(demo, form(demo, "prison", fresh))  # there is neither a plan nor an outcome
    assert_nothing_read(demo, form(demo, "judicial-office", fresh))  # not yet this office's


def test_chinese_text_is_drawn(demo, handed_over, tmp_path):
    if which("pdftoppm") is None or not Path("/usr/share/poppler").is_dir():
        pytest.skip("pdftoppm (poppler-utils, poppler-data) is not installed: the page cannot be drawn")
    (tmp_path / "form.pdf").write_bytes(form(demo, "judicial-office", handed_over).raw)
    command = ["pdftoppm", "-r", "60", "-gray", "-singlefile", str(tmp_path / "form.pdf"), str(tmp_path / "page")]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Missing language pack" not in drawn.stderr
    pixels = (tmp_path / "page.pgm").read_bytes().split(b"\n", 3)[3]
    assert 0.01 < sum(pixel < 128 for pixel in pixels) / len(pixels) < 0.2  # ink, and not a black page
