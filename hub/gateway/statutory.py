"""The statutory query (L of DOMAIN section 3.2): the one way to a record sealed by law.

An officer asks under an open case and a named legal basis, another officer of the same agency approves, then the first
gets the records, once. Every step is an entry of its own kind in the log, and so is every refusal; owners of records
that were given are told. Whether there is a record decides nothing before it is given: all that can be refused is
refused alike for a person who has one and for one who has none.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update

from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auth.decision import Effect
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.domain.identity_number import IdentityNumber
from hub.errors import RequestError
from hub.gateway.plan import pattern_of
from hub.gateway.ports import People, Pseudonyms
from hub.identity.index import Inquiry
from hub.identity.ports import Opener, Sealer
from hub.identity.vault import Vault, VaultedRecord, query_place
from hub.identity.vault_tables import vault_notice, vault_query
from hub.store.engine import Store

LAWFUL_ROLES = frozenset({"judicial-office", "county-office", "province-office", "police-station", "procurator"})
"""Roles with L in column 17 of DOMAIN section 3.2."""
APPROVE_WITHIN = timedelta(hours=24)
ANSWER_WITHIN = timedelta(hours=1)
CONTENT = "VaultedRecord.content"  # how the log names what is given or refused


class StatutoryBasis(StrEnum):
    """The laws under which a sealed record may be asked for."""

    CRIMINAL_PROCEDURE_286 = "CRIMINAL_PROCEDURE_286"  # 刑事诉讼法第286条
    PUBLIC_SECURITY_136 = "PUBLIC_SECURITY_136"  # 治安管理处罚法第136条


class StatutoryRefusedError(RequestError):
    """One text for every reason; `str(error)`, for the hub's own log, says which."""

    code = "FORBIDDEN"
    public = "This statutory query is not open to you."


@dataclass(frozen=True, slots=True, kw_only=True)
class StatutoryQuery:
    """Whose records are asked for, under which case, and by which law."""

    number: IdentityNumber
    case: str
    basis: StatutoryBasis


@dataclass(frozen=True, slots=True)
class _Step:
    """One step as its entry will tell it. `case` and `person` (a pseudonym) are None where no query was found."""

    principal: Principal
    purpose: str
    request_id: str
    name: str
    case: str | None
    person: str | None


