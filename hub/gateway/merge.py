"""One person from several agencies' records: whose word stands is a rule of the field; disagreement is kept as data.

Pure. Works on canonical values before masking; masking what conflicts show is `release`'s business.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Choice(StrEnum):
    """How the surviving value is chosen; among equals the order of trust decides."""

    TRUST = "trust"  # the first in order of trust that says anything
    RECENCY = "recency"  # the newest state of a source
    QUORUM = "quorum"  # the value that most say, if at least `QUORUM` do; else as by trust


QUORUM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One agency's word on a merged field."""

    agency: str
    value: object
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The surviving value (None if nobody says anything) and every claim, in order of trust."""

    value: object
    chosen: Claim | None
    claims: tuple[Claim, ...]

    @property
    def conflicting(self) -> bool:
        return any(claim.value != self.value for claim in self.claims)


def merge(
    trusted: Sequence[Claim],
    witnesses: Sequence[Claim] = (),
    choice: Choice = Choice.TRUST,
    seen: Callable[[object], object] = lambda value: value,
) -> Merged:
    """Merge one field from claims in order of trust; a claim without a value has no say.

    Order of arrival never matters: only trust, age and agreement of what is said do. Witnesses say whether there is a
    conflict; they are never chosen nor counted, and say nothing where nobody trusted does. `seen`: a value as the asker
    sees it; a quorum is of values that look alike, so that it tells nothing of what a mask hides.
    """
    said = [claim for claim in trusted if claim.value is not None]
    if not said:
        return Merged(value=None, chosen=None, claims=())
    heard = [claim for claim in witnesses if claim.value is not None]
    chosen = _chosen(said, choice, seen)
    return Merged(value=chosen.value, chosen=chosen, claims=(*said, *heard))


def _chosen(said: Sequence[Claim], choice: Choice, seen: Callable[[object], object]) -> Claim:
    if choice is Choice.RECENCY:
        return max(said, key=lambda claim: claim.as_of)  # of equals the first
    if choice is Choice.QUORUM:
        looks = [seen(claim.value) for claim in said]
        agreeing = [looks.count(look) for look in looks]
        if max(agreeing) >= QUORUM:
            return said[agreeing.index(max(agreeing))]
    return said[0]
