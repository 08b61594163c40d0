"""Builds what changes stored secrets, for commands beside a running server: rotation of keys, erasure of persons."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.bootstrap.reading import sealed_columns
from hub.bootstrap.replicas import build_writer
from hub.bootstrap.secrets import Secrets, build_key_store, build_secrets
from hub.casework.resealing import kept_of_commands
from hub.clock import Clock, SystemClock
from hub.connectors.base import KeyKind
from hub.connectors.quarantine import KEPT, StoredQuarantine
from hub.connectors.replica.resealing import kept_of_replicas
from hub.crypto.kept import Kept
from hub.crypto.keystore import KeyStore
from hub.crypto.rekeying import Rekeying
from hub.crypto.rotation import Rotation
from hub.events.webhooks import kept_of_webhooks
from hub.identity.erasure import Eraser
from hub.identity.resealing import kept_columns
from hub.identity.vault import kept_in_vault
from hub.rules import Rules, read_rules
from hub.settings import Settings
from hub.store.engine import Store, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Each `log_…` makes the entry that must be durable before its change begins."""

    settings: Settings
    keys: KeyStore
    secrets: Secrets
    store: Store
    rotation: Rotation
    rekeying: Rekeying
    eraser: Eraser
    quarantine: StoredQuarantine
    log: AuditLog
    policy_digest: str

    async def log_keys(self, what: str) -> None:
        await self._log(Draft(kind=Kind.KEYS, request_id=what, policy_digest=self.policy_digest, outcome=Outcome.OK))

    async def log_erasure(self, person_id: str, officer: str, *, final: bool) -> None:
        pseudonym = self.secrets.pseudonyms.of("member", person_id)
        await self._log(
            Draft(
                kind=Kind.ERASURE,
                request_id="second-approval" if final else "first-approval",
                officer=officer,
                persons=[(pseudonym, Pattern())],
                policy_digest=self.policy_digest,
                outcome=Outcome.OK,
            )
        )

    async def _log(self, draft: Draft) -> None:
        await self.log.append(draft)

    async def close(self) -> None:
        await self.log.close()
        await self.store.close()


def kept_everywhere(secrets: Secrets) -> Sequence[Kept]:
    """Every sealed column of the hub: what is missing here would be lost with its key."""
    return (
        *kept_columns(secrets.numbers, secrets.keys, secrets.names, secrets.matching),
        *kept_in_vault(secrets.vault_numbers, secrets.vault_keys),
        *kept_of_commands(),
        *kept_of_webhooks(),
        *kept_of_replicas(secrets.replica_keys),
        KEPT,
    )


def build_keeping(
    settings: Settings, *, rate: float = 0, clock: Clock | None = None, rules: Rules | None = None
) -> Keeping:
    """Opens keys (retired ones too, so that rows left under them can be moved) and the database, which must be there.

    Raises:
        StartupError: settings, rules or keys are wrong. StoreError: there is no database.
    """
    clock = clock or SystemClock()
    rules = rules or read_rules(settings)
    keys = build_key_store(settings)
    secrets = build_secrets(keys.ring(retired=True))
    store = open_store(settings.store_url, create=False)
    rotation = Rotation(
        store=store,
        opener=secrets.opener,
        sealer=secrets.sealer,
        kept=kept_everywhere(secrets),
        clock=clock,
        rate=rate,
    )
    return Keeping(
        settings=settings,
        keys=keys,
        secrets=secrets,
        store=store,
        rotation=rotation,
        rekeying=Rekeying(
            keys,
            rotation,
            elsewhere=frozenset(column.agency for column in sealed_columns(rules.mappings).values()),
        ),
        eraser=Eraser(
            store=store,
            sealer=secrets.sealer,
            opener=secrets.opener,
            numbers=secrets.numbers,
            erased=secrets.erased,
            clock=clock,
            forget=build_writer(store, secrets, clock).forget,
            natural=[name for name, each in rules.mappings.items() if each.key_kind is KeyKind.IDENTITY_NUMBER],
        ),
        quarantine=StoredQuarantine(store, secrets.sealer, lambda text: secrets.pseudonyms.of("record", text), clock),
        log=AuditLog(store, clock),
        policy_digest=rules.judge.policy_digest,
    )
