"""What else changes when a person becomes another: who is found, and whose are cases and consents. Exact both ways."""

from typing import Any

import orjson
from sqlalchemy import Table, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.identity.tables import case_reference, consent, jurisdiction, person

_MOVING: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (case_reference, ("case_id",)),
    (consent, ("agency", "purpose")),
)


async def survivor_of(connection: AsyncConnection, person_id: str) -> str:
    """Whom a person was merged into in the end; of one that was not, the person."""
    into: str | None = person_id
    while into is not None:
        person_id = into
        into = await connection.scalar(select(person.c.merged_into).where(person.c.person_id == person_id))
    return person_id


async def hide(connection: AsyncConnection, other: str, survivor: str) -> dict[str, Any]:
    """Make `other` found by nobody and give its cases and consents to `survivor`. Returns what was before."""
    vaulted = await connection.scalar(select(person.c.vaulted).where(person.c.person_id == other))
    before: dict[str, Any] = {"vaulted": bool(vaulted)}
    for table, names in _MOVING:
        before[str(table.name)] = await _give(connection, table, names, other, survivor)
    await _mark(connection, other, vaulted=True, merged_into=survivor)
    return before


async def show(connection: AsyncConnection, other: str, survivor: str, before: str) -> dict[str, Any]:
    """Undo `hide`: what it moved goes back, if it is still there."""
    held = orjson.loads(before)
    for table, names in _MOVING:
        for values in held[str(table.name)]:
            await connection.execute(
                update(table).where(table.c.person_id == survivor, _is(table, names, values)).values(person_id=other)
            )
    await _mark(connection, other, vaulted=held["vaulted"], merged_into=None)
    return {"vaulted": held["vaulted"]}


async def _give(
    connection: AsyncConnection, table: Table, names: tuple[str, ...], other: str, survivor: str
) -> list[list[Any]]:
    columns = [table.c[name] for name in names]
    mine = (await connection.execute(select(*columns).where(table.c.person_id == survivor))).all()
    theirs = (await connection.execute(select(*columns).where(table.c.person_id == other))).all()
    moved = sorted({tuple(row) for row in theirs} - {tuple(row) for row in mine})
    for values in moved:
        await connection.execute(
            update(table).where(table.c.person_id == other, _is(table, names, values)).values(person_id=survivor)
        )
    return [list(values) for values in moved]


def _is(table: Table, names: tuple[str, ...], values: Any) -> Any:
    return and_(*(table.c[name] == value for name, value in zip(names, values, strict=True)))


async def _mark(connection: AsyncConnection, other: str, *, vaulted: bool, merged_into: str | None) -> None:
    await connection.execute(
        update(person).where(person.c.person_id == other).values(vaulted=vaulted, merged_into=merged_into)
    )
    await connection.execute(update(jurisdiction).where(jurisdiction.c.person_id == other).values(vaulted=vaulted))
