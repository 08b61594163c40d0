"""What stands in the form of a hand-over (《必接必送人员衔接登记表》): plan, release and outcome, with their words."""

from collections.abc import Callable, Mapping
from datetime import date, datetime

import msgspec
import orjson
from sqlalchemy import select

from hub.auth.principal import Principal
from hub.casework.case_desk import is_own
from hub.casework.case_store import Case, CaseStore
from hub.casework.case_tables import case_event
from hub.casework.deadline import PersonClass
from hub.casework.ports import Opener
from hub.crypto.envelope import Place
from hub.domain.agencies import HUB
from hub.store.engine import Store

PLANS = ("PICKUP_PLANNED", "PICKUP_REFUSED")
OUTCOMES = ("HANDED_OVER", "UNCONNECTED")
Words = Callable[[str], Mapping[str, str]]
"""Id of an event → its personal words, opened."""


class HandoverForm(msgspec.Struct, frozen=True, kw_only=True):
    """`refused`: the person wants no pick-up, which is lawful. Fields are None where nothing was recorded."""

    case: str
    key_person: bool
    office: str | None
    planned_release: date | None
    released: date | None
    certificate: str | None
    refused: bool
    day: date | None
    mode: str | None
    escorts: str | None
    outcome: str | None
    happened_at: datetime | None
    persons: int | None
    present: str | None
    remarks: str | None


class HandoverForms:
    def __init__(self, store: Store, cases: CaseStore, opener: Opener) -> None:
        self._store = store
        self._cases = cases
        self._opener = opener

    async def form(self, principal: Principal, case_id: str) -> tuple[str, HandoverForm] | None:
        """The person's id and the form; None for a case that is unknown, not the caller's, or not so far.

        Cost: three statements, and two values opened.
        """
        async with self._store.read() as connection:
            person_id = await self._cases.person_of(connection, case_id)
            if person_id is None:
                return None
            case = await self._cases.load(connection, person_id, case_id, lock=False)
            if case is None or not is_own(principal, case):
                return None
            mine = (case_event.c.person_id == person_id, case_event.c.case_id == case_id)
            wanted = select(case_event.c.event_id, case_event.c.words_sealed).where(
                *mine, case_event.c.kind.in_((*PLANS, *OUTCOMES)), case_event.c.words_sealed.is_not(None)
            )
            sealed = {row.event_id: row.words_sealed for row in await connection.execute(wanted)}
        form = form_of(case, lambda event_id: self._words(case_id, event_id, sealed.get(event_id)))
        return None if form is None else (person_id, form)

    def _words(self, case_id: str, event_id: str, sealed: bytes | None) -> Mapping[str, str]:
        if sealed is None:
            return {}
        place = Place(agency=HUB, table="case_event", column="words_sealed", row=f"{case_id}/{event_id}")
        words: Mapping[str, str] = orjson.loads(self._opener.open(place, sealed))
        return words


def form_of(case: Case, words: Words) -> HandoverForm | None:
    """The form as it stands after all that happened; None if there is neither a plan nor an outcome."""
    last = {step.event.kind: step.event for step in case.course.steps}
    plan, outcome = (
        max((last[kind] for kind in kinds if kind in last), key=lambda event: event.happened_at, default=None)
        for kinds in (PLANS, OUTCOMES)
    )
    if plan is None and outcome is None:
        return None
    release = last.get("RELEASED")
    planned, told = (event.data if event else {} for event in (plan, outcome))
    of_plan, of_outcome = (words(event.event_id) if event else {} for event in (plan, outcome))
    return HandoverForm(
        case=case.case_id,
        key_person=PersonClass.KEY in case.facts.classes,
        office=outcome.office if outcome else case.owned.accountable,
        planned_release=case.facts.planned_release,
        released=case.facts.released,
        certificate=release.data.get("certificate") if release else None,
        refused=plan is not None and plan.kind == "PICKUP_REFUSED",
        day=date.fromisoformat(planned["day"]) if planned.get("day") else None,
        mode=planned.get("mode"),
        escorts=of_plan.get("escorts"),
        outcome=told.get("outcome"),
        happened_at=outcome.happened_at if outcome else None,
        persons=told.get("persons"),
        present=of_outcome.get("present"),
        remarks=of_outcome.get("remarks"),
    )
