"""The sealed columns of the person index, as rotation and erasure go over them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hub.crypto.kept import Kept, Tokens
from hub.identity.links import (
    Matching,
    event_place,
    is_anchor,
    order_place,
    read,
    removed_place,
    review_place,
    trait_place,
)
from hub.identity.ports import Indexer, NameIndexer, key_place, name_place, number_place, reason_place
from hub.identity.tables import (
    block,
    erasure,
    link,
    link_event,
    link_order,
    link_removed,
    name_token,
    person,
    person_name,
    person_salt,
    review,
    trait,
)


def kept_columns(
    numbers: Indexer, keys: Indexer, names: NameIndexer, matching: Matching | None = None
) -> Sequence[Kept]:
    """Every sealed column of this room. What is added to its tables is added here."""
    return (
        Kept(
            table=person,
            column=person.c.number_sealed.name,
            place=lambda key: number_place(key["person_id"]),
            salts=person_salt,
            derived={person.c.number_index.name: numbers.each},
        ),
        Kept(
            table=link,
            column=link.c.key_sealed.name,
            place=lambda key: key_place(key["agency"], key["person_id"]),
            salts=person_salt,
            derived={link.c.key_index.name: keys.each},
        ),
        Kept(
            table=person_name,
            column=person_name.c.name_sealed.name,
            place=lambda key: name_place(key["person_id"], key["kind"]),
            salts=person_salt,
            tokens=Tokens(table=name_token, of=names.of_bearers),
        ),
        *(_reason(order) for order in ("first", "second")),
        *_matched(matching),
    )


def _blocks(matching: Matching, persons: Sequence[Sequence[str]]) -> Sequence[frozenset[int]]:
    return matching.of_bearers([[read(text) for text in texts if is_anchor(text)] for texts in persons])


def _reason(order: str) -> Kept:
    def place(key: Mapping[str, Any]) -> Any:
        return reason_place(key["erasure_id"], order)

    return Kept(table=erasure, column=f"{order}_reason_sealed", place=place)


def _matched(matching: Matching | None) -> Sequence[Kept]:
    """Columns of matching. What was taken away is sealed under the salt of the person it was taken from."""

    def of_review(column: str, salts: Any = None) -> Kept:
        return Kept(table=review, column=column, place=lambda key: review_place(column, key["review_id"]), salts=salts)

    def of_removed(column: str) -> Kept:
        return Kept(
            table=link_removed,
            column=column,
            place=lambda key: removed_place(column, key["change_id"], key["order"]),
            salts=person_salt,
        )

    return (
        Kept(
            table=trait,
            column=trait.c.traits_sealed.name,
            place=lambda key: trait_place(key["person_id"], key["record"]),
            salts=person_salt,
            tokens=None if matching is None else Tokens(table=block, of=partial(_blocks, matching)),
        ),
        Kept(
            table=link_order,
            column=link_order.c.reason_sealed.name,
            place=lambda key: order_place(key["order_id"]),
        ),
        Kept(
            table=link_event,
            column="reason_sealed",
            place=lambda key: event_place("reason_sealed", key["change_id"], key["order"]),
        ),
        of_review("first_reason_sealed"),
        of_review("reason_sealed"),
        of_review("key_sealed", person_salt),
        of_review("traits_sealed", person_salt),
        of_removed("key_sealed"),
        of_removed("traits_sealed"),
    )
