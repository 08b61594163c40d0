"""Request bodies: JSON with nothing left to interpretation. Malformed is the caller's error, never ours."""

import re
from typing import Any

import orjson

from hub.errors import RequestError

MAX_DEPTH = 32
MAX_DIGITS = 300
MEMBERS = frozenset({"query", "operationName", "variables", "extensions"})
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"{}[]")


class MalformedBodyError(RequestError):
    code = "BAD_REQUEST"
    public = "The request body is not well-formed."


def parse_body(raw: bytes, members: frozenset[str] = MEMBERS) -> dict[str, Any]:
    """The top-level object of a GraphQL request, or of something else that may have these members.

    Refused: anything but UTF-8 without a byte order mark, duplicate member names at any depth, NaN and Infinity,
    nesting deeper than 32, numbers longer than 300 digits, unknown top-level members.

    Raises:
        MalformedBodyError: all of that, and every syntax error.
    """
    try:
        body = orjson.loads(raw)  # refuses invalid UTF-8, NaN, lone surrogates, nesting beyond its own bound
    except orjson.JSONDecodeError as exc:
        raise MalformedBodyError("not strict JSON") from exc
    if not isinstance(body, dict) or body.keys() - members:
        raise MalformedBodyError("not a GraphQL request")
    bare = _STRING.sub(b"", raw)  # of valid JSON (every string ends): brackets, colons, commas, literals, numbers
    _check(bare)
    if _members(body) != bare.count(b":"):
        raise MalformedBodyError("a member stands twice")
    return body


def _check(bare: bytes) -> None:
    """Depth and length of numbers."""
    if _NUMBER.search(bare):
        raise MalformedBodyError("number too long")
    depth = 0
    for byte in bare.translate(None, _NO_BRACKET):
        if byte in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedBodyError("nested too deep")
        else:
            depth -= 1


def _members(value: Any) -> int:
    """How many members the objects of `value` have; a name that stands twice is counted once."""
    count = 0
    if isinstance(value, dict):
        count = len(value)
        for item in value.values():
            if isinstance(item, dict | list):
                count += _members(item)
    else:
        for item in value:
            if isinstance(item, dict | list):
                count += _members(item)
    return count
