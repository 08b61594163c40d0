"""The statutory query (L of DOMAIN section 3.2): the one way to a record sealed by law.

An officer asks under an open case and a named legal basis, or the person concerned asks for what is held about oneself;
a second officer approves; then the asker gets the records, for an hour. Cedar decides each step: what it is told of
vaulted records as facts `statutory`, `approved` and `subject` is found out here and nowhere else. Every step is an
entry of its own kind in the log, and so is every refusal; owners of records that were given are told. Whether there is
a record decides nothing before it is given: all that can be refused is refused alike for a person who has one and for
one who has none.
"""

import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from sqlalchemy import insert, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.audit.entry import Draft, Outcome, asked_by
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.clock import Clock, microseconds
from hub.domain.agencies import JUSTICE, POLICE
from hub.domain.identity_number import IdentityNumber
from hub.errors import RequestError
from hub.events.outbox import put
from hub.gateway.plan import pattern_of
from hub.gateway.ports import People, Pseudonyms
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import Asker
from hub.gateway.statutory_queries import ANSWER_WITHIN, APPROVE_WITHIN, Held, StatutoryBasis, StatutoryQueries
from hub.identity.index import Inquiry
from hub.identity.ports import Opener, Sealer
from hub.identity.vault import Vault, VaultedRecord, query_place
from hub.identity.vault_tables import vault_notice, vault_query
from hub.store.engine import Store

CONTENT = "VaultedRecord.content"  # how the log names what is given or refused
GROUP = "FG17"
OWNER_OF: Mapping[StatutoryBasis, str] = {
    StatutoryBasis.CRIMINAL_PROCEDURE_286: JUSTICE,
    StatutoryBasis.PUBLIC_SECURITY_136: POLICE,
}
"""Whose records a law lets one ask for: juvenile records of justice, punishments of the police."""
READ = "statutory.read"
"""The event that tells an owner. It is addressed to no office, so that it stands in the feed of none."""
STEWARD = "steward"


class Refused(StrEnum):
    """Why a step was refused, as the asker is told; the same for a person who has a record and for one who has none."""

    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    SAME_OFFICER = "SAME_OFFICER"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    EXPIRED = "EXPIRED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"


class StatutoryRefusedError(RequestError):
    """One text for every reason; `str(error)`, for the hub's own log, says which."""

    code = "FORBIDDEN"
    public = "This statutory query is not open to you."

    def __init__(self, text: str, refused: Refused = Refused.FORBIDDEN) -> None:
        super().__init__(text)
        self.refused = refused


class StatutoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose records are asked for, by which law, and under which case; the person concerned needs none."""

    number: IdentityNumber
    case: str | None
    basis: StatutoryBasis


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step as its entry will tell it. `case` and `person` (a pseudonym) are None where no query was found."""

    asker: Asker
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
        quota: PersonQuota,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._log = log
        self._sealer = sealer
        self._pseudonyms = pseudonyms
        self._quota = quota
        self._clock = clock
        self._insert = (sqlite if store.dialect == "sqlite" else postgresql).insert
        self.queries = StatutoryQueries(store=store, opener=opener, clock=clock)

    async def ask(self, asker: Asker, query: StatutoryQuery, request_id: str, mutation_id: str) -> Held:
        """Enter a query. The same `mutation_id` of the same officer with the same query is the same query.

        Raises:
            StatutoryRefusedError: the rules give no statutory query, or the case is not open and the asker's.
            RateLimitedError: too many persons in this hour.
            AuditUnavailableError: the log cannot be written; nothing was entered.
        """
        principal, number = asker.principal, query.number.text
        person = self._pseudonyms.of("number", number)
        if subject := principal.subject == number:
            query = msgspec.structs.replace(query, case=None)
        step = _Step(asker=asker, request_id=request_id, name="ask", case=query.case, person=person)
        await self._quota.spend(f"{principal.client}/{principal.officer}", (f"n:{person}",))
        at_best = Facts(statutory=True, approved=True, subject=subject)
        policies = self._may(asker, "requestStatutoryQuery", at_best, own=True)
        if not policies or not self._opened_by(asker, at_best):
            raise await self._refuse(step, "no rule gives a statutory query")
        if not subject and not await self._is_open(asker, query.case):
            raise await self._refuse(step, "case is not open, or not the asker's")
        officer = "\0".join((principal.officer, *([principal.on_behalf_of] if principal.on_behalf_of else [])))
        said = "\0".join((principal.agency, principal.client, officer, mutation_id))
        query_id = self._pseudonyms.of("statutory", said)
        held = await self.queries.one(query_id) or await self._enter(step, query_id, query, policies)
        if (held.number, held.case, held.basis) != (number, query.case, query.basis):
            raise await self._refuse(step, "mutation id was used for another query", Refused.IDEMPOTENCY_CONFLICT)
        return held

    async def _enter(self, step: _Step, query_id: str, query: StatutoryQuery, policies: tuple[str, ...]) -> Held:
        """The query as it is kept: this one, or the one that was faster with its id."""
        principal = step.asker.principal
        row = {
            "query_id": query_id,
            "agency": principal.agency,
            "officer": principal.officer,
            "on_behalf_of": principal.on_behalf_of or "",
            "role": principal.role,
            "purpose": step.asker.purpose,
            "case_id": query.case or "",
            "basis": query.basis.value,
            "number_sealed": self._sealer.seal(query_place(query_id), query.number.text),
            "asked_at": self._clock.now(),
            "asked_entry": await self._note(step, Outcome.OK, policies),
        }
        async with self._store.write() as connection:
            await connection.execute(self._insert(vault_query).values(row).on_conflict_do_nothing())
        held = await self.queries.one(query_id)
        assert held is not None
        return held

    async def approve(self, asker: Asker, query_id: str, request_id: str) -> Held:
        """Let the asker have an answer; approving again what one approved changes nothing.

        Raises:
            StatutoryRefusedError: no such query, one's own, another agency's, approved already, or older than a day.
        """
        principal, held = asker.principal, await self.queries.one(query_id)
        step = self._step(asker, request_id, "approve", held)
        if held is None:
            raise await self._refuse(step, "no such query", Refused.NOT_FOUND)
        own, of_subject = held.agency == principal.agency, held.case is None
        policies = self._may(asker, "approveStatutoryQuery", Facts(subject=of_subject), own=own)
        if not policies:
            raise await self._refuse(step, "not this officer's to approve", Refused.NOT_FOUND)
        if own and principal.is_behind(held.officer, held.on_behalf_of):
            raise await self._refuse(step, "asked by this officer, or on this one's behalf", Refused.SAME_OFFICER)
        mine = (principal.agency, principal.officer)
        if held.approver is not None and (held.approver_agency, held.approver) == mine:
            return held
        if held.approver is not None:
            raise await self._refuse(step, "approved already", Refused.ALREADY_DECIDED)
        now = self._clock.now()
        if now - held.asked_at > APPROVE_WITHIN:
            raise await self._refuse(step, "too old", Refused.EXPIRED)
        entry_id = await self._note(step, Outcome.OK, policies)
        async with self._store.write() as connection:
            changed = await connection.execute(
                update(vault_query)
                .where(vault_query.c.query_id == query_id, vault_query.c.approved_at.is_(None))
                .values(approver_agency=mine[0], approver=mine[1], approved_at=now, approved_entry=entry_id)
            )
        if changed.rowcount != 1:
            raise await self._refuse(step, "approved meanwhile", Refused.ALREADY_DECIDED)
        approved = await self.queries.one(query_id)
        assert approved is not None
        return approved

    async def answer(self, asker: Asker, query_id: str, request_id: str) -> tuple[VaultedRecord, ...]:
        """The records, to the officer who asked, within an hour of the approval; none where there are none.

        The entry is durable, and the owners' notices stand, before anything is returned.

        Raises:
            StatutoryRefusedError: not asked by this officer, not approved, too late, or case closed.
            AuditUnavailableError: the log cannot be written; nothing was given.
        """
        held = await self.queries.one(query_id)
        step = self._step(asker, request_id, "answer", held)
        if held is None or not _is_by(held, asker):
            raise await self._refuse(step, "not asked by this officer")
        facts = await self._facts(asker, held)
        policies = self._opened_by(asker, facts)
        if not policies:
            raise await self._refuse(step, "not approved, too late, or case closed meanwhile")
        async with self._store.read() as connection:
            found = await self._vault.find(connection, IdentityNumber(held.number))
        records = tuple(record for record in found if record.agency == OWNER_OF[held.basis])
        entry_id = await self._note(step, Outcome.OK, policies, given=len(records))
        await self._tell(held, records, entry_id)
        return records

    def person_of(self, number: str) -> str:
        """How the log names the bearer of a number."""
        return self._pseudonyms.of("number", number)

    async def _facts(self, asker: Asker, held: Held) -> Facts:
        """What holds now: whether the query stands, whether a second officer's approval does, who asks about whom."""
        subject = asker.principal.subject == held.number
        approved = held.approved_at is not None and self._clock.now() - held.approved_at <= ANSWER_WITHIN
        case = held.case is not None and await self._is_open(asker, held.case)
        return Facts(statutory=case or subject, approved=approved, subject=subject, case=case)

    def _opened_by(self, asker: Asker, facts: Facts) -> tuple[str, ...]:
        """The rules under which a record is given in full; none: it is not."""
        principal = asker.principal
        asked = DecisionClass(agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts)
        decision = asker.judge.ruling(asked, GROUP)
        return decision.policies if decision.effect is Effect.FULL else ()

    @staticmethod
    def _may(asker: Asker, command: str, facts: Facts, *, own: bool) -> tuple[str, ...]:
        principal = asker.principal
        if asker.purpose not in principal.purposes:
            return ()
        return asker.judge.may(
            command, agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts, own=own
        )

    async def _is_open(self, asker: Asker, case: str | None) -> bool:
        if not case:
            return False
        inquiry = Inquiry(principal=asker.principal, purpose=asker.purpose, cases=(case,))
        return case in await self._people.persons_of_cases(inquiry, [case])

    async def _tell(self, held: Held, records: Sequence[VaultedRecord], entry_id: str) -> None:
        """Leave the owners of what is given a notice and an event."""
        now = self._clock.now()
        async with self._store.write() as connection:
            await connection.execute(
                update(vault_query)
                .where(vault_query.c.query_id == held.query_id, vault_query.c.answered_at.is_(None))
                .values(answered_at=now)
            )
            for record in records:
                notice = {"notice_id": secrets.token_hex(16), "record_id": record.record_id, "query_id": held.query_id}
                await connection.execute(insert(vault_notice).values(**notice, agency=record.agency, noted_at=now))
                await put(
                    connection,
                    person_key=self._pseudonyms.of("vaulted", held.number),
                    recipient=record.agency,
                    office=f"{STEWARD}/{record.agency}",
                    kind=READ,
                    body={**notice, "agency": held.agency, "officer": held.officer, "basis": held.basis.value},
                    entry_id=entry_id,
                    happened_us=microseconds(now),
                )

    def _step(self, asker: Asker, request_id: str, name: str, held: Held | None) -> _Step:
        person = None if held is None else self._pseudonyms.of("number", held.number)
        case = None if held is None else held.case
        return _Step(asker=asker, request_id=request_id, name=name, case=case, person=person)

    async def _refuse(self, step: _Step, reason: str, refused: Refused = Refused.FORBIDDEN) -> StatutoryRefusedError:
        """The refusal, once its entry is durable."""
        await self._note(step, Outcome.DENIED, ())
        return StatutoryRefusedError(reason, refused)

    async def _note(self, step: _Step, outcome: Outcome, policies: tuple[str, ...], given: int | None = None) -> str:
        principal: Principal = step.asker.principal
        effects = {Effect.FULL: (CONTENT,)} if given else {}
        pattern = pattern_of(effects if outcome is Outcome.OK else {Effect.DENIED: (CONTENT,)})
        entry = await self._log.append(
            Draft(
                kind=Kind.STATUTORY,
                request_id=step.request_id,
                **asked_by(principal),
                purpose=step.asker.purpose,
                cases=() if step.case is None else (step.case,),
                operation=f"statutoryQuery.{step.name}",
                persons=() if step.person is None else ((step.person, pattern),),
                policy_digest=step.asker.judge.policy_digest,
                policies=policies,
                outcome=outcome,
                code=None if outcome is Outcome.OK else StatutoryRefusedError.code,
                note={} if given is None else {"records": given},
            )
        )
        return entry.entry_id


def _is_by(held: Held, asker: Asker) -> bool:
    principal = asker.principal
    return (held.agency, held.officer, held.on_behalf_of, held.role, held.purpose) == (
        principal.agency,
        principal.officer,
        principal.on_behalf_of,
        principal.role,
        asker.purpose,
    )
