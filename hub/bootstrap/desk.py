"""Builds the way of a command: subjects, handlers, runner, and the lists that belong to them."""

from collections.abc import Mapping, Sequence

from hub.audit.log import AuditLog
from hub.auth.policy_holder import PolicyHolder, RulesInForce
from hub.bootstrap.linking import Linking
from hub.bootstrap.secrets import Secrets
from hub.casework.bases import BaseDesk
from hub.casework.calendar_reader import read_calendar
from hub.casework.case_desk import CaseDesk
from hub.casework.case_store import CaseStore
from hub.casework.consents import ConsentDesk
from hub.casework.deadline_reader import read_deadlines
from hub.casework.emergency import EmergencyDesk
from hub.casework.handover import HandoverForms
from hub.casework.identity_desk import IdentityDesk
from hub.casework.oversight import OversightDesk
from hub.casework.oversight_lists import OversightLists
from hub.casework.queries import CaseQueries
from hub.casework.reads import CaseReads
from hub.casework.reviews import AccessLists
from hub.casework.runner import Runner
from hub.casework.verbs import read_verbs
from hub.casework.webhook_desk import WebhookDesk
from hub.casework.workflow_reader import read_workflow
from hub.clock import Clock, today
from hub.domain.agencies import HUB, JUSTICE
from hub.domain.catalogue import Catalogue
from hub.events.outbox import Feed
from hub.events.places import Places
from hub.events.webhooks import Webhooks
from hub.gateway.quota import PersonQuota
from hub.gateway.resolve import Resolver
from hub.gateway.subjects import Subjects
from hub.gateway.survivorship import MergeRule
from hub.identity.index import PersonIndex
from hub.rules import Rules
from hub.schema.audit_exports import ExportFetcher
from hub.schema.case_lists import CaseFetcher
from hub.schema.commands import CommandFetcher, ListFetcher
from hub.schema.identity_roots import IdentityFetcher
from hub.schema.oversight_lists import OversightFetcher
from hub.schema.statutory import StatutoryFetcher
from hub.store.engine import Store


def build_commands(
    rules: Rules,
    policies: PolicyHolder,
    secrets: Secrets,
    survivorship: Mapping[str, MergeRule],
    resolver: Resolver,
    index: PersonIndex,
    quota: PersonQuota,
    store: Store,
    log: AuditLog,
    clock: Clock,
    linking: Linking,
    *,
    webhook_hosts: Sequence[str],
    statutory: StatutoryFetcher,
    exports: ExportFetcher,
) -> tuple[CommandFetcher, ListFetcher, CaseFetcher, OversightFetcher, IdentityFetcher]:
    in_force = RulesInForce(policies)
    owned = owners(rules.catalogue, survivorship)
    access = EmergencyDesk(in_force, owned, below(rules.catalogue, survivorship))
    purposes: dict[str, frozenset[str]] = {}
    for role in rules.purposes.roles.values():
        purposes[role.agency] = purposes.get(role.agency, frozenset()) | role.purposes
    cases = build_case_store()
    bases = BaseDesk(cases, in_force, secrets.pseudonyms)
    desk = CaseDesk(cases, read_verbs(cases.workflow), in_force, secrets.pseudonyms, follow=(bases.follow,))
    oversight = OversightDesk(cases, in_force, secrets.pseudonyms, owned)
    webhooks = Webhooks(store, secrets.sealer, secrets.opener, clock, hosts=frozenset(webhook_hosts))
    above = (*oversight.commands(), *bases.commands(), *WebhookDesk(webhooks, Places(secrets.ids)).commands())
    who = IdentityDesk(linking.reviews).commands()
    runner = Runner(
        (*access.commands(), *ConsentDesk(purposes).commands(), *desk.commands(), *above, *who),
        store=store,
        log=log,
        rules=in_force,
        sealer=secrets.sealer,
        names=secrets.pseudonyms,
        clock=clock,
    )
    reads = CaseReads(store, cases, clock)
    subjects = Subjects(
        resolver=resolver,
        people=index,
        pseudonyms=secrets.pseudonyms,
        quota=quota,
        registrars=frozenset({JUSTICE}),
        person_of_case=reads.person_of,
        persons_of_review=linking.accounts.persons_of,
    )
    lists = AccessLists(store, secrets.opener, in_force, clock)
    fetcher = CaseFetcher(
        cases=CaseQueries(store),
        reads=reads,
        forms=HandoverForms(store, cases, secrets.opener),
        feed=Feed(store),
        rules=in_force,
        ids=secrets.ids,
        names=secrets.pseudonyms,
        today=lambda: today(clock),
    )
    above_cases = OversightFetcher(
        lists=OversightLists(store, cases, secrets.opener),
        cases=CaseQueries(store),
        webhooks=webhooks,
        rules=in_force,
        ids=secrets.ids,
        names=secrets.pseudonyms,
        today=lambda: today(clock),
    )
    identity = IdentityFetcher(
        accounts=linking.accounts,
        subjects=subjects,
        people=index,
        rules=in_force,
        ids=secrets.ids,
        names=secrets.pseudonyms,
        catalogue=rules.catalogue,
    )
    fetchers = CommandFetcher(runner, subjects, statutory, exports)
    return fetchers, ListFetcher(lists, secrets.ids), fetcher, above_cases, identity


def build_case_store() -> CaseStore:
    workflow = read_workflow()
    return CaseStore(workflow, read_deadlines(workflow), read_calendar())


def owners(catalogue: Catalogue, survivorship: Mapping[str, MergeRule]) -> Mapping[str, frozenset[str]]:
    """Coordinate → agencies whose facts it tells: of a merged field all that provide it.

    What the hub composes of its index is told of by justice, whose register that index is.
    """
    told = {name: frozenset({field.owner}) for name, field in catalogue.fields.items() if field.owner != HUB}
    for name, field in catalogue.fields.items():
        if field.owner == HUB:
            rule = survivorship.get(field.name) if field.type_name == "Person" else None
            told[name] = frozenset(item.agency for item in rule.providers) if rule else frozenset({JUSTICE})
    return told


def below(catalogue: Catalogue, survivorship: Mapping[str, MergeRule]) -> Mapping[str, frozenset[str]]:
    """Coordinate → itself and, of a record, everything below it; of a merged field, what it is merged of."""

    def of(name: str) -> frozenset[str]:
        record = catalogue.fields[name].record_type
        inner = catalogue.types[record].fields if record is not None else ()
        rule = survivorship.get(name.removeprefix("Person."))
        merged = [item.coordinate for item in rule.providers] if rule and name.startswith("Person.") else []
        return frozenset({name, *merged}).union(*(of(field.coordinate) for field in inner))

    return {name: of(name) for name in catalogue.fields}
