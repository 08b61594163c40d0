"""Bases of transitional placement (过渡性安置基地): places, who stays, who waits. A full base takes nobody.

The row of a base is locked while a place in it is given, so that two offices cannot give the last one. A place is free
again when the stay ends or the case does.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.auth.facts import Facts
from hub.casework.case_desk import acting_office
from hub.casework.case_store import Case, CaseStore, moment
from hub.casework.case_tables import case_record
from hub.casework.commands import Call, Command, ProblemCode, Refusal, Work
from hub.casework.docket import day_of
from hub.casework.oversight import own_case
from hub.casework.oversight_tables import base, base_stay, base_wait
from hub.casework.ports import Names, Rules
from hub.casework.reach import reference
from hub.casework.workflow import CaseEvent
from hub.domain.agencies import JUSTICE

CERTIFIED = "CERTIFIED_BASE"
_ID = re.compile(r"[A-Za-z0-9-]{1,40}")


class BaseDesk:
    def __init__(self, cases: CaseStore, rules: Rules, names: Names) -> None:
        self._cases = cases
        self._rules = rules
        self._names = names

    def commands(self) -> Sequence[Command]:
        def best(call: Call) -> tuple[Facts, bool]:
            return call.subject.facts if call.subject else Facts(), True  # asked again inside, with the case in hand

        return (
            Command(name="registerBase", handler=self._register),
            Command(name="waitForBase", handler=self._wait, facing=best),
        )

    async def follow(self, work: Work, case: Case, event: CaseEvent) -> None:
        """What an event of a case does to the base it names.

        Raises:
            Refusal: there is no such base, it is full, or it is not certified.
        """
        if event.kind == "PLACED":
            await self._end(work, case)
            if event.data.get("base") is not None:
                await self._place(work, case, event)
        elif event.kind == "PLACEMENT_ENDED" or case.course.ended:
            await self._end(work, case)

    async def _place(self, work: Work, case: Case, event: CaseEvent) -> None:
        row = await _locked(work.connection, str(event.data["base"]))
        if event.data.get("kind") == CERTIFIED:
            until = row.certified_until
            if until is None or until <= day_of(moment(work.now_us)):
                raise Refusal(ProblemCode.INVALID_INPUT, "This base is not certified.", field="base")
        if await occupied(work.connection, row.base_id) >= row.capacity:
            raise Refusal(ProblemCode.CAPACITY_FULL, "This base is full; waitForBase asks for a place.", field="base")
        stay = {"person_id": case.person_id, "case_id": case.case_id, "event_id": event.event_id}
        values = {**stay, "base_id": row.base_id, "since_us": work.now_us}
        await work.connection.execute(insert(base_stay).values(**values))
        mine = (base_wait.c.person_id == case.person_id, base_wait.c.case_id == case.case_id)
        await work.connection.execute(delete(base_wait).where(*mine))

    async def _end(self, work: Work, case: Case) -> None:
        mine = (base_stay.c.person_id == case.person_id, base_stay.c.case_id == case.case_id)
        still = (*mine, base_stay.c.until_us.is_(None))
        found = (await work.connection.execute(select(base_stay.c.base_id).where(*still))).scalars().all()
        await work.connection.execute(update(base_stay).where(*still).values(until_us=work.now_us))
        for base_id in found:
            await self._tell_first(work, base_id)

    async def _tell_first(self, work: Work, base_id: str) -> None:
        """Tell the office of whoever has waited longest that a place is free."""
        wanted = (
            select(base_wait.c.person_id, base_wait.c.case_id, case_record.c.accountable)
            .join(case_record, _same_case(base_wait))
            .where(base_wait.c.base_id == base_id, case_record.c.ended.is_(False))
            .order_by(base_wait.c.asked_us, base_wait.c.case_id)
            .limit(1)
        )
        row = (await work.connection.execute(wanted)).first()
        if row is None or row.accountable is None:
            return
        role = row.accountable.partition("/")[0]
        body = {"base": base_id, "case": reference(row.case_id, role)}
        await work.tell(self._names.of("member", row.person_id), JUSTICE, "base.free", body, office=row.accountable)

    async def _register(self, work: Work) -> Mapping[str, Any]:
        """A base that is known already is changed; fewer places than persons in it are refused."""
        given = work.call.given
        office = acting_office(work.call.principal, None)
        region, base_id, capacity = str(given["region"]), str(given["base"]), int(given["capacity"])
        if not _ID.fullmatch(base_id):
            raise Refusal(ProblemCode.INVALID_INPUT, "1 to 40 letters, digits and -.", field="base")
        if not (region.isdigit() and 6 <= len(region) <= 12 and _within(region, work.call.principal.regions)):
            raise Refusal(ProblemCode.INVALID_INPUT, "Not a region of yours.", field="region")
        if not 0 <= capacity <= 10_000 or not 1 <= len(str(given["name"])) <= 120:
            raise Refusal(ProblemCode.INVALID_INPUT, "Up to 10,000 places; a name of up to 120.", field="capacity")
        until = given.get("certifiedUntil")
        values = {
            "name": str(given["name"]),
            "region": region,
            "capacity": capacity,
            "certified_until": date.fromisoformat(until) if until else None,
            "office": office,
        }
        found = (await work.connection.execute(_locking(base_id))).first()
        if found is None:
            await work.connection.execute(insert(base).values(base_id=base_id, **values))
        elif not _within(found.region, work.call.principal.regions):
            raise Refusal(ProblemCode.INVALID_INPUT, "This base belongs to another region.", field="base")
        elif await occupied(work.connection, base_id) > capacity:
            raise Refusal(ProblemCode.INVALID_INPUT, "More persons stay there than that.", field="capacity")
        else:
            await work.connection.execute(update(base).where(base.c.base_id == base_id).values(**values))
        return await self._view(work.connection, base_id)

    async def _wait(self, work: Work) -> Mapping[str, Any]:
        case = await own_case(self._cases, self._rules, work)
        row = await _locked(work.connection, str(work.call.given["base"]))
        waiting = {"person_id": case.person_id, "case_id": case.case_id, "base_id": row.base_id}
        mine = [base_wait.c[name] == value for name, value in waiting.items()]
        if (await work.connection.execute(select(base_wait.c.case_id).where(*mine))).first() is None:
            await work.connection.execute(insert(base_wait).values(**waiting, asked_us=work.now_us))
        return await self._view(work.connection, row.base_id)

    async def _view(self, connection: AsyncConnection, base_id: str) -> Mapping[str, Any]:
        (found,) = await base_rows(connection, base.c.base_id == base_id)
        return found


async def base_rows(connection: AsyncConnection, where: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Bases as plain JSON, by id, with how many stay and wait."""
    rows = (await connection.execute(select(base).where(where).order_by(base.c.base_id).limit(500))).all()
    ids = [row.base_id for row in rows]
    stays = await _counts(connection, base_stay, ids, base_stay.c.until_us.is_(None))
    waits = await _counts(connection, base_wait, ids)
    return [
        {
            "id": row.base_id,
            "name": row.name,
            "region": row.region,
            "capacity": row.capacity,
            "occupied": stays.get(row.base_id, 0),
            "waiting": waits.get(row.base_id, 0),
            "certified_until": row.certified_until.isoformat() if row.certified_until else None,
        }
        for row in rows
    ]


