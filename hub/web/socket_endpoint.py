"""GraphQL over WebSocket at /graphql: who may open a connection, and how one is told apart from a flood.

A wrong token in the handshake's headers is 401 there; browsers, which cannot set headers, say it in `connection_init`.
Everything after is `web.socket_connection`'s.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from hub.auth.principal import Principal
from hub.clock import Clock
from hub.errors import ForbiddenError, RateLimitedError, RequestError, UnauthenticatedError
from hub.schema.errors import STATUS
from hub.schema.seats import Seats
from hub.web.graphql_endpoint import MAX_HEADERS, NotAcceptableError, Service, Verifier, error_body
from hub.web.headers import SECURITY_HEADERS, RequestHeaders, cases_of, purpose_of, request_id_of
from hub.web.negotiation import LEGACY
from hub.web.socket_connection import Caller, Connection
from hub.web.strict_json import MalformedBodyError

SUBPROTOCOL = "graphql-transport-ws"
SUBPROTOCOL_NOT_ACCEPTABLE = 4406
MAX_MESSAGE_BYTES = 256 * 1024
SOCKETS_PER_OFFICER = 10
SOCKETS = 2_000
MAX_WAITING = 200
"""Connections whose callers have not yet said who they are: neither in the handshake nor in `connection_init`."""
_GIVEN = frozenset({"authorization", "hub-purpose", "hub-case"})


class SocketEndpoint:
    """A plain ASGI handler. `origins`: pages that may connect; callers without `Origin` are no pages."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        service: Service,
        clock: Clock,
        challenge: str,
        count_refusal: Callable[[str], None],
        origins: frozenset[str],
    ) -> None:
        self._verifier = verifier
        self._service = service
        self._clock = clock
        self._challenge = challenge
        self._count_refusal = count_refusal
        self._origins = origins
        self._seats = Seats(each=SOCKETS_PER_OFFICER, total=SOCKETS)
        self._waiting: set[ExitStack] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        headers = RequestHeaders(scope["headers"])
        request_id = request_id_of(headers)
        known: Principal | None = None
        with ExitStack() as held:
            try:
                known = self._known(headers)
                self._enter(known, headers, len(scope["headers"]), held)
            except RequestError as error:
                await websocket.send_denial_response(await self._denial(error, known, request_id))
                return
            if SUBPROTOCOL not in scope["subprotocols"]:
                await self._leave_trace(NotAcceptableError("subprotocol"), known, request_id)
                await websocket.accept()
                await websocket.close(SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
                return
            await websocket.accept(SUBPROTOCOL)

            async def refuse(error: RequestError, caller: Principal | None) -> bytes:
                return (await self._leave_trace(error, caller or known, request_id))[1]

            connection = Connection(
                websocket, self._service, self._clock, lambda given: self._admit(scope, given, held), refuse
            )
            await connection.run()

    def _known(self, headers: RequestHeaders) -> Principal | None:
        """Whom the handshake names, if anybody. Raises UnauthenticatedError."""
        return self._verifier.verify(headers.single("authorization")) if headers.all("authorization") else None

    def _enter(self, known: Principal | None, headers: RequestHeaders, count: int, held: ExitStack) -> None:
        """Takes into `held` what the connection occupies until it ends: a seat, or a place among those without a name.

        Raises:
            RequestError: the handshake is refused.
        """
        if count > MAX_HEADERS:
            raise MalformedBodyError("too many headers")
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise ForbiddenError("a page of another origin")
        if known is not None:
            self._seat(known, held)
            return
        if len(self._waiting) >= MAX_WAITING:
            raise RateLimitedError("too many who have not said who they are", retry_after_s=5)
        self._waiting.add(held)
        held.callback(self._waiting.discard, held)

    def _seat(self, principal: Principal, held: ExitStack) -> None:
        """Raises RateLimitedError."""
        self._seats.take(principal)
        held.callback(self._seats.leave, principal)

    async def _admit(self, scope: Scope, given: Mapping[str, Any], held: ExitStack) -> Caller:
        """Who says so in headers or `connection_init`; what stands in both is as good as wrong.

        Raises:
            UnauthenticatedError: no token, or one that is wrong in any way.
            MalformedBodyError, RateLimitedError: the caller is known; the refusal has its entry.
        """
        said = [(name.lower().encode(), value) for name, value in given.items() if name.lower() in _GIVEN]
        plain = [(name, value.encode()) for name, value in said if isinstance(value, str) and value.isascii()]
        headers = RequestHeaders([*scope["headers"], *plain])
        authorization = headers.single("authorization")
        try:
            principal = self._verifier.verify(authorization)
        except UnauthenticatedError as error:
            self._count_refusal(error.code)
            raise
        try:
            if len(plain) < len(said):
                raise MalformedBodyError("connection_init")
            caller = Caller(
                principal=principal,
                purpose=purpose_of(headers),
                cases=cases_of(headers),
                verify=lambda: self._verifier.verify(authorization),
            )
            if held in self._waiting:
                self._seat(principal, held)
                self._waiting.discard(held)
        except RequestError as error:
            await self._service.refuse(principal, request_id_of(headers), error)
            raise
        return caller

    async def _leave_trace(self, error: RequestError, known: Principal | None, request_id: str) -> tuple[int, bytes]:
        """The refusal's status and body; it is counted, or an entry if somebody is known."""
        if known is None:
            self._count_refusal(error.code)
            return STATUS[error.code], error_body(error, request_id)
        answer = await self._service.refuse(known, request_id, error)
        return answer.status, answer.body

    async def _denial(self, error: RequestError, known: Principal | None, request_id: str) -> Response:
        extra: dict[str, str] = {}
        if isinstance(error, UnauthenticatedError):
            extra["WWW-Authenticate"] = self._challenge
        if isinstance(error, RateLimitedError):
            extra["Retry-After"] = str(error.retry_after_s)
        secure = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
        status, body = await self._leave_trace(error, known, request_id)
        return Response(body, status, {**secure, "X-Request-Id": request_id, **extra}, LEGACY)
