"""What to fetch and what to release for one decision class: made once per (class, asked coordinates), then remembered.

Pure: a decision table and the asked coordinates in, an immutable plan out. A coordinate that the table denies is in no
fetch and in no release tree, so it can neither be asked of an agency nor reach an answer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hub.audit.entry import Pattern
from hub.auth.combinations import Combination, mask_beside
from hub.auth.decision import Decision, DecisionTable, DenialCode, Effect
from hub.connectors.base import Layout
from hub.domain.catalogue import VAULT_GROUP, Catalogue, Field, RecordType, Shape
from hub.gateway.merge import Choice
from hub.gateway.predicates import BoundPredicate, bind_predicates
from hub.gateway.survivorship import COMPOSED, MergeRule, Provider

RELEASABLE = frozenset({Effect.FULL, Effect.SEALED, Effect.MASKED, Effect.PREDICATE})
_SERVES = {
    Effect.FULL: frozenset({Effect.FULL, Effect.SEALED, Effect.MASKED, Effect.PREDICATE}),
    Effect.SEALED: frozenset({Effect.SEALED}),
    Effect.MASKED: frozenset({Effect.MASKED, Effect.PREDICATE}),
    Effect.PREDICATE: frozenset({Effect.PREDICATE}),
}
"""Which effects on a merged field a provider's own effect allows: what may only be sealed is shown to nobody masked."""
ID, ACCESS, SOURCES = "Person.id", "Person.access", "Person.sources"
PROVENANCE, CONFLICTS = "Person.provenance", "Person.conflicts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNode:
    """One field of the allow-list. `mask` is the mask's name where the effect is masked; `children` for records.

    `sealed_to` names the key that the value is encrypted to, where it is delivered sealed.
    """

    name: str
    coordinate: str
    mask: str | None
    many: bool
    children: tuple["ReleaseNode", ...] | None
    sealed_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyPlan:
    """One agency's share: the coordinates to fetch, and the tree released under `person_field`."""

    agency: str
    person_field: str
    fetch: frozenset[str]
    release: tuple[ReleaseNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPlan:
    """A merged field of Person: providers that may be used, in order of trust, and witnesses for conflicts."""

    name: str
    coordinate: str
    mask: str | None
    providers: tuple[Provider, ...]
    witnesses: tuple[Provider, ...]
    sealed_to: str | None = None
    choice: Choice = Choice.TRUST


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassPlan:
    """Everything that follows from one decision class and the asked coordinates. Compared by identity."""

    table: DecisionTable
    agencies: Mapping[str, AgencyPlan]
    merged: tuple[MergedPlan, ...]
    composed: tuple[str, ...]
    pattern: Pattern
    denials: tuple[tuple[str, DenialCode], ...]
    policies: frozenset[str]
    structural: frozenset[str]  # asked coordinates that are nobody's data: ids, provenance, sources, conflicts, access
    predicates: tuple[BoundPredicate, ...] = ()  # answered without releasing what they are computed of

    @property
    def computing(self) -> frozenset[str]:
        """Agencies that are asked for more than is released, because an answer is computed of it."""
        return frozenset().union(*(bound.agencies for bound in self.predicates))


@dataclass(slots=True, kw_only=True, eq=False)
class BoundPlan:
    """A plan with the layouts its agencies' rows have. `shape` belongs to the rooms above: how they read such views.

    `reads` belongs to the view builder: how it reads the merged fields; both are set once.
    `beside`: something is asked for that stands beside the data: an id, sources, access, provenance, conflicts.
    """

    plan: ClassPlan
    agencies: tuple[str, ...]
    layouts: Mapping[str, Layout]
    merged: tuple["BoundMerge", ...]
    beside: bool
    shape: Any = None
    reads: Any = None

    def agency(self, name: str) -> int:
        return self.agencies.index(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundMerge:
    """A merged field with the places of its providers and witnesses: (index of the agency, slot), in order of trust."""

    plan: MergedPlan
    providers: tuple[tuple[int, int], ...]
    witnesses: tuple[tuple[int, int], ...]


class _Way(NamedTuple):
    """What beside a table decides how values leave: everything asked beside them, and the asking client's key."""

    beside: frozenset[str]
    recipient: str | None


class _Leaving(NamedTuple):
    """How one value leaves: under which mask, encrypted to which key; neither where it is given in full."""

    mask: str | None
    sealed_to: str | None


def pattern_of(effects: Mapping[Effect, Iterable[str]], facts: str | None = None) -> Pattern:
    return Pattern(**{effect.value: tuple(sorted(names)) for effect, names in effects.items()}, facts=facts)


def tightened(decision: Decision, field: Field, shut: frozenset[str]) -> Decision:
    """A decision as it is carried out: nothing of an agency that is shut, nothing masked that has no mask."""
    if field.owner in shut or (decision.effect is Effect.MASKED and field.mask is None):
        return Decision(effect=Effect.DENIED, policies=(), denial=decision.denial or DenialCode.FIELD_DENIED)
    return decision


def bind(plan: ClassPlan, layouts: Mapping[str, Layout]) -> BoundPlan:
    """Tie `plan` to the layouts of one fetch."""
    agencies = tuple(plan.agencies)

    def places(providers: tuple[Provider, ...]) -> tuple[tuple[int, int], ...]:
        return tuple((agencies.index(item.agency), layouts[item.agency].slot(item.field)) for item in providers)

    merged = tuple(
        BoundMerge(plan=item, providers=places(item.providers), witnesses=places(item.witnesses))
        for item in plan.merged
    )
    return BoundPlan(
        plan=plan,
        agencies=agencies,
        layouts={name: layouts[name] for name in agencies},
        merged=merged,
        beside=any(
            name in (ID, ACCESS, SOURCES, CONFLICTS) or name.endswith(".provenance") for name in plan.structural
        ),
    )


class Planner:
    """Plans for one catalogue. `members_only` are agencies whose register is membership itself (justice).

    `combinations` are the masks that give way beside others.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Mapping[str, MergeRule],
        *,
        members_only: frozenset[str],
        combinations: tuple[Combination, ...] = (),
        cached: int = 4096,
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._combinations = combinations
        yielding = {rule.mask for rule in combinations}
        self._yielding = frozenset(name for name, field in catalogue.fields.items() if field.mask in yielding)
        self._members_only = members_only
        self._tops = tuple(catalogue.agency_types())
        self._vaulted = frozenset(name for name, field in catalogue.fields.items() if field.group == VAULT_GROUP)
        self._predicates = bind_predicates(catalogue)
        self._cached = cached
        self._reachable: dict[frozenset[str], frozenset[str]] = {}
        self._plans: OrderedDict[tuple[Any, ...], ClassPlan] = OrderedDict()

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def reachable(self, coordinates: frozenset[str]) -> frozenset[str]:
        """Agencies that `coordinates` may be asked of, whatever is decided."""
        agencies = self._reachable.get(coordinates)
        if agencies is None:
            rules = [self._rules[name] for name in self._rules if f"Person.{name}" in coordinates]
            providers = [item.agency for rule in rules for item in (*rule.providers, *rule.witnesses)]
            owners = [self._catalogue.fields[name].owner for name in coordinates if name in self._catalogue.fields]
            owners += [
                agency for name in coordinates & self._predicates.keys() for agency in self._predicates[name].agencies
            ]
            agencies = self._reachable[coordinates] = frozenset((*providers, *owners))
            if len(self._reachable) > self._cached:
                self._reachable.pop(next(iter(self._reachable)))
        return agencies

    def plan(
        self,
        table: DecisionTable,
        coordinates: frozenset[str],
        *,
        through_registers: bool,
        together: frozenset[str] = frozenset(),
        recipient: str | None = None,
    ) -> ClassPlan:
        """The plan for `coordinates` under `table`; `through_registers` shuts out agencies that are membership.

        `together` is what the whole operation asks for, `coordinates` and deferred parts among it; `recipient` names
        the key of the asking client for sealed deliveries, without which there are none.
        """
        beside = together | coordinates if coordinates & self._yielding else frozenset()
        edition = table.edition or table.policy_digest
        key = (edition, table.decision_class, coordinates, through_registers, beside, recipient)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make(table, coordinates, through_registers, _Way(beside, recipient))
            if len(self._plans) > self._cached:
                self._plans.popitem(last=False)
        return plan

    def _make(self, table: DecisionTable, coordinates: frozenset[str], through_registers: bool, way: _Way) -> ClassPlan:
        shut = self._members_only if through_registers else frozenset()
        known = [name for name in coordinates if name in self._catalogue.fields]
        asked = {name: self._decision(table, name, shut, way.recipient) for name in known}
        leaving = {name: self._leaving(table, self._catalogue.fields[name], asked[name], way) for name in known}
        merged = self._merged(table, asked, shut, leaving, conflicts="Person.conflicts" in coordinates)
        predicates = tuple(
            bound for name, bound in self._predicates.items() if name in asked and asked[name].effect in RELEASABLE
        )
        return ClassPlan(
            table=self._without_vaulted(table),
            agencies=self._agencies(asked, merged, predicates, leaving),
            merged=merged,
            composed=tuple(sorted(self._composed(asked))),
            pattern=pattern_of(
                {effect: [name for name, decision in asked.items() if decision.effect is effect] for effect in Effect},
                table.held,
            ),
            denials=tuple(
                sorted((name, decision.denial) for name, decision in asked.items() if decision.denial is not None)
            ),
            policies=frozenset(policy for decision in asked.values() for policy in decision.policies),
            structural=coordinates - asked.keys(),
            predicates=predicates,
        )

    def _without_vaulted(self, table: DecisionTable) -> DecisionTable:
        """The table as an asker may be told of it."""
        if not self._vaulted:
            return table
        kept = {name: decision for name, decision in table.decisions.items() if name not in self._vaulted}
        return replace(table, decisions=kept)

    def _leaving(self, table: DecisionTable, field: Field, decision: Decision, way: _Way) -> _Leaving:
        if decision.effect is Effect.SEALED:
            return _Leaving(None, way.recipient)
        if decision.effect is not Effect.MASKED:
            return _Leaving(None, None)
        if field.coordinate not in self._yielding:
            return _Leaving(field.mask, None)
        mask = mask_beside(field, way.beside, table.decisions, self._catalogue, self._combinations)
        return _Leaving(mask, None)

    def _decision(self, table: DecisionTable, coordinate: str, shut: frozenset[str], recipient: str | None) -> Decision:
        """The table's word, tightened: an agency that is shut out is denied whatever the table says.

        So is a sealed delivery to a client that has registered no key, and what is sealed by law.
        """
        decision = tightened(table.decisions[coordinate], self._catalogue.fields[coordinate], shut)
        if (decision.effect is Effect.SEALED and recipient is None) or coordinate in self._vaulted:
            return Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)
        if coordinate in self._predicates and decision.effect is not Effect.DENIED:
            if self._predicates[coordinate].agencies & shut:
                return Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)
            return Decision(effect=Effect.PREDICATE, policies=decision.policies, denial=None)
        return decision

    def _composed(self, asked: Mapping[str, Decision]) -> list[str]:
        return [name for name in COMPOSED if f"Person.{name}" in asked and asked[f"Person.{name}"].effect in RELEASABLE]

    def _merged(
        self,
        table: DecisionTable,
        asked: Mapping[str, Decision],
        shut: frozenset[str],
        leaving: Mapping[str, _Leaving],
        *,
        conflicts: bool,
    ) -> tuple[MergedPlan, ...]:
        plans: list[MergedPlan] = []
        for name, rule in self._rules.items():
            decision = asked.get(f"Person.{name}")
            if decision is None or decision.effect not in RELEASABLE:
                continue
            providers = self._usable(table, rule.providers, decision.effect, shut)
            compared = conflicts and decision.effect is not Effect.SEALED
            witnesses = self._usable(table, rule.witnesses, decision.effect, shut) if compared else ()
            field = self._catalogue.fields[f"Person.{name}"]
            plans.append(
                MergedPlan(
                    name=name,
                    coordinate=field.coordinate,
                    mask=leaving[field.coordinate].mask,
                    providers=providers,
                    witnesses=witnesses,
                    sealed_to=leaving[field.coordinate].sealed_to,
                    choice=rule.choice,
                )
            )
        return tuple(plans)

    def _usable(
        self, table: DecisionTable, providers: tuple[Provider, ...], effect: Effect, shut: frozenset[str]
    ) -> tuple[Provider, ...]:
        """Providers whose own coordinate may be given at least as far as the merged field is."""
        return tuple(
            provider
            for provider in providers
            if provider.agency not in shut
            and provider.coordinate not in self._vaulted
            and effect in _SERVES.get(table.decisions[provider.coordinate].effect, ())
        )

    def _agencies(
        self,
        asked: Mapping[str, Decision],
        merged: tuple[MergedPlan, ...],
        predicates: tuple[BoundPredicate, ...],
        leaving: Mapping[str, _Leaving],
    ) -> dict[str, AgencyPlan]:
        plans: dict[str, AgencyPlan] = {}
        for top in self._tops:
            assert top.agency is not None
            assert top.person_field is not None
            fetch: set[str] = set()
            release = self._tree(top, asked, fetch, leaving)
            for plan in merged:
                fetch.update(p.coordinate for p in (*plan.providers, *plan.witnesses) if p.agency == top.agency)
            for bound in predicates:
                for source in bound.sources:
                    if source.agency == top.agency:
                        fetch |= source.coordinates
            if fetch:
                plans[top.agency] = AgencyPlan(
                    agency=top.agency, person_field=top.person_field, fetch=frozenset(fetch), release=release
                )
        return plans

    def _tree(
        self, record: RecordType, asked: Mapping[str, Decision], fetch: set[str], leaving: Mapping[str, _Leaving]
    ) -> tuple[ReleaseNode, ...]:
        nodes: list[ReleaseNode] = []
        for field in record.fields:
            decision = asked.get(field.coordinate)
            if decision is None or decision.effect not in RELEASABLE:
                continue
            fetch.add(field.coordinate)
            nodes.append(self._node(field, asked, fetch, leaving))
        return tuple(nodes)

    def _node(
        self, field: Field, asked: Mapping[str, Decision], fetch: set[str], leaving: Mapping[str, _Leaving]
    ) -> ReleaseNode:
        children = None
        if field.record_type is not None:
            children = self._tree(self._catalogue.types[field.record_type], asked, fetch, leaving)
        way = leaving[field.coordinate]
        return ReleaseNode(
            name=field.name,
            coordinate=field.coordinate,
            mask=way.mask,
            many=field.shape in (Shape.VALUES, Shape.RECORDS),
            children=children,
            sealed_to=way.sealed_to,
        )
