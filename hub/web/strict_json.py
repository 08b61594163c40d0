"""Request bodies: JSON with nothing left to interpretation. Malformed is the caller's error, never ours."""

import json
from typing import Any

import orjson

from hub.errors import RequestError

MAX_DEPTH = 32
MAX_DIGITS = 300
_MEMBERS = frozenset({"query", "operationName", "variables", "extensions"})


class MalformedBodyError(RequestError):
    code = "BAD_REQUEST"
    public = "The request body is not well-formed."


def parse_body(raw: bytes) -> dict[str, Any]:
    """The top-level object of a GraphQL request.

    Refused: anything but UTF-8 without a byte order mark, duplicate member names at any depth, NaN and Infinity,
    nesting deeper than 32, numbers longer than 300 digits, unknown top-level members.

    Raises:
        MalformedBodyError: all of that, and every syntax error.
    """
    _scan(raw)
    try:
        orjson.loads(raw)  # refuses invalid UTF-8, NaN, lone surrogates; the scan has bounded its depth
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise MalformedBodyError("not strict JSON") from exc
    if not isinstance(body, dict) or body.keys() - _MEMBERS:
        raise MalformedBodyError("not a GraphQL request")
    return body


def _scan(raw: bytes) -> None:
    """Depth and length of numbers, before any parser recurses. Cost: one pass."""
    depth = digits = 0
    inside = escaped = False
    for byte in raw:
        if inside:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                inside = False
            continue
        digits = digits + 1 if 0x30 <= byte <= 0x39 else 0
        if digits > MAX_DIGITS:
            raise MalformedBodyError("number too long")
        if byte == 0x22:
            inside = True
        elif byte in (0x7B, 0x5B):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedBodyError("nested too deep")
        elif byte in (0x7D, 0x5D):
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedBodyError("duplicate member")
    return value
