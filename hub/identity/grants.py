"""Emergency accesses that were granted, whether or not they still hold: for those who look back."""

from sqlalchemy import func, select

from hub.domain.grants import ANSWERED_WITHIN_US, Grant
from hub.identity.tables import emergency_access
from hub.store.engine import Store


class Grants:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def between(self, from_us: int, to_us: int) -> list[Grant]:
        """Those that reads logged in this time can have been made under. Raises StoreError. Cost: one statement."""
        table = emergency_access.c
        end = func.coalesce(table.withdrawn_us, table.valid_until_us).label("to_us")
        chosen = (
            select(
                table.request_id.label("request"),
                table.person_key.label("person"),
                table.agency,
                table.officer,
                table.on_behalf_of,
                table.role,
                table.purpose,
                (table.approver_agency + "/" + table.approver).label("approver"),
                table.decided_us.label("from_us"),
                end,
                table.review_due_us.label("due_us"),
                table.reviewed_us,
            )
            .where(table.approved.is_(True), table.decided_us <= to_us, end + ANSWERED_WITHIN_US >= from_us)
            .order_by(table.decided_us, table.request_id)
        )
        async with self._store.read() as connection:
            return [Grant(**row) for row in (await connection.execute(chosen)).mappings()]
