"""Framing of payloads, and a caller who goes away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.web import streaming
from hub.web.negotiation import EVENT_STREAM, MULTIPART
from hub.web.streaming import FRAMINGS, stream


class Payloads:
    def __init__(self, *payloads: bytes, hangs: bool = False) -> None:
        self._payloads = payloads
        self._hangs = hangs
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for payload in self._payloads:
            yield payload
        if self._hangs:
            await asyncio.sleep(60)

    async def aclose(self) -> None:
        self.closed = True


class Connection:
    """Stays until `stays` messages were sent."""

    def __init__(self, stays: int = 99, *, broken: bool = False) -> None:
        self.sent: list[dict] = []
        self._gone = asyncio.Event()
        self._stays = stays
        self._broken = broken

    async def receive(self) -> dict:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        if self._broken:
            raise OSError("gone")
        self.sent.append(message)
        if len(self.sent) >= self._stays:
            self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent)


HEAD = b"Content-Type: application/json; charset=utf-8\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (MULTIPART, b"\r\n---\r\n" + HEAD + b"{1}\r\n---\r\n" + HEAD + b"{2}\r\n-----\r\n"),
        (EVENT_STREAM, b"event: next\ndata: {1}\n\nevent: next\ndata: {2}\n\nevent: complete\ndata:\n\n"),
    ],
)
async def test_frames_are_those_of_the_standards(kind, expected):
    connection, later = Connection(), Payloads(b"{2}")
    await stream(FRAMINGS[kind], b"{1}", later, connection.receive, connection.send)
    assert connection.body == expected
    assert [message["more_body"] for message in connection.sent] == [True, True, False]
    assert later.closed


@pytest.mark.parametrize("kind", [MULTIPART, EVENT_STREAM])
async def test_a_payload_can_be_read_before_the_next_one_is_there(kind):
    connection = Connection(stays=1)
    await stream(FRAMINGS[kind], b"{1}", Payloads(hangs=True), connection.receive, connection.send)
    assert connection.body.endswith(b"{1}\n\n" if kind == EVENT_STREAM else b"{1}\r\n---")


async def test_who_goes_away_closes_what_was_to_come():
    connection, later = Connection(stays=2), Payloads(b"{2}", hangs=True)
    await stream(FRAMINGS[MULTIPART], b"{1}", later, connection.receive, connection.send)
    assert later.closed
    assert len(connection.sent) == 2


async def test_a_broken_connection_closes_it_too():
    connection, later = Connection(broken=True), Payloads(hangs=True)
    with pytest.raises(OSError, match="gone"):
        await stream(FRAMINGS[MULTIPART], b"{1}", later, connection.receive, connection.send)
    assert later.closed


async def test_a_server_that_stops_closes_it_too():
    connection, later = Connection(), Payloads(hangs=True)
    task = asyncio.create_task(stream(FRAMINGS[MULTIPART], b"{1}", later, connection.receive, connection.send))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert later.closed


async def test_who_does_not_read_is_gone_after_a_while(monkeypatch):
    """Else a reader that stops keeps its stream, and the seat of it, beyond the end of its token."""
    monkeypatch.setattr(streaming, "SEND_WITHIN_S", 0.05)

    async def send(_message: dict) -> None:
        await asyncio.sleep(60)

    later = Payloads(b"{2}", hangs=True)
    async with asyncio.timeout(10):
        await stream(FRAMINGS[EVENT_STREAM], b"{1}", later, Connection().receive, send)
    assert later.closed


async def test_a_stream_that_has_nothing_to_send_for_a_while_stays(monkeypatch):
    monkeypatch.setattr(streaming, "SEND_WITHIN_S", 0.01)

    class Slow(Payloads):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            await asyncio.sleep(0.05)
            yield b"{2}"

    connection = Connection()
    await stream(FRAMINGS[EVENT_STREAM], b"{1}", Slow(), connection.receive, connection.send)
    assert b"{2}" in connection.body
