"""`/oauth/token`: a form in, and what the issuer says to it out (RFC 6749, section 4.4)."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

FORM = "application/x-www-form-urlencoded"
MAX_BYTES = 16 * 1024
MAX_FIELDS = 20
_LENGTH = re.compile(r"[0-9]{1,9}")
Answers = Callable[[Mapping[str, str], Mapping[str, str]], tuple[int, Mapping[str, str], Mapping[str, Any]]]
"""Fields of the form and headers of the request → status, headers and members of the answer."""


def token_endpoint(answers: Answers) -> Callable[[Request], Awaitable[Response]]:
    async def token(request: Request) -> Response:
        fields = await _form(request)
        if fields is None:
            return _json(400, {"Cache-Control": "no-store"}, {"error": "invalid_request"})
        return _json(*answers(fields, dict(request.headers)))

    return token


async def _form(request: Request) -> dict[str, str] | None:
    """Its fields; None if it is no form, is too large, or says one thing twice (RFC 6749, section 3.2)."""
    declared = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM or not _LENGTH.fullmatch(declared) or int(declared) > MAX_BYTES:
        return None
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def _json(status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> Response:
    kept = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return Response(orjson.dumps(body), status_code=status, headers=kept, media_type="application/json")
