"""Supervision (督查督办): sends the alarms that fall due, each once, and does what the rules do by themselves.

Any number of workers may sweep at once: a case is locked while its alarms go out, and what has gone out is counted in
the same transaction as the notices. A worker that is killed in between leaves the alarm for the next sweep.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.casework.alarms import AlarmKind, due_alarms, next_alarm
from hub.casework.case_store import Case, CaseStore, NewEvent
from hub.casework.case_tables import case_deadline
from hub.casework.deadline import Deadline
from hub.casework.notices import Notice, of_alarm, of_event
from hub.casework.workflow import CaseEvent
from hub.clock import Clock, microseconds, today
from hub.failpoints import failpoint
from hub.store.engine import Store

Tell = Callable[[AsyncConnection, str, Notice], Awaitable[None]]
"""Puts a notice about a person (by id) into the outbox, inside the transaction."""

Record = Callable[[str, str], Awaitable[str]]
"""Makes the audit entry of the hub's own event (person, kind of event) durable; its id."""

HUB_OFFICE = "hub/000000"  # author of what the hub does by itself
BATCH = 200
_COUNT = (
    update(case_deadline)
    .where(*(case_deadline.c[name] == bindparam(f"its_{name}") for name in ("person_id", "case_id", "step", "anchor")))
    .values(told=bindparam("told"), next_day=bindparam("next_day"))
)


class Supervision:
    def __init__(self, store: Store, cases: CaseStore, tell: Tell, clock: Clock, *, record: Record) -> None:
        self._store = store
        self._cases = cases
        self._tell = tell
        self._clock = clock
        self._record = record

    async def sweep(self) -> int:
        """Send everything that is due up to today; how many alarms went out. Cost: a transaction per case."""
        sent = 0
        day = today(self._clock)
        while batch := await self._due(day):
            for person_id, case_id in batch:
                sent += await self._case(person_id, case_id, day)
        return sent

    async def _due(self, day: date) -> list[tuple[str, str]]:
        wanted = (
            select(case_deadline.c.person_id, case_deadline.c.case_id)
            .where(case_deadline.c.next_day <= day)
            .group_by(case_deadline.c.person_id, case_deadline.c.case_id)
            .limit(BATCH)
        )
        async with self._store.read() as connection:
            return [(row.person_id, row.case_id) for row in await connection.execute(wanted)]

    async def _case(self, person_id: str, case_id: str, day: date) -> int:
        entry_id = await self._entry(person_id, case_id, day)
        async with self._store.write() as connection:
            case = await self._cases.load(connection, person_id, case_id, lock=True)
            if case is None:
                return 0
            sent = 0
            automatic: list[NewEvent] = []
            counted: list[dict[str, Any]] = []
            for deadline in case.docket:
                told = case.told.get((deadline.step, deadline.anchor), 0)
                due = due_alarms(deadline, told, day)
                if any(alarm.kind is AlarmKind.AUTOMATIC for alarm in due) and entry_id is None:
                    return 0  # the case changed meanwhile; the next sweep records it first
                for alarm in due:
                    for notice in of_alarm(case, deadline, alarm):
                        await self._tell(connection, person_id, notice)
                    if alarm.kind is AlarmKind.AUTOMATIC and alarm.event is not None:
                        automatic.append(NewEvent(event=self._own(alarm.event, deadline)))
                counted.append(_counted(case, deadline, told + len(due)))
                sent += len(due)
            if counted:
                await connection.execute(_COUNT, counted)
            failpoint("supervision.before-commit")
            if automatic and entry_id is not None:
                await self._add(connection, case, automatic, entry_id)
        failpoint("supervision.after-commit")
        return sent

    async def _entry(self, person_id: str, case_id: str, day: date) -> str | None:
        """The audit entry of what the hub is about to do by itself; it is durable before anything is done."""
        async with self._store.read() as connection:
            case = await self._cases.load(connection, person_id, case_id, lock=False)
        for deadline in case.docket if case else ():
            for alarm in due_alarms(deadline, case.told.get((deadline.step, deadline.anchor), 0) if case else 0, day):
                if alarm.kind is AlarmKind.AUTOMATIC and alarm.event is not None:
                    return await self._record(person_id, alarm.event)
        return None

    async def _add(self, connection: AsyncConnection, case: Case, events: list[NewEvent], entry_id: str) -> None:
        now_us = microseconds(self._clock.now())
        person_id, case_id = case.person_id, case.case_id
        _, after = await self._cases.add(connection, person_id, case_id, events, entry_id=entry_id, now_us=now_us)
        for new in events:
            for notice in of_event(after, new.event):
                await self._tell(connection, case.person_id, notice)

    def _own(self, kind: str, deadline: Deadline) -> CaseEvent:
        """The hub's own event; its id follows from the deadline, so that it can be made only once."""
        now = self._clock.now()
        return CaseEvent(
            event_id=f"auto/{deadline.step}/{deadline.anchor}"[:64],
            kind=kind,
            happened_at=now,
            recorded_at=now,
            received_at=now,
            office=HUB_OFFICE,
            data={"deadline": deadline.step},
        )


def _counted(case: Case, deadline: Deadline, told: int) -> dict[str, Any]:
    """How many alarms of a deadline have gone out, for `_COUNT`."""
    whose = {"its_person_id": case.person_id, "its_case_id": case.case_id}
    its = {"its_step": deadline.step, "its_anchor": deadline.anchor}
    return {**whose, **its, "told": told, "next_day": next_alarm(deadline, told)}
