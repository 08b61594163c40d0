"""What goes with a member who leaves the index: all that stands under the person, and questions about the person."""

from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.identity.tables import (
    block,
    case_reference,
    consent,
    false_item,
    findings,
    jurisdiction,
    link,
    link_removed,
    name_token,
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
