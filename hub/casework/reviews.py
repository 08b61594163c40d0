"""Lists of emergency accesses: what one asked for or may decide on, and what still waits for its review."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
from sqlalchemy import ColumnElement, Row, and_, or_, select, tuple_

from hub.auth.facts import Facts
from hub.auth.masks import mask_identity_number
from hub.auth.principal import Principal
from hub.casework.emergency import state_of
from hub.casework.ports import Opener, Rules
from hub.clock import Clock, microseconds
from hub.crypto.envelope import Place
from hub.domain.agencies import HUB
from hub.identity.tables import emergency_access
from hub.store.engine import Store

_ACCESS = emergency_access.c


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """`overdue`: open, and its day has passed."""

    state: str  # OPEN or CLOSED
    due_at: datetime
    overdue: bool
    reviewer: str | None
    closed_at: datetime | None
    finding: str | None
    note: str | None


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency access. `subject` is the masked identity number that it was asked for with, `key` its pseudonym."""

    key: str
    id: str
    state: str
    agency: str
    officer: str
    on_behalf_of: str | None
    role: str
    purpose: str
    subject: str | None
    coordinates: Sequence[str]
    minutes: int
    reason: str
    requested_at: datetime
    approver: str | None
    approver_on_behalf_of: str | None
    decided_at: datetime | None
    decision_reason: str | None
    valid_until: datetime | None
    withdrawn_at: datetime | None
    review: Review | None
    place: str  # where it stands in a list


class AccessPage(msgspec.Struct, frozen=True, kw_only=True):
    views: Sequence[AccessView]
    has_next_page: bool


class AccessLists:
    def __init__(self, store: Store, opener: Opener, rules: Rules, clock: Clock) -> None:
        self._store = store
        self._opener = opener
        self._rules = rules
        self._clock = clock

    async def requests(self, principal: Principal, purpose: str, first: int, after: str | None) -> AccessPage | None:
        """Requests that one made, that were made on one's behalf, or that one may decide on, newest first.

        None: not allowed.
        """
        if not self._may("accessRequests", principal, purpose, own=True):
            return None
        waiting: list[ColumnElement[bool]] = []
        if self._may("approveAccess", principal, purpose, own=True):
            waiting.append(_ACCESS.agency == principal.agency)
        if self._may("approveAccess", principal, purpose, own=False, jurisdiction=True):
            waiting += [_ACCESS.region.startswith(region, autoescape=True) for region in principal.regions]
        asked_for = or_(_ACCESS.officer == principal.officer, _ACCESS.on_behalf_of == principal.officer)
        mine = and_(_ACCESS.agency == principal.agency, asked_for)
        open_ones = and_(_ACCESS.decided_us.is_(None), _ACCESS.withdrawn_us.is_(None), or_(*waiting))
        return await self._page(or_(mine, open_ones) if waiting else mine, first, after)

    async def reviews(
        self, principal: Principal, purpose: str, first: int, after: str | None, *, only_open: bool
    ) -> AccessPage | None:
        """Approved accesses with their reviews, newest first; None: not allowed."""
        conditions: list[ColumnElement[bool]] = [_ACCESS.approved.is_(True)]
        if not self._may("accessReviews", principal, purpose, own=False):
            if not self._may("accessReviews", principal, purpose, own=True):
                return None
            conditions.append(_ACCESS.agency == principal.agency)
        if only_open:
            conditions.append(_ACCESS.reviewed_us.is_(None))
        return await self._page(and_(*conditions), first, after)

    def _may(self, name: str, principal: Principal, purpose: str, *, own: bool, jurisdiction: bool = False) -> bool:
        facts = Facts(jurisdiction=jurisdiction)
        allowed = self._rules.may(
            name, agency=principal.agency, role=principal.role, purpose=purpose, facts=facts, own=own
        )
        return bool(allowed)

    async def _page(self, which: ColumnElement[bool], first: int, after: str | None) -> AccessPage:
        wanted = select(emergency_access).where(which)
        if after is not None:
            moment, _, request_id = after.partition("/")
            wanted = wanted.where(tuple_(_ACCESS.requested_us, _ACCESS.request_id) < (int(moment), request_id))
        wanted = wanted.order_by(_ACCESS.requested_us.desc(), _ACCESS.request_id.desc()).limit(first + 1)
        async with self._store.read() as connection:
            rows = (await connection.execute(wanted)).all()
        now_us = microseconds(self._clock.now())
        return AccessPage(views=[self._view(row, now_us) for row in rows[:first]], has_next_page=len(rows) > first)

    def _view(self, row: Row[Any], now_us: int) -> AccessView:
        number = self._open(row, "number_sealed")
        reason = self._open(row, "reason_sealed")
        assert reason is not None
        return AccessView(
            key=row.person_key,
            id=row.request_id,
            state=state_of(row, now_us),
            agency=row.agency,
            officer=row.officer,
            on_behalf_of=row.on_behalf_of or None,
            role=row.role,
            purpose=row.purpose,
            subject=None if number is None else mask_identity_number(number),
            coordinates=orjson.loads(row.coordinates),
            minutes=row.minutes,
            reason=reason,
            requested_at=moment_of(row.requested_us),
            approver=row.approver,
            approver_on_behalf_of=row.approver_on_behalf_of or None,
            decided_at=_maybe(row.decided_us),
            decision_reason=self._open(row, "decision_sealed"),
            valid_until=_maybe(row.valid_until_us),
            withdrawn_at=_maybe(row.withdrawn_us),
            review=self._review(row, now_us),
            place=f"{row.requested_us}/{row.request_id}",
        )

    def _review(self, row: Row[Any], now_us: int) -> Review | None:
        if row.review_due_us is None:
            return None
        return Review(
            state="OPEN" if row.reviewed_us is None else "CLOSED",
            due_at=moment_of(row.review_due_us),
            overdue=row.reviewed_us is None and row.review_due_us <= now_us,
            reviewer=row.reviewer,
            closed_at=_maybe(row.reviewed_us),
            finding=row.finding,
            note=self._open(row, "review_sealed"),
        )

    def _open(self, row: Row[Any], column: str) -> str | None:
        sealed = getattr(row, column)
        if sealed is None:
            return None
        place = Place(agency=HUB, table=emergency_access.name, column=column, row=row.request_id)
        return self._opener.open(place, sealed)


def moment_of(value_us: int) -> datetime:
    return datetime.fromtimestamp(value_us / 1_000_000, UTC)


def _maybe(value_us: int | None) -> datetime | None:
    return None if value_us is None else moment_of(value_us)
