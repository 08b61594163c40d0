"""What a case changes in who may see its person: the offices that answer or help (J), and the open case itself (C)."""

from datetime import date
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.casework.case_store import Case, moment
from hub.casework.case_tables import case_office
from hub.casework.docket import day_of
from hub.casework.notices import TOLD
from hub.casework.office import region_of
from hub.domain.agencies import JUSTICE
from hub.identity.tables import CASE_KIND, case_reference, jurisdiction, person

AGENCY_OF = {
    "prison": JUSTICE,
    "judicial-office": JUSTICE,
    "county-office": JUSTICE,
    "province-office": JUSTICE,
    "police-station": "police",
    "social-security": "social-security",
    "civil-affairs": "civil-affairs",
    "tax": "tax",
}
"""Agency of a role that has offices."""


def _upsert(dialect: Any) -> Any:
    put = dialect.insert(case_reference)
    rest = {name: put.excluded[name] for name in ("agency", "region", "open")}
    return put.on_conflict_do_update(index_elements=["person_id", "case_id"], set_=rest)


_REFER = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}
_OFFICES = (
    select(case_office.c.office, case_office.c.since_us, case_office.c.until_us, person.c.sex, person.c.vaulted)
    .select_from(case_office.outerjoin(person, person.c.person_id == case_office.c.person_id))
    .where(case_office.c.person_id == bindparam("person"))
)
_LEAVE = delete(jurisdiction).where(jurisdiction.c.person_id == bindparam("person"), jurisdiction.c.kind == CASE_KIND)
_REACH = insert(jurisdiction)


def reference(case_id: str, role: str) -> str:
    """The name under which the officers of another agency cite a case (`Hub-Case`)."""
    return case_id if AGENCY_OF.get(role) == JUSTICE else f"{case_id}.{role}"


async def put_reach(connection: AsyncConnection, before: Case | None, after: Case) -> None:
    """Bring conditions J and C up to date with a case, inside its transaction.

    `before`: the case as it was under the same lock; None for a new one. Cost: none where they stay as they are.
    """
    if before is None or _references(before) != _references(after):
        await _put_references(connection, before, after)
    if before is None or (before.owned.tenures, before.owned.joint) != (after.owned.tenures, after.owned.joint):
        await _put_jurisdiction(connection, after.person_id)


async def put_reference(connection: AsyncConnection, case: Case, role: str) -> None:
    """Let officers of another agency cite the case, beside those whom its events let."""
    if role == "prison":
        return
    name = reference(case.case_id, role)
    mine = (case_reference.c.person_id == case.person_id, case_reference.c.case_id == name)
    await connection.execute(delete(case_reference).where(*mine))
    row = {"person_id": case.person_id, "case_id": name, "agency": AGENCY_OF[role], "open": not case.course.ended}
    await connection.execute(insert(case_reference).values(**row))


def _references(case: Case) -> list[dict[str, Any]]:
    """Under which names who may cite the case."""
    told = {role for step in case.course.steps for role in TOLD.get(step.event.kind, ())}
    return [
        {
            "person_id": case.person_id,
            "case_id": reference(case.case_id, role),
            "agency": AGENCY_OF[role],
            "region": None if role != "judicial-office" else region_of(case.owned.accountable) or None,
            "open": not case.course.ended,
        }
        for role in ("judicial-office", *sorted(told))
    ]


async def _put_references(connection: AsyncConnection, before: Case | None, after: Case) -> None:
    rows = _references(after)
    if before is not None and before.course.ended != after.course.ended:
        every = (
            case_reference.c.person_id == after.person_id,
            case_reference.c.case_id.startswith(f"{after.case_id}."),
        )
        await connection.execute(update(case_reference).where(*every).values(open=not after.course.ended))
    await connection.execute(_REFER[connection.dialect.name], rows)


async def _put_jurisdiction(connection: AsyncConnection, person_id: str) -> None:
    """One row a region in which an office answers or helps, with the last day of the last of them."""
    held = (await connection.execute(_OFFICES, {"person": person_id})).all()
    regions: dict[str, tuple[date, date | None]] = {}
    for row in held:
        region = region_of(row.office)
        start, end = day_of(moment(row.since_us)), day_of(moment(row.until_us)) if row.until_us is not None else None
        if region in regions:
            before = regions[region]
            start = min(start, before[0])
            end = None if end is None or before[1] is None else max(end, before[1])
        regions[region] = (start, end)
    await connection.execute(_LEAVE, {"person": person_id})
    rows = [
        {
            "person_id": person_id,
            "region": region,
            "kind": CASE_KIND,
            "valid_from": start,
            "valid_to": end,
            "sex": held[0].sex,
            "vaulted": bool(held[0].vaulted),  # None for somebody whom the index does not know
        }
        for region, (start, end) in regions.items()
        if len(region.rstrip("0")) > 2  # a province is nobody's jurisdiction over one person
    ]
    if rows:
        await connection.execute(_REACH, rows)
