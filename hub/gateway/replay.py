"""What recorded requests would have got under other rules: the log's field maps, planned again.

An entry holds no value, but everything a decision depends on: role, purpose, the facts that held, the coordinates asked
for and what became of each. The same planner that answers requests plans them under the proposed rules; what differs is
what would have changed. Pure: entries in, changes out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.audit.entry import EFFECTS
from hub.audit.kinds import Kind
from hub.auth.decision import DecisionClass, Judge, Reach, knows_existence
from hub.auth.facts import Facts
from hub.gateway.plan import Planner


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """For `role` under `purpose`, `coordinate` would turn from `before` to `after`."""

    role: str
    purpose: str
    coordinate: str
    before: str
    after: str


@dataclass(slots=True, kw_only=True)
class Replayed:
    """`changes` count the persons of all requests; `requests` holds the entries in which anything changes.

    `skipped` counts persons of entries that do not say which facts held: they were written before facts were.
    """

    entries: int = 0
    persons: int = 0
    skipped: int = 0
    requests: list[str] = field(default_factory=list)
    changes: dict[Change, int] = field(default_factory=dict)


class Replay:
    """Plans under `judge`; `planner` is the one that plans requests, `recipient_of` names the key of a client."""

    def __init__(
        self, judge: Judge, planner: Planner, recipient_of: Callable[[str], str | None] = lambda _client: None
    ) -> None:
        self._judge = judge
        self._planner = planner
        self._recipient_of = recipient_of

    def run(self, entries: Iterable[Mapping[str, Any]]) -> Replayed:
        """Replay `entries`, as `hub audit dump` spells them out."""
        found = Replayed()
        for entry in entries:
            self.add(entry, found)
        return found

    def add(self, entry: Mapping[str, Any], found: Replayed) -> None:
        """Replay one entry into `found`. Cost: a plan for each distinct class and set of coordinates."""
        if entry["kind"] != Kind.OPERATION.value or not entry["persons"] or entry["purpose"] is None:
            return
        found.entries += 1
        changed = False
        for person in entry["persons"]:
            if (facts := _facts(person.get("facts"))) is None:
                found.skipped += 1
                continue
            found.persons += 1
            for change in self._changes(entry, person, facts):
                changed = True
                found.changes[change] = found.changes.get(change, 0) + 1
        if changed:
            found.requests.append(entry["id"])

    def _changes(self, entry: Mapping[str, Any], person: Mapping[str, Any], facts: Facts) -> Iterator[Change]:
        before = {name: effect for effect in EFFECTS for name in person[effect]}
        after = self._after(entry, frozenset(before), facts)
        for coordinate, effect in sorted(before.items()):
            now = after.get(coordinate)
            if now is not None and now != effect:
                yield Change(
                    role=entry["role"], purpose=entry["purpose"], coordinate=coordinate, before=effect, after=now
                )

    def _after(self, entry: Mapping[str, Any], coordinates: frozenset[str], facts: Facts) -> Mapping[str, str]:
        agency, role, purpose = entry["agency"], entry["role"], entry["purpose"]
        reach = self._judge.reach(agency=agency, role=role, purpose=purpose)
        table = self._judge.table(DecisionClass(agency=agency, role=role, purpose=purpose, facts=facts))
        known = frozenset(name for name in coordinates if name in table.decisions)
        if reach is Reach.NOBODY or (reach is Reach.MEMBERS and not knows_existence(table)):
            return dict.fromkeys(known, "denied")
        plan = self._planner.plan(
            table,
            known,
            through_registers=reach is Reach.REGISTERS,
            recipient=self._recipient_of(entry["client"]),
        )
        return {name: effect for effect in EFFECTS for name in getattr(plan.pattern, effect)}


def _facts(text: str | None) -> Facts | None:
    """None where the entry holds none, or one that this program does not know."""
    if text is None:
        return None
    names = text.split()
    if not set(names) <= set(Facts.__dataclass_fields__):
        return None
    return Facts(**dict.fromkeys(names, True))
