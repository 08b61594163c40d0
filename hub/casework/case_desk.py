"""Handlers of the commands of a case: who may, what is added, who is told. One transaction each."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.casework.case_store import Case, CaseStore, NewEvent, moment
from hub.casework.case_view import case_view, kept
from hub.casework.commands import Call, Command, ProblemCode, Refusal, Subject, Work
from hub.casework.docket import day_of
from hub.casework.eligibility import subsidy_refusal
from hub.casework.notices import of_event
from hub.casework.office import Office
from hub.casework.ports import Names, Rules
from hub.casework.reach import AGENCY_OF, put_reach, reference
from hub.casework.verbs import CaseVerb, InputError, checked
from hub.casework.workflow import CaseEvent
from hub.events.outbox import News

HIGHER = frozenset({"county-office", "province-office"})
"""Roles that act for offices below them in their regions."""
NOT_YOURS = "There is no such case or person, or not for you."
CUSTODY = "prison/"
"""Whoever answers for the case, until the release the person is in the hands of the prison."""
SKEW = timedelta(minutes=5)


Follow = Callable[[Work, Case, CaseEvent], Awaitable[None]]
"""What else an event does, inside its transaction; it may refuse."""


class CaseDesk:
    def __init__(
        self, cases: CaseStore, verbs: Sequence[CaseVerb], rules: Rules, names: Names, follow: Sequence[Follow] = ()
    ) -> None:
        self._cases = cases
        self._verbs = {verb.name: verb for verb in verbs}
        self._rules = rules
        self._names = names
        self._follow = tuple(follow)

    def commands(self) -> Sequence[Command]:
        def best(call: Call) -> tuple[Facts, bool]:
            return call.subject.facts if call.subject else Facts(), True  # asked again inside, with the case in hand

        return tuple(Command(name=name, handler=self.handle, facing=best) for name in self._verbs)

    async def handle(self, work: Work) -> Mapping[str, Any]:
        call = work.call
        verb = self._verbs[call.name]
        subject = call.subject
        if subject is None or subject.member is None:
            raise Refusal(ProblemCode.NOT_FOUND, NOT_YOURS, field="case")
        case_id = f"C{secrets.token_hex(12)}" if verb.opens else str(call.given["case"]).partition(".")[0]
        before = None
        if not verb.opens:
            before = await self._cases.load(work.connection, subject.member, case_id, lock=True)
        if before is None and not verb.opens:
            raise Refusal(ProblemCode.NOT_FOUND, NOT_YOURS, field="case")
        self._permit(call, subject, before)
        new = self._event(work, verb, before, case_id)
        after = await self._cases.extend(
            work.connection, before, (subject.member, case_id), [new], entry_id=work.entry_id, now_us=work.now_us
        )
        for follow in self._follow:
            await follow(work, after, new.event)
        await put_reach(work.connection, before, after)
        await self._tell(work, after, new.event)
        return kept(case_view(after, day_of(moment(work.now_us))))

    def _permit(self, call: Call, subject: Subject, case: Case | None) -> None:
        principal = call.principal
        own = case is None or is_own(principal, case)
        policies = self._rules.may(
            call.name,
            agency=principal.agency,
            role=principal.role,
            purpose=call.purpose,
            facts=subject.facts,
            own=own,
        )
        if not policies:
            raise Refusal(ProblemCode.NOT_FOUND, NOT_YOURS, field="case")

    def _event(self, work: Work, verb: CaseVerb, case: Case | None, case_id: str) -> NewEvent:
        call, now = work.call, moment(work.now_us)
        try:
            data, words = checked(verb, call.given)
        except InputError as error:
            raise Refusal(ProblemCode.INVALID_INPUT, str(error), field=error.field) from error
        if verb.name == "grantSubsidy" and case is not None and (why := subsidy_refusal(case.course, day_of(now))):
            raise Refusal(ProblemCode.INVALID_INPUT, why, field="case")
        happened = self._time(call, "happenedAt", now) or now
        recorded = self._time(call, "recordedAt", now) or max(happened, now)
        event = CaseEvent(
            event_id=work.entry_id,
            kind=verb.event_of(call.given),
            happened_at=happened,
            recorded_at=recorded,
            received_at=now,
            office=acting_office(call.principal, case),
            data=data,
        )
        if not words:
            return NewEvent(event=event)
        sealed = work.seal("case_event", "words_sealed", f"{case_id}/{event.event_id}", orjson.dumps(words).decode())
        return NewEvent(event=event, words_sealed=sealed)

    def _time(self, call: Call, name: str, now: datetime) -> datetime | None:
        text = call.given.get(name)
        if text is None:
            return None
        given = datetime.fromisoformat(text)
        if given.tzinfo is None or given.astimezone(UTC) > now + SKEW:
            raise Refusal(ProblemCode.INVALID_INPUT, "A time with its zone, not in the future.", field=name)
        return given.astimezone(UTC)

    async def _tell(self, work: Work, case: Case, event: CaseEvent) -> None:
        news = []
        for notice in of_event(case, event):
            role = notice.office.partition("/")[0]
            body = {**notice.body, "case": reference(case.case_id, role)}
            recipient = AGENCY_OF.get(role, "justice")
            news.append(News(recipient=recipient, office=notice.office, kind=notice.kind, body=body))
        await work.tell_all(self._names.of("member", case.person_id), news)


def is_own(principal: Principal, case: Case) -> bool:
    """Whether the caller's office answers for the case, is to take it over or helps, or stands above one that does."""
    owned = case.owned
    offices = [owned.accountable, owned.pending.office if owned.pending else None]
    offices += [joint.office for joint in owned.joint if joint.until is None]
    if not any(step.event.kind == "RELEASED" for step in case.course.steps):
        offices += [tenure.office for tenure in owned.tenures if tenure.office.startswith(CUSTODY)]
    offices.append(_verifier(case))
    if owned.accountable is None and owned.tenures:
        offices.append(owned.tenures[-1].office)
    return any(_acts_for(principal, office) for office in offices if office is not None)


def _verifier(case: Case) -> str | None:
    """The office that was asked to verify and has not answered."""
    asked: str | None = None
    for step in case.course.steps:
        if step.event.kind == "VERIFICATION_STARTED":
            asked = step.event.data.get("office")
        elif step.event.kind in ("VERIFIED", "VERIFY_FAILED"):
            asked = None
    return asked


def _acts_for(principal: Principal, office: str) -> bool:
    role, _, region = office.partition("/")
    within = any(region.startswith(own) for own in principal.regions)
    return within and (role == principal.role or principal.role in HIGHER)


def acting_office(principal: Principal, case: Case | None) -> str:
    """The office for which the caller acts: the one of theirs that the case names, else that of their first region."""
    own = f"{principal.role}/"
    if case is not None:
        owned = case.owned
        named = [owned.pending.office if owned.pending else None, owned.accountable]
        named += [joint.office for joint in owned.joint if joint.until is None]
        for office in named:
            if office is not None and office.startswith(own) and _acts_for(principal, office):
                return office
    regions = principal.regions or ("0",)
    near = [region for region in regions if case is not None and case.facts.region.startswith(region)]
    return str(Office(principal.role, (near or regions)[0].ljust(6, "0")))
