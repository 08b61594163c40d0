"""WebSocket on the wire: uvicorn over websockets, with bounds on what a client can make it keep without being heard.

The library bounds the size of a message. It bounds neither pongs that nobody reads, nor fragments without content, nor
messages of one read, nor how long a client that reads no more stays connected; each of these is open to strangers.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

MAX_FRAGMENTS = 1_024
"""Of one message."""
MAX_QUEUED = 256
"""Messages that came and were not yet heard; reading pauses at the first, so that only one read can bring so many."""


class BoundedSocket(WebSocketsSansIOProtocol):
    """Ends a connection that exceeds a bound. Of pongs that cannot be sent it keeps the last (RFC 6455, 5.5.3)."""

    _owed = b""  # at most what one read asks for
    _fragments = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse_handshake()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        elif pongs := b"".join(self.conn.data_to_send()):  # of all pings of one read
            self._owed = pongs

    def resume_writing(self) -> None:
        super().resume_writing()
        owed, self._owed = self._owed, b""
        if owed and not self.close_sent and not self.transport.is_closing():
            self.transport.write(owed)

    def handle_text(self, event: Frame) -> None:
        self._fragments = 0
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._fragments = 0
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        self._fragments += 1
        if self.close_sent or self._fragments >= MAX_FRAGMENTS:
            self.frames = []
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.queue.qsize() >= MAX_QUEUED:
            self.frames = []
            self._fail(CloseCode.POLICY_VIOLATION, "too many messages at once")
            return
        super().send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off_later()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._cut_off_later()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Closes without waiting for an answer. What the client sends after it is thrown away."""
        if self.close_sent:
            return
        self.conn.fail(code, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self._cut_off_later()

    def _refuse_handshake(self) -> None:
        """What the library takes for no handshake (too many headers, a line too long) it leaves open and unanswered."""
        if not self.transport.is_closing():
            status = HTTPStatus.BAD_REQUEST
            self.transport.write(f"HTTP/1.1 {status} {status.phrase}\r\nconnection: close\r\n\r\n".encode())
            self.transport.close()
            self._cut_off_later()

    def _cut_off_later(self) -> None:
        """A transport that is closed waits until its client has read everything; this one does not wait for ever."""
        if not self.disconnected:
            self.loop.call_later(self.close_timeout, self.transport.abort)