class StatutoryDesk:
    """`people` says whether a case is open and the asker's. `sealer` and `opener` keep the asked number at rest."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        people: People,
        log: AuditLog,
        sealer: Sealer,
        opener: Opener,
        pseudonyms: Pseudonyms,
        policy_digest: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._log = log
        self._sealer = sealer
        self._opener = opener
        self._pseudonyms = pseudonyms
        self._policy_digest = policy_digest
        self._clock = clock

    async def ask(self, principal: Principal, purpose: str, query: StatutoryQuery, request_id: str) -> str:
        """Enter a query; its id, for the approver and for `answer`.

        Raises:
            StatutoryRefusedError: the role has no statutory query, or the case is not open and the asker's.
            AuditUnavailableError: the log cannot be written; nothing was entered.
        """
        step = _Step(principal, purpose, request_id, "ask", query.case, self._pseudonym(query.number.text))
        if principal.role not in LAWFUL_ROLES or purpose not in principal.purposes:
            raise await self._refuse(step, "role or purpose has no statutory query")
        inquiry = Inquiry(principal=principal, purpose=purpose, cases=(query.case,))
        if query.case not in await self._people.persons_of_cases(inquiry, [query.case]):
            raise await self._refuse(step, "case is not open, or not the asker's")
        query_id = secrets.token_hex(16)
        await self._note(step, Outcome.OK)
        async with self._store.write() as connection:
            await connection.execute(
                insert(vault_query).values(
                    query_id=query_id,
                    agency=principal.agency,
                    officer=principal.officer,
                    case_id=query.case,
                    basis=query.basis.value,
                    number_sealed=self._sealer.seal(query_place(query_id), query.number.text),
                    asked_at=self._clock.now(),
                )
            )
        return query_id

    async def approve(self, principal: Principal, purpose: str, query_id: str, request_id: str) -> None:
        """Let the asker have an answer. An approver is another officer of the same agency, with L as well.

        Raises:
            StatutoryRefusedError: no such query, one's own, another agency's, approved already, or older than a day.
        """
        held = await self._held(query_id)
        step = self._step(principal, purpose, request_id, "approve", held)
        now = self._clock.now()
        if (
            held is None
            or principal.role not in LAWFUL_ROLES
            or held["agency"] != principal.agency
            or held["officer"] == principal.officer
            or now - _aware(held["asked_at"]) > APPROVE_WITHIN
        ):
            raise await self._refuse(step, "not this officer's to approve")
        async with self._store.write() as connection:
            changed = await connection.execute(
                update(vault_query)
                .where(vault_query.c.query_id == query_id, vault_query.c.approved_at.is_(None))
                .values(approver=principal.officer, approved_at=now)
            )
        if changed.rowcount != 1:
            raise await self._refuse(step, "approved already")
        await self._note(step, Outcome.OK)

    async def answer(
        self, principal: Principal, purpose: str, query_id: str, request_id: str
    ) -> tuple[VaultedRecord, ...]:
        """The records, once, to the officer who asked, within an hour of the approval; none where there are none.

        The entry is durable, and the owners' notices stand, before anything is returned.

        Raises:
            StatutoryRefusedError: not asked by this officer, not approved, answered already, too late, or case closed.
            AuditUnavailableError: the log cannot be written; the query is used up and nothing was given.
        """
        held = await self._held(query_id)
        step = self._step(principal, purpose, request_id, "answer", held)
        if held is None or not self._is_due(held, principal):
            raise await self._refuse(step, "not asked by this officer, not approved, or too late")
        inquiry = Inquiry(principal=principal, purpose=purpose, cases=(held["case_id"],))
        if held["case_id"] not in await self._people.persons_of_cases(inquiry, [held["case_id"]]):
            raise await self._refuse(step, "case was closed meanwhile")
        records = await self._take(held)
        if records is None:
            raise await self._refuse(step, "answered already")
        await self._note(step, Outcome.OK, given=len(records))
        return records

    def _is_due(self, held: Mapping[str, Any], principal: Principal) -> bool:
        return (
            (held["agency"], held["officer"]) == (principal.agency, principal.officer)
            and principal.role in LAWFUL_ROLES
            and held["approved_at"] is not None
            and self._clock.now() - _aware(held["approved_at"]) <= ANSWER_WITHIN
        )

    async def _take(self, held: Mapping[str, Any]) -> tuple[VaultedRecord, ...] | None:
        """Use the query up, read the records and leave their owners a notice, all in one; None if it was used."""
        number = IdentityNumber(self._opener.open(query_place(held["query_id"]), held["number_sealed"]))
        now = self._clock.now()
        async with self._store.write() as connection:
            changed = await connection.execute(
                update(vault_query)
                .where(vault_query.c.query_id == held["query_id"], vault_query.c.answered_at.is_(None))
                .values(answered_at=now)
            )
            if changed.rowcount != 1:
                return None
            records = await self._vault.find(connection, number)
            for record in records:
                await connection.execute(
                    insert(vault_notice).values(
                        notice_id=secrets.token_hex(16),
                        agency=record.agency,
                        record_id=record.record_id,
                        query_id=held["query_id"],
                        noted_at=now,
                    )
                )
        return records

    async def _held(self, query_id: str) -> Mapping[str, Any] | None:
        async with self._store.read() as connection:
            row = (await connection.execute(select(vault_query).where(vault_query.c.query_id == query_id))).first()
        return None if row is None else dict(row._mapping)

    def _step(
        self, principal: Principal, purpose: str, request_id: str, name: str, held: Mapping[str, Any] | None
    ) -> _Step:
        if held is None:
            return _Step(principal, purpose, request_id, name, None, None)
        number = self._opener.open(query_place(held["query_id"]), held["number_sealed"])
        return _Step(principal, purpose, request_id, name, held["case_id"], self._pseudonym(number))

    def _pseudonym(self, number: str) -> str:
        return self._pseudonyms.of("number", number)

    async def _refuse(self, step: _Step, reason: str) -> StatutoryRefusedError:
        """The refusal, once its entry is durable."""
        await self._note(step, Outcome.DENIED)
        return StatutoryRefusedError(reason)

    async def _note(self, step: _Step, outcome: Outcome, given: int | None = None) -> None:
        principal = step.principal
        effects = {Effect.FULL: (CONTENT,)} if given else {}
        pattern = pattern_of(effects if outcome is Outcome.OK else {Effect.DENIED: (CONTENT,)})
        await self._log.append(
            Draft(
                kind=Kind.STATUTORY,
                request_id=step.request_id,
                agency=principal.agency,
                client=principal.client,
                officer=principal.officer,
                role=principal.role,
                purpose=step.purpose,
                cases=() if step.case is None else (step.case,),
                operation=f"statutoryQuery.{step.name}",
                persons=() if step.person is None else ((step.person, pattern),),
                policy_digest=self._policy_digest,
                outcome=outcome,
                code=None if outcome is Outcome.OK else StatutoryRefusedError.code,
                note={} if given is None else {"records": given},
            )
        )


def _aware(moment: datetime) -> datetime:
    """SQLite gives back what it was given, without its zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
