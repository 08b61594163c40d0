"""Consent on file (condition N): given for one agency and purpose, for all or some field groups, from and to a day.

Reading it is the person index's business, at every request: what is withdrawn here is withdrawn at the next one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update

from hub.casework.commands import Command, ProblemCode, Refusal, Subject, Work
from hub.clock import CHINA
from hub.domain.catalogue_reader import FACETS
from hub.identity.tables import consent

MAX_EVIDENCE = 200


class ConsentDesk:
    """`purposes`: which purposes each agency has; consent for any other would never be looked at."""

    def __init__(self, purposes: Mapping[str, frozenset[str]]) -> None:
        self._purposes = purposes

    def commands(self) -> Sequence[Command]:
        return (
            Command(name="giveConsent", handler=self.give),
            Command(name="withdrawConsent", handler=self.withdraw),
        )

    async def give(self, work: Work) -> Mapping[str, Any]:
        """A newer consent for the same agency and purpose takes the place of the older one."""
        given, subject = work.call.given, _known(work)
        agency, purpose = self._for(given)
        scope = _scope(given.get("scope"))
        start, end = _days(work, given)
        if not 0 < len(given["evidence"].strip()) <= MAX_EVIDENCE:
            text = f"Say where the signed paper is kept, in at most {MAX_EVIDENCE} characters."
            raise Refusal(ProblemCode.INVALID_INPUT, text, field="evidence")
        row = f"{subject.member}/{agency}/{purpose}"
        await work.connection.execute(delete(consent).where(*_place(subject, agency, purpose)))
        await work.connection.execute(
            insert(consent).values(
                person_id=subject.member,
                agency=agency,
                purpose=purpose,
                given_at=_moment(work),
                withdrawn_at=None,
                scope=None if scope is None else orjson.dumps(scope).decode(),
                valid_from=start,
                valid_to=end,
                evidence_sealed=work.seal("consent", "evidence_sealed", row, given["evidence"].strip()),
                recorded_by=_who(work),
            )
        )
        body = {
            "agency": agency,
            "purpose": purpose,
            "scope": scope,
            "from": start.isoformat(),
            "to": end.isoformat() if end else None,
        }
        await work.tell(subject.key, agency, "consent.given", body)
        return {**body, "given_us": work.now_us, "withdrawn_us": None}

    async def withdraw(self, work: Work) -> Mapping[str, Any]:
        given, subject = work.call.given, _known(work)
        agency, purpose = self._for(given)
        place = (*_place(subject, agency, purpose), consent.c.withdrawn_at.is_(None))
        held = (await work.connection.execute(select(consent).where(*place))).first()
        changed = await work.connection.execute(
            update(consent).where(*place).values(withdrawn_at=_moment(work), withdrawn_by=_who(work))
        )
        if held is None or not changed.rowcount:
            raise Refusal(ProblemCode.NOT_FOUND, "There is no such consent.")
        await work.tell(subject.key, agency, "consent.withdrawn", {"agency": agency, "purpose": purpose})
        given_at = held.given_at if held.given_at.tzinfo else held.given_at.replace(tzinfo=UTC)
        return {
            "agency": agency,
            "purpose": purpose,
            "scope": None if held.scope is None else orjson.loads(held.scope),
            "from": held.valid_from.isoformat() if held.valid_from else None,
            "to": held.valid_to.isoformat() if held.valid_to else None,
            "given_us": int(given_at.timestamp() * 1_000_000),
            "withdrawn_us": work.now_us,
        }

    def _for(self, given: Mapping[str, Any]) -> tuple[str, str]:
        agency, purpose = given["agency"], given["purpose"]
        if agency not in self._purposes:
            raise Refusal(ProblemCode.INVALID_INPUT, "There is no such agency.", field="agency")
        if purpose not in self._purposes[agency]:
            raise Refusal(ProblemCode.INVALID_INPUT, "This agency has no such purpose.", field="purpose")
        return agency, purpose


def _known(work: Work) -> Subject:
    subject = work.call.subject
    if subject is None or subject.member is None:
        raise Refusal(ProblemCode.NOT_FOUND, "There is no such person, or not for you.", field="person")
    return subject


def _scope(groups: Sequence[str] | None) -> list[str] | None:
    if groups is None:
        return None
    if not groups or not set(groups) <= FACETS.keys():
        raise Refusal(ProblemCode.INVALID_INPUT, "Field groups are FG0 to FG18.", field="scope")
    return sorted(set(groups), key=lambda name: int(name[2:]))


def _days(work: Work, given: Mapping[str, Any]) -> tuple[date, date | None]:
    today = _moment(work).astimezone(CHINA).date()
    start = date.fromisoformat(given["from"]) if given.get("from") else today
    end = date.fromisoformat(given["to"]) if given.get("to") else None
    if end is not None and end <= max(start, today):
        raise Refusal(ProblemCode.INVALID_INPUT, "It must end after it begins, and later than today.", field="to")
    return start, end


def _moment(work: Work) -> datetime:
    return datetime.fromtimestamp(work.now_us / 1_000_000, UTC)


def _who(work: Work) -> str:
    principal = work.call.principal
    behalf = f" for {principal.on_behalf_of}" if principal.on_behalf_of else ""
    return f"{principal.agency}/{principal.officer}{behalf}"


def _place(subject: Subject, agency: str, purpose: str) -> tuple[Any, ...]:
    return consent.c.person_id == subject.member, consent.c.agency == agency, consent.c.purpose == purpose
