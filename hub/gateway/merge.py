"""One person from several agencies' records: the most trusted word wins, and disagreement is kept as data.

Pure. Works on canonical values before masking; masking what conflicts show is `release`'s business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


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


def merge(trusted: Sequence[Claim], witnesses: Sequence[Claim] = ()) -> Merged:
    """Merge one field from claims in order of trust; a claim without a value has no say.

    Order of arrival never matters: only the order of trust does. Witnesses say whether there is a conflict; they are
    never chosen, and say nothing where nobody trusted does.
    """
    said = [claim for claim in trusted if claim.value is not None]
    if not said:
        return Merged(value=None, chosen=None, claims=())
    heard = [claim for claim in witnesses if claim.value is not None]
    return Merged(value=said[0].value, chosen=said[0], claims=(*said, *heard))
