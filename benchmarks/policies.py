"""What the access rules cost: to load, to decide a class for the first time, to decide an operation, to remember.

The operation asks 60 fields of 50 persons, of agencies that answer from memory, so that deciding is as large a part of it
as it can be. `python -m benchmarks.policies --rounds 40`.
"""

import argparse
import asyncio
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.duties import build_step
from benchmarks.server import running_demo
from hub.auth.cedar_schema import cedar_schema
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge
from hub.auth.policy_reader import Bundle, read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.gateway.gateway import Gateway
from hub.rules import POLICIES_DIR, Rules, read_rules
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings

PERSONS, FIELDS = 50, 60
DECIDING = ("_tables", "_plans", "_allowed")
"""The gateway's own steps in which decisions are looked up and made into plans."""


def median_of(times: int, act: Callable[[], object]) -> float:
    """Seconds."""
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def line(what: str, value: float, unit: str, limit: float) -> None:
    verdict = "within" if value <= limit else "BEYOND"
    print(f"{what:58} {value:10.3f} {unit:4} {value / limit:8.1%} of the limit of {limit:g} {unit}, {verdict}")


def loading(catalogue: Catalogue, purposes: Purposes) -> Bundle:
    schema = cedar_schema(catalogue, purposes)

    def load() -> Bundle:
        bundle = read_bundle([POLICIES_DIR], schema)
        CedarJudge(bundle, catalogue, purposes)
        return bundle

    bundle = load()
    line(f"load and validate {len(bundle.rules)} rules, ready to decide", median_of(5, load), "s", 2)
    return bundle


def first_decisions(bundle: Bundle, catalogue: Catalogue, purposes: Purposes) -> None:
    """Each class that the rules tell apart, asked of a judge that remembers nothing. CPU time: it is one thread's work."""
    judge = CedarJudge(bundle, catalogue, purposes)
    taken: list[tuple[float, str]] = []
    for role in purposes.roles.values():
        names = sorted(judge.facts_of(role.name))
        for values in product((False, True), repeat=len(names)):
            facts = Facts(**dict(zip(names, values, strict=True)))
            for purpose in sorted(role.purposes)[:1]:
                asked = DecisionClass(agency=role.agency, role=role.name, purpose=purpose, facts=facts)
                judge.forget()
                started = time.process_time()
                judge.table(asked)
                taken.append((time.process_time() - started, f"{role.name}, {sum(values)} facts"))
    milliseconds = sorted((seconds * 1000, name) for seconds, name in taken)
    middle, (most, name) = milliseconds[len(milliseconds) // 2][0], milliseconds[-1]
    line(f"a new class, decided once: median of {len(milliseconds)}", middle, "ms", 50)
    line(f"a new class, decided once: the slowest ({name})", most, "ms", 50)


def memory(bundle: Bundle, catalogue: Catalogue, purposes: Purposes) -> None:
    """All classes of all roles that the rules tell apart, with one purpose each."""
    judge = CedarJudge(bundle, catalogue, purposes, remembered=1_000_000)
    tracemalloc.start()
    count = 0
    for role in purposes.roles.values():
        names = sorted(judge.facts_of(role.name))
        for values in product((False, True), repeat=len(names)):
            for purpose in sorted(role.purposes)[:1]:
                facts = Facts(**dict(zip(names, values, strict=True)))
                judge.table(DecisionClass(agency=role.agency, role=role.name, purpose=purpose, facts=facts))
                count += 1
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    line(f"memory of all {count} tables ({held / count / 1024:.0f} KiB each)", held / 2**20, "MiB", 60)


def query_of(rules: Rules) -> str:
    """Leaves of Person and of the agencies' records that a judicial office sees, up to `FIELDS`."""
    facts = Facts(jurisdiction=True, term=True, own=True)
    asked = DecisionClass(agency="justice", role="judicial-office", purpose="HANDOVER", facts=facts)
    decisions = rules.judge.table(asked).decisions
    tops = [("", rules.catalogue.types["Person"]), *((str(t.person_field), t) for t in rules.catalogue.agency_types())]
    chosen: dict[str, list[str]] = {}
    left = FIELDS
    for place, record in tops:
        for field in record.fields:
            if left and field.record_type is None and decisions[field.coordinate].effect is not Effect.DENIED:
                chosen.setdefault(place, []).append(field.name)
                left -= 1
    assert not left, f"only {FIELDS - left} fields are seen"
    inner = " ".join(
        " ".join(names) if not place else f"{place} {{ {' '.join(names)} }}" for place, names in chosen.items()
    )
    return f"{{ people(first: {PERSONS}) {{ edges {{ node {{ {inner} }} }} }} }}"


@contextmanager
def timed_deciding() -> Iterator[list[float]]:
    """Seconds that the gateway spends in `DECIDING`, in the one element of the list."""
    spent = [0.0]

    def timed(inner: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                spent[0] += time.perf_counter() - started

        return step

    with ExitStack() as stack:
        for name in DECIDING:
            stack.enter_context(patch.object(Gateway, name, timed(getattr(Gateway, name))))
        yield spent


async def operation(held: dict[str, Any], rounds: int) -> None:
    settings = load_settings(
        data_dir=Path(held["dataDir"]), url=held["url"], demo=True, persons_per_hour=10_000_000, log_level="warning"
    )
    rules = read_rules(settings)
    step = build_step("audit", settings, rules, held)
    persona = rules.personas["judicial-office"]
    request = GraphQLRequest(query=query_of(rules), purpose=persona.purpose, request_id="bench")
    asker = step.hub.issuer.principal_of(persona)
    try:
        body = json.loads((await step.hub.service.answer(asker, request)).body)
        assert "errors" not in body, body
        persons = len(body["data"]["people"]["edges"])
        shares: list[float] = []
        with timed_deciding() as spent:
            for _ in range(rounds):
                spent[0] = 0.0
                started = time.perf_counter()
                await step.hub.service.answer(asker, request)
                shares.append(spent[0] / (time.perf_counter() - started) * 100)
        share = statistics.median(shares)
        line(f"deciding {persons} persons x {FIELDS} fields, share of the time", share, "%", 5)
    finally:
        await step.hub.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=40)
    given = options.parse_args()
    catalogue = read_catalogue(read_codes())
    purposes = read_purposes(POLICIES_DIR / "purposes.toml")
    bundle = loading(catalogue, purposes)
    first_decisions(bundle, catalogue, purposes)
    memory(bundle, catalogue, purposes)
    with running_demo(600) as held:
        asyncio.run(operation(held, given.rounds))


if __name__ == "__main__":
    main()
