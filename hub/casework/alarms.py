"""The alarms of a deadline in the order in which they go out: warning, alarm, each escalation, the hub's own event.

A deadline remembers how many have gone out; what is due is the rest up to today. So an alarm goes out once, whatever
restarts or clocks do, and none is left out when days were slept through.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum

import msgspec

from hub.casework.deadline import Deadline, Level


class AlarmKind(StrEnum):
    YELLOW = "YELLOW"
    RED = "RED"
    ESCALATED = "ESCALATED"
    AUTOMATIC = "AUTOMATIC"


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """`level` is set for an escalation, `event` for what the hub does by itself."""

    kind: AlarmKind
    day: date
    level: Level | None = None
    event: str | None = None


def alarms(deadline: Deadline) -> tuple[Alarm, ...]:
    """All alarms of a deadline that stays open, by day."""
    return tuple(sorted(_alarms(deadline), key=lambda alarm: (alarm.day, list(AlarmKind).index(alarm.kind))))


def _alarms(deadline: Deadline) -> Iterator[Alarm]:
    yield Alarm(kind=AlarmKind.YELLOW, day=deadline.yellow)
    yield Alarm(kind=AlarmKind.RED, day=deadline.red_day)
    for level, day in deadline.escalations:
        yield Alarm(kind=AlarmKind.ESCALATED, day=day, level=level)
    if deadline.automatic is not None:
        event, day = deadline.automatic
        yield Alarm(kind=AlarmKind.AUTOMATIC, day=day, event=event)


def due_alarms(deadline: Deadline, told: int, today: date) -> tuple[Alarm, ...]:
    """Alarms that fall due up to `today` and have not gone out; none for a deadline that is over."""
    if not deadline.open:
        return ()
    return tuple(alarm for alarm in alarms(deadline)[told:] if alarm.day <= today)


def next_alarm(deadline: Deadline, told: int) -> date | None:
    """The day of the first alarm that has not gone out."""
    if not deadline.open:
        return None
    left = alarms(deadline)[told:]
    return left[0].day if left else None
