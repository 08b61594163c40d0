"""Who asks: what a verified token says about the officer, the client and the agency."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The officer behind a request and the client that carries it, from one verified token.

    `officer` is the one who acts; `on_behalf_of` the officer of the same agency whom this one stands in for (the
    token's subject, where `act` names another officer), None for who acts in their own name. `regions` are GB/T 2260
    prefixes; `cases` is None unless the token is bound to named cases. `subject` is the identity
    number (canonical) of the person concerned whose token this is, None for everybody else.
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
    on_behalf_of: str | None = None

    def is_behind(self, *officers: str | None) -> bool:
        """Whether one of `officers` (of this agency) is who acts here or whom they stand in for, however it is spelt.

        Where two persons are needed, nobody may be behind both.
        """
        behind = {self.officer.casefold(), (self.on_behalf_of or self.officer).casefold()}
        return any(name.casefold() in behind for name in officers if name)
