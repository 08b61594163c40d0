"""Headers: those of a request that the API reads, in one pass, and those that every answer carries."""

from starlette.types import Scope

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
        "x-request-id",
    )
}


class RequestHeaders:
    """The headers of one request that anybody here reads."""

    __slots__ = ("_values",)

    def __init__(self, scope: Scope) -> None:
        values: dict[str, list[str]] = {}
        for raw, value in scope["headers"]:
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
