"""Anchors as they stand: the records of the register by which other agencies' records find a person.

Whoever two persons were merged into has several, of which an import brings one.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.domain.agencies import JUSTICE
from hub.identity.links import Matching, read, trait_row
from hub.identity.matching.traits import Traits
from hub.identity.tables import block, person_salt, trait

OpenTraits = Callable[[object, bytes, bytes], str]


async def anchors_of(
    connection: AsyncConnection, open_traits: OpenTraits, ids: Sequence[object]
) -> list[tuple[str, Traits]]:
    """(person, traits) of every anchor of these persons. Cost: one statement, and opening what it finds."""
    rows = await connection.execute(
        select(trait.c.person_id, trait.c.record, trait.c.traits_sealed, person_salt.c.salt)
        .join(person_salt, person_salt.c.person_id == trait.c.person_id)
        .where(trait.c.person_id.in_(ids), trait.c.agency == JUSTICE)
        .order_by(trait.c.person_id, trait.c.record)
    )
    return [
        (person_id, read(open_traits(trait_row(person_id, record), sealed, salt)))
        for person_id, record, sealed, salt in rows
    ]


async def stand_anew(connection: AsyncConnection, matching: Matching, open_traits: OpenTraits, person_id: str) -> None:
    """Write the tokens under which records find a person as its anchors are now."""
    anchors = await anchors_of(connection, open_traits, [person_id])
    tokens = sorted({token for _, traits in anchors for token in matching.tokens(traits)})
    await connection.execute(delete(block).where(block.c.person_id == person_id))
    if tokens:
        await connection.execute(insert(block), [{"person_id": person_id, "token": token} for token in tokens])
