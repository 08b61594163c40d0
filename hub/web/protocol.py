"""HTTP/1.1 on the wire: uvicorn over httptools, with the bound on headers that httptools itself does not have."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024


class BoundedHttp(HttpToolsProtocol):
    """Ends a connection whose request line and headers do not end within `MAX_HEAD_BYTES` (and one read)."""

    _head_bytes = 0
    _in_head = True
    _messages = 0

    def data_received(self, data: bytes) -> None:
        before = self._messages
        super().data_received(data)
        if self._in_head and self._messages == before:  # nothing but head in these bytes
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
                self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> Any:
        self._in_head = False
        return super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._messages += 1
        self._in_head = True
        self._head_bytes = 0
