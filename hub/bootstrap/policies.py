"""Builds what keeps the policies in force, and what brings newer ones into force while the server runs."""

from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auditing.policies import PolicyTexts, policy_files
from hub.auth.policy_bundle import read_trusted
from hub.auth.policy_holder import Policy, PolicyHolder
from hub.auth.policy_loader import PolicyLoader
from hub.auth.policy_watch import Change, PolicyStore, PolicyWatcher, first_policy
from hub.clock import Clock
from hub.rules import Rules, policy_directories
from hub.settings import Settings
from hub.telemetry import Metrics

PUBLISHED = "bundle.json"
ACCEPTED = "accepted.json"


def policy_store(settings: Settings) -> PolicyStore:
    return PolicyStore(
        published=settings.policy_dir / PUBLISHED,
        accepted=settings.policy_dir / ACCEPTED,
        trusted=read_trusted(settings.trusted_dir),
    )


def build_loader(rules: Rules) -> PolicyLoader:
    return PolicyLoader(catalogue=rules.catalogue, purposes=rules.purposes)


def build_policies(settings: Settings, rules: Rules) -> PolicyHolder:
    """The policies to start with.

    Raises:
        PolicyError: what was published or accepted earlier is not valid now.
    """
    embedded = Policy(judge=rules.judge, files=policy_files(policy_directories(settings)))
    return PolicyHolder(
        first_policy(policy_store(settings), build_loader(rules), embedded, signed_only=settings.policy_signed_only)
    )


def build_watcher(
    settings: Settings,
    rules: Rules,
    holder: PolicyHolder,
    texts: PolicyTexts,
    log: AuditLog,
    metrics: Metrics,
    clock: Clock,
) -> PolicyWatcher:
    """Each change stands in the audit log, and its texts are kept, before it takes effect, and is counted."""
    metrics.policy_version.set(holder.policy.version)

    async def announce(change: Change) -> None:
        refused = change.refused
        if refused is None:
            await texts.keep(change.digest, change.files)
        await log.append(
            Draft(
                kind=Kind.POLICY,
                request_id="policy",
                policy_digest=change.digest,
                outcome=Outcome.DENIED if refused else Outcome.OK,
                code=refused.partition(":")[0] if refused else None,
                note={"version": change.version, "previous": change.previous},
            )
        )
        metrics.policy_changes.labels("refused" if refused else "in-force").inc()
        metrics.policy_version.set(change.version)

    return PolicyWatcher(
        store=policy_store(settings), loader=build_loader(rules), holder=holder, announce=announce, clock=clock
    )
