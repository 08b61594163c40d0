"""One person's view from the records that arrived: merged fields, agency records, provenance, conflicts."""

from collections.abc import Mapping
from datetime import date, datetime

from hub.connectors.base import Fetched, SourceRecord
from hub.gateway.merge import Merged, merge
from hub.gateway.plan import ClassPlan, MergedPlan
from hub.gateway.ports import Pseudonyms
from hub.gateway.reading import Asker, Conflict, ConflictValue, PersonRef, PersonView, Provenance, SourceUse
from hub.gateway.release import release_record, release_value
from hub.gateway.resolve import Resolver


class ViewBuilder:
    def __init__(self, *, resolver: Resolver, pseudonyms: Pseudonyms) -> None:
        self._resolver = resolver
        self._pseudonyms = pseudonyms

    def build(
        self,
        asker: Asker,
        ref: PersonRef,
        plan: ClassPlan,
        keys: Mapping[str, tuple[str, ...]],
        fetched: Mapping[str, Fetched],
        composed: Mapping[str, object],
    ) -> PersonView:
        records = {
            agency: record
            for agency in plan.agencies
            if agency in fetched and (record := _newest(fetched[agency], keys.get(agency, ()))) is not None
        }
        values: dict[str, object] = dict(composed)
        provenance: dict[str, Provenance] = {}
        for agency, share in plan.agencies.items():
            record = records.get(agency)
            if record is None or not share.release:
                values[share.person_field] = None
                continue
            values[share.person_field] = release_record(share.release, record.values)
            provenance[share.person_field] = self._provenance(asker, agency, record, fetched[agency].received_at)
        conflicts: list[Conflict] = []
        for field in plan.merged:
            merged = merge(field, records)
            values[field.name] = release_value(field.mask, merged.value)
            if merged.claims:
                winner = merged.claims[0].agency
                provenance[field.name] = self._provenance(asker, winner, records[winner], fetched[winner].received_at)
            if merged.conflicting:
                conflicts.append(_conflict(field, merged))
        return PersonView(
            ref=ref,
            id=self._resolver.public_id(asker, ref),
            table=plan.table,
            values=values,
            provenance=provenance,
            conflicts=tuple(conflicts),
            sources=tuple(
                _source(fetched[agency], records.get(agency)) for agency in plan.agencies if agency in fetched
            ),
        )

    def _provenance(self, asker: Asker, agency: str, record: SourceRecord, received_at: datetime) -> Provenance:
        name = self._pseudonyms.of("record", f"{asker.principal.agency}/{agency}/{record.record}")
        return Provenance(agency=agency, record=name, as_of=record.as_of, received_at=received_at)


def _newest(answer: Fetched, keys: tuple[str, ...]) -> SourceRecord | None:
    found = [record for key in keys if (record := answer.records.get(key)) is not None]
    return max(found, key=lambda record: record.as_of) if found else None


def _source(answer: Fetched, record: SourceRecord | None) -> SourceUse:
    return SourceUse(
        agency=answer.agency,
        state=answer.state,
        as_of=record.as_of if record else answer.as_of,
        latency_ms=answer.latency_ms,
        quarantined=record.quarantined if record else 0,
    )


def _conflict(field: MergedPlan, merged: Merged) -> Conflict:
    """Values as the asker may see them: masked like the field itself."""
    return Conflict(
        coordinate=field.coordinate,
        values=tuple(
            ConflictValue(
                agency=claim.agency,
                value=_shown(release_value(field.mask, claim.value)),
                as_of=claim.as_of,
                chosen=claim == merged.claims[0],
            )
            for claim in merged.claims
        ),
    )


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
