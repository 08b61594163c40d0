"""Break-glass: one officer asks, a second one decides, the wider view ends by the clock, a third one reviews.

Nobody decides on or reviews what they asked for, and nobody reviews what they decided, whatever the rules say; nor does
who stands in for somebody, or is stood in for, where that other one did. Whom a
request concerns stands under a pseudonym, so that asking tells nobody whether this person is a member.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, insert, select, update

from hub.audit.kinds import Kind
from hub.audit.log import is_entry_id
from hub.auth.facts import Facts
from hub.casework.commands import Call, Command, ProblemCode, Refusal, Work
from hub.casework.ports import Owners, Rules
from hub.identity.tables import emergency_access

MINUTE_US = 60_000_000
MAX_MINUTES = 240
MAX_COORDINATES = 50
DECIDE_WITHIN_US = 24 * 60 * MINUTE_US
"""A request that nobody decided on by then has lapsed."""
REVIEW_WITHIN_US = 7 * 24 * 60 * MINUTE_US
"""From the approval; a review that is open after it is overdue."""
EXISTENCE = "Person.assistanceStatus"
TEXT = range(5, 501)
"""Length of a reason or a note, in characters."""

_ACCESS = emergency_access.c


class EmergencyDesk:
    """Handlers of the four commands. `below`: the coordinates of a record's fields, its own among them."""

    def __init__(self, rules: Rules, owners: Owners, below: Mapping[str, frozenset[str]]) -> None:
        self._rules = rules
        self._owners = owners
        self._below = below

    def commands(self) -> Sequence[Command]:
        def best(_call: Call) -> tuple[Facts, bool]:
            return Facts(jurisdiction=True), True  # asked again inside, when it is known what it is about

        return (
            Command(
                name="requestEmergencyAccess",
                handler=self.request,
                facing=lambda _call: (Facts(), True),
                asked=lambda call: tuple(name for name in call.given["coordinates"] if name in self._below),
            ),
            Command(name="approveAccess", handler=self.decide, facing=best, kind=Kind.APPROVAL, about=_about),
            Command(name="withdrawEmergencyAccess", handler=self.withdraw, facing=best),
            Command(name="closeAccessReview", handler=self.close_review, facing=best, kind=Kind.APPROVAL, about=_about),
        )

    async def request(self, work: Work) -> Mapping[str, Any]:
        call, given = work.call, work.call.given
        assert call.subject is not None
        if not 1 <= given["minutes"] <= MAX_MINUTES:
            raise Refusal(ProblemCode.INVALID_INPUT, f"From 1 to {MAX_MINUTES} minutes.", field="minutes")
        request_id = work.entry_id  # one request a command: its id needs no other
        regions = call.principal.regions
        number = call.subject.number
        row = {
            "person_key": call.subject.key,
            "request_id": request_id,
            "agency": call.principal.agency,
            "officer": call.principal.officer,
            "on_behalf_of": call.principal.on_behalf_of or "",
            "client": call.principal.client,
            "role": call.principal.role,
            "purpose": call.purpose,
            "region": regions[0] if regions else "",
            "regions": orjson.dumps(regions).decode(),
            "coordinates": orjson.dumps(self._coordinates(given["coordinates"])).decode(),
            "minutes": given["minutes"],
            "reason_sealed": work.seal("emergency_access", "reason_sealed", request_id, _text(given, "reason")),
            "number_sealed": None
            if number is None
            else work.seal("emergency_access", "number_sealed", request_id, number),
            "requested_us": work.now_us,
        }
        await work.connection.execute(insert(emergency_access).values(row))
        await work.tell(call.subject.key, call.principal.agency, "access.requested", {"request": request_id})
        return await receipt(work, request_id)

    async def decide(self, work: Work) -> Mapping[str, Any]:
        held = await self._permitted(work, "approveAccess")
        principal, given = work.call.principal, work.call.given
        if _asked(held, work.call):
            raise Refusal(ProblemCode.SAME_OFFICER, "Another officer must decide on this request.")
        if held.decided_us is not None or held.withdrawn_us is not None:
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This request is decided or withdrawn.")
        if work.now_us >= held.requested_us + DECIDE_WITHIN_US:
            raise Refusal(ProblemCode.EXPIRED, "This request has lapsed; ask again.")
        approved = given["decision"] == "APPROVE"
        reason = _text(given, "reason")
        changed = await work.connection.execute(
            update(emergency_access)
            .where(*_this(held), _ACCESS.decided_us.is_(None), _ACCESS.withdrawn_us.is_(None))
            .values(
                decided_us=work.now_us,
                approved=approved,
                approver_agency=principal.agency,
                approver=principal.officer,
                approver_on_behalf_of=principal.on_behalf_of or "",
                decision_sealed=work.seal("emergency_access", "decision_sealed", held.request_id, reason),
                valid_until_us=work.now_us + held.minutes * MINUTE_US if approved else None,
                review_due_us=work.now_us + REVIEW_WITHIN_US if approved else None,
            )
        )
        if not changed.rowcount:
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This request is decided or withdrawn.")
        if approved:
            await self._notify(work, held, "access.approved", personal=reason)
        return await receipt(work, held.request_id)

    async def withdraw(self, work: Work) -> Mapping[str, Any]:
        held = await self._permitted(work, "withdrawEmergencyAccess")
        ended = held.valid_until_us is not None and held.valid_until_us <= work.now_us
        if held.withdrawn_us is not None or held.approved is False or ended:
            raise Refusal(ProblemCode.EXPIRED, "There is nothing left to end.")
        changed = await work.connection.execute(
            update(emergency_access)
            .where(*_this(held), _ACCESS.withdrawn_us.is_(None))
            .values(withdrawn_us=work.now_us)
        )
        if not changed.rowcount:
            raise Refusal(ProblemCode.EXPIRED, "There is nothing left to end.")
        if held.approved:
            await self._notify(work, held, "access.ended")
        return await receipt(work, held.request_id)

    async def close_review(self, work: Work) -> Mapping[str, Any]:
        held = await self._permitted(work, "closeAccessReview")
        principal, given = work.call.principal, work.call.given
        if _asked(held, work.call) or _decided(held, work.call):
            raise Refusal(ProblemCode.SAME_OFFICER, "A third officer must review this access.")
        if not held.approved:
            raise Refusal(ProblemCode.NOT_FOUND, "There is no such review.", field="request")
        if held.withdrawn_us is None and held.valid_until_us > work.now_us:
            raise Refusal(ProblemCode.INVALID_INPUT, "This access still runs; end it first.", field="request")
        note = _text(given, "note")
        changed = await work.connection.execute(
            update(emergency_access)
            .where(*_this(held), _ACCESS.reviewed_us.is_(None))
            .values(
                reviewed_us=work.now_us,
                reviewer_agency=principal.agency,
                reviewer=principal.officer,
                finding=given["finding"],
                review_sealed=work.seal("emergency_access", "review_sealed", held.request_id, note),
            )
        )
        if not changed.rowcount:
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This review is closed.")
        body = {"request": held.request_id, "finding": given["finding"]}
        await work.tell(held.person_key, held.agency, "access.reviewed", body)
        return await receipt(work, held.request_id)

    async def _permitted(self, work: Work, command: str) -> Row[Any]:
        """The request that the command names, if the rules let the caller do this to it; else as if there were none."""
        call = work.call
        found = select(emergency_access).where(_ACCESS.request_id == call.given["request"])
        held = (await work.connection.execute(found)).first()
        if held is not None:
            principal = call.principal
            covered = _covers(principal.regions, orjson.loads(held.regions))
            if self._rules.may(
                command,
                agency=principal.agency,
                role=principal.role,
                purpose=call.purpose,
                facts=Facts(jurisdiction=covered),
                own=held.agency == principal.agency,
            ):
                return held
        raise Refusal(ProblemCode.NOT_FOUND, "There is no such request.", field="request")

    async def _notify(self, work: Work, held: Row[Any], kind: str, *, personal: str | None = None) -> None:
        """Tell every agency whose fields are opened; it learns who opened them for whom, not what they say."""
        by_owner: dict[str, list[str]] = {}
        for name in orjson.loads(held.coordinates):
            for owner in self._owners.get(name, ()):
                by_owner.setdefault(owner, []).append(name)
        for owner, names in sorted(by_owner.items()):
            body = {
                "request": held.request_id,
                "agency": held.agency,
                "officer": held.officer,
                "role": held.role,
                "purpose": held.purpose,
                "minutes": held.minutes,
                "coordinates": names,
            }
            await work.tell(held.person_key, owner, kind, body, personal=personal)

    def _coordinates(self, names: Sequence[str]) -> list[str]:
        """What is asked for, records spelled out, and that this person is in the hub, which all of it tells."""
        if not 0 < len(names) <= MAX_COORDINATES:
            raise Refusal(ProblemCode.INVALID_INPUT, f"From 1 to {MAX_COORDINATES} fields.", field="coordinates")
        asked = {EXISTENCE}
        for name in names:
            if name not in self._below:
                text = "A coordinate is Type.field, as in the schema."
                raise Refusal(ProblemCode.INVALID_INPUT, text, field="coordinates")
            asked |= self._below[name]
        return sorted(asked)


