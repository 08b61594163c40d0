"""Headers: those of a request that the API reads, in one pass, and those that every answer carries."""

import re
import secrets
from collections.abc import Iterable

from hub.web.strict_json import MalformedBodyError

MAX_CASES = 100
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CASE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_PURPOSE = re.compile(r"[A-Z_]{1,40}")

_CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", _CSP.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_READ = {
    name.encode(): name
    for name in (
        "accept",
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "hub-case",
        "hub-purpose",
        "origin",
        "x-request-id",
    )
}


class RequestHeaders:
    """The headers of one request that anybody here reads."""

    __slots__ = ("_values",)

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        values: dict[str, list[str]] = {}
        for raw, value in headers:
            name = _READ.get(raw)
            if name is not None:
                values.setdefault(name, []).append(value.decode("latin-1"))
        self._values = values

    def get(self, name: str) -> str | None:
        """The first value."""
        found = self._values.get(name)
        return found[0] if found else None

    def single(self, name: str) -> str | None:
        """A header that may come once; twice is as good as wrong."""
        found = self._values.get(name)
        return found[0] if found and len(found) == 1 else None

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])


def request_id_of(headers: RequestHeaders) -> str:
    given = headers.single("x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def purpose_of(headers: RequestHeaders) -> str | None:
    values = headers.all("hub-purpose")
    if not values:
        return None
    if len(values) > 1 or not _PURPOSE.fullmatch(values[0]):
        return "?"  # unknown: refused where a purpose is needed
    return values[0]


def cases_of(headers: RequestHeaders) -> tuple[str, ...]:
    """Raises MalformedBodyError: too many, or none that can be one."""
    values = headers.all("hub-case")
    if not values:
        return ()
    named = [case for value in values for case in map(str.strip, value.split(",")) if case]
    if len(named) > MAX_CASES or not all(_CASE.fullmatch(case) for case in named):
        raise MalformedBodyError("Hub-Case")
    return tuple(dict.fromkeys(named))
