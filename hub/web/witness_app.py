"""The witness over HTTP: `POST /add-checkpoint`, and its key at `GET /key`. Source: C2SP tlog-witness v1."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.audit.witness import MAX_BODY_BYTES, Witness


def witness_app(witness: Witness) -> Starlette:
    """One process, one event loop: requests are answered one after the other, so that no two see the same state."""

    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return PlainTextResponse("too large\n", status_code=413)
        reply = witness.add_checkpoint(bytes(body))
        return Response(reply.body, status_code=reply.status, headers={"Content-Type": reply.media_type})

    async def key(_request: Request) -> Response:
        return PlainTextResponse(f"{witness.key}\n")

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"]), Route("/key", key)])
