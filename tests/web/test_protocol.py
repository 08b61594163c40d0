import asyncio

import pytest
import uvicorn

from hub.web.protocol import MAX_HEAD_BYTES, BoundedHttp


async def count_body(scope, receive, send):
    """Answers with the number of body bytes."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    raw = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(raw)).encode())]})
    await send({"type": "http.response.body", "body": raw})


@pytest.fixture
async def address():
    config = uvicorn.Config(count_body, port=0, http=BoundedHttp, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    await running


async def talk(address, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % size + b"x" * size


@pytest.mark.parametrize("size", [0, 10, 100_000, 2_000_000])
async def test_a_body_is_not_taken_for_a_head(address, size):
    assert (await talk(address, post(size))).endswith(str(size).encode())


async def test_a_head_that_does_not_end_is_refused(address):
    head = b"POST / HTTP/1.1\r\nhost: x\r\n"
    line = b"a: " + b"x" * 16_000 + b"\r\n"
    pieces = [head, *[line] * (MAX_HEAD_BYTES // len(line) + 20)]
    try:
        answer = await talk(address, *pieces)
    except ConnectionResetError:
        return  # what was still on its way met a closed connection
    assert answer.startswith(b"HTTP/1.1 431")
