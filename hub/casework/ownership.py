"""Who answers for a case: at every moment of an open case exactly one office, beside joint offices with dates.

A hand-over takes effect when the receiver acknowledges it, so that the giver stays responsible meanwhile (no gap); an
adjudication takes effect at once. Read off the course of the case; nothing is overwritten, so that history stays.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.casework.workflow import CaseEvent, Course, Flag


class JointRole(StrEnum):
    """Why a second office helps (共同帮教)."""

    HOUSEHOLD = "HOUSEHOLD"
    RESIDENCE = "RESIDENCE"
    WORK = "WORK"


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """An office was accountable from `since` until `until` (None: still); `event_id` is what made it so."""

    office: str
    since: datetime
    until: datetime | None
    event_id: str


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    office: str
    role: JointRole
    since: datetime
    until: datetime | None


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A hand-over that its receiver has not acknowledged."""

    office: str
    since: datetime
    event_id: str


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """`tenures` are in order of time without gap or overlap; the last is open as long as the case is."""

    tenures: tuple[Tenure, ...]
    joint: tuple[Joint, ...]
    pending: Pending | None
    bounces: int
    returned_at: datetime | None  # of the last return that found no new office yet

    @property
    def accountable(self) -> str | None:
        """None before the first event and after the end."""
        if not self.tenures or self.tenures[-1].until is not None:
            return None
        return self.tenures[-1].office

    def accountable_at(self, moment: datetime) -> str | None:
        for tenure in self.tenures:
            if tenure.since <= moment and (tenure.until is None or moment < tenure.until):
                return tenure.office
        return None


_GIVES = {"NOTIFIED": "county", "DISPATCHED": "office", "TRANSFERRED": "office"}
_ACCEPTS = frozenset({"ACKNOWLEDGED", "TRANSFER_ACCEPTED", "PICKUP_PLANNED", "HANDED_OVER", "REGISTERED"})
_RETURNS = frozenset({"NOT_OURS", "TRANSFER_REJECTED"})


class _Ledger:
    """Mutable while folding; `ownership` is what it comes to."""

    def __init__(self) -> None:
        self.tenures: list[Tenure] = []
        self.joint: list[Joint] = []
        self.pending: Pending | None = None
        self.bounces = 0
        self.returned_at: datetime | None = None

    def take(self, office: str, event: CaseEvent) -> None:
        if self.tenures and self.tenures[-1].office == office and self.tenures[-1].until is None:
            return
        self.close(event.happened_at)
        self.tenures.append(Tenure(office=office, since=event.happened_at, until=None, event_id=event.event_id))

    def close(self, moment: datetime) -> None:
        if self.tenures and self.tenures[-1].until is None:
            self.tenures[-1] = msgspec.structs.replace(self.tenures[-1], until=moment)

    def follow(self, event: CaseEvent) -> None:
        kind = event.kind
        if not self.tenures:
            self.take(event.office, event)
        if kind in _GIVES and (office := event.data.get(_GIVES[kind])):
            self.pending = Pending(office=office, since=event.happened_at, event_id=event.event_id)
            self.returned_at = None
        elif kind in _ACCEPTS and self.pending is not None and self.pending.office == event.office:
            self.take(self.pending.office, event)
            self.pending = None
        elif kind in _RETURNS:
            self.give_back(event)
        elif kind == "ADJUDICATED" and (office := event.data.get("office")):
            self.take(office, event)
            self.pending = self.returned_at = None
        elif kind == "JOINT_OFFICE_ADDED":
            role = JointRole(event.data["role"])
            self.joint.append(Joint(office=event.data["office"], role=role, since=event.happened_at, until=None))
        elif kind == "JOINT_OFFICE_ENDED":
            self.joint = [
                msgspec.structs.replace(joint, until=event.happened_at)
                if joint.until is None and joint.office == event.data["office"]
                else joint
                for joint in self.joint
            ]

    def give_back(self, event: CaseEvent) -> None:
        """To the office that was accountable before the one that returns, or nowhere new if it never took over."""
        if event.kind == "NOT_OURS":
            self.bounces += 1
            self.returned_at = event.happened_at
        if self.pending is not None and self.pending.office == event.office:
            self.pending = None
            return
        if len(self.tenures) > 1 and self.tenures[-1].office == event.office:
            self.take(self.tenures[-2].office, event)

    def ownership(self) -> Ownership:
        return Ownership(
            tenures=tuple(self.tenures),
            joint=tuple(self.joint),
            pending=self.pending,
            bounces=self.bounces,
            returned_at=self.returned_at,
        )


def ownership(course: Course) -> Ownership:
    """Who answered for the case, from its first event to its end."""
    ledger = _Ledger()
    for step in course.steps:
        if Flag.AFTER_END in step.flags:
            continue
        ledger.follow(step.event)
    if course.ended:
        end = next(step for step in course.steps if step.state == course.state)
        moment = end.event.happened_at
        ledger.close(moment)
        ledger.joint = [
            joint if joint.until is not None else msgspec.structs.replace(joint, until=moment) for joint in ledger.joint
        ]
        ledger.pending = None
    return ledger.ownership()
