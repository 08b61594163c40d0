"""From weights to a decision: whose record is this? Pure; whoever calls has the candidates and the standing orders.

A record joins the person it fits best if the weight reaches `join`, nobody else comes within `margin`, and no negative
rule speaks against it. What falls short is asked of people, or belongs to nobody here.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from hub.identity.matching.levels import MISSING, compare, same_surname
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model


class Order(StrEnum):
    """A standing order of people about one record and one person."""

    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


class Outcome(StrEnum):
    JOIN = "JOIN"
    REVIEW = "REVIEW"
    NOBODY = "NOBODY"


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate. `evidence`: field → level; `against`: names of the rules that forbid to join without people."""

    person: str
    weight: float
    evidence: Mapping[str, str]
    against: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`best` is None only for NOBODY without a candidate. `method`: what decided; `reasons`: why it did not join."""

    outcome: Outcome
    method: str
    best: Scored | None = None
    runner_up: float | None = None
    reasons: tuple[str, ...] = ()


DETERMINISTIC = "number"
WEIGHED = "weights"
ORDERED = "order"


def score(model: Model, record: Traits, person: str, anchor: Traits, *, persons: int) -> Scored:
    """`record` against what is known of `person`."""
    levels = compare(record, anchor)
    weight = model.weight(levels, record.name if levels["name"] == "equal" else "", persons=persons)
    return Scored(person=person, weight=weight, evidence=levels, against=rules_against(record, anchor, levels))


def rules_against(record: Traits, anchor: Traits, levels: Mapping[str, str]) -> tuple[str, ...]:
    """Negative rules between two records.

    Twins share birth date, surname and household, siblings address and surname: what tells them apart is the number and
    the given name. Namesakes share name, birthday and county: what tells them apart is number, telephone or address.
    """
    found = []
    unlike = levels["name"] in ("differs", "one character")
    if levels["number"] == "differs" and record.verified and anchor.verified:
        twins = levels["birth"] == "equal" and same_surname(record, anchor)
        found.append("TWINS" if twins and unlike else "TWO_VALID_NUMBERS")
    if levels["number"] not in ("equal", "near"):
        if unlike and levels["place"] in ("address", "near") and same_surname(record, anchor):
            found.append("SIBLINGS")
        elif unlike and levels["birth"] == "equal" and same_surname(record, anchor):
            found.append("TWINS")
        if _only_namesakes(levels):
            found.append("NAMESAKES")
    if levels["number"] == "equal" and levels["name"] == "differs" and levels["birth"] not in ("equal", MISSING):
        found.append("FOREIGN_NUMBER")  # the number of somebody else, stated by this person
    return tuple(dict.fromkeys(found))


def decide(
    model: Model, scored: Sequence[Scored], orders: Mapping[str, Order] | None = None, *, linked: str | None = None
) -> Verdict:
    """The verdict on one record over its candidates.

    `orders`: person → order; ALWAYS beats weights and rules, NEVER takes a candidate out. `linked`: the person it is
    linked to now; that link holds until its weight falls under `fracture`.
    """
    orders = orders or {}
    for candidate in scored:
        if orders.get(candidate.person) is Order.ALWAYS:
            return Verdict(outcome=Outcome.JOIN, method=ORDERED, best=candidate)
    open_ones = [one for one in scored if orders.get(one.person) is not Order.NEVER]
    ranked = sorted(open_ones, key=lambda one: (-one.weight, one.person))
    if not ranked or ranked[0].weight < model.fracture:
        return Verdict(outcome=Outcome.NOBODY, method=WEIGHED, best=ranked[0] if ranked else None)
    best = ranked[0]
    runner_up = ranked[1].weight if len(ranked) > 1 else None
    limit = model.fracture if best.person == linked else model.join
    reasons = list(best.against)
    if best.weight < limit:
        reasons.append("WEIGHT")
    if runner_up is not None and best.weight - runner_up < model.margin:
        reasons.append("RUNNER_UP")
    method = DETERMINISTIC if best.evidence["number"] == "equal" else WEIGHED
    outcome = Outcome.REVIEW if reasons else Outcome.JOIN
    return Verdict(outcome=outcome, method=method, best=best, runner_up=runner_up, reasons=tuple(reasons))


def _only_namesakes(levels: Mapping[str, str]) -> bool:
    alike = levels["name"] == "equal" and levels["birth"] == "equal" and levels["place"] in ("county", "township")
    return alike and levels["number"] == MISSING and levels["phone"] not in ("equal", "one digit")
