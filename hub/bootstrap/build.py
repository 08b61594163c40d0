"""Builds every part of a hub from its settings; nothing else constructs."""

from typing import Any

from hub.audit.checkpoints import Checkpoints
from hub.audit.log import AuditLog
from hub.audit.queries import AuditQueries
from hub.audit.tiles import TileFiles
from hub.audit.witnessing import read_witnesses
from hub.auth.disabled_clients import DisabledClients
from hub.auth.issuer import Issuer, open_issuer_key
from hub.auth.policy_holder import RulesInForce
from hub.auth.proofs import ProofSigner
from hub.auth.remote_issuer import RemoteIssuer
from hub.bootstrap.front import build_front
from hub.bootstrap.linking import build_linking
from hub.bootstrap.office import build_office
from hub.bootstrap.parts import Hub
from hub.bootstrap.policies import build_policies, build_watcher
from hub.bootstrap.reading import (
    build_importer,
    build_index,
    build_quota,
    build_service,
    build_statutory,
)
from hub.bootstrap.replicas import build_copier, build_sources
from hub.bootstrap.secrets import build_audit_signer, build_key_ring, build_secrets
from hub.bootstrap.transport import build_pulse
from hub.clock import Clock, SystemClock
from hub.connectors.quarantine import StoredQuarantine
from hub.errors import RequestError, SettingsError
from hub.identity.references import References
from hub.rules import Rules, read_rules
from hub.settings import Settings
from hub.store.engine import Store, open_store
from hub.telemetry import Metrics


def build_hub(settings: Settings, *, clock: Clock | None = None, rules: Rules | None = None) -> Hub:
    """Build everything; connects to nothing yet.

    Raises:
        StartupError: settings, rules, keys or endpoints are wrong.
    """
    clock = clock or SystemClock()
    rules = rules or read_rules(settings, clock)
    secrets = build_secrets(build_key_ring(settings, rules.catalogue))
    store = open_store(settings.store_url, readers=settings.store_readers)
    quarantine = StoredQuarantine(store, secrets.sealer, lambda text: secrets.pseudonyms.of("record", text), clock)
    sources = build_sources(settings, rules, store, secrets, quarantine, clock)
    linking = build_linking(store, secrets, clock)
    index = build_index(store, secrets, sources, clock)
    log = AuditLog(store, clock)
    checkpoints = build_checkpoints(settings, store, clock)
    queries = AuditQueries(store, checkpoints)
    policies = build_policies(settings, rules)
    office = build_office(settings, rules, RulesInForce(policies), secrets, store, log, queries, checkpoints, clock)
    quota = build_quota(settings, store, secrets, clock)
    statutory = build_statutory(store, secrets, index, log, quota, clock)
    issuer_key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=settings.demo)
    remote = RemoteIssuer(settings.issuer_url, audience=settings.audience) if settings.issuer_is_remote else None
    metrics = Metrics()
    proof_key = open_issuer_key(settings.hub_dir / "keys" / "proofs.pem", create=settings.demo)
    prover = ProofSigner(proof_key, url=settings.base_url, clock=clock)
    disabled = DisabledClients(settings.disabled_clients_file, clock)
    pulse = build_pulse(settings, store, clock)
    hub = Hub(
        settings=settings,
        rules=rules,
        clock=clock,
        secrets=secrets,
        store=store,
        log=log,
        checkpoints=checkpoints,
        audit=queries,
        office=office,
        index=index,
        importer=build_importer(store, secrets, clock),
        linking=linking,
        references=References(store, clock),
        quota=quota,
        statutory=statutory,
        sources=sources,
        copier=build_copier(settings, rules, store, secrets, quarantine, clock),
        quarantine=quarantine,
        issuer=Issuer(issuer_key, url=settings.issuer_url, audience=settings.audience, clock=clock),
        issuer_key=issuer_key,
        remote_issuer=remote,
        proof_key=proof_key,
        pseudonyms=secrets.pseudonyms,
        ids=secrets.ids,
        metrics=metrics,
        policies=policies,
        disabled=disabled,
        pulse=pulse,
        watcher=build_watcher(settings, rules, policies, office.policies, log, metrics, clock),
        service=build_service(
            settings,
            rules,
            secrets,
            index,
            sources,
            log,
            policies,
            clock,
            store,
            prover,
            auditors=office,
            quota=quota,
            statutory=statutory,
            disabled=disabled,
            pulse=pulse,
            linking=linking,
        ),
        app=_nothing,
    )
    _warm(hub)
    hub.app = build_front(hub)
    return hub


def build_checkpoints(settings: Settings, store: Store, clock: Clock) -> Checkpoints:
    """Tiles are published as files where the log is in a file too.

    Raises:
        StartupError: the key is missing or unusable, or a witness is not named as it must be.
    """
    return Checkpoints(
        store,
        build_audit_signer(settings),
        clock,
        witnesses=read_witnesses(settings.witnesses),
        files=TileFiles(settings.hub_dir / "audit") if settings.database_url is None else None,
    )


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


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("not built")