async def occupied(connection: AsyncConnection, base_id: str) -> int:
    return (await _counts(connection, base_stay, [base_id], base_stay.c.until_us.is_(None))).get(base_id, 0)


async def _counts(
    connection: AsyncConnection, table: Any, base_ids: Sequence[str], *where: ColumnElement[bool]
) -> Mapping[str, int]:
    """Rows of cases that have not ended, by base."""
    joined = select(table.c.base_id, func.count()).select_from(table).join(case_record, _same_case(table))
    named = joined.where(table.c.base_id.in_(base_ids), case_record.c.ended.is_(False), *where)
    return {row[0]: row[1] for row in await connection.execute(named.group_by(table.c.base_id))}


def _same_case(table: Any) -> Any:
    return (case_record.c.person_id == table.c.person_id) & (case_record.c.case_id == table.c.case_id)


def _locking(base_id: str) -> Any:
    return select(base).where(base.c.base_id == base_id).with_for_update()


async def _locked(connection: AsyncConnection, base_id: str) -> Any:
    row = (await connection.execute(_locking(base_id))).first()
    if row is None:
        raise Refusal(ProblemCode.INVALID_INPUT, "There is no such base.", field="base")
    return row


def _within(region: str, regions: Sequence[str]) -> bool:
    return any(region.startswith(own) for own in regions)
