"""Answers in several payloads: multipart/mixed and server-sent events, and a caller who goes away in between.

Sources: GraphQL over HTTP, RFC "Incremental Delivery over HTTP"; GraphQL over Server-Sent Events, distinct connections.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Send

from hub.web.negotiation import EVENT_STREAM, MULTIPART
from hub.web.presence import until_gone

SEND_WITHIN_S = 30.0
"""Who takes none of what is sent for so long is gone."""


class Later(Protocol):
    """Payloads that follow the first; to be closed in any case."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What stands around payloads. A payload is complete for its reader with `after`."""

    content_type: bytes
    start: bytes
    before: bytes
    after: bytes
    end: bytes


FRAMINGS = {
    MULTIPART: Framing(
        content_type=b'multipart/mixed; boundary="-"',
        start=b"\r\n---",
        before=b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n",
        after=b"\r\n---",
        end=b"--\r\n",
    ),
    EVENT_STREAM: Framing(
        content_type=b"text/event-stream; charset=utf-8",
        start=b"",
        before=b"event: next\ndata: ",
        after=b"\n\n",
        end=b"event: complete\ndata:\n\n",
    ),
}
"""By media type. Payloads are JSON on one line, so none holds a line break or a boundary of its own."""


class _ReaderGoneError(Exception):
    """Nothing of what is sent is taken."""


async def stream(framing: Framing, first: bytes, later: Later | None, receive: Receive, send: Send) -> None:
    """Send `first`, unless it is empty, then each later payload as it comes; ends early if the caller goes away
    or reads no more.
    """
    pump = asyncio.create_task(_pump(framing, first, later, send))
    gone = asyncio.create_task(until_gone(receive))
    try:
        await asyncio.wait([pump, gone], return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            with suppress(_ReaderGoneError):
                pump.result()
    finally:
        pump.cancel()
        gone.cancel()
        await asyncio.gather(pump, gone, return_exceptions=True)
        if later is not None:
            await later.aclose()


async def _pump(framing: Framing, first: bytes, later: Later | None, send: Send) -> None:
    async def chunk(body: bytes, *, more: bool = True) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError as exc:
            raise _ReaderGoneError from exc

    await chunk(framing.start + (framing.before + first + framing.after if first else b""))
    if later is not None:
        async for payload in later:
            await chunk(framing.before + payload + framing.after)
    await chunk(framing.end, more=False)
