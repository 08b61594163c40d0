"""What the gateway needs from the rooms below, as it needs it; `bootstrap` hands in the real parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.connectors.base import Fetch, Fetched
from hub.domain.identity_number import IdentityNumber
from hub.identity.index import IndexedMember, IndexedPage


class Source(Protocol):
    """An agency's connector behind its deadline, bulkhead and breaker; never raises."""

    @property
    def agency(self) -> str: ...

    async def ask(self, fetch: Fetch) -> Fetched: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The filter of a listing, as cursors are bound to it."""

    region: str | None
    sex: str | None


class People(Protocol):
    """The person index, batched: every call is a constant number of statements for up to 500 persons."""

    async def find(self, numbers: Sequence[IdentityNumber]) -> Mapping[str, str]:
        """Canonical number → member id; unknown, ambiguous and vaulted numbers are absent."""
        ...

    async def members(self, member_ids: Sequence[str]) -> Mapping[str, IndexedMember]:
        """Member id → what is known; unknown and vaulted ids are absent."""
        ...

    async def member_facts(
        self, principal: Principal, purpose: str, cases: Sequence[str], member_ids: Sequence[str]
    ) -> Mapping[str, Facts]: ...

    async def register_facts(
        self, principal: Principal, purpose: str, cases: Sequence[str], numbers: Sequence[IdentityNumber]
    ) -> Mapping[str, Facts]:
        """Canonical number → facts that do not tell membership: case, consent and own only."""
        ...

    async def persons_of_cases(self, principal: Principal, cases: Sequence[str]) -> Mapping[str, str]:
        """Case id → member id, for cases assigned to the asker's agency (and region)."""
        ...

    async def page(
        self,
        principal: Principal,
        cases: Sequence[str],
        allowed: frozenset[Facts],
        *,
        region: str | None,
        sex: str | None,
        first: int,
        after: str | None,
        offset: int,
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
