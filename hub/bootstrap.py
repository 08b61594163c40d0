"""Builds every part of a hub from its settings; nothing else constructs."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from hub.audit.entry import Draft, Kind, Outcome
from hub.audit.log import AuditLog
from hub.audit.refusals import RefusalSummary
from hub.auth.clients import read_clients
from hub.auth.issuer import Issuer, IssuerKey, TokenEndpoint, open_issuer_key
from hub.auth.token import TokenVerifier
from hub.clock import Clock, SystemClock
from hub.connectors.guard import Guard
from hub.connectors.mapping import AgencyMapping
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
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.errors import RequestError, SettingsError, StoreError
from hub.gateway.fetching import Questions
from hub.gateway.gateway import Gateway
from hub.gateway.plan import Planner
from hub.gateway.quota import PersonQuota
from hub.gateway.release import Releaser, SealedColumn
from hub.gateway.resolve import Resolver
from hub.gateway.survivorship import read_survivorship
from hub.gateway.view import ViewBuilder
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import References
from hub.rules import Rules, read_rules
from hub.schema.cost import CostModel
from hub.schema.documents import Documents
from hub.schema.operations import Operations
from hub.schema.service import GraphQLService
from hub.schema.shapes import PersonShapes
from hub.schema.weights import read_weights
from hub.settings import Settings
from hub.store.engine import Store, open_store
from hub.store.migration import is_current
from hub.telemetry import Metrics, configure_logging
from hub.web.app import WebParts, create_app
from hub.web.graphql_endpoint import GraphQLEndpoint

MEMBERS_ONLY = frozenset({JUSTICE})  # agencies whose register is membership itself
BLIND_BITS = 16  # sqrt(X) < 2^16 < X / 2 for the province's 172,000 persons


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secrets:
    """What is made of the key ring."""

    sealer: Sealer
    opener: Opener
    pseudonyms: Pseudonyms
    ids: PairwiseIds
    numbers: BlindIndex
    keys: BlindIndex


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
    secrets = _secrets(build_key_ring(settings, rules.catalogue))
    store = open_store(settings.store_url, readers=settings.store_readers)
    quarantine = StoredQuarantine(store, secrets.sealer, lambda text: secrets.pseudonyms.of("record", text), clock)
    sources = _sources(settings, rules, quarantine, clock)
    index = _index(store, secrets, sources, clock)
    log = AuditLog(store, clock)
    issuer_key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=settings.demo)
    hub = Hub(
        settings=settings,
        rules=rules,
        clock=clock,
        store=store,
        log=log,
        index=index,
        importer=_importer(store, secrets, clock),
        references=References(store, clock),
        sources=sources,
        quarantine=quarantine,
        issuer=Issuer(issuer_key, url=settings.issuer_url, audience=settings.audience, clock=clock),
        issuer_key=issuer_key,
        pseudonyms=secrets.pseudonyms,
        ids=secrets.ids,
        metrics=Metrics(),
        service=_service(settings, rules, secrets, index, sources, log, clock),
        app=_nothing,
    )
    _warm(hub)
    hub.app = _front(hub)
    return hub


def _secrets(ring: KeyRing) -> _Secrets:
    return _Secrets(
        sealer=Sealer(ring),
        opener=Opener(ring),
        pseudonyms=Pseudonyms(ring.current("pseudonym")[1]),
        ids=PairwiseIds(ring.current("pairwise")[1]),
        numbers=BlindIndex(key=ring.current("index:identityNumber")[1], field="identityNumber", bits=BLIND_BITS),
        keys=BlindIndex(key=ring.current("index:agencyKey")[1], field="agencyKey", bits=BLIND_BITS),
    )


def _sources(settings: Settings, rules: Rules, quarantine: StoredQuarantine, clock: Clock) -> Mapping[str, Guard]:
    file = settings.hub_dir / "agencies.toml"
    endpoints = read_endpoints(file) if file.exists() else {}
    return build_connectors(
        rules.mappings, endpoints, rules.codes, quarantine, clock, concurrency=settings.agency_concurrency
    )


def _index(store: Store, secrets: _Secrets, sources: Mapping[str, Guard], clock: Clock) -> PersonIndex:
    return PersonIndex(
        reader=store.driver,
        opener=secrets.opener,
        sealer=secrets.sealer,
        numbers=secrets.numbers,
        clock=clock,
        natural=[agency for agency in sources if agency not in MEMBERS_ONLY],
    )


def _importer(store: Store, secrets: _Secrets, clock: Clock) -> Importer:
    return Importer(
        store=store,
        sealer=secrets.sealer,
        opener=secrets.opener,
        numbers=secrets.numbers,
        keys=secrets.keys,
        clock=clock,
    )


def _service(
    settings: Settings,
    rules: Rules,
    secrets: _Secrets,
    index: PersonIndex,
    sources: Mapping[str, Guard],
    log: AuditLog,
    clock: Clock,
) -> GraphQLService:
    survivorship = read_survivorship(rules.catalogue, rules.survivorship_file)
    releaser = Releaser(secrets.opener, sealed_columns(rules.mappings))
    weights = read_weights(rules.catalogue, rules.mappings, survivorship)
    costs = CostModel(rules.schema, weights)
    return GraphQLService(
        schema=rules.schema,
        documents=Documents(rules.schema, costs),
        costs=costs,
        operations=Operations(
            rules.schema,
            _gateway(
                settings,
                rules,
                secrets,
                index,
                sources,
                Planner(rules.catalogue, survivorship, members_only=MEMBERS_ONLY),
                releaser,
                clock,
            ),
            PersonShapes(rules.catalogue, releaser),
            purposes=frozenset(rules.purposes.purposes),
            deadline_s=settings.request_deadline_s,
        ),
        judge=rules.judge,
        log=log,
        clock=clock,
    )


def _gateway(
    settings: Settings,
    rules: Rules,
    secrets: _Secrets,
    index: PersonIndex,
    sources: Mapping[str, Guard],
    planner: Planner,
    releaser: Releaser,
    clock: Clock,
) -> Gateway:
    types = {record.agency: record.name for record in rules.catalogue.agency_types()}
    resolver = Resolver(people=index, ids=secrets.ids)
    return Gateway(
        judge=rules.judge,
        planner=planner,
        resolver=resolver,
        people=index,
        sources=sources,
        questions=Questions(
            lambda agency, coordinates: layout_of(rules.catalogue, types[agency], coordinates),
            deadline_s=settings.agency_deadline_s,
        ),
        views=ViewBuilder(resolver=resolver, pseudonyms=secrets.pseudonyms, releaser=releaser),
        pseudonyms=secrets.pseudonyms,
        quota=PersonQuota(limit=max(1, settings.persons_per_hour // settings.workers), clock=clock),
        members_only=MEMBERS_ONLY,
        clock=clock,
    )


def _front(hub: Hub) -> ASGIApp:
    settings = hub.settings
    metadata = _protected_resource(settings)
    verifier = TokenVerifier(
        issuer=settings.issuer_url,
        audience=settings.audience,
        keys=hub.issuer_key.public_keys,
        agency_of={role.name: role.agency for role in hub.rules.purposes.roles.values()},
        clock=hub.clock,
    )
    refusals = RefusalSummary(hub.log)

    def count_refusal(code: str) -> None:
        refusals.count(code)
        hub.metrics.refusals.labels(code).inc()

    return create_app(
        WebParts(
            endpoint=GraphQLEndpoint(
                verifier=verifier,
                service=hub.service,
                resource_metadata=str(metadata["resource_metadata"]),
                count_refusal=count_refusal,
                observe=hub.metrics.observe,
            ),
            verifier=verifier,
            sdl=hub.service.sdl,
            readiness=lambda: _readiness(hub),
            metrics=hub.metrics.registry,
            protected_resource=metadata,
            jwks=hub.issuer_key.jwks,
            token=TokenEndpoint(hub.issuer, read_clients(settings.hub_dir / "clients.json")).answer,
            personas=(lambda: _personas(settings)) if settings.demo else None,
            cors_origins=settings.cors_origins,
            lifespan=lambda _app: _lifespan(hub, refusals),
        )
    )


def _protected_resource(settings: Settings) -> Mapping[str, Any]:
    """Where tokens for this hub come from. Source: RFC 9728."""
    return {
        "resource": settings.audience,
        "authorization_servers": [settings.issuer_url],
        "bearer_methods_supported": ["header"],
        "resource_metadata": f"{settings.base_url}/.well-known/oauth-protected-resource",
    }


@asynccontextmanager
async def _lifespan(hub: Hub, refusals: RefusalSummary) -> AsyncIterator[None]:
    """Runs with the server: refuses a database that is behind, records the start, keeps the background tasks."""
    configure_logging(hub.settings.log_level)
    if not await is_current(hub.store):
        raise StoreError("the database is not at this program's schema; run `hub migrate`")
    digest = hub.rules.judge.policy_digest
    await hub.log.append(Draft(kind=Kind.STARTUP, request_id="startup", policy_digest=digest, outcome=Outcome.OK))
    for source in hub.sources.values():
        await source.start()
    _settle_garbage_collector()
    tasks = [asyncio.create_task(hub.quarantine.run()), asyncio.create_task(refusals.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await refusals.flush()
        await hub.close()


def _warm(hub: Hub) -> None:
    """Plan the documents that clients are known to send.

    Raises:
        SettingsError: one of them would be refused; names its file.
    """
    folder = hub.settings.documents_dir
    for path in sorted(folder.glob("*.graphql")) if folder else ():
        try:
            hub.service.warm(path.read_text("utf-8"))
        except (RequestError, OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{path.name}: {exc}", name="HUB_DOCUMENTS_DIR") from exc


def _settle_garbage_collector() -> None:
    """Take what was built at start out of the collector's sight, and let it run less often.

    Catalogue, schema, policies and codes are some hundred thousand objects that live as long as the process; a full
    collection walks them all and stops every request meanwhile (measured: docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


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


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("not built")
