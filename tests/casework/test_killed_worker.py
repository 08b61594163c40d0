"""A worker that is killed at any named place, again and again: nothing lost, doubled in effect or out of order."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from aiohttp import web
from sqlalchemy import select

from hub.casework.calendar_reader import read_calendar
from hub.casework.case_store import CaseStore, NewEvent
from hub.casework.case_tables import case_deadline, case_event
from hub.casework.deadline_reader import read_deadlines
from hub.casework.supervision import Supervision
from hub.casework.workflow_reader import read_workflow
from hub.clock import CHINA, FixedClock, microseconds
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.events.deliverer import Deliverer
from hub.events.outbox import Sequencer, put
from hub.events.tables import outbox
from hub.events.webhooks import Webhooks
from tests.casework.cases import COUNTY, OFFICE, PRISON, event
from tests.casework.parts import PLACES, RING
from tests.conftest import FULL

KILLS = 50 if FULL else 2
POINTS = (
    "sequencer.before-commit",
    "supervision.before-commit",
    "supervision.after-commit",
    "deliverer.after-send",
)
PASSAGES = {"sequencer.before-commit": 1}
"""How often a place is passed at least by a worker that has two cases to see to, where that is not twice."""
WORKFLOW = read_workflow()
LATE = [
    event("ADMITTED", "2024-03-01", PRISON, plannedRelease="2026-06-30"),
    event("DISPATCHED", "2026-05-27", COUNTY, office=OFFICE),
    event("ACKNOWLEDGED", "2026-05-28", OFFICE),
    event("RELEASED", "2026-06-30", PRISON),
]
START = datetime(2026, 7, 20, 1, tzinfo=UTC)

WORKER = """
import asyncio, sys
from datetime import timedelta
from hub.store.engine import open_store
from tests.casework.test_killed_worker import START, work
asyncio.run(work(open_store(sys.argv[1]), START + timedelta(seconds=int(sys.argv[2]))))
"""


def case_store():
    return CaseStore(WORKFLOW, read_deadlines(WORKFLOW), read_calendar())


def webhooks_of(store, clock):
    return Webhooks(store, Sealer(RING), Opener(RING), clock, hosts=frozenset({"127.0.0.1"}))


async def work(store, moment):
    """Everything that a worker does until nothing is due, at one moment."""
    clock = FixedClock(moment)

    async def tell(connection, person, notice):
        await put(
            connection,
            person_key=person,
            recipient="justice",
            office=notice.office,
            kind=notice.kind,
            body=notice.body,
            entry_id="",
            happened_us=microseconds(clock.now()),
        )

    async def record(_person, kind):
        return f"entry-of-{kind}"

    deliverer = Deliverer(store, webhooks_of(store, clock), PLACES, clock, source="http://hub")
    supervision = Supervision(store, case_store(), tell, clock, record=record)
    for _ in range(2):
        await supervision.sweep()
        await Sequencer(store).run()
        await deliverer.run()
    await deliverer.close()
    await store.close()


@pytest.fixture
async def receiver():
    seen = []

    async def handle(request):
        seen.append((request.headers["webhook-id"], json.loads(await request.text())))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    await runner.cleanup()


async def run(store_url, at_s, failpoint=None):
    environment = {**os.environ, **({"HUB_FAILPOINT": failpoint} if failpoint else {})}
    command = [sys.executable, "-c", WORKER, store_url, str(at_s)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_that_is_killed_loses_and_doubles_nothing(store, store_url, receiver, point):
    url, seen = receiver
    chance = random.Random(point)
    await webhooks_of(store, FixedClock(START)).register("justice", url)
    for kill in range(KILLS):
        for number in range(2):
            person = f"p{kill}-{number}"
            async with store.write() as connection:
                news = [NewEvent(event=each) for each in LATE]
                await case_store().add(connection, person, f"c-{person}", news, entry_id="e", now_us=1)
        code, errors = await run(store_url, 30 * kill, f"{point}:{chance.randint(1, PASSAGES.get(point, 2))}")
        assert code == -signal.SIGKILL, errors
    for more in (1, 2):  # the second finds what an attempt that was cut off had taken
        code, errors = await run(store_url, 30 * (KILLS + more))
        assert code == 0, errors
    async with store.read() as connection:
        events = (await connection.execute(select(outbox).order_by(outbox.c.position))).all()
        deadlines = (await connection.execute(select(case_deadline))).all()
        added = (await connection.execute(select(case_event.c.case_id, case_event.c.kind))).all()
    check_order(events)
    bodies = Counter((each.person_key, each.kind, each.office, each.body) for each in events)
    assert set(bodies.values()) == {1}
    today = START.astimezone(CHINA).date()
    left = [each for each in deadlines if each.next_day is not None and each.next_day <= today]
    assert not left
    assert Counter(row.case_id for row in added if row.kind == "UNCONNECTED") == Counter(
        f"c-p{kill}-{number}" for kill in range(KILLS) for number in range(2)
    )
    check_deliveries(events, seen)


def check_order(events):
    """Every event has a place, and places follow the numbers of a person, which have no gap."""
    assert [each.position for each in events] == list(range(1, len(events) + 1))
    for person in {each.person_key for each in events}:
        numbers = [each.sequence for each in events if each.person_key == person]
        assert numbers == list(range(1, len(numbers) + 1))


def check_deliveries(events, seen):
    """Everything arrived; what arrived twice bears the same id; first arrivals of a person are in order."""
    first = dict.fromkeys(name for name, _ in seen)
    positions = [PLACES.open("justice", name.rpartition(".")[2]) for name in first]
    assert sorted(positions) == [each.position for each in events]
    person = {each.position: each.person_key for each in events}
    for key in set(person.values()):
        mine = [place for place in positions if person[place] == key]
        assert mine == sorted(mine)
    assert len({json.dumps(body, sort_keys=True) for _, body in seen}) == len(events)
