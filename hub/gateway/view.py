"""One person's view from the records that arrived: merged fields, provenance, conflicts; each only where asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.auth.decision import Judge
from hub.connectors.base import Fetched, SourceRecord, SourceState
from hub.gateway.merge import Choice, Claim, Merged, merge
from hub.gateway.plan import ACCESS, CONFLICTS, ID, PROVENANCE, SOURCES, BoundMerge, BoundPlan, ClassPlan
from hub.gateway.ports import Pseudonyms
from hub.gateway.reading import (
    Asker,
    Conflict,
    ConflictValue,
    FieldAccess,
    FieldProvenance,
    PersonRef,
    PersonView,
    Provenance,
    SourceUse,
)
from hub.gateway.release import Releaser, release_value
from hub.gateway.resolve import Resolver

_Read = tuple[tuple[int, int, Callable[[Sequence[Any], Any], Any] | None], ...]
"""(index of the agency, slot, what opens a sealed value) of each provider, in order of trust."""


class ViewBuilder:
    """`access_of`: what the asker may see of a person, by the plan of the person's class."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        pseudonyms: Pseudonyms,
        releaser: Releaser,
        access_of: Callable[[ClassPlan, Judge], tuple[FieldAccess, ...]],
    ) -> None:
        self._access_of = access_of
        self._resolver = resolver
        self._pseudonyms = pseudonyms
        self._releaser = releaser

    def build(
        self,
        asker: Asker,
        ref: PersonRef,
        bound: BoundPlan,
        records: Sequence[SourceRecord | None],
        fetched: Mapping[str, Fetched],
    ) -> PersonView:
        """The view of one person; `records` in the order of `bound.agencies`."""
        rows = [None if record is None else record.values for record in records]
        wanted = bound.plan.structural
        if not bound.beside:
            return PersonView(bound, rows, self._values(bound, rows, records))
        if PROVENANCE in wanted or CONFLICTS in wanted:
            merges = [self._merge(bound, item, records) for item in bound.merged]
            view = PersonView(bound, rows, [merged.value for merged in merges])
            view.provenance = tuple(
                self._field_provenance(asker, item, merged, records[bound.agency(merged.chosen.agency)], fetched)
                for item, merged in zip(bound.merged, merges, strict=True)
                if merged.chosen is not None
            )
            view.conflicts = tuple(
                self._conflict(
                    asker,
                    item,
                    merged,
                    {claim.agency: records[bound.agency(claim.agency)] for claim in merged.claims},
                    fetched,
                )
                for item, merged in zip(bound.merged, merges, strict=True)
                if _differs(item, merged)
            )
        else:
            view = PersonView(bound, rows, self._values(bound, rows, records))
        if ID in wanted:
            view.id = self._resolver.public_id(asker, ref)
        if SOURCES in wanted:
            view.sources = tuple(
                _source(fetched[agency], record)
                for agency, record in zip(bound.agencies, records, strict=True)
                if agency in fetched
            )
        if ACCESS in wanted:
            view.access = self._access_of(bound.plan, asker.judge)
        if any(name.endswith(".provenance") and name != PROVENANCE for name in wanted):
            view.record_provenance = tuple(
                None if record is None else self._provenance(asker, agency, record, fetched)
                for agency, record in zip(bound.agencies, records, strict=True)
            )
        return view

    def _values(self, bound: BoundPlan, rows: Sequence[Any], records: Sequence[SourceRecord | None]) -> list[Any]:
        reads = bound.reads or self._reads(bound)
        return [
            self._merge(bound, item, records).value if read is None else _first(read, rows)
            for item, read in zip(bound.merged, reads, strict=True)
        ]

    def _reads(self, bound: BoundPlan) -> tuple[_Read | None, ...]:
        """For each merged field chosen by trust where its values stand, and what opens them; None for the others."""
        bound.reads = tuple(
            tuple(
                (agency, slot, self._releaser.opening(provider.coordinate))
                for (agency, slot), provider in zip(item.providers, item.plan.providers, strict=True)
            )
            if item.plan.choice is Choice.TRUST
            else None
            for item in bound.merged
        )
        reads: tuple[_Read | None, ...] = bound.reads
        return reads

    def _merge(self, bound: BoundPlan, item: BoundMerge, records: Sequence[SourceRecord | None]) -> Merged:
        def claims(places: Sequence[tuple[int, int]], coordinates: Sequence[str]) -> list[Claim]:
            found: list[Claim] = []
            for (agency, slot), coordinate in zip(places, coordinates, strict=True):
                record = records[agency]
                if record is None:
                    continue
                value = record.values[slot]
                opening = self._releaser.opening(coordinate)
                if value is not None and opening is not None:
                    value = opening(record.values, value)
                found.append(Claim(agency=bound.agencies[agency], value=value, as_of=record.as_of))
            return found

        return merge(
            claims(item.providers, [provider.coordinate for provider in item.plan.providers]),
            claims(item.witnesses, [provider.coordinate for provider in item.plan.witnesses]),
            item.plan.choice,
            lambda value: release_value(item.plan.mask, value),
        )

    def _field_provenance(
        self,
        asker: Asker,
        item: BoundMerge,
        merged: Merged,
        record: SourceRecord | None,
        fetched: Mapping[str, Fetched],
    ) -> FieldProvenance:
        assert merged.chosen is not None
        assert record is not None
        agency = merged.chosen.agency
        return FieldProvenance(
            field=item.plan.name,
            agency=agency,
            record=self._record_name(asker, agency, record),
            as_of=record.as_of,
            received_at=record.received_at or fetched[agency].received_at,
            stale=fetched[agency].state is SourceState.STALE,
            verified_by=_verified_by(item, merged, merged.chosen),
        )

    def _conflict(
        self,
        asker: Asker,
        item: BoundMerge,
        merged: Merged,
        records: Mapping[str, SourceRecord | None],
        fetched: Mapping[str, Fetched],
    ) -> Conflict:
        """All values as the asker may see them: masked like the field itself."""
        values = []
        for claim in merged.claims:
            record = records[claim.agency]
            assert record is not None
            values.append(
                ConflictValue(
                    agency=claim.agency,
                    value=_shown(release_value(item.plan.mask, claim.value)),
                    record=self._record_name(asker, claim.agency, record),
                    as_of=claim.as_of,
                    received_at=record.received_at or fetched[claim.agency].received_at,
                    verified_by=_verified_by(item, merged, claim),
                    chosen=claim is merged.chosen,
                )
            )
        return Conflict(coordinate=item.plan.coordinate, values=tuple(values))

    def _provenance(
        self, asker: Asker, agency: str, record: SourceRecord, fetched: Mapping[str, Fetched]
    ) -> Provenance:
        return Provenance(
            agency=agency,
            record=self._record_name(asker, agency, record),
            as_of=record.as_of,
            received_at=record.received_at or fetched[agency].received_at,
            stale=fetched[agency].state is SourceState.STALE,
        )

    def _record_name(self, asker: Asker, agency: str, record: SourceRecord) -> str:
        return self._pseudonyms.of("record", f"{asker.principal.agency}/{agency}/{record.record}")


