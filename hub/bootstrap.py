"""Builds every part of a hub from its settings; nothing else constructs."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import strawberry
from graphql import GraphQLDeferDirective, GraphQLSchema, lexicographic_sort_schema, print_schema
from starlette.types import ASGIApp

from hub.audit.entry import Draft, Kind, Outcome
from hub.audit.log import AuditLog
from hub.auth.cedar_schema import cedar_schema
from hub.auth.clients import read_clients
from hub.auth.issuer import Issuer, IssuerKey, TokenEndpoint, open_issuer_key
from hub.auth.judge import CedarJudge
from hub.auth.personas import Persona, read_personas
from hub.auth.policy_reader import read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.auth.token import TokenVerifier
from hub.clock import Clock, SystemClock
from hub.connectors.guard import Guard
from hub.connectors.mapping import AgencyMapping
from hub.connectors.mapping_reader import MAPPINGS_DIR, read_mappings
from hub.connectors.quarantine import StoredQuarantine
from hub.connectors.registry import build_connectors, read_endpoints
from hub.connectors.rows import layout_of
from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing, open_key_ring
from hub.crypto.opener import Opener
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.agencies import HUB, JUSTICE
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import CATALOGUE_DIR, read_catalogue
from hub.domain.codes import Codes
from hub.domain.codes_reader import CODES_DIR, read_codes
from hub.errors import AuditUnavailableError, StoreError
from hub.gateway.fetching import Questions
from hub.gateway.gateway import Gateway
from hub.gateway.plan import Planner
from hub.gateway.quota import PersonQuota
from hub.gateway.release import Releaser, SealedColumn
from hub.gateway.resolve import Resolver
from hub.gateway.survivorship import RULES_FILE, read_survivorship
from hub.gateway.view import ViewBuilder
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import References
from hub.schema.cost import CostModel
from hub.schema.documents import Documents
from hub.schema.operations import Operations
from hub.schema.query import build_query
from hub.schema.records import RecordTypes, schema_config
from hub.schema.service import GraphQLService
from hub.schema.shapes import PersonShapes
from hub.schema.weights import read_weights
from hub.settings import Settings
from hub.store.engine import Store, open_store
from hub.store.migration import is_current
from hub.telemetry import Metrics, configure_logging
from hub.web.app import WebParts, create_app
from hub.web.graphql_endpoint import GraphQLEndpoint

POLICIES_DIR = Path(__file__).parent.parent / "policies"
MEMBERS_ONLY = frozenset({JUSTICE})  # agencies whose register is membership itself
BLIND_BITS = 16  # sqrt(X) < 2^16 < X / 2 for the province's 172,000 persons
SUMMARY_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that is text in the tree, read and held against each other; nothing secret, nothing running."""

    codes: Codes
    catalogue: Catalogue
    purposes: Purposes
    cedar_schema: str
    judge: CedarJudge
    mappings: Mapping[str, AgencyMapping]
    schema: GraphQLSchema
    personas: Mapping[str, Persona]
    survivorship_file: Path = RULES_FILE

    @property
    def sdl(self) -> str:
        return print_schema(lexicographic_sort_schema(self.schema)) + "\n"


def read_rules(settings: Settings) -> Rules:
    """Read catalogue, codes, policies and mappings.

    Raises:
        StartupError: any of them is wrong; names file, line and name.
    """
    codes = read_codes(_with_plugins(CODES_DIR, settings, "codes"))
    catalogue = read_catalogue(codes, _with_plugins(CATALOGUE_DIR, settings, "catalogue"))
    purposes = read_purposes(POLICIES_DIR / "purposes.toml")
    generated = cedar_schema(catalogue, purposes)
    bundle = read_bundle(_with_plugins(POLICIES_DIR, settings, "policies"), generated)
    return Rules(
        codes=codes,
        catalogue=catalogue,
        purposes=purposes,
        cedar_schema=generated,
        judge=CedarJudge(bundle, catalogue, purposes),
        mappings=read_mappings(catalogue, codes, _with_plugins(MAPPINGS_DIR, settings, "mappings")),
        schema=build_schema(catalogue, codes),
        personas=read_personas(purposes),
    )


def build_schema(catalogue: Catalogue, codes: Codes) -> GraphQLSchema:
    types = RecordTypes(catalogue, codes)
    query = build_query(types, types.enum("sex"))
    built = strawberry.Schema(query=query, types=[types.person], config=schema_config())
    schema: GraphQLSchema = built._schema  # Strawberry's way to the graphql-core schema it stands on
    schema.directives = (*schema.directives, GraphQLDeferDirective)
    return schema


