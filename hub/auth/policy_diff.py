"""Who gains and who loses when one set of rules replaces another: role by purpose by field by facts, nothing left out.

Two bundles are compared by what they decide, not by their text: the result is empty exactly if every decision (effect
and code) of both is equal for every role, purpose and vector of facts. Rules that decide are not compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.auth.decision import Decision
from hub.auth.explain import RANK
from hub.auth.judge import CedarJudge
from hub.auth.policy_cases import said
from hub.auth.purposes import Role
from hub.auth.survey import Survey, Term, Vector, shortest, survey
from hub.domain.catalogue import Catalogue


class Turn(StrEnum):
    GAINS = "gains"
    LOSES = "loses"
    TOLD_OTHERWISE = "told otherwise"  # still denied, for another stated reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """For `role` under each of `purposes`, `coordinates` turn from `before` to `after` where one of `when` holds."""

    role: str
    purposes: tuple[str, ...]
    turn: Turn
    before: str
    after: str
    when: tuple[Term, ...]
    coordinates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Turned:
    turn: Turn
    before: str
    after: str


def diff(
    before: CedarJudge, after: CedarJudge, roles: Iterable[Role], purposes: Iterable[str], catalogue: Catalogue
) -> list[Difference]:
    """Every difference, as few lines as it takes. `roles` and `purposes` are those that either side knows.

    Cost: two tables for each class that either side can tell apart.
    """
    names = tuple(purposes)
    found: list[Difference] = []
    for role in roles:
        looked = survey((before.bundle, after.bundle), role, names)
        by_part: dict[tuple[tuple[str, ...], tuple[_Turned, tuple[Term, ...]]], list[str]] = {}
        for part in _parts(looked, before, after):
            for coordinate, turned in _turns(looked, part, before, after, catalogue).items():
                for how, vectors in turned.items():
                    by_part.setdefault((part, (how, shortest(looked.facts, vectors))), []).append(coordinate)
        found += _joined(role.name, by_part)
    return found


def _parts(looked: Survey, before: CedarJudge, after: CedarJudge) -> Iterable[tuple[str, ...]]:
    """A purpose that one side does not know is a part of its own: no rule says so, the judge does."""
    for part in looked.parts:
        alike: dict[tuple[bool, bool], list[str]] = {}
        for purpose in part:
            alike.setdefault((before.knows_purpose(purpose), after.knows_purpose(purpose)), []).append(purpose)
        yield from (tuple(names) for names in alike.values())


def _turns(
    looked: Survey, part: tuple[str, ...], before: CedarJudge, after: CedarJudge, catalogue: Catalogue
) -> Mapping[str, Mapping[_Turned, list[Vector]]]:
    turns: dict[str, dict[_Turned, list[Vector]]] = {}
    for vector in looked.vectors:
        asked = looked.decision_class(part, vector)
        old, new = before.table(asked).decisions, after.table(asked).decisions
        for coordinate in catalogue.fields:
            how = _turned(old[coordinate], new[coordinate])
            if how is not None:
                turns.setdefault(coordinate, {}).setdefault(how, []).append(vector)
    return turns


def _turned(old: Decision, new: Decision) -> _Turned | None:
    if (old.effect, old.denial) == (new.effect, new.denial):
        return None
    step = RANK[new.effect] - RANK[old.effect]
    turn = Turn.GAINS if step > 0 else Turn.LOSES if step < 0 else Turn.TOLD_OTHERWISE
    return _Turned(turn, said(old), said(new))


def _joined(
    role: str, by_part: Mapping[tuple[tuple[str, ...], tuple[_Turned, tuple[Term, ...]]], Sequence[str]]
) -> list[Difference]:
    """One difference for all purposes under which the same coordinates turn the same way."""
    purposes: dict[tuple[_Turned, tuple[Term, ...], tuple[str, ...]], list[str]] = {}
    for (part, (how, when)), coordinates in by_part.items():
        purposes.setdefault((how, when, tuple(coordinates)), []).extend(part)
    return [
        Difference(
            role=role,
            purposes=tuple(sorted(names)),
            turn=how.turn,
            before=how.before,
            after=how.after,
            when=when,
            coordinates=coordinates,
        )
        for (how, when, coordinates), names in purposes.items()
    ]
