"""Everybody's anchor in memory, for an import that compares millions: blocking in the process, not in the database."""

from collections.abc import Iterable, Mapping

from hub.identity.matching.blocking import tokens_of
from hub.identity.matching.decision import Order, Scored, Verdict, decide, score
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model

MOST = 256
"""Candidates that one token may bring; a token that brings more tells too little."""


class Anchors:
    """Person → anchor, and token → persons. Memory: about 2 KB a person."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._people: list[str] = []
        self._traits: list[Traits] = []
        self._places: dict[str, list[int]] = {}
        self._blocks: dict[int, int | list[int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, person: str) -> bool:
        return person in self._places

    def traits(self, person: str) -> Traits:
        """The first of a person's anchors."""
        return self._traits[self._places[person][0]]

    def add(self, person: str, traits: Traits) -> None:
        """An anchor of a person; whoever two were merged into has several."""
        place = len(self._people)
        self._people.append(person)
        self._traits.append(traits)
        self._places.setdefault(person, []).append(place)
        for token in tokens_of(traits):
            held = self._blocks.setdefault(hash(token), place)
            if isinstance(held, list):
                held.append(place)
            elif held != place:
                self._blocks[hash(token)] = [held, place]

    def orders_of(self, orders: Mapping[str, Order]) -> Mapping[str, Order]:
        """Orders about persons who are here."""
        return {person: order for person, order in orders.items() if person in self._places}

    def decide(
        self, record: Traits, orders: Mapping[str, Order] | None = None, *, linked: str | None = None
    ) -> Verdict:
        """The verdict on one record over all anchors that share a token with it, and those that orders name."""
        orders = orders or {}
        best: dict[str, Scored] = {}
        for found in self._scored(record, orders):
            if found.person not in best or best[found.person].weight < found.weight:
                best[found.person] = found
        return decide(self.model, list(best.values()), orders, linked=linked)

    def _scored(self, record: Traits, orders: Iterable[str]) -> Iterable[Scored]:
        places = {place for person in orders for place in self._places.get(person, ())}
        for token in tokens_of(record):
            held = self._blocks.get(hash(token))
            if isinstance(held, int):
                places.add(held)
            elif held is not None and len(held) <= MOST:
                places.update(held)
        for place in places:
            yield score(self.model, record, self._people[place], self._traits[place], persons=len(self))
