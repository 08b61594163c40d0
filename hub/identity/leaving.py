"""What goes with a member who leaves the index: all that stands under the person, and questions about the person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import HubError
from hub.identity.tables import (
    block,
    case_reference,
    consent,
    erasure,
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
from hub.store.engine import Store

PIECE = 500
_OF_MEMBERS = (
    link, jurisdiction, findings, case_reference, consent, person_salt, person_name, name_token,
    trait, block, false_item, review, link_removed,
)  # fmt: skip


class RegisterShrunkError(HubError):
    """So many members are no longer in the register that it is more likely broken than right."""

    code = "REGISTER_SHRUNK"


async def retire(store: Store, before: datetime, *, at_most: float = 1.0) -> int:
    """Take out members whom no import has seen since `before`, with their links, cases and consents; how many.

    Only for a register that is known to be complete; an import never takes anybody out by itself. Survivors of merges
    stay: which of their records is gone is for officers to sort.

    Raises:
        RegisterShrunkError: more than this part of all members would go; nobody was taken out.
    """
    erased = select(erasure.c.person_id).where(erasure.c.done_at.is_not(None))
    survivors = select(person.c.merged_into).where(person.c.merged_into.is_not(None))
    unseen = (person.c.imported_at < before, person.c.merged_into.is_(None))
    gone = select(person.c.person_id).where(
        *unseen, person.c.person_id.not_in(erased), person.c.person_id.not_in(survivors)
    )
    async with store.write() as connection:
        persons = list(await connection.scalars(gone))
        everybody = await connection.scalar(select(func.count()).select_from(person)) or 0
        if len(persons) > at_most * everybody:
            raise RegisterShrunkError(f"{len(persons)} of {everybody} members are no longer in the register")
        for start in range(0, len(persons), PIECE):
            await leave(connection, persons[start : start + PIECE])
    return len(persons)


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
