"""What each duty costs: hubs built alike in this process, with stand-ins for the duties that are still off.

Nothing of this can be reached from settings: the switches are the parts that are handed to `bootstrap` here. Agencies
answer from memory, so that duties are most of what is left. `python -m benchmarks.duties --rounds 5`.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from benchmarks.server import running_demo
from hub.audit.entry import Draft
from hub.audit.log import Receipt, Waiting
from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect, Reach
from hub.auth.issuer import Issuer, open_issuer_key
from hub.auth.principal import Principal
from hub.auth.token import TokenVerifier
from hub.bootstrap import build, front, reading, secrets
from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.clock import SystemClock
from hub.connectors.base import Fetch, Fetched, KeyKind, SourceRecord
from hub.connectors.guard import Guard
from hub.crypto.envelope import Place
from hub.crypto.sealing import Sealer
from hub.domain.catalogue import Catalogue, Shape, ValueType
from hub.gateway.release import SealedColumn
from hub.rules import Rules, read_rules
from hub.settings import Settings, load_settings

FIELDS = """name birthDate justice { name releaseDate riskClass sentences { court termMonths } }
    police { name householdStatus }"""
ROOTS = {
    "1 person": ("query ($n: String!) {{ person(lookup: {{identityNumber: $n}}) {{ {} }} }}", 100),
    "50 persons": ("{{ people(first: 50) {{ edges {{ node {{ {} }} }} }} }}", 10),
}
STEPS = ("none", "token", "policy", "unsealing", "audit", "provenance", "token never seen")
"""Each with all before it; the last is what a first request pays."""


class Everyone:
    """A verifier that takes every request for one principal's."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    def verify(self, _authorization: str | None) -> Principal:
        return self._principal


class Allowing:
    """A judge with one table, which releases everything."""

    policy_digest = "bench"
    edition = "bench"
    rule_count = 0

    tells_remedies = False

    def __init__(self, catalogue: Catalogue, purposes: frozenset[str]) -> None:
        full = Decision(effect=Effect.FULL, policies=(), denial=None)
        self._decisions: Mapping[str, Decision] = dict.fromkeys(catalogue.fields, full)
        self._purposes = purposes
        self._tables: dict[DecisionClass, DecisionTable] = {}

    def table(self, decision_class: DecisionClass) -> DecisionTable:
        table = self._tables.get(decision_class)
        if table is None:
            table = self._tables[decision_class] = DecisionTable(
                policy_digest=self.policy_digest, decision_class=decision_class, decisions=self._decisions
            )
        return table

    def reach(self, **_class: str) -> Reach:
        return Reach.MEMBERS

    def best(self, **_class: str) -> Mapping[str, Decision]:
        return self._decisions

    def ruling(self, *_asked: object, **_owner: str) -> Decision:
        return Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)

    def rule_text(self, _rule_id: str) -> None:
        return None

    def may(self, _command: str, **_class: object) -> tuple[str, ...]:
        return ()

    def role_purposes(self, _role: str) -> frozenset[str]:
        return self._purposes

    def reads_approved(self, _role: str) -> bool:
        return False

    def reads_consent(self, _role: str) -> bool:
        return False

    def facts_of(self, _role: str, _group: str | None = None) -> frozenset[str]:
        return frozenset()


class Forgetting:
    """A log that takes entries and keeps none."""

    writable = True

    def __init__(self, *_parts: object) -> None:
        return None

    def submit(self, draft: Draft, _entry: str | None = None) -> Waiting:
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        done.set_result(Receipt(entry_id="bench", seq=0))
        return Waiting("bench", draft, done)

    async def close(self) -> None:
        return None


class Remembering:
    """An agency that answers the second time from memory, the columns of `sealed` sealed."""

    def __init__(self, guard: Guard, sealer: Sealer, sealed: Mapping[str, SealedColumn], type_name: str) -> None:
        self._guard = guard
        self._sealer = sealer
        self._sealed = sealed
        self._type_name = type_name
        self._known: dict[tuple[Any, ...], Fetched] = {}

    @property
    def agency(self) -> str:
        return self._guard.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._guard.key_kind

    def shared(self, _fetch: Fetch) -> None:
        return None

    async def ask(self, fetch: Fetch) -> Fetched:
        key = (fetch.layout, fetch.parts)
        known = self._known.get(key)
        if known is None:
            answer = await self._guard.ask(fetch)
            records = {name: self._record(record, fetch) for name, record in answer.records.items()}
            known = self._known[key] = Fetched(
                agency=answer.agency,
                state=answer.state,
                as_of=answer.as_of,
                received_at=answer.received_at,
                latency_ms=0,
                records=records,
            )
        return known

    async def close(self) -> None:
        await self._guard.close()

    def _record(self, record: SourceRecord, fetch: Fetch) -> SourceRecord:
        width = len(fetch.layout.fields) + len(fetch.layout.nested)
        row = [*record.values[:width], record.record, record.as_of]
        for slot, name in enumerate(fetch.layout.fields):
            column = self._sealed.get(f"{self._type_name}.{name}")
            if column is not None and row[slot] is not None:
                place = Place(agency=column.agency, table=column.table, column=column.column, row=record.record)
                row[slot] = self._sealer.seal(place, row[slot])
        return SourceRecord(record.key, record.record, record.as_of, row)


def sealed_of(catalogue: Catalogue) -> dict[str, SealedColumn]:
    """The columns of the agencies' main records that the catalogue wants sealed."""
    return {
        field.coordinate: SealedColumn(agency=str(record.agency), table="bench", column=field.name, nested=False)
        for record in catalogue.agency_types()
        for field in record.fields
        if field.sealed and field.shape is Shape.VALUE and field.value_type is ValueType.STRING
    }


