"""One connection of the protocol graphql-transport-ws: operations of one caller, until the token ends.

Strawberry's handler keeps the protocol (order of messages, ids, close codes); this gives it strict messages, the
hub's own service for every operation, and a caller who is looked at again as long as the connection stands.
Source: GraphQL over WebSocket Protocol (graphql-transport-ws).
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import orjson
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.unset import UNSET

from hub.auth.principal import Principal
from hub.clock import Clock
from hub.errors import HubError, RateLimitedError, RequestError, UnauthenticatedError
from hub.schema.errors import request_error
from hub.schema.request import GraphQLRequest
from hub.schema.service import Answer
from hub.web.graphql_endpoint import Service
from hub.web.strict_json import MEMBERS, MalformedBodyError, parse_body

INIT_WITHIN = timedelta(seconds=3)
OPERATIONS = 10
"""Operations that one connection may have under way, those included that were ended and are not yet wound down."""
WIND_DOWN_S = 1.0
"""How long a new operation waits for one of those before it is one too many."""
RETRY_AFTER_S = 1
STRANGER_BYTES = 32 * 1024
"""Of a message before the hub knows who sends it: a token, a purpose and a hundred cases are less."""
STRANGER_MESSAGES = 10
LOOK_AGAIN_S = 1.0
CLOSE_WITHIN_S = 2.0
"""How long a close may take to be sent, and then the connection to notice; after that nobody waits for the client."""
UNAUTHORIZED = 4401
FORBIDDEN = 4403
ALREADY_EXISTS = 4409
TRY_AGAIN_LATER = 1013
MAX_ID = 64
_PARTS: Mapping[str, frozenset[str]] = {
    "connection_init": frozenset(),
    "ping": frozenset(),
    "pong": frozenset(),
    "subscribe": frozenset({"id", "payload"}),
    "complete": frozenset({"id"}),
}
"""Messages of a client, and what each must hold beside its type."""

logger = structlog.get_logger(__name__)


class TooManyOperationsError(RateLimitedError):
    public = "This connection has too many operations under way."


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a connection is for. `verify` raises UnauthenticatedError once the token is good no more."""

    principal: Principal
    purpose: str | None
    cases: tuple[str, ...]
    verify: Callable[[], Principal]


def message_of(text: str) -> dict[str, Any]:
    """A message of a client, complete and of the right types.

    Raises:
        MalformedBodyError: it is anything else.
    """
    message = parse_body(text.encode(), frozenset({"type", "id", "payload"}))
    kind, payload = message.get("type"), message.get("payload")
    if not isinstance(kind, str) or kind not in _PARTS or _PARTS[kind] - message.keys():
        raise MalformedBodyError("no message of the protocol")
    if not isinstance(payload, dict | None):
        raise MalformedBodyError("payload")
    if payload is None:
        message.pop("payload", None)
    name = message.get("id", "-")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID or not (name.isascii() and name.isprintable()):
        raise MalformedBodyError("id")
    if kind == "subscribe" and not _asks(payload or {}):
        raise MalformedBodyError("subscribe")
    return message


def _asks(payload: Mapping[str, Any]) -> bool:
    """Whether it is a GraphQL request."""
    known = payload.keys() <= MEMBERS and isinstance(payload.get("query"), str)
    objects = all(isinstance(payload.get(name), dict | None) for name in ("variables", "extensions"))
    return known and objects and isinstance(payload.get("operationName"), str | None)


