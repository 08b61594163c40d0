"""Builds the way of a question: agencies, person index, gateway, engine, service."""

from collections.abc import Container, Mapping
from datetime import timedelta

from graphql import GraphQLSchema

from hub.audit.log import AuditLog
from hub.auditing.office import AuditOffice
from hub.auth.clients import read_clients
from hub.auth.policy_holder import PolicyHolder
from hub.auth.recipients import Recipients
from hub.bootstrap.desk import build_commands
from hub.bootstrap.linking import Linking
from hub.bootstrap.replicas import Sources
from hub.bootstrap.secrets import Secrets
from hub.clock import CHINA, Clock
from hub.connectors.mapping import AgencyMapping
from hub.connectors.rows import layout_of
from hub.events.outbox import Feed
from hub.events.places import Places
from hub.gateway.answering import Answering, Prover
from hub.gateway.fetching import Questions
from hub.gateway.gateway import Gateway, officer_of
from hub.gateway.plan import Planner
from hub.gateway.quota import PersonQuota
from hub.gateway.release import Releaser, SealedColumn
from hub.gateway.resolve import Resolver
from hub.gateway.shared_quota import SharedQuota
from hub.gateway.sight import Sight, Sights
from hub.gateway.statutory import StatutoryDesk
from hub.gateway.survivorship import read_survivorship
from hub.gateway.view import ViewBuilder
from hub.identity.approvals import Approvals
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.search import NameSearch
from hub.identity.vault import Vault
from hub.rules import MEMBERS_ONLY, Rules
from hub.schema.access import AccessDesk, PersonAccess
from hub.schema.audit_exports import ExportFetcher
from hub.schema.audit_roots import AuditFetcher
from hub.schema.cost import CostModel
from hub.schema.documents import Documents, shared_documents
from hub.schema.operations import Operations, shared_plans
from hub.schema.service import GraphQLService
from hub.schema.shapes import PersonShapes
from hub.schema.statutory import StatutoryFetcher
from hub.schema.subscription import EventParts, HeadSource
from hub.schema.views import View, Views
from hub.schema.weights import read_weights
from hub.settings import Settings
from hub.store.engine import Store


def build_index(store: Store, secrets: Secrets, sources: Sources, clock: Clock) -> PersonIndex:
    return PersonIndex(
        reader=store.driver,
        opener=secrets.opener,
        sealer=secrets.sealer,
        numbers=secrets.numbers,
        clock=clock,
        natural=[agency for agency in sources if agency not in MEMBERS_ONLY],
        approvals=Approvals(store.driver, secrets.pseudonyms.of, clock),
        names=NameSearch(reader=store.driver, opener=secrets.opener, sealer=secrets.sealer, indexes=secrets.names),
    )


def build_vault(secrets: Secrets, clock: Clock) -> Vault:
    return Vault(
        sealer=secrets.sealer,
        opener=secrets.opener,
        numbers=secrets.vault_numbers,
        keys=secrets.vault_keys,
        clock=clock,
    )


def build_quota(settings: Settings, store: Store, secrets: Secrets, clock: Clock) -> PersonQuota:
    """The quota that all servers on this store keep together."""
    shared = SharedQuota(store, secrets.pseudonyms, clock)
    return PersonQuota(limit=settings.persons_per_hour, clock=clock, shared=shared)


def build_statutory(
    store: Store, secrets: Secrets, index: PersonIndex, log: AuditLog, quota: PersonQuota, clock: Clock
) -> StatutoryDesk:
    return StatutoryDesk(
        store=store,
        vault=build_vault(secrets, clock),
        people=index,
        log=log,
        sealer=secrets.sealer,
        opener=secrets.opener,
        pseudonyms=secrets.pseudonyms,
        quota=quota,
        clock=clock,
    )


