"""What the gateway needs from the rooms below, as it needs it; `bootstrap` hands in the real parts."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.auth.facts import Facts
from hub.connectors.base import Fetch, Fetched, KeyKind
from hub.domain.identity_number import IdentityNumber
from hub.identity.index import IndexedPage, Inquiry, Known


class Source(Protocol):
    """An agency's connector behind its deadline, bulkhead and breaker; never raises."""

    @property
    def agency(self) -> str: ...

    @property
    def key_kind(self) -> KeyKind: ...

    async def ask(self, fetch: Fetch) -> Fetched: ...

    def shared(self, fetch: Fetch) -> "Together | None":
        """Who answers `fetch` together with other agencies' questions; None: `ask` this source alone."""
        ...


class Together(Protocol):
    """Answers for several agencies at once, by agency; never raises."""

    def ask(self, fetches: Mapping[str, Fetch]) -> Coroutine[Any, Any, Mapping[str, Fetched]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The filter of a listing, as cursors are bound to it."""

    region: str | None
    sex: str | None


class People(Protocol):
    """The person index, batched: every call is one statement, for up to 500 persons."""

    async def find(self, inquiry: Inquiry, numbers: Iterable[IdentityNumber]) -> Mapping[str, Known]:
        """Canonical number → member; unknown, ambiguous and vaulted numbers are absent."""
        ...

    async def members(self, inquiry: Inquiry, member_ids: Iterable[str]) -> Mapping[str, Known]:
        """Member id → member; unknown and vaulted ids are absent."""
        ...

    async def register_facts(self, inquiry: Inquiry, numbers: Iterable[IdentityNumber]) -> Mapping[str, Facts]:
        """Canonical number → facts that do not tell membership: case, consent and own only."""
        ...

    async def persons_of_cases(self, inquiry: Inquiry, cases: Sequence[str]) -> Mapping[str, str]:
        """Case id → member id, for cases assigned to the asker's agency (and region)."""
        ...

    async def page(
        self,
        inquiry: Inquiry,
        allowed: frozenset[Facts],
        *,
        region: str | None,
        sex: str | None,
        first: int,
        after: str | None,
        offset: int,
        count: bool = True,
    ) -> IndexedPage: ...


class PersonIds(Protocol):
    """Opaque person ids, different for every agency."""

    def seal(self, agency: str, kind: str, payload: str) -> str: ...

    def open(self, agency: str, text: str) -> tuple[str, str] | None:
        """(kind, payload), or None for anything this hub did not seal for this agency."""
        ...


class Pseudonyms(Protocol):
    def of(self, kind: str, text: str) -> str:
        """A stable keyed name for something that must not be named; different kinds never collide."""
        ...
