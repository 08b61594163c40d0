"""Open cases and consents as the person index sees them: the minimum that conditions C and N need."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, update

from hub.clock import Clock
from hub.identity.tables import case_reference, consent
from hub.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReference:
    case_id: str
    person_id: str
    agency: str
    region: str | None
    open: bool = True


class References:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put_cases(self, cases: Sequence[CaseReference]) -> None:
        """Insert or replace by case id: a case concerns one person, whomever it concerned before."""
        async with self._store.write() as connection:
            for case in cases:
                await connection.execute(delete(case_reference).where(case_reference.c.case_id == case.case_id))
                await connection.execute(
                    insert(case_reference).values(
                        person_id=case.person_id,
                        case_id=case.case_id,
                        agency=case.agency,
                        region=case.region,
                        open=case.open,
                    )
                )

    async def give_consent(self, person_id: str, agency: str, purpose: str) -> None:
        async with self._store.write() as connection:
            await connection.execute(
                delete(consent).where(
                    consent.c.person_id == person_id, consent.c.agency == agency, consent.c.purpose == purpose
                )
            )
            await connection.execute(
                insert(consent).values(
                    person_id=person_id, agency=agency, purpose=purpose, given_at=self._clock.now(), withdrawn_at=None
                )
            )

    async def withdraw_consent(self, person_id: str, agency: str, purpose: str) -> None:
        """Effective at the next request."""
        async with self._store.write() as connection:
            await connection.execute(
                update(consent)
                .where(consent.c.person_id == person_id, consent.c.agency == agency, consent.c.purpose == purpose)
                .values(withdrawn_at=self._clock.now())
            )
