"""What one person's records may be together. Pure functions of sets: who came first does not matter.

A person has one anchor (the record of the register of members) and at most one record of each other agency, and they
bear one valid identity number. People may order more; weights may not.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hub.identity.matching.decision import score
from hub.identity.matching.levels import LEVELS
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A record that would join a person. `number`: its identity number if that verifies, else empty."""

    record: str
    agency: str
    weight: float
    number: str = ""
    ordered: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """`refused` maps a record to the rule that keeps it out; people may decide otherwise."""

    joined: tuple[str, ...]
    refused: Mapping[str, str]


def settle(contenders: Iterable[Contender], *, margin: float, number: str = "") -> Settled:
    """Which of all contenders for one person join. `number`: the anchor's, if it verifies.

    Two records of one agency: the heavier joins if it leads by `margin`, else neither. Two valid numbers where the
    anchor has none: the number that leads by `margin` stays, else none does.
    """
    everybody = sorted(contenders, key=lambda one: one.record)
    refused: dict[str, str] = {}
    free = [one for one in everybody if not one.ordered]
    allowed = number or _leading_number(everybody, margin)
    for one in free:
        if one.number and one.number != allowed:
            refused[one.record] = "TWO_VALID_NUMBERS"
    taken = {one.agency for one in everybody if one.ordered}
    by_agency: dict[str, list[Contender]] = {}
    for one in free:
        if one.record not in refused:
            by_agency.setdefault(one.agency, []).append(one)
    for agency, several in by_agency.items():
        ranked = sorted(several, key=lambda one: (-one.weight, one.record))
        leads = agency not in taken and (len(ranked) == 1 or ranked[0].weight - ranked[1].weight >= margin)
        for one in ranked[1:] if leads else ranked:
            refused[one.record] = "PLACE_TAKEN"
    joined = tuple(one.record for one in everybody if one.record not in refused)
    return Settled(joined=joined, refused=refused)


def _leading_number(contenders: Sequence[Contender], margin: float) -> str:
    totals: dict[str, float] = {}
    for one in contenders:
        if one.number:
            totals[one.number] = totals.get(one.number, 0.0) + one.weight
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    if not ranked:
        return ""
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] - ranked[1][1] >= margin else ""


class MergeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """`edges`: pairs of records across that reach `join`; `against`: rules that speak against the merge."""

    edges: int
    pairs: int
    against: tuple[str, ...]


def check_merge(
    model: Model, one: Mapping[str, Sequence[Traits]], two: Mapping[str, Sequence[Traits]], *, persons: int
) -> MergeCheck:
    """Whether two persons' records (agency → traits) hang together, before they are merged.

    BRIDGE: all hangs on one pair of records, while others of the two could have met and did not. It is how two families
    become one person by one wrong record.
    """
    pairs = [(left, right) for a in one.values() for left in a for b in two.values() for right in b]
    scored = [score(model, left, "", right, persons=persons) for left, right in pairs]
    edges = sum(found.weight >= model.join for found in scored)
    against = {rule for found in scored for rule in found.against}
    if edges == 0:
        against.add("NO_EDGE")
    elif edges == 1 and any(found.weight < model.fracture for found in scored):
        against.add("BRIDGE")
    if one.keys() & two.keys():
        against.add("TWO_KEYS")
    numbers = {traits.number for side in (one, two) for held in side.values() for traits in held if traits.verified}
    if len(numbers) > 1:
        against.add("TWO_VALID_NUMBERS")
    return MergeCheck(edges=edges, pairs=len(pairs), against=tuple(sorted(against)))


FALSE_ITEMS: Mapping[str, tuple[str, ...]] = {
    "name": ("one character", "differs"),
    "birth": ("swapped", "one part", "differs"),
    "sex": ("differs",),
    "place": ("prefecture", "differs"),
    "number": ("near", "differs"),
}
"""Levels between a member's own statement and the household register that say an item may be false (三假人员)."""


def false_items(evidence: Mapping[str, str]) -> dict[str, str]:
    """Item → level, of what a person stated otherwise than the household register has it. Levels, never values."""
    return {item: evidence[item] for item in LEVELS if evidence.get(item) in FALSE_ITEMS.get(item, ())}