@dataclass(slots=True, kw_only=True)
class Hub:
    """A built hub. `app` is what a server runs; the other parts are for commands and tests."""

    settings: Settings
    rules: Rules
    clock: Clock
    store: Store
    log: AuditLog
    index: PersonIndex
    importer: Importer
    references: References
    sources: Mapping[str, Guard]
    quarantine: StoredQuarantine
    issuer: Issuer
    issuer_key: IssuerKey
    pseudonyms: Pseudonyms
    ids: PairwiseIds
    metrics: Metrics
    service: GraphQLService
    app: ASGIApp

    async def close(self) -> None:
        await self.log.close()
        await self.quarantine.flush()
        for source in self.sources.values():
            await source.close()
        await self.store.close()


def build_hub(settings: Settings, *, clock: Clock | None = None, rules: Rules | None = None) -> Hub:
    """Build everything; connects to nothing yet.

    Raises:
        StartupError: settings, rules, keys or endpoints are wrong.
    """
    clock = clock or SystemClock()
    rules = rules or read_rules(settings)
    ring = build_key_ring(settings, rules.catalogue)
    store = open_store(settings.store_url, readers=settings.store_readers)
    sealer, opener = Sealer(ring), Opener(ring)
    pseudonyms = Pseudonyms(ring.current("pseudonym")[1])
    ids = PairwiseIds(ring.current("pairwise")[1])
    numbers = BlindIndex(key=ring.current("index:identityNumber")[1], field="identityNumber", bits=BLIND_BITS)
    keys = BlindIndex(key=ring.current("index:agencyKey")[1], field="agencyKey", bits=BLIND_BITS)
    quarantine = StoredQuarantine(store, sealer, lambda text: pseudonyms.of("record", text), clock)
    endpoints_file = settings.hub_dir / "agencies.toml"
    endpoints = read_endpoints(endpoints_file) if endpoints_file.exists() else {}
    sources = build_connectors(
        rules.mappings, endpoints, rules.codes, quarantine, clock, concurrency=settings.agency_concurrency
    )
    natural = [agency for agency in sources if agency not in MEMBERS_ONLY]
    index = PersonIndex(
        reader=store.driver,
        opener=opener,
        numbers=numbers,
        clock=clock,
        natural=natural,
    )
    log = AuditLog(store, clock)
    issuer_key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=settings.demo)
    issuer = Issuer(issuer_key, url=settings.issuer_url, audience=settings.audience, clock=clock)
    metrics = Metrics()
    resolver = Resolver(people=index, ids=ids)
    releaser = Releaser(opener, sealed_columns(rules.mappings))
    types = {record.agency: record.name for record in rules.catalogue.agency_types()}
    gateway = Gateway(
        judge=rules.judge,
        planner=Planner(
            rules.catalogue, read_survivorship(rules.catalogue, rules.survivorship_file), members_only=MEMBERS_ONLY
        ),
        resolver=resolver,
        people=index,
        sources=sources,
        questions=Questions(
            lambda agency, coordinates: layout_of(rules.catalogue, types[agency], coordinates),
            deadline_s=settings.agency_deadline_s,
        ),
        views=ViewBuilder(resolver=resolver, pseudonyms=pseudonyms, releaser=releaser),
        pseudonyms=pseudonyms,
        quota=PersonQuota(limit=settings.persons_per_hour, clock=clock),
        members_only=MEMBERS_ONLY,
        clock=clock,
    )
    hub = Hub(
        settings=settings,
        rules=rules,
        clock=clock,
        store=store,
        log=log,
        index=index,
        importer=Importer(store=store, sealer=sealer, opener=opener, numbers=numbers, keys=keys, clock=clock),
        references=References(store, clock),
        sources=sources,
        quarantine=quarantine,
        issuer=issuer,
        issuer_key=issuer_key,
        pseudonyms=pseudonyms,
        ids=ids,
        metrics=metrics,
        service=_service(settings, rules, gateway, PersonShapes(rules.catalogue, releaser), log, clock),
        app=_nothing,
    )
    hub.app = _front(hub, hub.service)
    return hub


def _service(
    settings: Settings, rules: Rules, gateway: Gateway, shapes: PersonShapes, log: AuditLog, clock: Clock
) -> GraphQLService:
    weights = read_weights(rules.catalogue, rules.mappings, read_survivorship(rules.catalogue, rules.survivorship_file))
    return GraphQLService(
        schema=rules.schema,
        documents=Documents(rules.schema, CostModel(rules.schema, weights)),
        operations=Operations(
            rules.schema,
            gateway,
            shapes,
            purposes=frozenset(rules.purposes.purposes),
            deadline_s=settings.request_deadline_s,
        ),
        judge=rules.judge,
        log=log,
        clock=clock,
    )


