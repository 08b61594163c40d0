"""The examples of docs/views.md, sent as they stand; what is shown of an answer is part of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "views.md").read_text("utf-8")
EXAMPLE = re.compile(r"As `([a-z-]+)`[^\n]*:\n\n```graphql\n(.*?)```\n(?:\n```json\n(.*?)```\n)?", re.DOTALL)
EXAMPLES = EXAMPLE.findall(PAGE)


def holds(answer: Any, shown: Any) -> bool:
    """Whether what is shown stands anywhere in the answer."""
    if isinstance(shown, dict) and isinstance(answer, dict) and shown.items() <= answer.items():
        return True
    inner = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return answer == shown or any(holds(one, shown) for one in inner)


def test_every_block_is_an_example():
    assert len(EXAMPLES) == PAGE.count("```graphql") >= 5
    assert sum(bool(shown) for *_, shown in EXAMPLES) == PAGE.count("```json") >= 3


@pytest.mark.parametrize(("persona", "query", "shown"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_answered_as_shown(demo, persona, query, shown):
    number = demo.held["people"]["in"][0]
    reply = demo.ask(persona, query.removesuffix("\n"), {"number": number} if "$number" in query else {})
    if shown:
        assert holds(reply.json, json.loads(shown)), reply.json
    else:
        assert reply.status == 200
        assert "errors" not in reply.json


def test_the_codes_are_those_that_there_are():
    from hub.auth.decision import DenialCode

    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)) == {code.value for code in DenialCode}
