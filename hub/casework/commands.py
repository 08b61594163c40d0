"""What a command is: its name, who gives it about whom, what it may do inside its transaction, and how it is refused.

A command is one declaration and one handler. A handler gets a `Work`, which is an open transaction, and answers the
receipt that the caller is shown; it raises `Refusal` to undo what it did and answer a problem instead.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.kinds import Kind
from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.casework.ports import Sealer
from hub.crypto.envelope import Place
from hub.domain.agencies import HUB
from hub.events.outbox import News, put_all


class ProblemCode(StrEnum):
    """Why a command had no effect."""

    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    INVALID_INPUT = "INVALID_INPUT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    SAME_OFFICER = "SAME_OFFICER"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    EXPIRED = "EXPIRED"
    CAPACITY_FULL = "CAPACITY_FULL"


class Refusal(Exception):
    """A command is answered by a problem. `text` is a template of our own, without the caller's values."""

    def __init__(self, code: ProblemCode, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a command is about. `key` is a pseudonym, the same for a member and for somebody who is none.

    `member`: the member's id where the caller may know that this is one, else None. `others`: who else it is about; the
    rules must permit it of each.
    """

    key: str
    member: str | None
    number: str | None
    facts: Facts
    others: "tuple[Subject, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command as it is given. `given` is its input as plain JSON, without `clientMutationId`."""

    name: str
    mutation_id: str
    given: Mapping[str, Any]
    principal: Principal
    purpose: str
    cases: tuple[str, ...] = ()
    request_id: str
    document: str | None = None
    subject: Subject | None = None


@dataclass(slots=True, kw_only=True)
class Work:
    """The transaction of one command. `now_us` is the one moment at which everything of it happens."""

    connection: AsyncConnection
    call: Call
    entry_id: str
    now_us: int
    sealer: Sealer

    def seal(self, table: str, column: str, row: str, text: str) -> bytes:
        return self.sealer.seal(Place(agency=HUB, table=table, column=column, row=row), text)

    async def tell(
        self,
        person_key: str,
        recipient: str,
        kind: str,
        body: Mapping[str, Any],
        *,
        office: str | None = None,
        personal: str | None = None,
    ) -> None:
        """Put an event into the outbox, after every earlier one about this person. `personal` is sealed."""

        def sealed(row: str) -> bytes | None:
            return None if personal is None else self.seal("outbox", "body_sealed", row, personal)

        news = News(recipient=recipient, office=office, kind=kind, body=body, seal=sealed)
        await self.tell_all(person_key, [news])

    async def tell_all(self, person_key: str, news: Sequence[News]) -> None:
        """Put events about one person into the outbox, in their order."""
        await put_all(self.connection, person_key, news, entry_id=self.entry_id, happened_us=self.now_us)


Handler = Callable[[Work], Awaitable[Mapping[str, Any]]]
"""Receipt of a command: JSON without personal values; it is kept and shown again when the command is repeated."""
Facing = Callable[[Call], tuple[Facts, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`facing`: the facts, and whether it is about the caller's own agency's, under which the rules are asked first.

    A handler that learns only inside the transaction what it is about asks the rules again there (`Desk.permit`).
    `asked`: coordinates of the person that the audit entry names. `kind`: of that entry. `about`: names and ids that it
    holds as `lookedAt`, never words of the caller's.
    """

    name: str
    handler: Handler
    facing: Facing = lambda call: (call.subject.facts if call.subject else Facts(), True)
    asked: Callable[[Call], tuple[str, ...]] = lambda _call: ()
    kind: Kind = Kind.COMMAND
    about: Callable[[Call], Mapping[str, str]] = lambda _call: {}
