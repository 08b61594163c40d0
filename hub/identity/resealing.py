"""The sealed columns of the person index, as rotation and erasure go over them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert

from hub.crypto.rotation import Kept, Many
from hub.identity.ports import Indexer, NameIndexer, key_place, name_place, number_place, reason_place
from hub.identity.tables import erasure, link, name_token, person, person_name, person_salt


def kept_columns(numbers: Indexer, keys: Indexer, names: NameIndexer) -> Sequence[Kept]:
    """Every sealed column of this room. What is added to its tables is added here."""

    gone = delete(name_token).where(name_token.c.person_id == bindparam("gone"))
    there = insert(name_token).values(person_id=bindparam("named"), token=bindparam("token"))

    async def tokens(many: Many, persons: Mapping[str, Sequence[str]]) -> None:
        made = [
            {"named": person_id, "token": token}
            for person_id, held in persons.items()
            for token in sorted({token for name in held for token in names.of(name)})
        ]
        await many(gone, [{"gone": person_id} for person_id in persons])
        if made:
            await many(there, made)

    return (
        Kept(
            table=person,
            column=person.c.number_sealed.name,
            place=lambda key: number_place(key["person_id"]),
            salts=person_salt,
            derived={person.c.number_index.name: numbers.of},
        ),
        Kept(
            table=link,
            column=link.c.key_sealed.name,
            place=lambda key: key_place(key["agency"], key["person_id"]),
            salts=person_salt,
            derived={link.c.key_index.name: keys.of},
        ),
        Kept(
            table=person_name,
            column=person_name.c.name_sealed.name,
            place=lambda key: name_place(key["person_id"], key["kind"]),
            salts=person_salt,
            companion=tokens,
        ),
        *(_reason(order) for order in ("first", "second")),
    )


def _reason(order: str) -> Kept:
    def place(key: Mapping[str, Any]) -> Any:
        return reason_place(key["erasure_id"], order)

    return Kept(table=erasure, column=f"{order}_reason_sealed", place=place)
