"""Builds the way of a question: agencies, person index, gateway, engine, service."""

from collections.abc import Mapping

from hub.audit.log import AuditLog
from hub.bootstrap.secrets import Secrets
from hub.clock import Clock
from hub.connectors.guard import Guard
from hub.connectors.mapping import AgencyMapping
from hub.connectors.quarantine import StoredQuarantine
from hub.connectors.registry import build_connectors, read_endpoints
from hub.connectors.rows import layout_of
from hub.domain.agencies import JUSTICE
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
from hub.identity.search import NameSearch
from hub.rules import Rules
from hub.schema.cost import CostModel
from hub.schema.documents import Documents
from hub.schema.operations import Operations
from hub.schema.service import GraphQLService
from hub.schema.shapes import PersonShapes
from hub.schema.weights import read_weights
from hub.settings import Settings
from hub.store.engine import Store

MEMBERS_ONLY = frozenset({JUSTICE})  # agencies whose register is membership itself


def build_sources(settings: Settings, rules: Rules, quarantine: StoredQuarantine, clock: Clock) -> Mapping[str, Guard]:
    file = settings.hub_dir / "agencies.toml"
    endpoints = read_endpoints(file) if file.exists() else {}
    return build_connectors(
        rules.mappings, endpoints, rules.codes, quarantine, clock, concurrency=settings.agency_concurrency
    )


def build_index(store: Store, secrets: Secrets, sources: Mapping[str, Guard], clock: Clock) -> PersonIndex:
    return PersonIndex(
        reader=store.driver,
        opener=secrets.opener,
        sealer=secrets.sealer,
        numbers=secrets.numbers,
        clock=clock,
        natural=[agency for agency in sources if agency not in MEMBERS_ONLY],
        names=NameSearch(reader=store.driver, opener=secrets.opener, sealer=secrets.sealer, indexes=secrets.names),
    )


def build_importer(store: Store, secrets: Secrets, clock: Clock) -> Importer:
    return Importer(
        store=store,
        sealer=secrets.sealer,
        opener=secrets.opener,
        numbers=secrets.numbers,
        keys=secrets.keys,
        names=secrets.names,
        erased=secrets.erased,
        clock=clock,
        matching=secrets.matching,
    )


def build_service(
    settings: Settings,
    rules: Rules,
    secrets: Secrets,
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
    secrets: Secrets,
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
