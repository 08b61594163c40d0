"""A whole hub in this process, from a request's text to the bytes of its answer, whose world can be swapped.

Registers stand in memory and keep a log of what they are asked; the person index is the real one, on SQLite.
"""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema

from hub.audit.queries import AuditQueries
from hub.auth.issuer import open_issuer_key
from hub.auth.policy_holder import Policy, PolicyHolder, RulesInForce
from hub.auth.principal import Principal
from hub.auth.proofs import ProofSigner
from hub.bootstrap.build import build_checkpoints
from hub.bootstrap.linking import build_linking
from hub.bootstrap.office import build_office
from hub.bootstrap.reading import (
    build_importer,
    build_index,
    build_service,
    build_statutory,
    build_vault,
    sealed_columns,
)
from hub.bootstrap.secrets import build_key_ring, build_secrets
from hub.clock import FixedClock
from hub.connectors.base import Fetch, KeyKind, Layout, Part, SourceRecord
from hub.connectors.guard import Guard
from hub.crypto.blind_index import RingIndex, bits_for
from hub.crypto.envelope import Place
from hub.domain.catalogue import Catalogue, Field
from hub.domain.identity_number import IdentityNumber
from hub.events.outbox import Feed
from hub.gateway.predicates import bind_predicates
from hub.gateway.quota import PersonQuota
from hub.gateway.resolve import MEMBER_KIND, REGISTER_KIND
from hub.rules import Rules
from hub.schema.request import GraphQLRequest
from hub.schema.subscription import Pulse
from hub.settings import Settings
from hub.store.engine import open_store
from hub.store.migration import migrate
from tests.noninterference.memory_log import MemoryLog
from tests.noninterference.operations import Named, Operation
from tests.noninterference.sight import CODES, OWNERS, PREDICATES, SEALED
from tests.noninterference.values import Value, canonical
from tests.noninterference.worlds import TERMS, TODAY, Record, Rows, World, as_of, number_of, person_id_of

NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 4, tzinfo=UTC)
TABLES = (
    "person",
    "person_salt",
    "person_name",
    "person_name_token",
    "person_link",
    "person_jurisdiction",
    "case_reference",
    "consent",
    "case_record",
    "case_deadline",
    "outbox",
    "vault_record",
)
ENTRY = re.compile(rb'"auditEntry":"[^"]{24}"')
SIGNATURE = re.compile(rb'("eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]{86}"')
"""Of an answer may differ what is drawn anew each time: the name of its audit entry, and the signature of a proof.

What a proof says is compared.
"""
MAX_PAGES = 8


@dataclass(frozen=True)
class Call:
    """One question put to an agency: for each key the coordinates it was asked for."""

    agency: str
    asked: tuple[tuple[str, frozenset[str]], ...]


@dataclass
class Register:
    """A connector over one register of the world that stands; seals what the real register holds sealed."""

    agency: str
    key_kind: KeyKind
    shop: "Shop"
    records: Mapping[str, Record] = field(default_factory=dict)

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        asked = sorted((key, part.coordinates) for part in fetch.parts for key in part.keys)
        self.shop.calls.append(Call(self.agency, tuple(asked)))
        return {
            key: self.shop.record(self.agency, key, self.records[key], fetch.layout, part)
            for part in fetch.parts
            for key in part.keys
            if key in self.records
        }

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Seen:
    """All that the asker got of one operation, and what the agencies were asked meanwhile."""

    answers: tuple[tuple[int, int | None, bytes], ...]
    calls: tuple[Call, ...]


