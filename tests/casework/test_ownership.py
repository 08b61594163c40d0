"""The ledger of responsibility: no gap, no double, no loss."""

from hub.casework.ownership import JointRole, ownership
from hub.casework.workflow import fold
from hub.casework.workflow_reader import read_workflow
from tests.casework.cases import COUNTY, OFFICE, OTHER, PRISON, at, event, journey

WORKFLOW = read_workflow()


def owned(events):
    return ownership(fold(WORKFLOW, events))


def test_each_hop_takes_over_when_it_acknowledges():
    found = owned(journey(ENDED=None))
    assert [tenure.office for tenure in found.tenures] == [PRISON, COUNTY, OFFICE]
    assert found.accountable == OFFICE
    assert found.accountable_at(at("2026-05-25", 12)) == PRISON  # notified, not acknowledged
    assert found.accountable_at(at("2026-05-27", 12)) == COUNTY  # dispatched, not taken over
    assert found.accountable_at(at("2020-01-01")) is None


def test_a_case_that_is_returned_stays_with_the_office_that_sent_it():
    events = [each for each in journey() if each.happened_at < at("2026-05-28")]
    events += [
        event("NOT_OURS", "2026-05-29", OFFICE, reason="NO_HOUSEHOLD"),
        event("DISPATCHED", "2026-05-30", COUNTY, office=OTHER),
        event("NOT_OURS", "2026-06-01", OTHER, reason="MOVED"),
    ]
    found = owned(events)
    assert found.accountable == COUNTY
    assert found.bounces == 2
    assert found.returned_at == at("2026-06-01")
    found = owned([*events, event("ADJUDICATED", "2026-06-03", "province-office/360000", office=OTHER)])
    assert found.accountable == OTHER
    assert found.returned_at is None


def test_an_office_that_took_over_gives_back_to_the_one_before():
    events = [*journey(HANDED_OVER=None, REGISTERED=None), event("NOT_OURS", "2026-06-21", OFFICE)]
    events = [each for each in events if each.happened_at < at("2026-06-22")]
    assert owned(events).accountable == COUNTY


def test_a_transfer_that_is_not_accepted_leaves_the_old_office_responsible():
    begun = [*journey(ENDED=None), event("TRANSFERRED", "2026-09-01", OFFICE, office=OTHER)]
    assert owned(begun).accountable == OFFICE
    assert owned(begun).pending.office == OTHER
    rejected = owned([*begun, event("TRANSFER_REJECTED", "2026-09-03", OTHER)])
    assert (rejected.accountable, rejected.pending) == (OFFICE, None)
    accepted = owned([*begun, event("TRANSFER_ACCEPTED", "2026-09-03", OTHER)])
    assert (accepted.accountable, accepted.pending) == (OTHER, None)


def test_another_office_cannot_accept_what_was_not_given_to_it():
    begun = [*journey(ENDED=None), event("TRANSFERRED", "2026-09-01", OFFICE, office=OTHER)]
    found = owned([*begun, event("TRANSFER_ACCEPTED", "2026-09-03", "judicial-office/360702009")])
    assert found.accountable == OFFICE


def test_joint_offices_have_roles_and_dates_and_end_with_the_case():
    events = [
        *journey(),
        event("JOINT_OFFICE_ADDED", "2026-08-01", OFFICE, office=OTHER, role="RESIDENCE"),
        event("JOINT_OFFICE_ADDED", "2026-08-02", OFFICE, office="judicial-office/360104001", role="WORK"),
        event("JOINT_OFFICE_ENDED", "2027-01-01", OFFICE, office=OTHER),
    ]
    found = owned(events)
    assert [(joint.office, joint.role, joint.until) for joint in found.joint] == [
        (OTHER, JointRole.RESIDENCE, at("2027-01-01")),
        ("judicial-office/360104001", JointRole.WORK, at("2031-07-01")),
    ]
    assert found.accountable is None
