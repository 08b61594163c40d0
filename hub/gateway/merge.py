"""One person from several agencies' records: the most trusted word wins, and disagreement is kept as data.

Pure. Works on canonical values before masking; masking what conflicts show is `release`'s business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.connectors.base import SourceRecord
from hub.gateway.plan import MergedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One agency's word on a merged field."""

    agency: str
    value: object
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The surviving value (None if nobody says anything) and every claim, in order of trust, the chosen one first."""

    value: object
    claims: tuple[Claim, ...]

    @property
    def conflicting(self) -> bool:
        return any(claim.value != self.value for claim in self.claims)


def merge(plan: MergedPlan, records: Mapping[str, SourceRecord]) -> Merged:
    """Merge one field. `records` maps agency to its record of the person; an agency without one has no say.

    Order of arrival never matters: only the order of trust in the rule does.
    """
    claims = tuple(
        Claim(agency=provider.agency, value=value, as_of=record.as_of)
        for provider in (*plan.providers, *plan.witnesses)
        if (record := records.get(provider.agency)) is not None
        and (value := record.values.get(provider.field)) is not None
    )
    trusted = {provider.agency for provider in plan.providers}
    chosen = next((claim for claim in claims if claim.agency in trusted), None)
    return Merged(value=chosen.value if chosen else None, claims=claims if chosen else ())