class Shop:
    """The hub and its registers. `put` swaps the world; `run` asks."""

    def __init__(self, rules: Rules, directory: Path, *, blind_bits: int | None = None) -> None:
        self.rules = rules
        self.catalogue: Catalogue = rules.catalogue
        OWNERS.update({name: item.owner for name, item in self.catalogue.fields.items()})
        self.settings = Settings(  # no deadline cuts an example short on a busy machine
            data_dir=directory, demo=True, persons_per_hour=1000, request_deadline_s=60, agency_deadline_s=30
        )
        self.clock = FixedClock(NOW)
        ring = build_key_ring(self.settings, self.catalogue)
        self.secrets = build_secrets(ring)
        if blind_bits is not None:  # as many candidates a number as a province's index has
            fewer = bits_for(self.settings.expected_persons) - blind_bits
            numbers = RingIndex(ring, "index:identityNumber", "identityNumber", fewer_bits=fewer)
            self.secrets = replace(self.secrets, numbers=numbers)
        self.store = open_store(self.settings.store_url)
        self.calls: list[Call] = []
        self.world = World((), {})
        self.log = MemoryLog()
        self._sealed = sealed_columns(rules.mappings)
        SEALED.update(self._sealed)
        CODES.update(rules.codes)
        PREDICATES.update(bind_predicates(self.catalogue))
        self._tops = {top.agency: top for top in self.catalogue.agency_types() if top.agency}
        self.registers = {name: Register(name, m.key_kind, self) for name, m in rules.mappings.items()}
        guards: Any = {name: Guard(item, clock=self.clock, concurrency=8) for name, item in self.registers.items()}  # type: ignore[arg-type]
        index = build_index(self.store, self.secrets, guards, self.clock)
        self.policies = PolicyHolder(Policy(judge=rules.judge))
        proof_key = open_issuer_key(self.settings.hub_dir / "keys" / "proofs.pem", create=True)
        prover = ProofSigner(proof_key, url=self.settings.base_url, clock=self.clock)
        log: Any = self.log
        checkpoints = build_checkpoints(self.settings, self.store, self.clock)
        queries = AuditQueries(self.store, checkpoints)
        office = build_office(
            self.settings, rules, RulesInForce(self.policies), self.secrets, self.store, log, queries, checkpoints,
            self.clock,
        )  # fmt: skip
        quota = PersonQuota(limit=1000, clock=self.clock)
        statutory = build_statutory(self.store, self.secrets, index, log, quota, self.clock)
        self.service = build_service(
            self.settings, rules, self.secrets, index, guards, log, self.policies, self.clock, self.store, prover,
            auditors=office, quota=quota, statutory=statutory, disabled=(),
            pulse=Pulse(Feed(self.store), self.clock), linking=build_linking(self.store, self.secrets, self.clock),
        )  # fmt: skip
        view = self.service._views.of_role(rules.judge, agency="justice", role="judicial-office")
        self.gateway = view.operations._gateway  # one for all views
        self._vault = build_vault(self.secrets, self.clock)
        self._importer = build_importer(self.store, self.secrets, self.clock)
        self._schemas: dict[str, GraphQLSchema] = {}

    async def start(self) -> None:
        await migrate(self.store)

    def schema_of(self, principal: Principal) -> GraphQLSchema:
        """The schema that the asker is served."""
        sdl = self.service.sdl(principal)
        if sdl not in self._schemas:
            self._schemas[sdl] = build_schema(sdl)
        return self._schemas[sdl]

    # -- the world

    def put(self, world: World, *, quota: int = 1000) -> None:
        """Make `world` the one that stands, with nothing read yet and nothing asked."""
        for agency, register in self.registers.items():
            key = key_of if register.key_kind is KeyKind.OWN else number_of
            register.records = {
                key(slot): human.records[agency] for slot, human in enumerate(world.humans) if agency in human.records
            }
        self.world = world
        self._write(world)
        self.calls.clear()
        self.log.drafts.clear()
        self.gateway._quota = PersonQuota(limit=quota, clock=self.clock)

    def _write(self, world: World) -> None:
        with closing(sqlite3.connect(self.settings.hub_dir / "hub.db")) as database, database:
            database.execute("PRAGMA synchronous=OFF")
            for table in TABLES:
                database.execute(f"DELETE FROM {table}")
            for slot in range(len(world.humans)):
                self._write_member(database, world, slot)
            self._write_docket(database, world)
            for name, case in world.cases.items():
                row = {"person_id": person_id_of(case.slot), "case_id": name, "agency": case.agency}
                _insert(database, "case_reference", {**row, "region": case.region, "open": case.open})

    def _write_docket(self, database: sqlite3.Connection, world: World) -> None:
        """Cases with one deadline each, and an event of each."""
        for number, duty in enumerate(world.docket, 1):
            person_id, office = person_id_of(duty.slot), f"judicial-office/{duty.region}"
            red = TODAY + timedelta(days=duty.days)
            case = {"person_id": person_id, "case_id": f"K-{number}"}
            _insert(
                database,
                "case_record",
                {**case, "state": "ASSISTED", "ended": duty.days < -10, "accountable": office, "region": duty.region,
                 "bounces": 0, "route": "PAPER", "key_person": duty.days % 2, "released": red, "flags": "", "revision": 1,
                 "opened_us": 1, "changed_us": 1},
            )  # fmt: skip
            _insert(
                database,
                "case_deadline",
                {**case, "step": "REPORT", "anchor": "a", "task_id": f"T-{number}", "rule_id": "r", "office": office,
                 "region": duty.region, "due": red, "yellow": red - timedelta(days=9), "red": red, "assumed": False,
                 "told": 0},
            )  # fmt: skip
            body = json.dumps({"case": f"K-{number}", "days": duty.days})
            _insert(
                database,
                "outbox",
                {"person_key": f"{person_id[:28]}{number:04}", "sequence": 1, "position": number, "kind": "case.moved",
                 "recipient": duty.told, "office": office, "body": body, "entry_id": "e", "happened_us": duty.days + 99},
            )  # fmt: skip

    def _write_member(self, database: sqlite3.Connection, world: World, slot: int) -> None:
        human, person_id = world.humans[slot], person_id_of(slot)
        member = human.membership
        if member is None:
            return
        start, end = TERMS[member.term]
        sex = human.records["justice"].rows.get("sex") if "justice" in human.records else None
        scanned = _Indexed(
            key_of(slot),
            {
                "index.number": number_of(slot),
                "index.sex": "MF"[(sex.shown * 3 + sex.hidden) % 2] if isinstance(sex, Value) else None,
                "index.term_start": start.isoformat(),
                "index.term_end": end and end.isoformat(),
                "index.risk_class": "01" if member.key_person else "02",
                "index.vaulted": "1" if member.vaulted else "0",
                "index.offices": [
                    [region, {"household": "H", "residence": "J", "work": "G"}[kind], "2020-01-01", _ended(days)]
                    for region, kind, days in member.offices
                ],
            },
        )
        if member.vaulted:
            _insert(database, "vault_record", self._vault.row("justice", scanned, NOW))
        made = self._importer.rows(person_id, scanned, NOW)
        _insert(database, "person", made.person)
        _insert(database, "person_link", made.link)
        _insert(database, "person_salt", made.salt)
        for table, rows in (
            ("person_name", made.names),
            ("person_name_token", made.tokens),
            ("person_jurisdiction", made.offices),
        ):
            for made_row in rows:
                _insert(database, table, made_row)
        for agency, purpose in human.consents:
            row = {"person_id": person_id, "agency": agency, "purpose": purpose, "given_at": NOW}
            _insert(database, "consent", row)

    def record(self, agency: str, key: str, held: Record, layout: Layout, part: Part) -> SourceRecord:
        """A row as the SQL connector makes them: values, nested rows, then the name and the time stamp."""
        broken: list[str] = []
        top = self._tops[agency]
        row = self._row(top.name, held.rows, layout.fields, part.coordinates, key, broken)
        for name, inner in layout.nested:
            item = self.catalogue.fields[f"{top.name}.{name}"]
            assert item.record_type is not None
            given: Any = held.rows[name] if item.coordinate in part.coordinates else []
            lines = [
                [*self._row(item.record_type, line, inner, part.coordinates, f"{key}/{n}", broken), f"{key}/{n}"]
                for n, line in enumerate(given)
            ]
            row.append(lines if item.shape.value == "records" else (lines[0] if lines else None))
        return SourceRecord(key, f"rec-{key}", as_of(held), [*row, key, "stamp"], len(broken))

    def _row(
        self, type_name: str, held: Rows, names: Sequence[str], wanted: frozenset[str], row: str, broken: list[str]
    ) -> list[Any]:
        values: list[Any] = []
        for name in names:
            item = self.catalogue.fields[f"{type_name}.{name}"]
            value = held[name] if item.coordinate in wanted else None
            values.append(self._value(item, value, row, broken) if isinstance(value, Value) else None)
        return values

    def _value(self, item: Field, value: Value, row: str, broken: list[str]) -> Any:
        place = self._sealed.get(item.coordinate)
        if value.broken:
            if place is not None:
                return b"\x01" + bytes(60)
            broken.append(item.coordinate)
            return None
        made = canonical(item, value, self.rules.codes)
        if place is not None:
            text = made if isinstance(made, str) else str(made)
            return self.secrets.sealer.seal(
                Place(agency=place.agency, table=place.table, column=place.column, row=row), text
            )
        return [made] if item.shape.value == "values" else made

    # -- asking

    async def run(self, principal: Principal, purpose: str | None, operation: Operation) -> Seen:
        """Send `operation`, all its pages included."""
        variables = {name: self._given(principal, value) for name, value in operation.variables.items()}
        before = len(self.calls)
        answers: list[tuple[int, int | None, bytes]] = []
        for _ in range(MAX_PAGES):
            request = GraphQLRequest(
                query=operation.text,
                variables=variables,
                purpose=purpose,
                cases=operation.cases,
                request_id="r",
                incremental=operation.incremental,
            )
            answer = await self.service.answer(principal, request)
            body, late = answer.body, len(self.calls)
            if answer.later is not None:
                # Which part is asked first or comes last is a matter of time, and time is measured elsewhere (benchmarks/side_channels).
                parts = sorted([part.rpartition(b',"hasNext"')[0] async for part in answer.later])
                body = b"\n".join([body, *parts])
                self.calls[late:] = sorted(self.calls[late:], key=lambda call: (call.agency, repr(_plain(call))))
            answers.append((answer.status, answer.retry_after_s, _steady(body)))
            cursor = _next(answer.body) if operation.paged else None
            if cursor is None:
                break
            variables = {**variables, "after": cursor}
        return Seen(tuple(answers), tuple(self.calls[before:]))

    def _given(self, principal: Principal, value: Any) -> Any:
        if isinstance(value, Named):
            agency = "another" if value.foreign else principal.agency
            return self.id_of(agency, principal, value.slot)
        if isinstance(value, dict):
            return {name: self._given(principal, inner) for name, inner in value.items()}
        return [self._given(principal, inner) for inner in value] if isinstance(value, list) else value

    def id_of(self, agency: str, principal: Principal, slot: int) -> str:
        if self.rules.purposes.roles[principal.role].register:
            return self.secrets.ids.seal(agency, REGISTER_KIND, IdentityNumber.parse(number_of(slot)).text)
        return self.secrets.ids.seal(agency, MEMBER_KIND, person_id_of(slot))

    async def close(self) -> None:
        await self.store.close()


@dataclass
class _Indexed:
    key: str
    values: Mapping[str, object]


def key_of(slot: int) -> str:
    return f"ZF{slot:04}"


def _ended(days: int | None) -> str | None:
    return None if days is None else (TODAY - timedelta(days=days)).isoformat()


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    plain = [value.isoformat() if hasattr(value, "isoformat") else value for value in row.values()]
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", plain)


def _plain(call: Call) -> list[tuple[str, list[str]]]:
    return [(key, sorted(coordinates)) for key, coordinates in call.asked]


def _steady(body: bytes) -> bytes:
    return SIGNATURE.sub(rb'\1"', ENTRY.sub(b'"auditEntry":"-"', body))


def _next(body: bytes) -> str | None:
    page = (json.loads(body).get("data") or {}).get("list")
    if not page or not page["pageInfo"]["hasNextPage"]:
        return None
    return page["pageInfo"]["endCursor"]
