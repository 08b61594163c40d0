import shutil
from datetime import date

import pytest

from hub.auth.policy_check import Fault, check
from hub.auth.policy_loader import PolicyLoader
from tests.auth.parts import POLICIES, catalogue, purposes
from tests.auth.toy_rules import toy_catalogue

TODAY = date(2026, 11, 24)
LOADER = PolicyLoader(catalogue=toy_catalogue(), purposes=purposes())
BASE = """
@id("tax")
@basis("Law")
@explain("Tax officers see masked identity with a case. / 税务（有在办案件）可见脱敏身份信息。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readMasked", resource in Hub::Group::"FG1")
when { context.facts.case };

@id("phone")
@basis("Law")
@explain("Tax officers see masked contact. / 税务可见脱敏联系信息。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readMasked", resource in Hub::Group::"FG2");

@id("purposes")
@basis("Law")
@explain("Tax officers ask for tax relief. / 税务仅限税收优惠。")
forbid (principal == Hub::Role::"tax", action, resource)
unless { context.purpose == Hub::Purpose::"TAX_RELIEF" };

@id("relief")
@basis("Law")
@explain("Civil affairs see existence. / 民政可见存在信息。")
permit (principal == Hub::Role::"civil-affairs", action == Hub::Action::"readFull", resource in Hub::Group::"FG0");
"""
CASE = """
[[case]]
name = "tax and identity"
role = "tax"
purpose = "TAX_RELIEF"
facts = []
expect = { "Person.name" = "denied CASE_REQUIRED" }
"""
EXTRA = """
@id("extra")
@basis("Law")
@explain("Words. / 说明。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"FG1")
when {{ {condition} }};
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cases").mkdir()
    (tmp_path / "base.cedar").write_text(BASE, "utf-8")
    (tmp_path / "cases" / "tax.toml").write_text(CASE, "utf-8")
    return tmp_path


def found(folder):
    return {(finding.fault, finding.name) for finding in check([folder], LOADER, TODAY).findings}


def add(folder, text: str) -> None:
    file = folder / "base.cedar"
    file.write_text(file.read_text("utf-8") + text, "utf-8")


def test_the_shipped_policies_are_in_order():
    report = check([POLICIES], PolicyLoader(catalogue=catalogue(), purposes=purposes()), TODAY)
    assert report.findings == ()
    assert report.cases >= 60


def test_what_is_in_order_has_no_findings(folder):
    assert found(folder) == set()


PLANTED = {
    "a purpose that the role may not state": (
        EXTRA.format(condition='context.purpose == Hub::Purpose::"LOAN"'),
        (Fault.DEAD, "extra"),
    ),
    "conditions that contradict each other": (
        EXTRA.format(condition="context.facts.case && !context.facts.case"),
        (Fault.DEAD, "extra"),
    ),
    "less than another rule gives": (
        EXTRA.format(condition="context.facts.case && context.facts.term").replace("readFull", "readPredicate"),
        (Fault.DEAD, "extra"),
    ),
    "a mask that no field has": (
        EXTRA.format(condition="true").replace("readFull", "readMasked").replace('"FG1"', '"FG0"'),
        (Fault.DEAD, "extra"),
    ),
    "a forbid that never applies": (
        EXTRA.format(condition="context.facts.case && !context.facts.case").replace("permit", "forbid"),
        (Fault.DEAD, "extra"),
    ),
    "a rule past its day": (
        EXTRA.format(condition="context.facts.approved").replace("@basis", '@expires("2026-11-24") @basis'),
        (Fault.EXPIRED, "extra"),
    ),
    "words in one language": (
        EXTRA.format(condition="context.facts.approved").replace(" / 说明。", ""),
        (Fault.ANNOTATION, "extra"),
    ),
    "no basis": (EXTRA.format(condition="context.own").replace("@basis", "@source"), (Fault.INVALID, "extra")),
    "an unknown fact": (EXTRA.format(condition="context.facts.mood"), (Fault.INVALID, "extra")),
}


@pytest.mark.parametrize(("text", "finding"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(folder, text, finding):
    add(folder, text)
    assert found(folder) == {finding}


def test_a_rule_that_decides_is_no_finding(folder):
    add(folder, EXTRA.format(condition="context.facts.case && context.facts.approved"))
    add(folder, EXTRA.format(condition="context.facts.consent").replace("permit", "forbid").replace('"extra"', '"no"'))
    assert found(folder) == set()


def test_a_coordinate_that_nobody_gets_is_found(folder):
    (folder / "base.cedar").write_text(BASE.replace('Group::"FG1"', 'Facet::"FG1/name"'), "utf-8")
    assert found(folder) == {(Fault.UNCOVERED, "Person.identityNumber")}
    (folder / "undisclosed.toml").write_text('[undisclosed]\n"Person.identityNumber" = "on purpose"\n', "utf-8")
    assert found(folder) == set()


def test_a_rule_that_is_dead_on_purpose_says_why(folder):
    add(folder, EXTRA.format(condition="context.facts.case && !context.facts.case"))
    (folder / "undisclosed.toml").write_text('[dormant]\n"extra" = "until the agency is connected"\n', "utf-8")
    assert found(folder) == set()


def test_what_is_exempt_and_need_not_be_is_found(folder):
    (folder / "undisclosed.toml").write_text('[dormant]\n"tax" = "asleep"\n', "utf-8")
    assert found(folder) == {(Fault.NOT_DORMANT, "tax")}


def test_what_is_given_and_named_undisclosed_is_found(folder):
    (folder / "undisclosed.toml").write_text('[undisclosed]\n"Person.name" = "why"\n', "utf-8")
    assert found(folder) == {(Fault.DISCLOSED, "Person.name")}


@pytest.mark.parametrize(
    ("line", "text"), [('"Person.shoeSize" = "x"', "does not exist"), ('"Person.name" = ""', "needs a reason")]
)
def test_an_exemption_names_what_is_there_and_why(folder, line, text):
    (folder / "undisclosed.toml").write_text(f"[undisclosed]\n{line}\n", "utf-8")
    (finding,) = check([folder], LOADER, TODAY).findings
    assert (finding.fault, text in finding.text) == (Fault.INVALID, True)


def test_a_case_that_does_not_hold_is_found_by_name(folder):
    (folder / "cases" / "extra.toml").write_text(
        '[[case]]\nname = "wrong"\nrole = "tax"\npurpose = "LOAN"\nfacts = []\nexpect = { "Person.name" = "full" }\n'
    )
    assert found(folder) == {(Fault.CASE, "wrong")}


def test_a_directory_without_cases_is_found(folder):
    shutil.rmtree(folder / "cases")
    assert found(folder) == {(Fault.CASE, "cases")}
