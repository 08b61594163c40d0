"""Commands of cases over HTTP at a steady rate, by the offices whose they are; when their events reach a reader.

Open loop: a command is due at its time, whether earlier ones are answered or not, and its latency counts from then. The
commands of one case follow each other, as they do between offices.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import orjson
from aiohttp import web

from tests.journeys.test_casework import VERB

COUNTY, OFFICE = "county-office/360700", "judicial-office/360702"
RELEASE = (date.today() + timedelta(days=31)).isoformat()
DAY = date.today().isoformat()
COURSE: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("prison", "admitPerson", {"route": "PRISON", "plannedRelease": RELEASE, "termMonths": 28, "declared": "赣州市"}),
    ("prison", "startVerification", {"office": OFFICE}),
    ("judicial-office", "verifyIdentity", {"result": "TRUE"}),
    ("prison", "recordExitEducation", {"passed": True}),
    ("prison", "assessRisk", {"riskClass": "KEY", "threeNone": True}),
    ("prison", "notifyRelease", {"county": COUNTY, "plannedRelease": RELEASE}),
    ("county-office", "acknowledgeHandover", {}),
    ("county-office", "dispatchCase", {"office": OFFICE}),
    ("judicial-office", "acknowledgeHandover", {}),
    ("judicial-office", "planPickup", {"day": RELEASE, "mode": "OFFICE", "escorts": "两名工作人员"}),
    ("prison", "recordRelease", {"certificate": "2026-0630"}),
    ("judicial-office", "recordPickup", {"outcome": "OFFICE", "persons": 2, "present": "妻子"}),
    ("judicial-office", "registerPerson", {"fileNumber": "2026-17"}),
    ("judicial-office", "agreePlan", {"goals": "就业"}),
    ("judicial-office", "recordEmployment", {"kind": "ENTERPRISE", "from": DAY}),
    ("judicial-office", "recordVisit", {"mode": "HOME", "summary": "情况稳定"}),
)
"""From admission to the first visit: who, which command, what is given beside person or case."""
PURPOSE = "HANDOVER"
ATTEMPTS = 10


@dataclass(slots=True)
class Person:
    """Somebody whose case moves on by one command at a time."""

    number: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: int = 0
    case: str = ""


@dataclass(slots=True)
class Told:
    """Seconds from an event to the moment at which a reader has it."""

    placed: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


class Load:
    """`tokens` by persona; `url` of the gateway. `again`: how often a command was sent again because it got no answer."""

    def __init__(self, url: str, tokens: Mapping[str, str], numbers: Sequence[str]) -> None:
        self._url = f"{url}/graphql"
        self._headers = {
            persona: {
                "Authorization": f"Bearer {token}",
                "Hub-Purpose": PURPOSE,
                "Content-Type": "application/json",
                "Accept": "application/graphql-response+json",
            }
            for persona, token in tokens.items()
        }
        self.again = 0
        self._persons = [Person(number) for number in numbers]

    async def warm(self) -> None:
        """One whole course, so that the views of all offices are made."""
        async with aiohttp.ClientSession() as session:
            for _ in COURSE:
                await self._next(session, self._persons[-1])

    async def run(self, rate: float, seconds: float) -> tuple[list[float], float]:
        """Seconds that each command took from when it was due, and seconds until the last was answered."""
        took: list[float] = []
        running = []
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        async with aiohttp.ClientSession(connector=connector) as session:
            begun = time.perf_counter()

            async def one(person: Person, due: float) -> None:
                async with person.turn:
                    await self._next(session, person)
                took.append(time.perf_counter() - due)

            for number in range(int(rate * seconds)):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                running.append(asyncio.create_task(one(self._persons[number % len(self._persons)], due)))
            await asyncio.gather(*running)
            return took, time.perf_counter() - begun

    async def _next(self, session: aiohttp.ClientSession, person: Person) -> None:
        persona, verb, given = COURSE[person.done % len(COURSE)]
        whom: dict[str, Any] = {"case": person.case}
        if verb == "admitPerson":
            whom = {"person": {"identityNumber": person.number}}
        title = verb[0].upper() + verb[1:]
        said = {**given, **whom, "clientMutationId": secrets.token_hex(8)}
        body = orjson.dumps({"query": VERB % (title, verb, title), "variables": {"input": said}})
        done = None
        for _ in range(ATTEMPTS):
            async with session.post(self._url, data=body, headers=self._headers[persona]) as answer:
                found = orjson.loads(await answer.read())
            done = (found.get("data") or {}).get(verb)
            if done is not None:
                break
            self.again += 1  # the same id, so that it has one effect
        if done is None or "case" not in done:
            raise RuntimeError(f"{verb} by {persona}: {found}")
        person.case = done["case"]["id"]
        person.done += 1


async def follow(url: str, stop: asyncio.Event, told: Told, every_s: float = 0.02) -> None:
    """Read the feed as it grows, whoever it is for, until `stop` is set."""
    connection = await asyncpg.connect(url)
    wanted = "SELECT position, happened_us FROM outbox WHERE position > $1 ORDER BY position"
    position = await connection.fetchval("SELECT position FROM event_head")
    try:
        while not stop.is_set():
            for row in await connection.fetch(wanted, position):
                position = row[0]
                told.placed.append(time.time() - row[1] / 1_000_000)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
    finally:
        await connection.close()


async def receive(told: Told) -> tuple[web.AppRunner, str]:
    """An endpoint for webhooks that notes when each event arrives; close the first, register the second."""

    async def arrived(request: web.Request) -> web.Response:
        said = orjson.loads(await request.read())
        told.delivered.append(time.time() - datetime.fromisoformat(said["time"]).timestamp())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", arrived)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