def build_importer(store: Store, secrets: Secrets, clock: Clock) -> Importer:
    return Importer(
        store=store,
        sealer=secrets.sealer,
        opener=secrets.opener,
        numbers=secrets.numbers,
        keys=secrets.keys,
        vault=build_vault(secrets, clock),
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
    sources: Sources,
    log: AuditLog,
    policies: PolicyHolder,
    clock: Clock,
    store: Store,
    prover: Prover,
    *,
    auditors: AuditOffice,
    quota: PersonQuota,
    statutory: StatutoryDesk,
    disabled: Container[str],
    pulse: HeadSource,
    linking: Linking,
) -> GraphQLService:
    survivorship = read_survivorship(rules.catalogue, rules.survivorship_file)
    recipients = Recipients(read_clients(settings.hub_dir / "clients.json"))
    releaser = Releaser(secrets.opener, sealed_columns(rules.mappings), recipients)
    weights = read_weights(rules.catalogue, rules.mappings, survivorship)
    sights = rules.sights
    planner = Planner(rules.catalogue, survivorship, members_only=MEMBERS_ONLY, combinations=rules.combinations)
    resolver = Resolver(people=index, ids=secrets.ids)
    asked_by_law = StatutoryFetcher(statutory)
    exports = ExportFetcher(auditors.desk, auditors.exports, log, secrets.pseudonyms, base_url=settings.base_url)
    commands, lists, cases, oversight, identity = build_commands(
        rules,
        policies,
        secrets,
        survivorship,
        resolver,
        index,
        quota,
        store,
        log,
        clock,
        linking,
        webhook_hosts=settings.webhook_hosts,
        statutory=asked_by_law,
        exports=exports,
    )
    gateway = _gateway(
        settings,
        rules,
        secrets,
        index,
        sources,
        planner,
        releaser,
        recipients,
        sights,
        quota,
        clock,
        resolver,
        prover,
    )
    shapes = PersonShapes(rules.catalogue, releaser)
    documents, plans = shared_documents(), shared_plans()

    def make_view(schema: GraphQLSchema, sight: Sight) -> View:
        desk = AccessDesk(
            sight,
            lambda principal: quota.state(officer_of(principal)),
            lambda seconds: clock.now().astimezone(CHINA) + timedelta(seconds=seconds),
        )
        operations = Operations(
            schema,
            gateway,
            shapes,
            purposes=frozenset(rules.purposes.purposes),
            deadline_s=settings.request_deadline_s,
            shared=plans,
            desk=desk,
            commands=commands,
            lists=lists,
            cases=cases,
            oversight=oversight,
            audit=AuditFetcher(auditors.desk),
            exports=exports,
            identity=identity,
            statutory=asked_by_law,
        )
        documents_of = Documents(schema, CostModel(schema, weights), shared=documents)
        return View(schema, sight.policy_digest, documents_of, operations)

    roles = {role.name: role.agency for role in rules.purposes.roles.values()}
    return GraphQLService(
        views=Views(rules.schema, sights.of, rules.catalogue, make_view, roles=roles),
        costs=CostModel(rules.schema, weights),
        policies=policies,
        log=log,
        clock=clock,
        events=EventParts(
            feed=Feed(store),
            places=Places(secrets.ids),
            pulse=pulse,
            policies=policies,
            clock=clock,
            purposes=frozenset(rules.purposes.purposes),
            disabled=disabled,
        ),
    )


def _gateway(
    settings: Settings,
    rules: Rules,
    secrets: Secrets,
    index: PersonIndex,
    sources: Sources,
    planner: Planner,
    releaser: Releaser,
    recipients: Recipients,
    sights: Sights,
    quota: PersonQuota,
    clock: Clock,
    resolver: Resolver,
    prover: Prover,
) -> Gateway:
    types = {record.agency: record.name for record in rules.catalogue.agency_types()}
    return Gateway(
        planner=planner,
        resolver=resolver,
        people=index,
        sources=sources,
        questions=Questions(
            lambda agency, coordinates: layout_of(rules.catalogue, types[agency], coordinates),
            deadline_s=settings.agency_deadline_s,
        ),
        views=ViewBuilder(
            resolver=resolver, pseudonyms=secrets.pseudonyms, releaser=releaser, access_of=PersonAccess(sights)
        ),
        pseudonyms=secrets.pseudonyms,
        quota=quota,
        members_only=MEMBERS_ONLY,
        clock=clock,
        recipient_of=recipients.of,
        remedy=sights.remedy,
        answering=Answering(resolver, prover),
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
