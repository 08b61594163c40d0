"""An auditor's program gets a file of the log over HTTP: asked for, waited for, fetched; nobody else does."""

import hashlib
import json
import time

ASK = """mutation { requestAuditExport(input: {clientMutationId: "file-1", format: CSV, filter: {agency: "audit"}}) {
  ... on RequestAuditExportSuccess { export { id } } } }"""
LIST = "{ auditExports(first: 5) { id state digest size url } }"


def fetch(demo, persona, path, **headers):
    known = demo.held["personas"][persona]
    sent = {"Authorization": f"Bearer {known['token']}", "Hub-Purpose": known["purpose"], **headers}
    return demo.send(path, headers=sent)


def test_a_file_of_the_log(demo):
    job = demo.ask("auditor", ASK, Hub_Case=None).json["data"]["requestAuditExport"]["export"]["id"]
    end = time.monotonic() + 120
    while True:
        listed = demo.ask("auditor", LIST, Hub_Case=None).json["data"]["auditExports"]
        (found,) = [one for one in listed if one["id"] == job]
        if found["state"] not in ("WAITING", "RUNNING"):
            break
        assert time.monotonic() < end
        time.sleep(0.2)
    assert found["state"] == "DONE"
    path = found["url"].removeprefix(demo.url)
    file = fetch(demo, "auditor", path)
    assert (file.status, file.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert (hashlib.sha256(file.raw).hexdigest(), len(file.raw)) == (found["digest"], found["size"])
    entry = demo.entries()[-1]
    assert (entry["kind"], entry["operation"], entry["outcome"]) == ("auditor-read", "auditExport", "OK")
    assert entry["lookedAt"] == {"export": job, "digest": found["digest"]}

    for persona, headers, status, code in (
        ("county-office", {}, 403, "FORBIDDEN"),
        ("auditor", {"Hub-Purpose": "STATISTICS"}, 403, "FORBIDDEN"),
        ("auditor", {"Authorization": "Bearer x"}, 401, "UNAUTHENTICATED"),
    ):
        refused = fetch(demo, persona, path, **headers)
        assert (refused.status, refused.code) == (status, code)
        if status == 403:
            named = json.loads(refused.raw)["extensions"]["hub"]["auditEntry"]
            assert demo.entry(named)["outcome"] == "DENIED"
    gone = fetch(demo, "auditor", "/audit/exports/nothing")
    assert (gone.status, gone.code) == (404, "NOT_FOUND")