@dataclass(kw_only=True)
class Step:
    """A hub with the duties up to one of `STEPS`."""

    name: str
    hub: Hub
    held: dict[str, Any]

    async def ask(self, root: str, turn: int) -> bytes:
        persona = self.held["personas"]["judicial-office"]
        provenance = " provenance { field agency }" if STEPS.index(self.name) >= STEPS.index("provenance") else ""
        numbers = self.held["people"]["in"]
        variables = {"n": numbers[turn % len(numbers)]} if root == "1 person" else {}
        body = orjson.dumps({"query": ROOTS[root][0].format(FIELDS + provenance), "variables": variables})
        headers = [
            (b"authorization", f"Bearer {persona['token']}".encode()),
            (b"hub-purpose", persona["purpose"].encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        sent: list[bytes] = []

        pending = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            if not pending:
                await asyncio.Event().wait()  # the caller stays
            return pending.pop()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                sent.append(message["body"])

        scope = {"type": "http", "path": "/graphql", "method": "POST", "headers": headers}
        await self.hub.app(scope, receive, send)
        return sent[0]

    async def measure(self, root: str) -> tuple[float, float]:
        """Microseconds of a request, passed and of CPU."""
        times = ROOTS[root][1]
        started, cpu = time.perf_counter(), time.process_time()
        for turn in range(times):
            await self.ask(root, turn)
        return (time.perf_counter() - started) / times * 1e6, (time.process_time() - cpu) / times * 1e6


def build_step(name: str, settings: Settings, rules: Rules, held: dict[str, Any]) -> Step:
    on = frozenset(STEPS[: STEPS.index(name) + 1])
    sealed = sealed_of(rules.catalogue) if "unsealing" in on else {}
    reads: dict[str, Any] = {"sealed_columns": lambda _mappings: sealed}
    builds: dict[str, Any] = {}
    fronts: dict[str, Any] = {}
    if "policy" not in on:
        rules = replace(rules, judge=Allowing(rules.catalogue, frozenset(rules.purposes.purposes)))  # type: ignore[arg-type]  # a stand-in
    if "audit" not in on:
        builds["AuditLog"] = Forgetting
    if "token never seen" in on:
        fronts["TokenVerifier"] = partial(TokenVerifier, remembered=0)
    elif "token" not in on:
        persona = rules.personas["judicial-office"]
        fronts["TokenVerifier"] = lambda **_parts: Everyone(Issuer.principal_of(hub_issuer(settings), persona))
    with patched(reading, reads), patched(build, builds), patched(front, fronts):
        hub = build_hub(settings, rules=rules)
    sealer = Sealer(secrets.build_key_ring(settings, rules.catalogue))
    types = {record.agency: record.name for record in rules.catalogue.agency_types()}
    sources: dict[str, Any] = hub.sources  # type: ignore[assignment]  # the dict that the gateway asks
    for agency, guard in list(sources.items()):
        sources[agency] = Remembering(guard, sealer, sealed, types[agency])
    return Step(name=name, hub=hub, held=held)


def patched(module: Any, parts: dict[str, Any]) -> Any:
    return patch.multiple(module, **parts) if parts else nullcontext()


def hub_issuer(settings: Settings) -> Any:
    key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=False)
    clock = SystemClock()
    return Issuer(key, url=settings.issuer_url, audience=settings.audience, clock=clock)


def leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    return sum(map(leaves, value)) if isinstance(value, list) else 1


async def run(held: dict[str, Any], rounds: int) -> None:
    settings = load_settings(
        data_dir=Path(held["dataDir"]), url=held["url"], demo=True, persons_per_hour=1_000_000, log_level="warning"
    )
    async with AsyncExitStack() as stack:
        rules = read_rules(settings)
        steps = [build_step(name, settings, rules, held) for name in STEPS]
        for step in steps:
            stack.push_async_callback(step.hub.close)
        front.settle_garbage_collector()
        values: dict[tuple[str, str], int] = {}
        for step in steps:
            for root, (_, times) in ROOTS.items():
                bodies = [json.loads(await step.ask(root, turn)) for turn in range(min(times, 80))]
                assert all("errors" not in body for body in bodies), (step.name, bodies[0])
                values[root, step.name] = leaves(bodies[0]["data"])
        seen: dict[tuple[str, str], list[tuple[float, float]]] = {case: [] for case in values}
        for _ in range(rounds):
            for step in steps:
                for root in ROOTS:
                    seen[root, step.name].append(await step.measure(root))
        show(seen, values)


def show(seen: Mapping[tuple[str, str], list[tuple[float, float]]], values: Mapping[tuple[str, str], int]) -> None:
    print(
        f"{'answer':11} {'duty':17} {'us':>8} {'CPU us':>8} {'+us':>8} {'+CPU us':>8} {'values':>7} {'+ns CPU/value':>14}"
    )
    for root in ROOTS:
        before: tuple[float, float] | None = None
        for name in STEPS:
            passed, cpu = (statistics.median(column) for column in zip(*seen[root, name], strict=True))
            more = (0.0, 0.0) if before is None else (passed - before[0], cpu - before[1])
            before = passed, cpu
            number = values[root, name]
            print(
                f"{root:11} {name:17} {passed:8.0f} {cpu:8.0f} {more[0]:8.0f} {more[1]:8.0f} {number:7} {more[1] / number * 1000:14.0f}"
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    with running_demo(600) as held:
        asyncio.run(run(held, given.rounds))


if __name__ == "__main__":
    main()
