"""The state of a case as a fold over what happened to it; the order is data (`rules/workflow.toml`).

Illegal order is accepted and flagged, never refused: late data is normal (补录). Events are folded in the order in
which they happened, so that the order of their arrival does not matter. Nothing here reads a clock or a database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Flag(StrEnum):
    """What is remarkable about an event; none of them makes it invalid."""

    OUT_OF_ORDER = "OUT_OF_ORDER"  # not foreseen in the state the case was in
    BACKFILLED = "BACKFILLED"  # came after an event that happened later (补录)
    TIMES_DISORDERED = "TIMES_DISORDERED"  # recorded before it happened, or received before it was recorded
    AFTER_END = "AFTER_END"  # happened after the case had ended; changes nothing


class CaseEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a case, with its three times (happened, recorded, received by the hub).

    `office` is who says so; `data` holds what the event's kind needs (dates as ISO text, offices as their ids).
    """

    event_id: str
    kind: str
    happened_at: datetime
    recorded_at: datetime
    received_at: datetime
    office: str
    data: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    name: str
    rank: int
    terminal: bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule:
    """In which states an event is in order, and which it leads to; `back` may lead to a lower rank.

    `seen`: no office adds it, the hub does when it sees something at an agency's system.
    """

    kind: str
    before: frozenset[str]
    to: str | None
    first: bool
    back: bool
    seen: bool = False
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    states: Mapping[str, State]
    events: Mapping[str, EventRule]

    def foreseen(self, state: str | None, kind: str) -> bool:
        """Whether an event of `kind` is in order in `state`; None is a case that has not begun."""
        rule = self.events[kind]
        return rule.first if state is None else state in rule.before


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An event with the state it left the case in, and what is remarkable about it."""

    event: CaseEvent
    state: str | None
    flags: frozenset[Flag]


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a case in the order in which they happened; `state` is None while nothing moved it."""

    steps: tuple[Step, ...]
    state: str | None
    ended: bool

    @property
    def flags(self) -> frozenset[Flag]:
        return frozenset(flag for step in self.steps for flag in step.flags)


def happened_order(event: CaseEvent) -> tuple[datetime, datetime, str]:
    """The one order in which events are folded."""
    return event.happened_at, event.received_at, event.event_id


def fold(workflow: Workflow, events: Sequence[CaseEvent]) -> Course:
    """The course of a case. The same set of events gives the same course in any order of arrival.

    Raises:
        KeyError: an event of a kind that the workflow does not know.
    """
    ordered = sorted(events, key=happened_order)
    backfilled = _backfilled(workflow, ordered)
    steps: list[Step] = []
    state: str | None = None
    for event, late in zip(ordered, backfilled, strict=True):
        flags = {Flag.BACKFILLED} if late else set()
        if not event.happened_at <= event.recorded_at <= event.received_at:
            flags.add(Flag.TIMES_DISORDERED)
        if state is not None and workflow.states[state].terminal:
            flags.add(Flag.AFTER_END)
        else:
            if not workflow.foreseen(state, event.kind):
                flags.add(Flag.OUT_OF_ORDER)
            state = _next(workflow, state, workflow.events[event.kind])
        steps.append(Step(event=event, state=state, flags=frozenset(flags)))
    ended = state is not None and workflow.states[state].terminal
    return Course(steps=tuple(steps), state=state, ended=ended)


def _next(workflow: Workflow, state: str | None, rule: EventRule) -> str | None:
    """A foreseen event moves the case; one that is out of order moves it forward only."""
    if rule.to is None:
        return state
    if state is None or state in rule.before:
        return rule.to
    forward = workflow.states[rule.to].rank > workflow.states[state].rank
    return rule.to if forward and not rule.back else state


def _backfilled(workflow: Workflow, ordered: Sequence[CaseEvent]) -> list[bool]:
    """Which events were received after one that moved the case and happened later."""
    flags = [False] * len(ordered)
    earliest: datetime | None = None
    for place in range(len(ordered) - 1, -1, -1):
        event = ordered[place]
        flags[place] = earliest is not None and earliest < event.received_at
        if workflow.events[event.kind].to is not None and (earliest is None or event.received_at < earliest):
            earliest = event.received_at
    return flags
