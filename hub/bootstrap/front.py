"""Builds what a server runs: routes, tokens, readiness, and what starts and ends with the process."""

import asyncio
import gc
import json
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.refusals import RefusalSummary
from hub.auth.clients import read_clients
from hub.auth.issuer import TokenEndpoint
from hub.auth.token import TokenVerifier
from hub.bootstrap.console import build_console
from hub.bootstrap.parts import Hub
from hub.crypto.pairwise import subject_of
from hub.errors import StoreError
from hub.settings import Settings
from hub.store.migration import is_current
from hub.telemetry import configure_logging
from hub.web.app import WebParts, create_app
from hub.web.export_endpoint import ExportEndpoint
from hub.web.forms import HandoverFormEndpoint
from hub.web.graphql_endpoint import GraphQLEndpoint
from hub.web.socket_endpoint import SocketEndpoint


def build_front(hub: Hub) -> ASGIApp:
    settings = hub.settings
    metadata = _protected_resource(settings)
    verifier = TokenVerifier(
        issuer=settings.issuer_url,
        audience=settings.audience,
        keys=hub.issuer_key.public_keys if hub.remote_issuer is None else hub.remote_issuer.keys,
        agency_of={role.name: role.agency for role in hub.rules.purposes.roles.values()},
        clock=hub.clock,
        disabled=hub.disabled,
        person_of=lambda agency, text: subject_of(hub.ids, agency, text),
    )
    challenge = f'Bearer error="invalid_token", resource_metadata="{metadata["resource_metadata"]}"'
    refusals = RefusalSummary(hub.log)
    endpoint = TokenEndpoint(hub.issuer, read_clients(settings.hub_dir / "clients.json"), hub.disabled)

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
            socket=SocketEndpoint(
                verifier=verifier,
                service=hub.service,
                clock=hub.clock,
                challenge=challenge,
                count_refusal=count_refusal,
                origins=frozenset({_origin(settings.base_url), *settings.cors_origins}),
            ),
            handover_form=HandoverFormEndpoint(
                verifier=verifier,
                service=hub.service,
                clock=hub.clock,
                challenge=challenge,
                count_refusal=count_refusal,
            ).answer,
            export=ExportEndpoint(
                verifier=verifier,
                office=hub.office,
                log=hub.log,
                policy_digest=lambda: hub.policies.current.policy_digest,
                challenge=challenge,
                count_refusal=count_refusal,
            ).answer,
            verifier=verifier,
            sdl=hub.service.sdl,
            readiness=lambda: _readiness(hub),
            metrics=hub.metrics.registry,
            protected_resource=metadata,
            jwks=lambda: {"keys": [*hub.issuer_key.jwks()["keys"], *hub.proof_key.jwks()["keys"]]},
            issuer_metadata=_issuer_metadata(settings),
            token=endpoint.answer,
            console=build_console(hub, verifier, endpoint).routes,
            personas=(lambda: _personas(settings)) if settings.demo else None,
            cors_origins=settings.cors_origins,
            lifespan=lambda _app: lifespan(hub, refusals),
        )
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _protected_resource(settings: Settings) -> Mapping[str, Any]:
    """Where tokens for this hub come from. Source: RFC 9728."""
    return {
        "resource": settings.audience,
        "authorization_servers": [settings.issuer_url],
        "bearer_methods_supported": ["header"],
        "resource_metadata": f"{settings.base_url}/.well-known/oauth-protected-resource",
    }


def _issuer_metadata(settings: Settings) -> Mapping[str, Any] | None:
    """What the built-in issuer says of itself; None: tokens are another's. Source: RFC 8414."""
    if settings.issuer_is_remote:
        return None
    base = settings.base_url
    sign_in = {"authorization_endpoint": f"{base}/oauth/authorize", "response_types_supported": ["code"]}
    return {
        "issuer": settings.issuer_url,
        "token_endpoint": f"{base}/oauth/token",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials", *(["authorization_code"] if settings.demo else [])],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", *(["none"] if settings.demo else [])],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "response_types_supported": [],
        **(sign_in if settings.demo else {}),
    }


@asynccontextmanager
async def lifespan(hub: Hub, refusals: RefusalSummary) -> AsyncIterator[None]:
    """Runs with the server: refuses a database that is behind, records the start, keeps the background tasks."""
    configure_logging(hub.settings.log_level)
    forbid_core_dumps()
    if not await is_current(hub.store):
        raise StoreError("the database is not at this program's schema; run `hub migrate`")
    digest = hub.policies.current.policy_digest
    await hub.log.append(Draft(kind=Kind.STARTUP, request_id="startup", policy_digest=digest, outcome=Outcome.OK))
    await hub.office.policies.start(digest, hub.policies.policy.files)
    await hub.checkpoints.make(force=True)
    for source in hub.sources.values():
        await source.start()
    settle_garbage_collector()
    running = (
        hub.quarantine.run(),
        refusals.run(),
        hub.watcher.run(),
        hub.checkpoints.run(),
        hub.audit.keep_up(),
        hub.office.exports.run(),
        hub.quota.run(),
    )
    tasks = [asyncio.create_task(work) for work in running]
    if hub.remote_issuer is not None:
        tasks.append(asyncio.create_task(hub.remote_issuer.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await refusals.flush()
        await give_quota_back(hub)
        await hub.close()


async def give_quota_back(hub: Hub) -> None:
    """What this server did not use is the other ones'; without a store it stays taken for its time."""
    with suppress(StoreError):
        await hub.quota.give_back(everything=True)


def forbid_core_dumps() -> None:
    """A dump of this process would hold keys and opened values; no child of it may write one either."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def settle_garbage_collector() -> None:
    """Take what was built at start out of the collector's sight, and let it run less often.

    Catalogue, schema, policies and codes are some hundred thousand objects that live as long as the process; a full
    collection walks them all and stops every request meanwhile (measured: docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _readiness(hub: Hub) -> Mapping[str, bool]:
    log = await hub.log.probe()
    remote = hub.remote_issuer
    return {
        **({} if remote is None else {"issuer": bool(remote.keys())}),
        "keys": True,  # a hub without its keys was not built
        "log": log and hub.log.writable,
        "policy": hub.policies.current.rule_count > 0 and hub.watcher.watching,
        "store": await hub.store.ping(),
    }


def _personas(settings: Settings) -> Mapping[str, Any]:
    """What the demo wrote for front-ends: personas with their tokens, and a few persons to ask for."""
    try:
        held = json.loads((settings.data_dir / "demo.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {"personas": {}, "people": {"in": [], "out": []}}
    return {"personas": held["personas"], "people": held["people"]}
