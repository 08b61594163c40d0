"""The examples of docs/emergency-access.md, sent as they stand, in their order."""

import re
from pathlib import Path
from typing import Any

from hub.casework.commands import ProblemCode
from hub.gateway.predicates import ALL

PAGE = Path(__file__).parent.parent.parent / "docs" / "emergency-access.md"
EXAMPLE = re.compile(r"```graphql\n# as ([a-z-]+), officer (\d+)\n(.*?)```", re.S)
PURPOSES = {"judicial-office": "HANDOVER", "auditor": "AUDIT", "tax": "TAX_RELIEF"}


def test_every_example_does_what_the_page_says(demo):
    variables: dict[str, Any] = {
        "number": demo.held["people"]["out"][20],
        "mine": demo.held["people"]["in"][20],
    }
    answers: dict[str, Any] = {}
    for persona, officer, text in EXAMPLE.findall(PAGE.read_text("utf-8")):
        token = demo.hub("token", persona, "--officer", officer).stdout.strip()
        used = {name: value for name, value in variables.items() if f"${name}:" in text}
        reply = demo.ask(
            persona, text, used, Authorization=f"Bearer {token}", Hub_Purpose=PURPOSES[persona], Hub_Case=None
        )
        assert reply.status == 200, (text, reply.raw)
        assert "errors" not in reply.json, reply.json
        name = re.search(r"(?:mutation|query) (\w+)", text)[1]
        answers[name] = reply.json["data"]
        if name == "Ask":
            variables["request"] = reply.json["data"]["requestEmergencyAccess"]["request"]["id"]
    assert answers["Ask"]["requestEmergencyAccess"]["request"]["state"] == "PENDING"
    assert answers["Decide"]["approveAccess"]["request"]["state"] == "ACTIVE"
    assert variables["request"] in [edge["node"]["id"] for edge in answers["Reviews"]["accessReviews"]["edges"]]
    assert answers["Consent"]["giveConsent"]["consent"]["scope"] == ["FG0"]
    assert answers["Eligible"]["person"]["predicates"]["keyGroupEligible"]["proof"].count(".") == 2


def test_the_page_tells_every_problem_and_every_predicate():
    page = PAGE.read_text("utf-8")
    assert all(f"| {code.value} |" in page for code in ProblemCode)
    assert all(f"| {predicate.name} |" in page for predicate in ALL)
