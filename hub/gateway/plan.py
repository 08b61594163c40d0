"""What to fetch and what to release for one decision class: made once per (class, asked coordinates), then remembered.

Pure: a decision table and the asked coordinates in, an immutable plan out. A coordinate that the table denies is in no
fetch and in no release tree, so it can neither be asked of an agency nor reach an answer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.audit.entry import Pattern
from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect
from hub.connectors.base import Layout
from hub.domain.catalogue import Catalogue, Field, RecordType, Shape
from hub.gateway.predicates import BoundPredicate, bind_predicates
from hub.gateway.survivorship import COMPOSED, MergeRule, Provider

RELEASABLE = frozenset({Effect.FULL, Effect.MASKED, Effect.PREDICATE})
_RANK = {Effect.FULL: 3, Effect.MASKED: 2, Effect.PREDICATE: 1, Effect.SEALED: 1, Effect.DENIED: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNode:
    """One field of the allow-list. `mask` is the mask's name where the effect is masked; `children` for records."""

    name: str
    coordinate: str
    mask: str | None
    many: bool
    children: tuple["ReleaseNode", ...] | None


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


@dataclass(slots=True, kw_only=True, eq=False)
class BoundPlan:
    """A plan with the layouts its agencies' rows have. `shape` belongs to the rooms above: how they read such views."""

    plan: ClassPlan
    agencies: tuple[str, ...]
    layouts: Mapping[str, Layout]
    merged: tuple["BoundMerge", ...]
    shape: Any = None

    def agency(self, name: str) -> int:
        return self.agencies.index(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundMerge:
    """A merged field with the places of its providers and witnesses: (index of the agency, slot), in order of trust."""

    plan: MergedPlan
    providers: tuple[tuple[int, int], ...]
    witnesses: tuple[tuple[int, int], ...]


def pattern_of(effects: Mapping[Effect, Iterable[str]]) -> Pattern:
    return Pattern(**{effect.value: tuple(sorted(names)) for effect, names in effects.items()})


def bind(plan: ClassPlan, layouts: Mapping[str, Layout]) -> BoundPlan:
    """Tie `plan` to the layouts of one fetch."""
    agencies = tuple(plan.agencies)

    def places(providers: tuple[Provider, ...]) -> tuple[tuple[int, int], ...]:
        return tuple((agencies.index(item.agency), layouts[item.agency].slot(item.field)) for item in providers)

    merged = tuple(
        BoundMerge(plan=item, providers=places(item.providers), witnesses=places(item.witnesses))
        for item in plan.merged
    )
    return BoundPlan(plan=plan, agencies=agencies, layouts={name: layouts[name] for name in agencies}, merged=merged)


class Planner:
    """Plans for one catalogue. `members_only` are agencies whose register is membership itself (justice)."""

    def __init__(
        self, catalogue: Catalogue, rules: Mapping[str, MergeRule], *, members_only: frozenset[str], cached: int = 4096
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._members_only = members_only
        self._tops = tuple(catalogue.agency_types())
        self._predicates = bind_predicates(catalogue)
        self._cached = cached
        self._reachable: dict[frozenset[str], frozenset[str]] = {}
        self._plans: OrderedDict[tuple[str, DecisionClass, frozenset[str], bool], ClassPlan] = OrderedDict()

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

    def plan(self, table: DecisionTable, coordinates: frozenset[str], *, through_registers: bool) -> ClassPlan:
        """The plan for `coordinates` under `table`; `through_registers` shuts out agencies that are membership."""
        key = (table.policy_digest, table.decision_class, coordinates, through_registers)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make(table, coordinates, through_registers)
            if len(self._plans) > self._cached:
                self._plans.popitem(last=False)
        return plan

    def _make(self, table: DecisionTable, coordinates: frozenset[str], through_registers: bool) -> ClassPlan:
        shut = self._members_only if through_registers else frozenset()
        asked = {name: self._decision(table, name, shut) for name in coordinates if name in self._catalogue.fields}
        merged = self._merged(table, asked, shut, conflicts="Person.conflicts" in coordinates)
        predicates = tuple(
            bound for name, bound in self._predicates.items() if name in asked and asked[name].effect in RELEASABLE
        )
        return ClassPlan(
            table=table,
            agencies=self._agencies(asked, merged, predicates),
            merged=merged,
            composed=tuple(sorted(self._composed(asked))),
            pattern=pattern_of(
                {effect: [name for name, decision in asked.items() if decision.effect is effect] for effect in Effect}
            ),
            denials=tuple(
                sorted((name, decision.denial) for name, decision in asked.items() if decision.denial is not None)
            ),
            policies=frozenset(policy for decision in asked.values() for policy in decision.policies),
            structural=coordinates - asked.keys(),
            predicates=predicates,
        )

    def _decision(self, table: DecisionTable, coordinate: str, shut: frozenset[str]) -> Decision:
        """The table's word, tightened: an agency that is shut out is denied whatever the table says."""
        decision = table.decisions[coordinate]
        if self._catalogue.fields[coordinate].owner in shut or (
            decision.effect is Effect.MASKED and not self._maskable(coordinate)
        ):
            return Decision(effect=Effect.DENIED, policies=(), denial=decision.denial or DenialCode.FIELD_DENIED)
        if coordinate in self._predicates and decision.effect is not Effect.DENIED:
            if self._predicates[coordinate].agencies & shut:
                return Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)
            return Decision(effect=Effect.PREDICATE, policies=decision.policies, denial=None)
        return decision

    def _maskable(self, coordinate: str) -> bool:
        return self._catalogue.fields[coordinate].mask is not None

    def _composed(self, asked: Mapping[str, Decision]) -> list[str]:
        return [name for name in COMPOSED if f"Person.{name}" in asked and asked[f"Person.{name}"].effect in RELEASABLE]

    def _merged(
        self, table: DecisionTable, asked: Mapping[str, Decision], shut: frozenset[str], *, conflicts: bool
    ) -> tuple[MergedPlan, ...]:
        plans: list[MergedPlan] = []
        for name, rule in self._rules.items():
            decision = asked.get(f"Person.{name}")
            if decision is None or decision.effect not in RELEASABLE:
                continue
            providers = self._usable(table, rule.providers, decision.effect, shut)
            witnesses = self._usable(table, rule.witnesses, decision.effect, shut) if conflicts else ()
            field = self._catalogue.fields[f"Person.{name}"]
            plans.append(
                MergedPlan(
                    name=name,
                    coordinate=field.coordinate,
                    mask=field.mask if decision.effect is Effect.MASKED else None,
                    providers=providers,
                    witnesses=witnesses,
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
            and table.decisions[provider.coordinate].effect in RELEASABLE
            and _RANK[table.decisions[provider.coordinate].effect] >= _RANK[effect]
        )

    def _agencies(
        self,
        asked: Mapping[str, Decision],
        merged: tuple[MergedPlan, ...],
        predicates: tuple[BoundPredicate, ...],
    ) -> dict[str, AgencyPlan]:
        plans: dict[str, AgencyPlan] = {}
        for top in self._tops:
            assert top.agency is not None
            assert top.person_field is not None
            fetch: set[str] = set()
            release = self._tree(top, asked, fetch)
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

    def _tree(self, record: RecordType, asked: Mapping[str, Decision], fetch: set[str]) -> tuple[ReleaseNode, ...]:
        nodes: list[ReleaseNode] = []
        for field in record.fields:
            decision = asked.get(field.coordinate)
            if decision is None or decision.effect not in RELEASABLE:
                continue
            fetch.add(field.coordinate)
            nodes.append(self._node(field, decision, asked, fetch))
        return tuple(nodes)

    def _node(self, field: Field, decision: Decision, asked: Mapping[str, Decision], fetch: set[str]) -> ReleaseNode:
        children = None
        if field.record_type is not None:
            children = self._tree(self._catalogue.types[field.record_type], asked, fetch)
        return ReleaseNode(
            name=field.name,
            coordinate=field.coordinate,
            mask=field.mask if decision.effect is Effect.MASKED else None,
            many=field.shape in (Shape.VALUES, Shape.RECORDS),
            children=children,
        )
