"""Builds what auditors work with."""

from hub.audit.checkpoints import Checkpoints
from hub.audit.log import AuditLog
from hub.audit.queries import AuditQueries
from hub.auditing.desk import AuditDesk
from hub.auditing.exports import Exports
from hub.auditing.facts_file import read_facts
from hub.auditing.figures import Figures
from hub.auditing.findings import Findings
from hub.auditing.misuse import read_misuse_rules
from hub.auditing.office import AuditOffice
from hub.auditing.policies import PolicyTexts
from hub.auditing.samples import Samples
from hub.auditing.subject import Words
from hub.auth.policy_holder import RulesInForce
from hub.bootstrap.secrets import Secrets
from hub.clock import Clock
from hub.identity.grants import Grants
from hub.rules import Rules
from hub.settings import Settings
from hub.store.engine import Store


def build_office(
    settings: Settings,
    rules: Rules,
    in_force: RulesInForce,
    secrets: Secrets,
    store: Store,
    log: AuditLog,
    queries: AuditQueries,
    checkpoints: Checkpoints,
    clock: Clock,
) -> AuditOffice:
    """Raises StartupError: words, rules or facts do not have their form."""
    policies = PolicyTexts(store, log, clock)
    misuse, facts = read_misuse_rules(), read_facts(settings.hub_dir / "misuse-facts.json")
    return AuditOffice(
        desk=AuditDesk(
            rules=in_force,
            queries=queries,
            checkpoints=checkpoints,
            pseudonyms=secrets.pseudonyms,
            ids=secrets.ids,
            words=Words(rules.purposes, rules.catalogue),
            clock=clock,
        ),
        policies=policies,
        exports=Exports(
            store=store,
            queries=queries,
            checkpoints=checkpoints,
            log=log,
            policies=policies,
            clock=clock,
            directory=settings.hub_dir / "exports",
        ),
        findings=Findings(
            store=store, log=log, clock=clock, rules=tuple(misuse.values()), facts=facts, grants=Grants(store)
        ),
        samples=Samples(store, queries, clock),
        figures=Figures(store),
    )
