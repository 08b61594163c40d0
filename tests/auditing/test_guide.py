"""docs/auditors-guide.md: its queries run and its file of facts loads."""

import re
from pathlib import Path

import pytest

from hub.auditing.evidence import EVIDENCE_ENTRIES
from hub.auditing.facts_file import read_facts
from hub.auditing.formats import PDF_ENTRIES
from hub.auditing.misuse import read_misuse_rules

GUIDE = (Path(__file__).parents[2] / "docs" / "auditors-guide.md").read_text("utf-8")
QUERIES = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_has_its_examples():
    assert len(QUERIES) == 6
    assert len(read_misuse_rules()) == 13
    assert f"{PDF_ENTRIES:,}" in GUIDE
    assert f"{EVIDENCE_ENTRIES:,}" in GUIDE


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_of_the_guide_answers(office, query):
    await office.write(4)
    entry = (await office.entries())[0]["id"]
    answer = await office.ask(query.replace("ENTRY", entry))
    assert "errors" not in answer
    assert answer["extensions"]["hub"]["denied"] == []
    assert all(answer["data"].values())


def test_the_facts_of_the_guide_load(tmp_path):
    file = tmp_path / "facts.json"
    file.write_text(re.search(r"```json\n(.*?)```", GUIDE, re.DOTALL)[1], "utf-8")
    facts = read_facts(file)
    assert facts.officer("2001").regions == ("360702",)
    assert facts.person("PSEUDONYM").marks == {"protected"}