class _Socket(AsyncWebSocketAdapter):
    """The handler's way to the wire. `known` is set once the caller is, `ended` by a close, sent or not."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self.known = False
        self.ended = asyncio.Event()
        self._strange = 0

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        while self._open():
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            if text is None:
                raise NonTextMessageReceived
            if not self.known:
                self._strange += 1
                if self._strange > STRANGER_MESSAGES or len(text) > STRANGER_BYTES:
                    raise NonJsonMessageReceived
            try:
                message = message_of(text)
            except MalformedBodyError as exc:
                raise NonJsonMessageReceived from exc
            yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        if not self._open():
            raise WebSocketDisconnected
        try:
            await self._websocket.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as exc:
            raise WebSocketDisconnected from exc

    async def close(self, code: int, reason: str) -> None:
        if self._open():
            # the other side was faster, or reads no more
            with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._websocket.close(code, reason)
        self.ended.set()

    def _open(self) -> bool:
        return self._websocket.application_state is not WebSocketState.DISCONNECTED


class _Said:
    """Where the handler puts what `connection_init` says."""

    def __init__(self) -> None:
        self.connection_params: dict[str, Any] = {}


class _Asked(Operation[_Said, None]):
    """An operation that stands for itself: others may bear its id after it, and are none of its business."""

    handler: "Connection"

    async def send_operation_message(self, message: Any) -> None:
        if self.completed:
            return
        if message["type"] in ("complete", "error"):
            self.end()
        await self.handler.send_message(message)

    def end(self) -> None:
        """Nothing more is said of it, and its id is free."""
        self.completed = True
        if self.handler.operations.get(self.id) is self:
            del self.handler.operations[self.id]


class Connection(BaseGraphQLTransportWSHandler[_Said, None]):
    """`admit` makes a caller of what `connection_init` says. `refuse` leaves the trace of a refusal and gives its body:
    an entry of the caller, or of whomever the handshake named; else it is counted.
    """

    def __init__(
        self,
        websocket: WebSocket,
        service: Service,
        clock: Clock,
        admit: Callable[[Mapping[str, Any]], Awaitable[Caller]],
        refuse: Callable[[RequestError, Principal | None], Awaitable[bytes]],
    ) -> None:
        self._socket = _Socket(websocket)
        super().__init__(
            view=cast(Any, self),  # it is asked for `on_ws_connect` alone
            websocket=self._socket,
            context=_Said(),
            root_value=None,
            schema=cast(Any, None),  # operations are the service's
            connection_init_wait_timeout=INIT_WITHIN,
        )
        self.caller: Caller | None = None
        self._service = service
        self._clock = clock
        self._admit = admit
        self._refuse = refuse
        self._running: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._leaving = False

    async def run(self) -> None:
        """Until the connection ends and all of it is wound down, whether or not the client notices or reads."""
        handling = asyncio.create_task(self.handle())
        ending = asyncio.create_task(self._socket.ended.wait())
        try:
            await asyncio.wait((handling, ending), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((handling,), timeout=CLOSE_WITHIN_S)
            if not self._leaving:
                handling.cancel()
            await asyncio.wait((handling,))
            if not handling.cancelled():
                handling.result()
        finally:
            ending.cancel()
            handling.cancel()
            await asyncio.gather(ending, handling, return_exceptions=True)

    async def on_ws_connect(self, context: _Said) -> Any:
        """Raises ConnectionRejectionError: nobody whom the hub serves."""
        try:
            self.caller = await self._admit(context.connection_params)
        except RateLimitedError as error:
            await self.websocket.close(TRY_AGAIN_LATER, error.public)
            raise ConnectionRejectionError from error
        except RequestError as error:
            raise ConnectionRejectionError from error
        finally:
            context.connection_params = {}
        self._socket.known = True
        self._watch = asyncio.create_task(self._until_forbidden())
        return UNSET

    async def shutdown(self) -> None:
        self._leaving = True
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def handle_connection_init(self, message: Any) -> None:
        if self.connection_init_received:
            await self._trace(MalformedBodyError("said twice who it is"))
        await super().handle_connection_init(message)

    async def handle_invalid_message(self, error_message: str) -> None:
        await self._trace(MalformedBodyError("no message of the protocol"))
        await super().handle_invalid_message(error_message)

    async def handle_subscribe(self, message: Any) -> None:
        name, payload = message["id"], message["payload"]
        if not self.connection_acknowledged:
            await self._trace(UnauthenticatedError("asked before connection_init"))
            await self.websocket.close(UNAUTHORIZED, "Unauthorized")
        elif name in self.operations:
            await self._trace(MalformedBodyError("an id that is taken"))
            await self.websocket.close(ALREADY_EXISTS, f"Subscriber for {name} already exists")
        elif not await self._has_room():
            errors = await self._trace(TooManyOperationsError("connection", retry_after_s=RETRY_AFTER_S))
            await self.send_message({"id": name, "type": "error", "payload": errors})
        else:
            operation = _Asked(self, name, payload["query"], payload.get("variables"), payload.get("operationName"))
            self.operations[name] = operation
            operation.task = asyncio.create_task(self.run_operation(operation))
            self._running.add(operation.task)
            operation.task.add_done_callback(self._running.discard)
            operation.task.add_done_callback(self._task_done)
            await asyncio.sleep(0)  # what is cancelled before it began leaves no entry

    async def cleanup_operation(self, operation_id: str) -> None:
        operation = self.operations.get(operation_id)
        if isinstance(operation, _Asked) and operation.task is not None:
            operation.end()
            operation.task.cancel()

    async def _has_room(self) -> bool:
        """Whether one more operation may begin; what was ended gets a moment to wind down."""
        ended = self._running - {operation.task for operation in self.operations.values() if operation.task}
        if len(self._running) >= OPERATIONS and ended:
            await asyncio.wait(ended, timeout=WIND_DOWN_S, return_when=asyncio.FIRST_COMPLETED)
        return len(self._running) < OPERATIONS

    async def _trace(self, error: RequestError) -> list[Any]:
        """The errors to show, once the refusal has left its trace."""
        body = await self._refuse(error, self.caller.principal if self.caller is not None else None)
        errors: list[Any] = orjson.loads(body)["errors"]
        return errors

    async def run_operation(self, operation: Operation[_Said, None]) -> None:
        caller = self.caller
        assert caller is not None
        request_id = secrets.token_hex(16)
        try:
            if not self._holds():
                await self._trace(UnauthenticatedError("the token is good no more"))
                await self.websocket.close(FORBIDDEN, "Forbidden")
                return
            answer = await self._service.answer(caller.principal, _request(operation, caller, request_id))
            operation.query, operation.variables = "", None  # a stream lasts, and needs them no more
            await self._send(operation, answer)
        except WebSocketDisconnected:
            return
        except Exception as error:  # the last line of defence: nothing of it may leave
            known = error.code if isinstance(error, HubError) else type(error).__name__
            logger.error("operation.crashed", kind=known, request_id=request_id, exc_info=True)
            with suppress(WebSocketDisconnected):
                await self._error(operation, [request_error(HubError())])

    async def _send(self, operation: Operation[_Said, None], answer: Answer) -> None:
        if answer.later is not None:
            try:
                async for payload in answer.later:
                    await self._next(operation, payload)
            finally:
                await answer.later.aclose()
            if not self._holds():
                await self.websocket.close(FORBIDDEN, "Forbidden")
                return
        elif answer.status == 200:
            await self._next(operation, answer.body)
        else:
            await self._error(operation, orjson.loads(answer.body)["errors"])
            return
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _next(self, operation: Operation[_Said, None], payload: bytes) -> None:
        message = {"id": operation.id, "type": "next", "payload": orjson.Fragment(payload)}
        await operation.send_operation_message(cast(Any, message))

    async def _error(self, operation: Operation[_Said, None], errors: list[Any]) -> None:
        await operation.send_operation_message({"id": operation.id, "type": "error", "payload": errors})

    def _holds(self) -> bool:
        """Whether the token is still good, to the second: no leeway for what lasts."""
        assert self.caller is not None
        try:
            self.caller.verify()
        except UnauthenticatedError:
            return False
        return self._clock.now().timestamp() < self.caller.principal.expires_at

    async def _until_forbidden(self) -> None:
        """Ends the connection with the token."""
        assert self.caller is not None
        while self._holds():
            left = self.caller.principal.expires_at - self._clock.now().timestamp()
            await asyncio.sleep(max(0.01, min(LOOK_AGAIN_S, left)))
        await self.websocket.close(FORBIDDEN, "Forbidden")


def _request(operation: Operation[_Said, None], caller: Caller, request_id: str) -> GraphQLRequest:
    return GraphQLRequest(
        query=operation.query,
        operation_name=operation.operation_name,
        variables=operation.variables or {},
        purpose=caller.purpose,
        cases=caller.cases,
        request_id=request_id,
        events=True,
    )
