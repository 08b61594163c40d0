"""Who may look at the log is what the Cedar rules in force say: of everything else each refusal is shown."""

from dataclasses import replace

import orjson
import pytest

from hub.auditing.access import may_audit
from hub.auditing.desk import Reader, Trace
from hub.auth.judge import CedarJudge
from hub.auth.policy_holder import Policy
from hub.auth.policy_reader import Bundle, read_bundle
from hub.bootstrap.build import build_hub
from hub.domain.commands import CONSOLE, LOG
from hub.errors import ForbiddenError
from hub.rules import POLICIES_DIR
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from hub.store.migration import migrate
from tests.auditing.conftest import RULES, principal

AUDITS = (*LOG, *CONSOLE)
SHIPPED = read_bundle([POLICIES_DIR], RULES.cedar_schema)
OF_SUPERVISORS = {"auditStatus", "auditCheckpoint", "policy"}
FORBID = """@id("test.forbid") @basis("a test") @explain("Nobody exports. / 禁止导出。")
forbid (principal, action == Hub::Action::"perform", resource == Hub::Command::"exports");
"""


def without(*names):
    """The shipped rules but these."""
    assert set(names) <= set(SHIPPED.rules)
    left = {name: rule for name, rule in SHIPPED.rules.items() if name not in names}
    return CedarJudge(Bundle(digest=f"without {names}", rules=left), RULES.catalogue, RULES.purposes)


def allowed(judge, one, purpose):
    return {name for name in AUDITS if may_audit(judge, one, purpose, name)}


def test_auditors_may_do_all_of_it_by_the_one_rule():
    assert {may_audit(RULES.judge, principal("auditor"), "AUDIT", name) for name in AUDITS} == {("log.audit",)}


@pytest.mark.parametrize("persona", ["county-office", "province-office"])
def test_supervisors_see_that_the_log_is_whole_and_no_entry(persona):
    one = principal(persona)
    assert allowed(RULES.judge, one, "SUPERVISION") == OF_SUPERVISORS
    assert not any(allowed(RULES.judge, one, purpose) for purpose in set(RULES.purposes.purposes) - {"SUPERVISION"})


@pytest.mark.parametrize("role", sorted(set(RULES.purposes.roles) - {"auditor", "county-office", "province-office"}))
@pytest.mark.parametrize("name", AUDITS)
def test_no_other_role_may_for_any_purpose_even_if_its_token_had_it(role, name):
    one = replace(principal("auditor"), role=role, agency=RULES.purposes.roles[role].agency)
    one = replace(one, purposes=frozenset(RULES.purposes.purposes))
    assert not any(may_audit(RULES.judge, one, purpose, name) for purpose in [*RULES.purposes.purposes, "", None])


@pytest.mark.parametrize("purpose", [None, "", "SUPERVISION", "STATISTICS", "HANDOVER", "NONE"])
def test_an_auditor_may_for_audits_only(purpose):
    assert not allowed(RULES.judge, principal("auditor"), purpose)
    every = replace(principal("auditor"), purposes=frozenset(RULES.purposes.purposes))
    assert not allowed(RULES.judge, every, purpose)


def test_a_purpose_that_is_not_in_the_token_opens_nothing():
    assert not allowed(RULES.judge, replace(principal("auditor"), purposes=frozenset()), "AUDIT")


@pytest.mark.parametrize("agency", ["justice", "tax", "", "none"])
def test_a_role_of_another_agency_is_not_the_role(agency):
    assert not allowed(RULES.judge, replace(principal("auditor"), agency=agency), "AUDIT")


def test_a_name_that_is_no_look_at_the_log_is_refused():
    for name in ("", "auditentries", "auditEntries ", "person", "caseload"):
        assert not may_audit(RULES.judge, principal("auditor"), "AUDIT", name)


def test_without_a_rule_there_is_no_access():
    assert not allowed(without("log.audit"), principal("auditor"), "AUDIT")
    assert allowed(without("log.audit"), principal("county-office"), "SUPERVISION") == OF_SUPERVISORS
    assert not allowed(without("log.supervision"), principal("county-office"), "SUPERVISION")
    assert allowed(without("log.supervision"), principal("auditor"), "AUDIT") == set(AUDITS)


def test_no_rule_about_fields_opens_the_log():
    """Else a rule that names no command would: all others of the shipped rules together do not."""
    assert not allowed(without("log.audit", "log.supervision"), principal("auditor"), "AUDIT")
    assert may_audit(RULES.judge, principal("auditor"), "AUDIT", "auditEntries") == ("log.audit",)


def test_a_rule_that_forbids_wins(tmp_path):
    (tmp_path / "more.cedar").write_text(FORBID, "utf-8")
    judge = CedarJudge(read_bundle([POLICIES_DIR, tmp_path], RULES.cedar_schema), RULES.catalogue, RULES.purposes)
    assert allowed(judge, principal("auditor"), "AUDIT") == set(AUDITS) - {"exports"}


async def test_a_desk_without_its_rule_refuses_everything_and_takes_a_new_policy_at_once(office):
    desk, reader = office.hub.office.desk, Reader(principal=principal("auditor"), purpose="AUDIT")
    shipped = office.hub.policies.policy
    desk.demand(reader, "auditEntries")
    office.hub.policies.swap(Policy(judge=without("log.audit")))
    for name in AUDITS:
        with pytest.raises(ForbiddenError):
            desk.demand(reader, name)
    for look in (
        desk.proof(reader, "x", Trace()),
        desk.entry(reader, "x", Trace()),
        desk.numbered(reader, [1], Trace()),
        desk.checkpoint(reader),
        desk.status(reader),
        desk.statistics(reader, Trace(), from_us=0, to_us=1),
        desk.subject_report(reader, "x", Trace()),
    ):
        with pytest.raises(ForbiddenError):
            await look
    office.hub.policies.swap(shipped)
    desk.demand(reader, "auditEntries")


@pytest.mark.parametrize("name", ["auditCheckpoint", "auditStatus"])
async def test_over_the_api_what_no_rule_permits_does_not_exist(tmp_path, clock, name):
    hub = build_hub(
        load_settings(data_dir=tmp_path, demo=True), clock=clock, rules=replace(RULES, judge=without("log.audit"))
    )
    try:
        await migrate(hub.store)

        async def ask(persona, purpose):
            request = GraphQLRequest(query=f"{{ {name} {{ __typename }} }}", request_id="r", purpose=purpose)
            return orjson.loads((await hub.service.answer(principal(persona), request)).body)

        refused = await ask("auditor", "AUDIT")
        assert refused["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "errors" not in await ask("county-office", "SUPERVISION")
    finally:
        await hub.close()
