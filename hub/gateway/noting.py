"""What an operation did, for its audit entry and `extensions.hub`: sources used, fields denied, access per person."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec

from hub.audit.entry import Pattern
from hub.auth.decision import DecisionTable, DenialCode, Effect
from hub.auth.facts import Facts, ScopedFacts
from hub.connectors.base import Fetched, SourceState
from hub.gateway.plan import ClassPlan, pattern_of
from hub.gateway.reading import Ask, Denied, PersonRef, Reading, SourceUse


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One ask with the persons it named and the plans of their classes."""

    ask: Ask
    refs: Sequence[PersonRef | None]
    plans: Mapping[Facts, ClassPlan]


def note(
    reading: Reading,
    noted: Sequence[Noted],
    visible: set[str],
    fetched: Mapping[str, Fetched],
    outsider: DenialCode | None,
    pseudonym: Callable[[PersonRef], str],
    held: Callable[[Facts], str | None] = lambda _facts: None,
    remedy: Callable[[DecisionTable, str], str | None] = lambda _table, _coordinate: None,
    nobody: Callable[[frozenset[str]], object] = lambda _coordinates: None,
) -> None:
    """Enter everything into `reading`.

    Args:
        outsider: what is said, if anything, of who is not there or not yours.
        held: facts as the log names them.
        nobody: called for each look-up that names nobody, with what was asked for.
    """
    for agency, answer in fetched.items():
        before = reading.sources.get(agency)
        if before is None or before.state is SourceState.OK:
            reading.sources[agency] = _use(answer)
        reading.calls[agency] = reading.calls.get(agency, 0) + 1
    plans: dict[int, ClassPlan] = {}
    by_person: dict[str, tuple[PersonRef, list[Pattern]]] = {}
    for item in noted:
        for ref in item.refs:
            if ref is None or ref.key not in visible:
                if outsider is not None:
                    reading.denied.add(Denied(coordinate=f"Query.{item.ask.field}", code=outsider))
                if ref is None:
                    nobody(item.ask.coordinates)  # as long as it takes for somebody: time must not tell the two apart
                else:
                    pattern = all_denied(item.ask.coordinates, held(ref.facts))
                    by_person.setdefault(ref.key, (ref, []))[1].append(pattern)
                continue
            plan = item.plans[ref.facts]
            if isinstance(ref.facts, ScopedFacts):
                reading.approvers.update(ref.facts.approved_by)
            plans[id(plan)] = plan
            by_person.setdefault(ref.key, (ref, []))[1].append(plan.pattern)
    for plan in plans.values():
        reading.denied.update(
            Denied(coordinate=name, code=code, remedy=remedy(plan.table, name)) for name, code in plan.denials
        )
        reading.policies.update(plan.policies)
    reading.access.extend((pseudonym(ref), _joined(patterns)) for ref, patterns in by_person.values())


@lru_cache(maxsize=1024)
def all_denied(coordinates: frozenset[str], facts: str | None) -> Pattern:
    """The pattern of somebody of whom nothing asked for may be seen."""
    return pattern_of({Effect.DENIED: coordinates}, facts)


def _joined(patterns: Sequence[Pattern]) -> Pattern:
    """One pattern for a person whom several asks named."""
    first = patterns[0]
    if len(patterns) == 1 or all(pattern is first for pattern in patterns):
        return first
    effects = {effect: set().union(*(getattr(p, effect.value) for p in patterns)) for effect in Effect}
    return pattern_of(effects, first.facts)


def _use(answer: Fetched) -> SourceUse:
    return SourceUse(
        agency=answer.agency,
        state=answer.state,
        as_of=answer.as_of,
        latency_ms=answer.latency_ms,
        quarantined=sum(record.quarantined for record in answer.records.values()),
    )
