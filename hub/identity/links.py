"""What a link is, how its records are named and where its sealed parts stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from hub.crypto.envelope import Place
from hub.errors import HubError
from hub.identity.matching.blocking import tokens_of, tokens_of_all
from hub.identity.matching.traits import Traits
from hub.identity.ports import Digests, Indexer

BY_HUB = "hub"
"""Author of what rules and weights decided."""
_ANCHOR, _RECORD = "A", "R"


class LinkError(HubError):
    """A change of links that cannot be made; `public` says no more."""

    code = "LINK_REFUSED"
    public = "This change of links cannot be made."


class NoSuchQuestionError(LinkError):
    """The question is unknown, decided, or its person is gone."""


class SameOfficerError(LinkError):
    """The second decision must be another officer's."""


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A link without its key. `method`: own-key, number, weights, order, review or merge; `evidence`: field → level."""

    method: str
    weight: float | None = None
    model: str | None = None
    evidence: Mapping[str, str] = {}
    author: str | None = None
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What is derived of records for matching: keyed hashes that name them, and keyed hashes of their tokens."""

    digests: Digests
    blocks: Indexer

    def record(self, agency: str, key: str) -> str:
        """What names a record in events, orders and reviews; tells neither agency nor key."""
        return self.digests.of("link", f"{agency}/{key}")

    def tokens(self, traits: Traits) -> list[int]:
        """What a person stands under in `identity_block`."""
        (found,) = self.of_bearers([[traits]])
        return sorted(found)

    def of_bearers(self, bearers: Sequence[Sequence[Traits]]) -> list[frozenset[int]]:
        """For each person with any number of anchors, in order, what new rows stand under."""
        tokens = [tokens_of_all(anchors) for anchors in bearers]
        wanted = list(frozenset().union(*tokens))
        hashed = dict(zip(wanted, self.blocks.each(wanted) if wanted else (), strict=True))
        return [frozenset(hashed[token] for token in held) for held in tokens]

    def every(self, traits: Traits) -> list[int]:
        """What persons may stand under who share a token with `traits`."""
        return sorted({hashed for token in tokens_of(traits) for hashed in self.blocks.every(token)})


def written(traits: Traits, *, anchor: bool) -> str:
    """Traits as they are sealed; whether they are an anchor's stands first, for who derives tokens anew."""
    return (_ANCHOR if anchor else _RECORD) + msgspec.json.encode(traits).decode()


def read(text: str) -> Traits:
    return msgspec.json.decode(text[1:], type=Traits)


def is_anchor(text: str) -> bool:
    return text.startswith(_ANCHOR)


def trait_row(person_id: str, record: str) -> str:
    return f"{person_id}/{record}"


def trait_place(person_id: str, record: str) -> Place:
    return Place(agency="hub", table="identity_trait", column="traits_sealed", row=trait_row(person_id, record))


def event_place(column: str, change_id: str, order: int) -> Place:
    return Place(agency="hub", table="link_event", column=column, row=f"{change_id}/{order}")


def removed_place(column: str, change_id: str, order: int) -> Place:
    return Place(agency="hub", table="link_removed", column=column, row=f"{change_id}/{order}")


def review_place(column: str, review_id: str) -> Place:
    return Place(agency="hub", table="identity_review", column=column, row=review_id)


def order_place(order_id: str) -> Place:
    return Place(agency="hub", table="identity_order", column="reason_sealed", row=order_id)


def packed(evidence: Mapping[str, Any]) -> str:
    return orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS).decode()


def aware(moment: datetime) -> datetime:
    """SQLite gives times back without their zone, which is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def state_text(state: LinkState) -> str:
    return msgspec.json.encode(state).decode()


def state_of(text: str) -> LinkState:
    return msgspec.json.decode(text, type=LinkState)
