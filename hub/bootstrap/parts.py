"""A built hub: its parts by name."""

from dataclasses import dataclass

from starlette.types import ASGIApp

from hub.audit.checkpoints import Checkpoints
from hub.audit.log import AuditLog
from hub.audit.queries import AuditQueries
from hub.auditing.office import AuditOffice
from hub.auth.disabled_clients import DisabledClients
from hub.auth.issuer import Issuer, IssuerKey
from hub.auth.policy_holder import PolicyHolder
from hub.auth.policy_watch import PolicyWatcher
from hub.auth.remote_issuer import RemoteIssuer
from hub.bootstrap.linking import Linking
from hub.bootstrap.replicas import Sources
from hub.bootstrap.secrets import Secrets
from hub.clock import Clock
from hub.connectors.quarantine import StoredQuarantine
from hub.connectors.replica.copier import Copier
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.gateway.quota import PersonQuota
from hub.gateway.statutory import StatutoryDesk
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import References
from hub.rules import Rules
from hub.schema.service import GraphQLService
from hub.schema.subscription import HeadSource
from hub.settings import Settings
from hub.store.engine import Store
from hub.telemetry import Metrics


@dataclass(slots=True, kw_only=True)
class Hub:
    """A built hub. `app` is what a server runs; the other parts are for commands and tests."""

    settings: Settings
    rules: Rules
    clock: Clock
    secrets: Secrets
    store: Store
    log: AuditLog
    checkpoints: Checkpoints
    audit: AuditQueries
    office: AuditOffice
    index: PersonIndex
    importer: Importer
    linking: Linking
    references: References
    quota: PersonQuota
    statutory: StatutoryDesk
    sources: Sources
    copier: Copier
    quarantine: StoredQuarantine
    issuer: Issuer
    issuer_key: IssuerKey
    remote_issuer: RemoteIssuer | None
    proof_key: IssuerKey
    pseudonyms: Pseudonyms
    ids: PairwiseIds
    metrics: Metrics
    policies: PolicyHolder
    disabled: DisabledClients
    pulse: HeadSource
    watcher: PolicyWatcher
    service: GraphQLService
    app: ASGIApp

    async def close(self) -> None:
        await self.pulse.close()
        await self.log.close()
        await self.quarantine.flush()
        for source in self.sources.values():
            await source.close()
        await self.copier.close()
        await self.store.close()