def _first(read: _Read, rows: Sequence[Any]) -> Any:
    """The most trusted value, without keeping who else said what."""
    for agency, slot, opening in read:
        row = rows[agency]
        if row is None:
            continue
        value = row[slot]
        if value is not None and opening is not None:
            value = opening(row, value)
        if value is not None:
            return value
    return None


def newest(answer: Fetched | None, keys: tuple[str, ...]) -> SourceRecord | None:
    """The newest of a person's records at one agency."""
    if answer is None:
        return None
    if len(keys) == 1:
        return answer.records.get(keys[0])
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


def _differs(item: BoundMerge, merged: Merged) -> bool:
    """Whether the asker sees that values differ: masked like the field itself, different ones may look alike."""
    if not merged.conflicting or item.plan.sealed_to is not None:
        return False
    shown = {_shown(release_value(item.plan.mask, claim.value)) for claim in merged.claims}
    return item.plan.mask is None or len(shown) > 1


def _verified_by(item: BoundMerge, merged: Merged, claim: Claim) -> tuple[str, ...]:
    """Other agencies that say the same. Of a masked value nobody may learn whether the whole values are equal."""
    if item.plan.mask is not None or item.plan.sealed_to is not None:
        return ()
    return tuple(other.agency for other in merged.claims if other is not claim and other.value == claim.value)


def _shown(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
