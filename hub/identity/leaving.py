"""What goes with a member who leaves the index: all that stands under the person, and questions about the person."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.identity.tables import (
    block,
    case_reference,
    consent,
    false_item,
    findings,
    jurisdiction,
    link,
    link_event,
    link_removed,
    name_token,
    person,
    person_name,
    person_salt,
    review,
    trait,
)

_OF_MEMBERS = (
    link, jurisdiction, findings, case_reference, consent, person_salt, person_name, name_token,
    trait, block, false_item, review, link_removed,
)  # fmt: skip


async def take_out(connection: AsyncConnection, gone: Any) -> None:
    """Delete all that stands under the persons of `gone`, a list of ids or a query for them, but their own rows."""
    for table in _OF_MEMBERS:
        await connection.execute(delete(table).where(table.c.person_id.in_(gone)))
    await connection.execute(delete(review).where(review.c.other_person.in_(gone)))


async def leave(connection: AsyncConnection, persons: Sequence[str]) -> None:
    """Take out these persons and whoever was merged into them."""
    last = list(persons)
    while last:
        rows = await connection.execute(select(person.c.person_id).where(person.c.merged_into.in_(last)))
        merged = [row[0] for row in rows]
        await take_out(connection, last)
        await connection.execute(delete(person).where(person.c.person_id.in_(last)))
        last = merged


async def part(connection: AsyncConnection, survivor: str, record: str) -> None:
    """Take one record of the register from whom its person was merged into, and that person out; the rest stays."""
    for table in (link, trait):
        await connection.execute(delete(table).where(table.c.person_id == survivor, table.c.record == record))
    moved = (link_event.c.record == record, link_event.c.kind == "MOVE")
    steps = await connection.execute(select(link_event.c.person_after, link_event.c.person_before).where(*moved))
    came_from, before = {row[0]: row[1] for row in steps}, survivor
    while before in came_from:
        before = came_from.pop(before)
    if before != survivor:
        await connection.execute(update(person).where(person.c.merged_into == before).values(merged_into=survivor))
        await take_out(connection, [before])
        await connection.execute(delete(person).where(person.c.person_id == before))
