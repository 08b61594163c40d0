"""Predicates of one person from the records that arrived; a proof is signed only where it is read."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol

from hub.connectors.base import Fetched, Layout, SourceRecord, SourceState
from hub.gateway.plan import BoundPlan
from hub.gateway.predicates import BoundPredicate, Known, answer
from hub.gateway.reading import Asker, PersonRef
from hub.gateway.resolve import Resolver

_ANSWERED = (SourceState.OK, SourceState.STALE)


class Prover(Protocol):
    def prove(self, *, agency: str, person: str, claims: Mapping[str, Any]) -> str:
        """A compact JWS that this hub said so to this agency."""
        ...


class PredicateAnswer:
    """One answer as it is released. `as_of`: the oldest state of the records it rests on; None if there are none."""

    def __init__(
        self, coordinate: str, *, holds: bool, basis: str, as_of: datetime | None, valid_until: date, sign: Any
    ) -> None:
        self.coordinate = coordinate
        self.holds = holds
        self.basis = basis
        self.as_of = as_of
        self.valid_until = valid_until
        self._sign = sign

    @cached_property
    def proof(self) -> str:
        claims = {
            "coordinate": self.coordinate,
            "holds": self.holds,
            "basis": self.basis,
            "asOf": self.as_of.isoformat() if self.as_of else None,
            "validUntil": self.valid_until.isoformat(),
        }
        return str(self._sign(claims))


class Answering:
    def __init__(self, resolver: Resolver, prover: Prover) -> None:
        self._resolver = resolver
        self._prover = prover

    def answers(
        self,
        asker: Asker,
        ref: PersonRef,
        bound: BoundPlan,
        records: Sequence[SourceRecord | None],
        fetched: Mapping[str, Fetched],
        day: date,
    ) -> list[PredicateAnswer | None]:
        """In the order of the plan's predicates; None where an agency that would decide did not answer."""

        def sign(claims: Mapping[str, Any]) -> str:
            person = self._resolver.public_id(asker, ref)
            return self._prover.prove(agency=asker.principal.agency, person=person, claims=claims)

        held = dict(zip(bound.agencies, records, strict=True))
        return [self._one(item, bound, held, fetched, day, sign) for item in bound.plan.predicates]

    def _one(
        self,
        item: BoundPredicate,
        bound: BoundPlan,
        held: Mapping[str, SourceRecord | None],
        fetched: Mapping[str, Fetched],
        day: date,
        sign: Any,
    ) -> PredicateAnswer | None:
        values: dict[str, Any] = {}
        silent: set[str] = set()
        moments: list[datetime] = []
        for source in item.sources:
            answered = fetched.get(source.agency)
            if answered is not None and answered.state not in _ANSWERED:
                silent.add(source.coordinate.partition(".")[0])
            record = held.get(source.agency)
            if record is None:
                continue
            moments.append(record.as_of)
            layout = bound.layouts[source.agency]
            value = record.values[layout.slot(source.field)]
            values[source.coordinate] = _rows(layout, source.field, value) if source.inner else value
        found = answer(item.predicate, Known(values, frozenset(silent)), day)
        if found is None:
            return None
        decided, until = found
        return PredicateAnswer(
            item.coordinate,
            holds=decided.holds,
            basis=decided.basis,
            as_of=min(moments, default=None),
            valid_until=until,
            sign=sign,
        )


def _rows(layout: Layout, field: str, rows: Sequence[Sequence[Any]] | None) -> list[Mapping[str, Any]]:
    names = layout.inner(field)
    return [dict(zip(names, row, strict=False)) for row in rows or ()]
