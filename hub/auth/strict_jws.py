"""What a compact JWS may look like before any library sees it: canonical base64url, JSON without tricks."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

MAX_BYTES = 8192
_PART = re.compile(r"[A-Za-z0-9_-]+")


class MalformedTokenError(ValueError):
    """Not a token of the only accepted form."""


def split_compact(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """(header, claims, signature) of three canonical parts.

    Raises:
        MalformedTokenError: wrong number of parts, padding, stray bits, duplicate members, not UTF-8 JSON objects.
    """
    if len(token) > MAX_BYTES:
        raise MalformedTokenError("too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedTokenError("parts")
    header, claims, signature = (_decode(part) for part in parts)
    return _object(header), _object(claims), signature


def _decode(part: str) -> bytes:
    if not _PART.fullmatch(part):
        raise MalformedTokenError("alphabet")
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as exc:
        raise MalformedTokenError("base64url") from exc
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise MalformedTokenError("not canonical")
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise MalformedTokenError("JSON") from exc
    if not isinstance(value, dict):
        raise MalformedTokenError("object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedTokenError("duplicate member")
    return value


def _refuse(_constant: str) -> float:
    raise MalformedTokenError("constant")
