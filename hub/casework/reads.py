"""One case, for an officer whose office answers for it, helps with it or stands above."""

from hub.auth.principal import Principal
from hub.casework.case_desk import is_own
from hub.casework.case_store import CaseStore
from hub.casework.case_view import CaseView, case_view
from hub.clock import Clock, today
from hub.store.engine import Store


class CaseReads:
    def __init__(self, store: Store, cases: CaseStore, clock: Clock) -> None:
        self._store = store
        self._cases = cases
        self._clock = clock

    async def person_of(self, case_id: str) -> str | None:
        """Whose case this is; None for one that is unknown."""
        async with self._store.read() as connection:
            return await self._cases.person_of(connection, case_id)

    async def case(self, principal: Principal, case_id: str) -> tuple[str, CaseView] | None:
        """The person's id and the case; None for one that is unknown and for one that is not the caller's."""
        async with self._store.read() as connection:
            person_id = await self._cases.person_of(connection, case_id)
            if person_id is None:
                return None
            case = await self._cases.load(connection, person_id, case_id, lock=False)
        if case is None or not is_own(principal, case):
            return None
        return person_id, case_view(case, today(self._clock))
