"""Builds every part of a hub from its settings; nothing else constructs."""

from typing import Any

from hub.audit.log import AuditLog
from hub.auth.issuer import Issuer, open_issuer_key
from hub.bootstrap.front import build_front
from hub.bootstrap.linking import build_linking
from hub.bootstrap.parts import Hub
from hub.bootstrap.reading import build_importer, build_index, build_service, build_sources
from hub.bootstrap.secrets import build_key_ring, build_secrets
from hub.clock import Clock, SystemClock
from hub.connectors.quarantine import StoredQuarantine
from hub.errors import RequestError, SettingsError
from hub.identity.references import References
from hub.rules import Rules, read_rules
from hub.settings import Settings
from hub.store.engine import open_store
from hub.telemetry import Metrics


def build_hub(settings: Settings, *, clock: Clock | None = None, rules: Rules | None = None) -> Hub:
    """Build everything; connects to nothing yet.

    Raises:
        StartupError: settings, rules, keys or endpoints are wrong.
    """
    clock = clock or SystemClock()
    rules = rules or read_rules(settings)
    secrets = build_secrets(build_key_ring(settings, rules.catalogue))
    store = open_store(settings.store_url, readers=settings.store_readers)
    quarantine = StoredQuarantine(store, secrets.sealer, lambda text: secrets.pseudonyms.of("record", text), clock)
    sources = build_sources(settings, rules, quarantine, clock)
    index = build_index(store, secrets, sources, clock)
    log = AuditLog(store, clock)
    issuer_key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=settings.demo)
    hub = Hub(
        settings=settings,
        rules=rules,
        clock=clock,
        store=store,
        log=log,
        index=index,
        importer=build_importer(store, secrets, clock),
        linking=build_linking(store, secrets, clock),
        references=References(store, clock),
        sources=sources,
        quarantine=quarantine,
        issuer=Issuer(issuer_key, url=settings.issuer_url, audience=settings.audience, clock=clock),
        issuer_key=issuer_key,
        pseudonyms=secrets.pseudonyms,
        ids=secrets.ids,
        metrics=Metrics(),
        service=build_service(settings, rules, secrets, index, sources, log, clock),
        app=_nothing,
    )
    _warm(hub)
    hub.app = build_front(hub)
    return hub


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