async def receipt(work: Work, request_id: str) -> Mapping[str, Any]:
    """What the caller is shown of the request as it stands now; nothing of it is personal."""
    found = select(emergency_access).where(_ACCESS.request_id == request_id)
    held = (await work.connection.execute(found)).one()
    return {
        "id": held.request_id,
        "state": state_of(held, work.now_us),
        "coordinates": orjson.loads(held.coordinates),
        "minutes": held.minutes,
        "requested_us": held.requested_us,
        "valid_until_us": held.valid_until_us,
        "review_due_us": held.review_due_us,
    }


def state_of(held: Row[Any], now_us: int) -> str:
    """PENDING, LAPSED, REFUSED, ACTIVE or ENDED."""
    if held.withdrawn_us is not None:
        return "ENDED"
    if held.decided_us is None:
        return "PENDING" if now_us < held.requested_us + DECIDE_WITHIN_US else "LAPSED"
    if not held.approved:
        return "REFUSED"
    return "ACTIVE" if now_us < held.valid_until_us else "ENDED"


def _about(call: Call) -> Mapping[str, str]:
    """Which request is decided on or reviewed, and how: so that the log by itself says what was approved."""
    given = call.given
    said = {name: str(given[name]) for name in ("decision", "finding") if name in given}
    return {**said, "request": given["request"] if is_entry_id(given["request"]) else ""}


def _covers(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    return bool(theirs) and all(any(region.startswith(prefix) for prefix in mine) for region in theirs)


def _asked(held: Row[Any], call: Call) -> bool:
    """Whether who calls, or whom they stand in for, asked or was stood in for."""
    return held.agency == call.principal.agency and call.principal.is_behind(held.officer, held.on_behalf_of)


def _decided(held: Row[Any], call: Call) -> bool:
    principal = call.principal
    return held.approver_agency == principal.agency and principal.is_behind(held.approver, held.approver_on_behalf_of)


def _this(held: Row[Any]) -> tuple[Any, ...]:
    return _ACCESS.person_key == held.person_key, _ACCESS.request_id == held.request_id


def _text(given: Mapping[str, Any], name: str) -> str:
    text = str(given[name]).strip()
    if len(text) not in TEXT:
        raise Refusal(ProblemCode.INVALID_INPUT, f"From {TEXT.start} to {TEXT.stop - 1} characters.", field=name)
    return text
