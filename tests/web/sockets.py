"""A WebSocket without a network, and a service that answers when a test lets it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

from hub.auth.principal import Principal
from hub.clock import FixedClock
from hub.errors import RequestError
from hub.schema.errors import EVERY_STATUS, request_error
from hub.schema.request import GraphQLRequest
from hub.schema.service import Answer
from hub.web.socket_endpoint import SUBPROTOCOL, SocketEndpoint
from tests.auth.test_token import CLAIMS, HEADER, sign, verifier


def bearer(officer: str = "8001", **claims: Any) -> str:
    said = {**CLAIMS, "sub": f"officer:{officer}", "jti": f"t-{officer}", **claims}
    return f"Bearer {sign(HEADER, said)}"


class Service:
    """Writes down each entry that it would make: (officer, what became of it, of which operation).

    An operation named in `held` is answered when its event is set; one that is cancelled winds down when `let_go` is,
    and `fails` in that if it shall.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []
        self.held: dict[str, asyncio.Event] = {}
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.fails = False
        self.busy = 0
        self.busiest = 0

    async def answer(self, principal: Principal, request: GraphQLRequest) -> Answer:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            if (held := self.held.get(request.query)) is not None:
                await held.wait()
        except asyncio.CancelledError:
            self.entries.append((principal.officer, "ABORTED", request.query))
            await self.let_go.wait()
            if self.fails:
                raise RuntimeError("wound down badly") from None
            raise
        finally:
            self.busy -= 1
        self.entries.append((principal.officer, "OK", request.query))
        return Answer(status=200, body=orjson.dumps({"data": {"asked": request.query}}), well_formed=True)

    async def refuse(self, principal: Principal, request_id: str, error: RequestError) -> Answer:
        self.entries.append((principal.officer, error.code, request_id))
        hub = {"requestId": request_id, "auditEntry": f"entry-{len(self.entries)}"}
        body = orjson.dumps({"errors": [request_error(error)], "extensions": {"hub": hub}})
        return Answer(status=EVERY_STATUS[error.code], body=body, well_formed=True)

    @property
    def codes(self) -> list[str]:
        return [what for _, what, _ in self.entries]


class Door:
    """An endpoint with everything that it stands on, and what it counted without an entry."""

    def __init__(self, clock: FixedClock | None = None) -> None:
        self.service = Service()
        self.counted: list[str] = []
        verifying = verifier(clock)
        self.endpoint = SocketEndpoint(
            verifier=verifying,
            service=self.service,
            clock=clock or verifying._clock,
            challenge="Bearer",
            count_refusal=self.counted.append,
            origins=frozenset({"http://hub.test"}),
        )

    @asynccontextmanager
    async def opened(self, *, protocols: tuple[str, ...] = (SUBPROTOCOL,), **headers: str) -> AsyncIterator["Wire"]:
        wire = Wire()
        raw = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": raw,
            "subprotocols": list(protocols),
            "extensions": {"websocket.http.response": {}},
        }
        wire.running = asyncio.create_task(self.endpoint(scope, wire.receive, wire.send))
        try:
            yield wire
        finally:
            wire.put({"type": "websocket.disconnect", "code": 1006})
            wire.reads.set()
            self.service.let_go.set()
            await asyncio.wait([wire.running], timeout=10)
            wire.running.cancel()
            with suppress(asyncio.CancelledError):
                await wire.running


class Wire:
    """What a server would be: messages of the client in, messages for it out. `reads` unset: a client that does not."""

    def __init__(self) -> None:
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.running: asyncio.Task[None]
        self.put({"type": "websocket.connect"})

    def put(self, message: dict[str, Any]) -> None:
        self._in.put_nowait(message)

    async def receive(self) -> dict[str, Any]:
        return await self._in.get()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self._out.put_nowait(message)
        if message["type"] == "websocket.close":
            self.put({"type": "websocket.disconnect", "code": message["code"]})

    def say(self, **message: Any) -> None:
        self.put({"type": "websocket.receive", "text": json.dumps(message)})

    def ask(self, query: str, name: str = "1") -> None:
        self.say(type="subscribe", id=name, payload={"query": query})

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self._out.get()

    async def heard(self) -> dict[str, Any]:
        """The next message of the protocol."""
        message = await self.next()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def status(self) -> int:
        """101 if the handshake is accepted, else the status of the refusal."""
        message = await self.next()
        return 101 if message["type"] == "websocket.accept" else message["status"]

    async def closed(self) -> int:
        """The code that the connection is closed with."""
        while (message := await self.next())["type"] != "websocket.close":
            assert message["type"] in ("websocket.send", "websocket.accept"), message
        return message["code"]

    async def greeted(self, **payload: str) -> None:
        assert await self.status() == 101
        self.say(type="connection_init", payload=payload)
        assert await self.heard() == {"type": "connection_ack"}


async def settled() -> None:
    """Whatever can go on by itself has gone on."""
    for _ in range(50):
        await asyncio.sleep(0)