def _front(hub: Hub, service: GraphQLService) -> ASGIApp:
    settings = hub.settings
    metadata_url = f"{settings.base_url}/.well-known/oauth-protected-resource"
    verifier = TokenVerifier(
        issuer=settings.issuer_url,
        audience=settings.audience,
        keys=hub.issuer_key.public_keys,
        agency_of={role.name: role.agency for role in hub.rules.purposes.roles.values()},
        clock=hub.clock,
    )
    refusals: dict[str, int] = {}

    def count_refusal(code: str) -> None:
        refusals[code] = refusals.get(code, 0) + 1
        hub.metrics.refusals.labels(code).inc()

    tokens = TokenEndpoint(hub.issuer, read_clients(settings.hub_dir / "clients.json"))
    return create_app(
        WebParts(
            endpoint=GraphQLEndpoint(
                verifier=verifier,
                service=service,
                resource_metadata=metadata_url,
                count_refusal=count_refusal,
                observe=hub.metrics.observe,
            ),
            verifier=verifier,
            sdl=service.sdl,
            readiness=lambda: _readiness(hub),
            metrics=hub.metrics.registry,
            protected_resource={
                "resource": settings.audience,
                "authorization_servers": [settings.issuer_url],
                "bearer_methods_supported": ["header"],
                "resource_metadata": metadata_url,
            },
            jwks=hub.issuer_key.jwks,
            token=tokens.answer,
            personas=(lambda: _personas(settings)) if settings.demo else None,
            cors_origins=settings.cors_origins,
            lifespan=lambda _app: _lifespan(hub, refusals),
        )
    )


@asynccontextmanager
async def _lifespan(hub: Hub, refusals: dict[str, int]) -> AsyncIterator[None]:
    """Runs with the server: refuses a database that is behind, records the start, keeps the background tasks."""
    configure_logging(hub.settings.log_level)
    if not await is_current(hub.store):
        raise StoreError("the database is not at this program's schema; run `hub migrate`")
    digest = hub.rules.judge.policy_digest
    await hub.log.append(Draft(kind=Kind.STARTUP, request_id="startup", policy_digest=digest, outcome=Outcome.OK))
    _settle_garbage_collector()
    tasks = [asyncio.create_task(hub.quarantine.run()), asyncio.create_task(_summaries(hub.log, refusals))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _summarise(hub.log, refusals)
        await hub.close()


def _settle_garbage_collector() -> None:
    """Take what was built at start out of the collector's sight, and let it run less often.

    Catalogue, schema, policies and codes are some hundred thousand objects that live as long as the process; a full
    collection walks them all and stops every request meanwhile (measured: docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _summaries(log: AuditLog, refusals: dict[str, int]) -> None:
    while True:
        await asyncio.sleep(SUMMARY_EVERY_S)
        await _summarise(log, refusals)


async def _summarise(log: AuditLog, refusals: dict[str, int]) -> None:
    """One entry for all refusals before a valid token since the last one."""
    if not refusals:
        return
    counts = dict(refusals)
    refusals.clear()
    draft = Draft(
        kind=Kind.REFUSALS, request_id="refusals", outcome=Outcome.DENIED, code="UNAUTHENTICATED", note=counts
    )
    try:
        await log.append(draft)
    except AuditUnavailableError:
        for code, count in counts.items():
            refusals[code] = refusals.get(code, 0) + count


async def _readiness(hub: Hub) -> Mapping[str, bool]:
    log = await hub.log.probe()
    return {
        "keys": True,  # a hub without its keys was not built
        "log": log and hub.log.writable,
        "policy": bool(hub.rules.judge.policy_digest),
        "store": await hub.store.ping(),
    }


def build_key_ring(settings: Settings, catalogue: Catalogue | None = None) -> KeyRing:
    """Open the hub's keys; in demo mode make what is missing."""
    catalogue = catalogue or read_catalogue(read_codes())
    owners = {HUB, *(record.agency for record in catalogue.agency_types() if record.agency)}
    purposes = {f"seal:{owner}" for owner in owners}
    purposes |= {"index:identityNumber", "index:agencyKey", "pairwise", "pseudonym"}
    return open_key_ring(settings.hub_dir / "keys", frozenset(purposes), create=settings.demo)


def _personas(settings: Settings) -> Mapping[str, Any]:
    """What the demo wrote for front-ends: personas with their tokens, and a few persons to ask for."""
    try:
        held = json.loads((settings.data_dir / "demo.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {"personas": {}, "people": {"in": [], "out": []}}
    return {"personas": held["personas"], "people": held["people"]}


def sealed_columns(mappings: Mapping[str, AgencyMapping]) -> Mapping[str, SealedColumn]:
    """Coordinates whose source holds them sealed, with the place they are sealed for."""
    sealed: dict[str, SealedColumn] = {}
    for mapping in mappings.values():
        tables = [(mapping.at, mapping.rules, False)]
        tables += [(nested.at, nested.rules, True) for nested in mapping.nested.values()]
        for table, rules, nested_table in tables:
            for rule in rules.values():
                if rule.sealed:
                    sealed[rule.field.coordinate] = SealedColumn(
                        agency=mapping.agency, table=table, column=rule.source, nested=nested_table
                    )
    return sealed


def _with_plugins(base: Path, settings: Settings, name: str) -> Sequence[Path]:
    extra = settings.plugins_dir / name if settings.plugins_dir else None
    return (base, extra) if extra is not None and extra.is_dir() else (base,)


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("not built")
