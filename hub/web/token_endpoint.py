"""`/oauth/token`: a form in, and what the issuer says to it out (RFC 6749, section 4.4)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub.web.form_fields import form_fields

Answers = Callable[[Mapping[str, str], Mapping[str, str]], tuple[int, Mapping[str, str], Mapping[str, Any]]]
"""Fields of the form and headers of the request → status, headers and members of the answer."""


def token_endpoint(answers: Answers) -> Callable[[Request], Awaitable[Response]]:
    async def token(request: Request) -> Response:
        fields = await form_fields(request)
        if fields is None:
            return _json(400, {"Cache-Control": "no-store"}, {"error": "invalid_request"})
        return _json(*answers(fields, dict(request.headers)))

    return token


def _json(status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> Response:
    kept = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return Response(orjson.dumps(body), status_code=status, headers=kept, media_type="application/json")
