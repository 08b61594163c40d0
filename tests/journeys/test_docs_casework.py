"""The examples of docs/casework.md, sent as they stand, in their order."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent.parent / "docs" / "casework.md"
EXAMPLE = re.compile(r"```graphql\n# as ([a-z-]+), purpose ([A-Z_]+)\n(.*?)```", re.S)


def test_every_example_does_what_the_page_says(demo):
    variables: dict[str, Any] = {"number": demo.held["people"]["in"][24]}
    answers: dict[str, Any] = {}
    for persona, purpose, text in EXAMPLE.findall(PAGE.read_text("utf-8")):
        used = {name: value for name, value in variables.items() if f"${name}:" in text}
        reply = demo.ask(persona, text, used, **{"Hub-Purpose": purpose})
        assert reply.status == 200, (text, reply.raw)
        assert "errors" not in reply.json, (text, reply.json)
        name = re.search(r"(?:mutation|query) (\w+)", text)[1]
        (answers[name],) = reply.json["data"].values()
        for kept in ("case", "order", "correction"):
            if kept in answers[name] and "id" in answers[name][kept]:
                variables[kept] = answers[name][kept]["id"]
        assert "code" not in answers[name], (text, answers[name])
    assert answers["Notify"]["case"]["pendingOffice"] == "county-office/360700"
    assert answers["Acknowledge"]["case"]["accountableOffice"] == "county-office/360700"
    assert answers["Take"]["case"]["accountableOffice"] == "judicial-office/360702"
    assert answers["Day"]["steps"]
    assert answers["Reply"]["order"]["state"] == "REPLIED"
    assert answers["Right"]["correction"]["state"] == "CORRECTED"
    assert answers["Form"]["mode"] == "OFFICE"
    token = demo.held["personas"]["judicial-office"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Hub-Purpose": "PICKUP"}
    page = demo.send(f"/cases/{variables['case']}/handover-form", headers=headers)
    assert page.raw.startswith(b"%PDF-")
    assert len(answers) == PAGE.read_text("utf-8").count("```graphql")
