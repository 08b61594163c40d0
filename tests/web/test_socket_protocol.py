"""WebSockets on the wire: what a client may make a server keep, and how one that does not read is got rid of."""

import asyncio
import os
import struct
from contextlib import asynccontextmanager

import pytest
import uvicorn

from hub.web.protocol import BoundedHttp
from hub.web.socket_protocol import MAX_FRAGMENTS, MAX_QUEUED, BoundedSocket

PING, TEXT, CONTINUATION = 0x9, 0x1, 0x0
KEEPS_AT_MOST = 1024 * 1024


class App:
    """Accepts, then does as a test says; what it hears is counted."""

    def __init__(self):
        self.heard = 0
        self.listens = asyncio.Event()
        self.closes = asyncio.Event()
        self.done = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        listening = asyncio.create_task(self._listen(receive))
        closing = asyncio.create_task(self.closes.wait())
        await asyncio.wait([listening, closing], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        closing.cancel()
        self.done.set()

    async def _listen(self, receive):
        await self.listens.wait()
        while (await receive())["type"] == "websocket.receive":
            self.heard += 1


@pytest.fixture
async def app():
    return App()


@pytest.fixture
async def server(app):
    config = uvicorn.Config(
        app, port=0, http=BoundedHttp, ws=BoundedSocket, ws_max_size=65536, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server
    app.closes.set()
    server.should_exit = True
    server.force_exit = True
    await running


def head(*lines):
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    first = ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*first, f"Sec-WebSocket-Key: {key}", *lines, "", ""]).encode()


@asynccontextmanager
async def connected(server, *lines):
    address = server.servers[0].sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*address, limit=1024)
    try:
        writer.write(head(*lines))
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
        yield reader, writer, answer
    finally:
        writer.transport.abort()


def frame(opcode, payload=b"", *, last=True):
    mask = os.urandom(4)
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([(0x80 if last else 0) | opcode]) + length + mask + masked


def protocol_of(server):
    (protocol,) = [one for one in server.server_state.connections if isinstance(one, BoundedSocket)]
    return protocol


async def written(writer, data):
    """Whether the server took it all."""
    try:
        async with asyncio.timeout(20):
            for start in range(0, len(data), 65536):
                writer.write(data[start : start + 65536])
                await writer.drain()
                await asyncio.sleep(0)
    except (ConnectionError, TimeoutError):
        return False
    return True


async def test_who_pings_and_does_not_read_is_not_kept_pongs_for(server):
    async with connected(server) as (_, writer, _answer):
        protocol = protocol_of(server)
        await written(writer, frame(PING, b"x" * 125) * 200_000)  # 26 MB
        for _ in range(20):
            assert protocol.transport.get_write_buffer_size() < KEEPS_AT_MOST
            await asyncio.sleep(0.01)


async def test_a_ping_is_answered_also_after_a_while_in_which_nothing_could_be_sent(server):
    async with connected(server) as (reader, writer, _):
        assert await written(writer, frame(PING, b"x" * 125) * 100_000 + frame(PING, b"last"))
        tail = b""
        async with asyncio.timeout(30):
            while not tail.endswith(b"\x8a\x04last"):
                tail = tail[-10:] + await reader.read(65536)


async def test_a_message_has_so_many_fragments(server, app):
    app.listens.set()
    async with connected(server) as (reader, writer, _):
        pieces = [frame(TEXT, b"{", last=False), *[frame(CONTINUATION, last=False)] * (MAX_FRAGMENTS + 10)]
        await written(writer, b"".join(pieces))
        async with asyncio.timeout(10):
            assert (await reader.read())[2:4] == struct.pack("!H", 1009)


async def test_so_many_messages_wait_for_who_shall_hear_them(server):
    async with connected(server) as (reader, writer, _):
        protocol = protocol_of(server)
        await written(writer, frame(TEXT, b"{}") * (MAX_QUEUED * 10))
        async with asyncio.timeout(10):
            assert (await reader.read())[2:4] == struct.pack("!H", 1008)
        assert protocol.queue.qsize() <= MAX_QUEUED + 2


async def test_a_burst_is_heard_whole(server, app):
    async with connected(server) as (_, writer, _answer):
        await written(writer, frame(TEXT, b"{}") * (MAX_QUEUED // 2))
        app.listens.set()
        async with asyncio.timeout(10):
            while app.heard < MAX_QUEUED // 2:
                await asyncio.sleep(0.01)


async def test_whoever_reads_no_more_is_cut_off_once_the_hub_is_done_with_it(server, app):
    async with connected(server):
        protocol = protocol_of(server)
        protocol.close_timeout = 0.05
        while protocol.writable.is_set():  # until nothing more goes out
            protocol.transport.write(b"x" * 1_000_000)
            await asyncio.sleep(0)
        app.closes.set()
        async with asyncio.timeout(10):
            while protocol in server.server_state.connections:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "lines", [[f"X-{n}: 1" for n in range(150)], [f"Authorization: Bearer {'x' * 9000}"]], ids=["many", "long"]
)
async def test_a_handshake_that_the_library_does_not_take_is_refused_and_not_left_open(server, lines):
    async with connected(server, *lines) as (reader, _, answer):
        assert answer.startswith(b"HTTP/1.1 400 ")
        async with asyncio.timeout(10):
            await reader.read()
