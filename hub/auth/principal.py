"""Who asks: what a verified token says about the officer, the client and the agency."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The officer behind a request and the client that carries it, from one verified token.

    `regions` are GB/T 2260 prefixes; `cases` is None unless the token is bound to named cases. `subject` is the
    identity number (canonical) of the person concerned whose token this is, None for everybody else.
    """

    agency: str
    role: str
    officer: str
    client: str
    regions: tuple[str, ...]
    purposes: frozenset[str]
    cases: frozenset[str] | None
    token_id: str
    expires_at: int  # seconds since the epoch
    subject: str | None = None
