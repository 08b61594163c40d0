"""Commands above a case: supervision orders (督查督办) with their replies, and requests to correct a fact.

A higher office orders on a red task; the office that answers for the case replies. A fact is corrected by the agency
that owns it and by nobody else: who finds it wrong asks, the owner answers by a day.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from hub.auth.facts import Facts
from hub.casework.case_desk import NOT_YOURS, acting_office, is_own
from hub.casework.case_store import Case, CaseStore, moment
from hub.casework.commands import Call, Command, ProblemCode, Refusal, Work
from hub.casework.deadline import Light
from hub.casework.docket import day_of
from hub.casework.oversight_tables import correction, supervision_order
from hub.casework.ports import Names, Owners, Rules
from hub.casework.reach import AGENCY_OF, put_reference, reference
from hub.domain.agencies import JUSTICE

ORDER_DAYS = 7
"""Days for a reply where the order names none. [P]"""
CORRECTION_DAYS = 15
"""Days for an owner to answer. [P] after the time in which a prison corrects what was found false (DOMAIN 1.1, 2a)."""
MAX_TEXT = 2_000
ASKED = {JUSTICE: "prison", "police": "police-station", "social-security": "social-security"}
ASKED |= {"civil-affairs": "civil-affairs"}
"""Agencies that may be asked, and by which role they answer. Others must not learn that there is a case at all."""


class OversightDesk:
    def __init__(self, cases: CaseStore, rules: Rules, names: Names, owners: Owners) -> None:
        self._cases = cases
        self._rules = rules
        self._names = names
        self._owners = owners

    def commands(self) -> Sequence[Command]:
        def best(call: Call) -> tuple[Facts, bool]:
            return call.subject.facts if call.subject else Facts(), True  # asked again inside, with the case in hand

        handlers = {
            "issueSupervisionOrder": self._issue,
            "replySupervisionOrder": self._reply,
            "requestCorrection": self._request,
            "answerCorrection": self._answer,
        }
        return tuple(Command(name=name, handler=handler, facing=best) for name, handler in handlers.items())

    async def _issue(self, work: Work) -> Mapping[str, Any]:
        case = await own_case(self._cases, self._rules, work)
        now = moment(work.now_us)
        step, text = str(work.call.given["step"]), _text(work, "text")
        red = [made for made in case.docket if made.step == step and made.light(day_of(now)) is Light.RED]
        if not red:
            raise Refusal(ProblemCode.INVALID_INPUT, "This case has no red task of this step.", field="step")
        office = case.owned.accountable
        if office is None:
            raise Refusal(ProblemCode.INVALID_INPUT, "No office answers for this case.", field="case")
        due = _day(work, "due", day_of(now)) or day_of(now) + timedelta(days=ORDER_DAYS)
        order_id, issuer = f"S{secrets.token_hex(12)}", acting_office(work.call.principal, None)
        await work.connection.execute(
            insert(supervision_order).values(
                person_id=case.person_id,
                order_id=order_id,
                case_id=case.case_id,
                step=step,
                office=office,
                issuer=issuer,
                region=case.facts.region,
                text_sealed=work.seal("supervision_order", "text_sealed", order_id, text),
                issued_us=work.now_us,
                due=due,
            )
        )
        await self._tell(work, case.person_id, case.case_id, office, "supervision.order", order=order_id, step=step)
        return {"id": order_id, "state": "OPEN", "due": due.isoformat()}

    async def _reply(self, work: Work) -> Mapping[str, Any]:
        case = await own_case(self._cases, self._rules, work)
        order_id, text = str(work.call.given["order"]), _text(work, "text")
        mine = (
            supervision_order.c.person_id == case.person_id,
            supervision_order.c.order_id == order_id,
            supervision_order.c.case_id == case.case_id,
        )
        row = (await work.connection.execute(select(supervision_order).where(*mine).with_for_update())).first()
        if row is None or not row.office.startswith(f"{work.call.principal.role}/"):
            raise Refusal(ProblemCode.NOT_FOUND, "There is no such order, or not to your office.", field="order")
        if row.replied_us is not None:
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This order was replied to before.", field="order")
        sealed = work.seal("supervision_order", "reply_sealed", order_id, text)
        values = {"reply_sealed": sealed, "replied_us": work.now_us}
        await work.connection.execute(update(supervision_order).where(*mine).values(**values))
        await self._tell(work, case.person_id, case.case_id, row.issuer, "supervision.reply", order=order_id)
        return {"id": order_id, "state": "REPLIED", "due": row.due.isoformat()}

    async def _request(self, work: Work) -> Mapping[str, Any]:
        case = await own_case(self._cases, self._rules, work)
        coordinate, reason = str(work.call.given["coordinate"]), _text(work, "reason")
        owners = [agency for agency in self._owners.get(coordinate, frozenset()) if agency in ASKED]
        if len(owners) != 1:
            raise Refusal(
                ProblemCode.INVALID_INPUT, "Not a fact of one agency that may be asked by a case.", field="coordinate"
            )
        agency = owners[0]
        day, correction_id = day_of(moment(work.now_us)), f"R{secrets.token_hex(12)}"
        office, due = acting_office(work.call.principal, case), day + timedelta(days=CORRECTION_DAYS)
        await work.connection.execute(
            insert(correction).values(
                person_id=case.person_id,
                correction_id=correction_id,
                case_id=case.case_id,
                agency=agency,
                coordinate=coordinate,
                office=office,
                region=case.facts.region,
                state="OPEN",
                reason_sealed=work.seal("correction", "reason_sealed", correction_id, reason),
                asked_us=work.now_us,
                due=due,
            )
        )
        role = ASKED[agency]
        await put_reference(work.connection, case, role)
        owner = f"{role}/{case.facts.region[:6].ljust(6, '0')}"
        body = {"correction": correction_id, "coordinate": coordinate, "due": due.isoformat()}
        await self._tell(work, case.person_id, case.case_id, owner, "correction.requested", **body)
        return {"id": correction_id, "state": "OPEN", "due": due.isoformat()}

    async def _answer(self, work: Work) -> Mapping[str, Any]:
        principal, correction_id = work.call.principal, str(work.call.given["correction"])
        mine = (correction.c.correction_id == correction_id, correction.c.agency == principal.agency)
        row = (await work.connection.execute(select(correction).where(*mine).with_for_update())).first()
        if row is None or not any(row.region.startswith(region) for region in principal.regions):
            raise Refusal(ProblemCode.NOT_FOUND, "There is no such request to your agency.", field="correction")
        if principal.role != ASKED[row.agency]:
            raise Refusal(ProblemCode.NOT_FOUND, "There is no such request to your agency.", field="correction")
        if row.state != "OPEN":
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This request was answered before.", field="correction")
        outcome, text = str(work.call.given["outcome"]), _text(work, "text")
        sealed = work.seal("correction", "answer_sealed", correction_id, text)
        values = {"state": outcome, "answer_sealed": sealed, "answered_us": work.now_us}
        await work.connection.execute(update(correction).where(*mine).values(**values))
        body = {"correction": correction_id, "outcome": outcome}
        await self._tell(work, row.person_id, row.case_id, row.office, "correction.answered", **body)
        return {"id": correction_id, "state": outcome, "due": row.due.isoformat()}

    async def _tell(self, work: Work, person_id: str, case_id: str, office: str, kind: str, **body: str) -> None:
        role = office.partition("/")[0]
        key = self._names.of("member", person_id)
        said = {**body, "case": reference(case_id, role)}
        await work.tell(key, AGENCY_OF.get(role, JUSTICE), kind, said, office=office)


async def own_case(cases: CaseStore, rules: Rules, work: Work) -> Case:
    """The case that a command names, locked, if the rules let the caller do this to it.

    Raises:
        Refusal: there is none, or not for the caller.
    """
    call, subject = work.call, work.call.subject
    case = None
    if subject is not None and subject.member is not None:
        case_id = str(call.given["case"]).partition(".")[0]
        case = await cases.load(work.connection, subject.member, case_id, lock=True)
    if case is None or subject is None:
        raise Refusal(ProblemCode.NOT_FOUND, NOT_YOURS, field="case")
    principal = call.principal
    permitted = rules.may(
        call.name,
        agency=principal.agency,
        role=principal.role,
        purpose=call.purpose,
        facts=subject.facts,
        own=is_own(principal, case),
    )
    if not permitted:
        raise Refusal(ProblemCode.NOT_FOUND, NOT_YOURS, field="case")
    return case


def _text(work: Work, name: str) -> str:
    text = str(work.call.given[name]).strip()
    if not 1 <= len(text) <= MAX_TEXT:
        raise Refusal(ProblemCode.INVALID_INPUT, f"1 to {MAX_TEXT} characters.", field=name)
    return text


def _day(work: Work, name: str, today: date) -> date | None:
    given = work.call.given.get(name)
    if given is None:
        return None
    day = date.fromisoformat(given)
    if day < today:
        raise Refusal(ProblemCode.INVALID_INPUT, "Not in the past.", field=name)
    return day
