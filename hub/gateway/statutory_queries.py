"""Statutory queries as they are kept: one by its id, those that an officer asked or may approve; notices to owners."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, or_, select

from hub.auth.principal import Principal
from hub.clock import Clock
from hub.identity.links import aware
from hub.identity.ports import Opener
from hub.identity.vault import query_place
from hub.identity.vault_tables import vault_notice, vault_query
from hub.store.engine import Store

APPROVE_WITHIN = timedelta(hours=24)
ANSWER_WITHIN = timedelta(hours=1)
MOST = 100
"""Queries or notices that one list holds, the newest first."""
_QUERY = vault_query.c


class StatutoryBasis(StrEnum):
    """The laws under which a sealed record may be asked for."""

    CRIMINAL_PROCEDURE_286 = "CRIMINAL_PROCEDURE_286"  # 刑事诉讼法第286条
    PUBLIC_SECURITY_136 = "PUBLIC_SECURITY_136"  # 治安管理处罚法第136条


class State(StrEnum):
    PENDING = "PENDING"
    LAPSED = "LAPSED"
    OPEN = "OPEN"
    ENDED = "ENDED"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A query. `case` is None where the person concerned asks; `number` is whose records are asked for, opened.

    `entry_id`: the audit entry of the last command on it.
    """

    query_id: str
    agency: str
    officer: str
    on_behalf_of: str | None
    role: str
    purpose: str
    case: str | None
    basis: StatutoryBasis
    number: str
    asked_at: datetime
    approver_agency: str | None
    approver: str | None
    approved_at: datetime | None
    answered_at: datetime | None
    state: State
    entry_id: str

    @property
    def open_until(self) -> datetime | None:
        """Until when the records can be read; None before the approval."""
        return None if self.approved_at is None else self.approved_at + ANSWER_WITHIN


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a record is told: who read it, by which law and when."""

    notice_id: str
    record_id: str
    query_id: str
    agency: str
    officer: str
    role: str
    basis: StatutoryBasis
    noted_at: datetime


class StatutoryQueries:
    def __init__(self, *, store: Store, opener: Opener, clock: Clock) -> None:
        self._store = store
        self._opener = opener
        self._clock = clock

    async def one(self, query_id: str) -> Held | None:
        found = await self._rows(select(vault_query).where(_QUERY.query_id == query_id))
        return found[0] if found else None

    async def mine(self, principal: Principal, *, of_agency: bool, of_subjects: bool) -> Sequence[Held]:
        """One's own, and those that wait for an approval: of one's agency, and of persons concerned."""
        now = self._clock.now()
        own = and_(_QUERY.agency == principal.agency, _QUERY.officer == principal.officer)
        others: list[ColumnElement[bool]] = []
        if of_agency:
            others.append(_QUERY.agency == principal.agency)
        if of_subjects:
            others.append(_QUERY.case_id == "")
        waiting = and_(_QUERY.approved_at.is_(None), _QUERY.asked_at > now - APPROVE_WITHIN, or_(*others))
        wanted = select(vault_query).where(or_(own, waiting) if others else own)
        return await self._rows(wanted.order_by(_QUERY.asked_at.desc(), _QUERY.query_id).limit(MOST))

    async def notices(self, agency: str) -> Sequence[Notice]:
        """What `agency` is told of its own records, the newest first."""
        wanted = (
            select(vault_notice, _QUERY.agency.label("asker"), _QUERY.officer, _QUERY.role, _QUERY.basis)
            .join(vault_query, _QUERY.query_id == vault_notice.c.query_id)
            .where(vault_notice.c.agency == agency)
            .order_by(vault_notice.c.noted_at.desc(), vault_notice.c.notice_id)
            .limit(MOST)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(wanted)).all()
        return [
            Notice(
                notice_id=row.notice_id,
                record_id=row.record_id,
                query_id=row.query_id,
                agency=row.asker,
                officer=row.officer,
                role=row.role,
                basis=StatutoryBasis(row.basis),
                noted_at=aware(row.noted_at),
            )
            for row in rows
        ]

    async def _rows(self, wanted: Select[Any]) -> Sequence[Held]:
        async with self._store.read() as connection:
            return [self._held(row) for row in (await connection.execute(wanted)).all()]

    def _held(self, row: Any) -> Held:
        asked, approved = aware(row.asked_at), _maybe(row.approved_at)
        now = self._clock.now()
        if approved is None:
            state = State.PENDING if now - asked <= APPROVE_WITHIN else State.LAPSED
        else:
            state = State.OPEN if now - approved <= ANSWER_WITHIN else State.ENDED
        return Held(
            query_id=row.query_id,
            agency=row.agency,
            officer=row.officer,
            on_behalf_of=row.on_behalf_of or None,
            role=row.role,
            purpose=row.purpose,
            case=row.case_id or None,
            basis=StatutoryBasis(row.basis),
            number=self._opener.open(query_place(row.query_id), row.number_sealed),
            asked_at=asked,
            approver_agency=row.approver_agency,
            approver=row.approver,
            approved_at=approved,
            answered_at=_maybe(row.answered_at),
            state=state,
            entry_id=row.approved_entry or row.asked_entry or "",
        )


def _maybe(moment: datetime | None) -> datetime | None:
    return None if moment is None else aware(moment)
