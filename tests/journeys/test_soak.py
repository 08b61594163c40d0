"""A province's day: 192,000 operations on one hub, and what it holds in memory after the last third and the first."""

import asyncio
import gc
import json
import os
from itertools import cycle, islice

import psutil

from hub.bootstrap.build import build_hub
from hub.schema.service import GraphQLRequest
from hub.settings import load_settings
from tests.conftest import FULL

OPERATIONS = 192_000 if FULL else 1_800
AT_ONCE = 20
GROWTH = 1.05 if FULL else 1.25  # a short run has caches that still fill
OBJECTS = 1.05
QUERIES = (
    (
        "judicial-office",
        "query ($n: String!) { person(lookup: {identityNumber: $n}) { name justice { releaseDate } } }",
    ),
    (
        "judicial-office",
        """query ($n: String!) { person(lookup: {identityNumber: $n}) { id name sex police { householdStatus }
        justice { sentences { court termMonths } } provenance { field agency } sources { agency status } } }""",
    ),
    ("police-station", "query ($n: String!) { person(lookup: {identityNumber: $n}) { police { householdStatus } } }"),
    ("judicial-office", "{ people(first: 20) { totalCount edges { node { name justice { releaseDate } } } } }"),
    ("judicial-office", "{ viewer { role purposes } }"),
    ("judicial-office", "{ nonsense }"),
)


async def test_a_days_operations_leave_no_memory_behind(demo):
    patient = {"request_deadline_s": 60, "agency_deadline_s": 30, "persons_per_hour": 100_000}
    hub = build_hub(load_settings(data_dir=demo.directory, url=demo.url, demo=True, **patient))
    numbers = cycle(demo.held["people"]["in"])
    turns = cycle(QUERIES)

    async def ask(role: str, query: str, number: str) -> None:
        persona = hub.rules.personas[role]
        variables = {"n": number} if "$n" in query else {}
        request = GraphQLRequest(query=query, variables=variables, purpose=persona.purpose, request_id="soak")
        answer = await hub.service.answer(hub.issuer.principal_of(persona), request)
        assert answer.status == (400 if query == "{ nonsense }" else 200), answer.body
        assert "errors" not in json.loads(answer.body) or query == "{ nonsense }"

    async def third() -> tuple[int, int]:
        """Resident bytes and objects after a third of the operations."""
        for _ in range(OPERATIONS // 3 // AT_ONCE):
            await asyncio.gather(*(ask(*turn, next(numbers)) for turn in islice(turns, AT_ONCE)))
        gc.collect()
        return psutil.Process(os.getpid()).memory_info().rss, len(gc.get_objects())

    try:
        (first, held_first), _, (last, held_last) = [await third() for _ in range(3)]
    finally:
        await hub.close()
    assert last <= GROWTH * first
    assert held_last <= OBJECTS * held_first
