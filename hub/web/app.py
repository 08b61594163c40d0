"""The HTTP front: routes, security headers, health. Everything it serves is handed in."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.auth.principal import Principal
from hub.errors import HubError, UnauthenticatedError
from hub.schema.errors import request_error
from hub.web.graphql_endpoint import GraphQLEndpoint, Verifier
from hub.web.headers import SECURITY_HEADERS
from hub.web.socket_endpoint import SocketEndpoint
from hub.web.token_endpoint import Answers, token_endpoint

ASSETS = Path(__file__).with_name("assets") / "built"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What the front is made of. `issuer_metadata`: of the built-in issuer; None: there is none, and no `token`.
    `personas` is set in demo mode only and opens /graphiql."""

    endpoint: GraphQLEndpoint
    socket: SocketEndpoint
    handover_form: Callable[[Request], Awaitable[Response]]
    export: Callable[[Request], Awaitable[Response]]
    verifier: Verifier
    sdl: Callable[[Principal], str]
    readiness: Callable[[], Awaitable[Mapping[str, bool]]]
    metrics: CollectorRegistry
    protected_resource: Mapping[str, Any]
    jwks: Callable[[], Mapping[str, Any]]
    issuer_metadata: Mapping[str, Any] | None
    token: Answers
    personas: Callable[[], Mapping[str, Any]] | None
    cors_origins: tuple[str, ...]
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]]
    console: Callable[[], list[BaseRoute]] = list


def create_app(parts: WebParts) -> ASGIApp:
    """The application as plain ASGI; any server runs it."""
    routes: list[BaseRoute] = [
        Route("/graphql", parts.endpoint),
        Route("/schema.graphql", _sdl(parts)),
        Route("/cases/{case}/handover-form", parts.handover_form, methods=["GET"]),
        Route("/audit/exports/{job}", parts.export, methods=["GET"]),
        Route("/healthz", _health),
        Route("/readyz", _ready(parts)),
        Route("/metrics", _metrics(parts)),
        Route("/.well-known/oauth-protected-resource", _static(lambda: parts.protected_resource)),
        Route("/.well-known/jwks.json", _static(parts.jwks)),
    ]
    if (issuer := parts.issuer_metadata) is not None:
        routes.append(Route("/oauth/token", token_endpoint(parts.token), methods=["POST"]))
        routes.append(Route("/.well-known/oauth-authorization-server", _static(lambda: issuer)))
    routes += parts.console()
    if parts.personas is not None:
        routes += [Route("/graphiql", _graphiql), Route("/graphiql/personas", _static(parts.personas))]
        if ASSETS.is_dir():
            routes.append(Mount("/graphiql/assets", StaticFiles(directory=ASSETS)))
    middleware = [Middleware(_SecurityHeaders)]
    if parts.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(parts.cors_origins),
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "hub-purpose", "hub-case", "x-request-id"],
                expose_headers=["x-request-id"],
            )
        )
    starlette = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=parts.lifespan,
        exception_handlers={404: _not_found, 405: _not_found, 500: _crashed},
    )
    return _straight(starlette if parts.cors_origins else parts.endpoint, parts.socket, starlette)


def _straight(endpoint: ASGIApp, socket: ASGIApp, others: ASGIApp) -> ASGIApp:
    """Requests of the API past router and middleware, which cost it more than reading its headers does."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await endpoint(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/graphql":
            await socket(scope, receive, send)
        else:
            await others(scope, receive, send)

    return front


class _SecurityHeaders:
    """Headers that every answer carries, whoever made it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in SECURITY_HEADERS if name not in held),
                ]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def _json(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, dict(headers or {}), "application/json")


async def _health(_request: Request) -> Response:
    return _json({"alive": True})


def _ready(parts: WebParts) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_request: Request) -> Response:
        checks = await parts.readiness()
        good = all(checks.values())
        return _json({"ready": good, "checks": dict(checks)}, 200 if good else 503)

    return ready


def _metrics(parts: WebParts) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(parts.metrics), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _static(value: Callable[[], Mapping[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def static(_request: Request) -> Response:
        return _json(value())

    return static


def _sdl(parts: WebParts) -> Callable[[Request], Awaitable[Response]]:
    async def sdl(request: Request) -> Response:
        given = request.headers.getlist("authorization")
        try:
            principal = parts.verifier.verify(given[0] if len(given) == 1 else None)
        except UnauthenticatedError as error:
            resource = f'Bearer resource_metadata="{parts.protected_resource["resource_metadata"]}"'
            return _json({"errors": [request_error(error)]}, 401, {"WWW-Authenticate": resource})
        return PlainTextResponse(parts.sdl(principal))

    return sdl


async def _graphiql(_request: Request) -> Response:
    page = ASSETS / "index.html"
    if not page.is_file():
        text = "GraphiQL is not built: its files come from npm at set-up. Install node and npm, run `make demo` again."
        return PlainTextResponse(text, 503)
    return FileResponse(page)


async def _not_found(_request: Request, _exc: Exception) -> Response:
    status = getattr(_exc, "status_code", 404)
    code = "METHOD_NOT_ALLOWED" if status == 405 else "NOT_FOUND"
    message = "This method is not allowed here." if status == 405 else "There is nothing here."
    return _json({"errors": [{"message": message, "extensions": {"code": code}}]}, status)


async def _crashed(_request: Request, _exc: Exception) -> Response:
    return _json({"errors": [request_error(HubError())]}, 500)
