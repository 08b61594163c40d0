from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.auth.cedar_schema import cedar_schema
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge
from hub.auth.matrix import render_matrix
from hub.auth.policy_reader import read_bundle
from hub.errors import PolicyError
from tests.auth.parts import POLICIES, catalogue, judge, purposes

SCHEMA = cedar_schema(catalogue(), purposes())
GOOD = """@id("a")
@basis("law")
@explain("why / 为何")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"FG13");
"""


def write(folder: Path, text: str) -> Path:
    (folder / "x.cedar").write_text(text, "utf-8")
    return folder


def test_the_committed_cedar_schema_is_the_generated_one():
    assert (POLICIES / "hub.cedarschema").read_text("utf-8") == SCHEMA


def test_the_committed_matrix_is_the_generated_one():
    assert (POLICIES / "matrix.md").read_text("utf-8") == render_matrix(judge(), catalogue(), purposes())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("", "the rule set is empty", id="no rules"),
        pytest.param("permit (", r"x\.cedar:1: is not Cedar", id="syntax"),
        pytest.param(
            GOOD + "\n" + GOOD.replace('@id("a")', '@id("b")') + "permit(",
            r"x\.cedar:\d+: is not Cedar",
            id="later syntax",
        ),
        pytest.param(GOOD.replace("FG13", "FG99"), r"x\.cedar:1: a: .*FG99", id="unknown group"),
        pytest.param(GOOD.replace('"tax"', '"stranger"'), r"x\.cedar:1: a: .*stranger", id="unknown role"),
        pytest.param(GOOD.replace(");", ") when { context.facts.mood };"), r"x\.cedar:1: a: .*mood", id="unknown fact"),
        pytest.param(
            GOOD.replace('Group::"FG13"', 'Facet::"FG13/shoe"'), r"x\.cedar:1: a: .*FG13/shoe", id="unknown facet"
        ),
        pytest.param(
            GOOD.replace(");", ') when { resource.owner == Hub::Agency::"moon" };'), r"a: .*moon", id="unknown agency"
        ),
        pytest.param(GOOD.replace('@id("a")\n', ""), "lacks @id", id="no id"),
        pytest.param(GOOD.replace('@basis("law")\n', ""), "a: lacks @basis", id="no basis"),
        pytest.param(GOOD.replace('@explain("why / 为何")\n', ""), "a: lacks @explain", id="no explanation"),
        pytest.param(GOOD + GOOD, r"x\.cedar:1: a: rule id twice", id="id twice"),
    ],
)
def test_a_bad_bundle_does_not_start(tmp_path, text, error):
    with pytest.raises(PolicyError, match=error):
        read_bundle([write(tmp_path, text)], SCHEMA)


def one_rule_judge(folder: Path, text: str) -> CedarJudge:
    return CedarJudge(read_bundle([write(folder, text)], SCHEMA), catalogue(), purposes())


def effects(found: CedarJudge, facts: Facts) -> dict[str, Effect]:
    table = found.table(DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=facts))
    return {name: decision.effect for name, decision in table.decisions.items()}


def test_forbid_wins_over_permit(tmp_path):
    assert effects(one_rule_judge(tmp_path, GOOD), Facts())["TaxRecord.taxpayerNo"] is Effect.FULL
    forbid = GOOD.replace("permit", "forbid").replace('@id("a")', '@id("b")')
    assert effects(one_rule_judge(tmp_path, GOOD + forbid), Facts())["TaxRecord.taxpayerNo"] is Effect.DENIED


FACTS = st.fixed_dictionaries({name: st.booleans() for name in Facts.__struct_fields__})


@settings(max_examples=15, deadline=None)
@given(group=st.sampled_from([f"FG{n}" for n in range(17)]), facts=FACTS)
def test_what_no_rule_permits_is_denied(tmp_path_factory, group, facts):
    folder = tmp_path_factory.mktemp("rules")
    found = effects(one_rule_judge(folder, GOOD.replace("FG13", group)), Facts(**facts))
    for name, field in catalogue().fields.items():
        if field.record_type is None and field.group != group:
            assert found[name] is Effect.DENIED
