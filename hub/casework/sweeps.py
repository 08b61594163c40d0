"""Sweeps of the agencies' systems: what changed there since the last look becomes events of cases and notices.

At least once, and once in effect: a change is compared and counted under the lock of its case, and the event's id
follows from that count. A worker that is killed leaves the change for the next sweep. Any number of workers may sweep;
the turn of an agency is taken in the database. Nothing of what was seen is kept but a keyed digest.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Protocol

import structlog
from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.case_tables import case_record, watch_state, watch_turn
from hub.casework.notices import of_event
from hub.casework.ports import Names
from hub.casework.reach import put_reach
from hub.casework.supervision import HUB_OFFICE, Tell
from hub.casework.watching import AgencyWatch, Finding, Sight, Watch, finding, look
from hub.casework.workflow import CaseEvent
from hub.clock import CHINA, Clock, microseconds, today
from hub.connectors.base import Fetch, Fetched, Layout, Part, SourceState
from hub.failpoints import failpoint
from hub.store.engine import Store

LEASE_S = 60
"""How long a turn is held without a sign of life; each batch renews it."""
AGAIN_S = 60
"""A source that did not answer is asked again after this time, or after its own interval if that is shorter."""

_log = structlog.get_logger(__name__)
_Open = tuple[str, str, str | None]
"""Person, case and state of an open case."""
_Seen = dict[tuple[str, str, str], tuple[str, int]]
"""(person, case, watch) → digest and turns."""

Keys = Callable[[Sequence[str]], Awaitable[Mapping[str, Mapping[str, Sequence[str]]]]]
"""Members by id → their keys by agency; who is vaulted or unknown is absent."""
Note = Callable[[str, Sequence[str], frozenset[str]], Awaitable[str]]
"""Makes the audit entry of a look (agency, persons, coordinates) durable before it is taken; its id."""


class Asks(Protocol):
    async def ask(self, fetch: Fetch) -> Fetched: ...


class Sweeps:
    def __init__(
        self,
        store: Store,
        cases: CaseStore,
        watches: Sequence[AgencyWatch],
        *,
        sources: Mapping[str, Asks],
        layouts: Mapping[str, Layout],
        keys: Keys,
        note: Note,
        tell: Tell,
        names: Names,
        clock: Clock,
        timeout_s: float = 30.0,
    ) -> None:
        self._store = store
        self._cases = cases
        self._watches = [watch for watch in watches if watch.agency in sources]
        self._sources = sources
        self._layouts = layouts
        self._keys = keys
        self._note = note
        self._tell = tell
        self._names = names
        self._clock = clock
        self._timeout_s = timeout_s
        self._insert = (sqlite if store.dialect == "sqlite" else postgresql).insert

    async def run(self) -> int:
        """Sweep every agency whose turn it is; how many events were added. Cost: a call per `batch` open cases."""
        return sum([await self._agency(agency) for agency in self._watches if await self._take(agency)])

    async def _take(self, agency: AgencyWatch) -> bool:
        now = microseconds(self._clock.now())
        first = self._insert(watch_turn).values(agency=agency.agency, next_us=0).on_conflict_do_nothing()
        due = and_(watch_turn.c.agency == agency.agency, watch_turn.c.next_us <= now)
        async with self._store.read() as connection:
            row = (await connection.execute(select(watch_turn).where(watch_turn.c.agency == agency.agency))).first()
        if row is not None and row.next_us > now:
            return False
        async with self._store.write() as connection:
            await connection.execute(first)
            taken = await connection.execute(update(watch_turn).where(due).values(next_us=now + LEASE_S * 1_000_000))
        return bool(taken.rowcount)

    async def _until(self, agency: AgencyWatch, moment_us: int) -> None:
        mine = update(watch_turn).where(watch_turn.c.agency == agency.agency)
        async with self._store.write() as connection:
            await connection.execute(mine.values(next_us=moment_us))

    async def _agency(self, agency: AgencyWatch) -> int:
        started = microseconds(self._clock.now())
        added, after = 0, ("", "")
        while batch := await self._batch(agency, after):
            count = await self._look(agency, batch)
            if count is None:
                pause = min(agency.every_s, AGAIN_S)
                await self._until(agency, microseconds(self._clock.now()) + pause * 1_000_000)
                return added
            added += count
            after = batch[-1][:2]
            await self._until(agency, microseconds(self._clock.now()) + LEASE_S * 1_000_000)
        await self._until(agency, started + agency.every_s * 1_000_000)
        return added

    async def _batch(self, agency: AgencyWatch, after: tuple[str, str]) -> list[_Open]:
        person, case = case_record.c.person_id, case_record.c.case_id
        beyond = or_(person > after[0], and_(person == after[0], case > after[1]))
        wanted = (
            select(person, case, case_record.c.state)
            .where(case_record.c.ended.is_(False), beyond)
            .order_by(person, case)
        )
        async with self._store.read() as connection:
            rows = await connection.execute(wanted.limit(agency.batch))
            return [(row.person_id, row.case_id, row.state) for row in rows]

    async def _look(self, agency: AgencyWatch, batch: Sequence[_Open]) -> int | None:
        """Look at the persons of a batch of cases; how many events were added, None if the agency does not answer."""
        held = await self._keys(list(dict.fromkeys(person for person, *_ in batch)))
        keys = {person: tuple(of.get(agency.agency, ())) for person, of in held.items()}
        asked = tuple(dict.fromkeys(key for of in keys.values() for key in of))
        if not asked:
            return 0
        entry_id = await self._note(agency.agency, sorted(keys), agency.coordinates)
        layout = self._layouts[agency.agency]
        part = Part(keys=asked, coordinates=agency.coordinates)
        fetched = await self._sources[agency.agency].ask(Fetch(parts=(part,), layout=layout, timeout_s=self._timeout_s))
        if fetched.state is not SourceState.OK:
            _log.warning("sweep without answer", agency=agency.agency, state=fetched.state.value)
            return None
        day = today(self._clock)
        seen = await self._seen(agency, [person for person, *_ in batch])
        fresh: list[dict[str, Any]] = []
        added = 0
        for person, case, state in batch:
            if person not in keys:
                continue
            values = _values(fetched, layout, keys[person])
            for watch in agency.watches:
                if watch.first and not watch.looks_in(state):
                    continue  # what is so then will count when the case gets there
                sight = look(watch, layout, values, day)
                digest = self._digest(agency, watch, case, sight)
                known = seen.get((person, case, watch.name))
                if known is not None and known[0] == digest:
                    continue
                if known is None and not (sight.holds and watch.first):
                    fresh.append(self._row(agency, watch, person, case, digest, 0))
                    continue
                added += await self._change(agency, watch, person, case, sight, digest, entry_id)
        await self._keep(fresh)
        return added

    async def _change(
        self, agency: AgencyWatch, watch: Watch, person: str, case_id: str, sight: Sight, digest: str, entry_id: str
    ) -> int:
        """One change, in one transaction: the event, who is told, and that it was seen."""
        async with self._store.write() as connection:
            case = await self._cases.load(connection, person, case_id, lock=True)
            kept = and_(
                watch_state.c.person_id == person,
                watch_state.c.case_id == case_id,
                watch_state.c.agency == agency.agency,
                watch_state.c.watch == watch.name,
            )
            before = (await connection.execute(select(watch_state).where(kept))).first()
            if case is None or (before is not None and before.digest == digest):
                return 0
            if watch.first and not watch.looks_in(case.course.state):
                return 0
            turns = before.turns + 1 if before is not None else 1
            found = finding(watch, sight, case, agency.agency, first_sight=before is None)
            if found is not None:
                event = self._event(agency, watch, case_id, turns, found)
                now_us = microseconds(self._clock.now())
                after = await self._cases.extend(
                    connection, case, (person, case_id), [NewEvent(event=event)], entry_id=entry_id, now_us=now_us
                )
                await put_reach(connection, case, after)
                for notice in of_event(after, event):
                    await self._tell(connection, person, notice)
            row = self._row(agency, watch, person, case_id, digest, turns)
            put = self._insert(watch_state).values(**row)
            names = ["person_id", "case_id", "agency", "watch"]
            await connection.execute(put.on_conflict_do_update(index_elements=names, set_=row))
            failpoint("sweeps.before-commit")
        failpoint("sweeps.after-commit")
        return int(found is not None)

    def _event(self, agency: AgencyWatch, watch: Watch, case_id: str, turns: int, found: Finding) -> CaseEvent:
        now = self._clock.now()
        name = self._names.of("watch-event", f"{agency.agency}/{watch.name}/{case_id}/{turns}")
        return CaseEvent(
            event_id=f"seen/{name}",
            kind=found.kind,
            happened_at=_beginning(found.day) if found.day is not None else now,
            recorded_at=now,
            received_at=now,
            office=HUB_OFFICE,
            data=found.data,
        )

    async def _seen(self, agency: AgencyWatch, persons: Sequence[str]) -> _Seen:
        mine = (watch_state.c.agency == agency.agency, watch_state.c.person_id.in_(set(persons)))
        async with self._store.read() as connection:
            rows = await connection.execute(select(watch_state).where(*mine))
            return {(row.person_id, row.case_id, row.watch): (row.digest, row.turns) for row in rows}

    async def _keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            async with self._store.write() as connection:
                await connection.execute(self._insert(watch_state).on_conflict_do_nothing(), list(rows))

    def _row(
        self, agency: AgencyWatch, watch: Watch, person: str, case: str, digest: str, turns: int
    ) -> dict[str, Any]:
        return {
            "person_id": person,
            "case_id": case,
            "agency": agency.agency,
            "watch": watch.name,
            "digest": digest,
            "turns": turns,
            "seen_us": microseconds(self._clock.now()),
        }

    def _digest(self, agency: AgencyWatch, watch: Watch, case: str, sight: Sight) -> str:
        """Keyed and bound to the case, so that equal values of two persons do not meet."""
        return self._names.of("watch", f"{agency.agency}/{watch.name}/{case}/{sight.text}")


def _values(fetched: Fetched, layout: Layout, keys: Sequence[str]) -> Mapping[str, Any] | None:
    """What the agency says of a person, by field; the newest of several records counts."""
    found = [fetched.records[key] for key in keys if key in fetched.records]
    if not found:
        return None
    record = max(found, key=lambda one: one.as_of)
    names = [*layout.fields, *(name for name, _ in layout.nested)]
    return dict(zip(names, record.values, strict=False))


def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA).astimezone(UTC)
