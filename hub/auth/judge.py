"""Cedar judges, hub remembers: decision tables per class, asked of Cedar once."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property

from hub.auth.command_rules import CommandRules
from hub.auth.decision import (
    LATTICE,
    Decision,
    DecisionClass,
    DecisionTable,
    DenialCode,
    Effect,
    Reach,
    RuleText,
)
from hub.auth.facts import Facts
from hub.auth.favourable import favourable
from hub.auth.policy_reader import Bundle
from hub.auth.purposes import Purposes
from hub.auth.ruling import Kind, RoleRules, Ruling, entities_of, kind_of
from hub.clock import Clock, SystemClock, today
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue, Field, Sensitivity, Shape, ValueType
from hub.domain.catalogue_reader import FACETS

_EVERYTHING = Facts(**dict.fromkeys(Facts.__dataclass_fields__, True))
_REMEDIES = {
    DenialCode.CASE_REQUIRED: "case",
    DenialCode.CONSENT_REQUIRED: "consent",
    DenialCode.APPROVAL_REQUIRED: "approved",
}
"""Conditions that the asker could meet, in the order in which they are advised."""


class CedarJudge:
    """Tables are kept for the `remembered` most recently used classes, until a rule expires."""

    def __init__(
        self,
        bundle: Bundle,
        catalogue: Catalogue,
        purposes: Purposes,
        *,
        clock: Clock | None = None,
        remembered: int = 2048,
    ) -> None:
        self._bundle = bundle
        self._catalogue = catalogue
        self._purposes = purposes
        self._clock = clock or SystemClock()
        self._remembered = remembered
        self._kinds = {name: kind_of(field) for name, field in catalogue.fields.items()}
        self._distinct = tuple(
            dict.fromkeys(kind_of(field) for field in catalogue.fields.values() if field.record_type is None)
        )
        self._entities = entities_of(self._distinct)
        self._nothing: Mapping[Kind, Ruling] = {kind: {} for kind in self._distinct}
        self._put_in_force(today(self._clock))

    def _put_in_force(self, day: date) -> None:
        """Take up the rules in force on `day`, and forget what others decided."""
        rules = self._bundle.in_force(day)
        self._until = self._bundle.next_expiry(day)
        expired = len(self._bundle.rules) - len(rules)
        self._edition = self._bundle.digest + (f"+{expired}" if expired else "")
        self._rules = {role: RoleRules(rules, role, self._distinct) for role in self._purposes.roles}
        self._commands = CommandRules(rules, self._purposes)
        self._favourable = {role: favourable(found.bearing) for role, found in self._rules.items()}
        self.forget()

    def forget(self) -> None:
        """Decide every class anew when it is next asked for."""
        self._rulings: OrderedDict[DecisionClass, Mapping[Kind, Ruling]] = OrderedDict()
        self._single: dict[tuple[str, str, Kind, frozenset[str]], Ruling] = {}  # by role, purpose, kind, true facts
        self._tables: OrderedDict[DecisionClass, DecisionTable] = OrderedDict()
        self._reaches: dict[tuple[str, str, str], Reach] = {}
        self._best: dict[tuple[str, str, str], Mapping[str, Decision]] = {}

    def _renew(self) -> None:
        if self._until is not None and (day := today(self._clock)) >= self._until:
            self._put_in_force(day)

    @property
    def policy_digest(self) -> str:
        return self._bundle.digest

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def purposes(self) -> Purposes:
        return self._purposes

    def knows_purpose(self, purpose: str) -> bool:
        return purpose in self._purposes.purposes

    @property
    def edition(self) -> str:
        self._renew()
        return self._edition

    @property
    def rule_count(self) -> int:
        return len(self._bundle.rules)

    def reads_consent(self, role: str) -> bool:
        self._renew()
        return role in self._rules and "consent" in self._rules[role].facts

    def facts_of(self, role: str, group: str | None = None) -> frozenset[str]:
        self._renew()
        if role not in self._rules:
            return frozenset()
        if group is None:
            return self._rules[role].facts
        kinds = [Kind(group, facet, Sensitivity.SPECIAL.value, HUB) for facet in FACETS[group]]
        return self._rules[role].facts_on([*kinds, *(kind for kind in self._distinct if kind.group == group)])

    def reads_approved(self, role: str) -> bool:
        self._renew()
        return role in self._rules and "approved" in self._rules[role].facts

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        self._renew()
        return self._commands.may(command, agency=agency, role=role, purpose=purpose, facts=facts, own=own)

    def role_purposes(self, role: str) -> frozenset[str]:
        known = self._purposes.roles.get(role)
        return known.purposes if known else frozenset()

    def table(self, decision_class: DecisionClass) -> DecisionTable:
        """Cost: a look-up, or up to some 20 ms for a class seen for the first time."""
        self._renew()
        table = self._tables.get(decision_class)
        if table is None:
            table = self._tables[decision_class] = self._make_table(decision_class)
            if len(self._tables) > self._remembered:
                self._tables.popitem(last=False)
        return table

    def ruling(self, decision_class: DecisionClass, group: str, facet: str = "detail", *, owner: str = HUB) -> Decision:
        """The decision on a record of vault or log; nothing there has a mask or is delivered sealed."""
        self._renew()
        kind = Kind(group, facet, Sensitivity.SPECIAL.value, owner)

        def effect(facts: Facts) -> tuple[Effect, tuple[str, ...]]:
            asked = replace(decision_class, facts=facts)
            if not self._known(asked):
                return Effect.DENIED, ()
            found = self._rules[asked.role].ask(asked, [kind], entities_of([kind]))[kind]
            return next(
                ((one, found[one]) for one in (Effect.FULL, Effect.PREDICATE) if one in found), (Effect.DENIED, ())
            )

        given, policies = effect(decision_class.facts)
        if given is not Effect.DENIED:
            return Decision(effect=given, policies=policies, denial=None)
        for code, fact in _REMEDIES.items():
            if effect(replace(decision_class.facts, **{fact: True}))[0] is not Effect.DENIED:
                return Decision(effect=given, policies=(), denial=code)
        return Decision(effect=given, policies=(), denial=DenialCode.FIELD_DENIED)

    def reach(self, *, agency: str, role: str, purpose: str) -> Reach:
        """Read off the table of the most favourable facts."""
        self._renew()
        key = (agency, role, purpose)
        if key not in self._reaches:
            best = self._rule(DecisionClass(agency=agency, role=role, purpose=purpose, facts=_EVERYTHING))
            known = self._purposes.roles.get(role)
            self._reaches[key] = _reach(best, register=known is None or known.register)
        return self._reaches[key]

    def best(self, *, agency: str, role: str, purpose: str) -> Mapping[str, Decision]:
        """Cost: a look-up, or some 10 ms for each favourable fact vector the first time."""
        self._renew()
        key = (agency, role, purpose)
        if key not in self._best:
            tables = [
                self.table(DecisionClass(agency=agency, role=role, purpose=purpose, facts=facts)).decisions
                for facts in self._favourable.get(role, (Facts(),))
            ]
            self._best[key] = {
                name: min((decisions[name] for decisions in tables), key=lambda one: LATTICE.index(one.effect))
                for name in self._catalogue.fields
            }
        return self._best[key]

    @cached_property
    def tells_remedies(self) -> bool:
        return any(rule["annotations"].get("remedy") for rule in self._bundle.rules.values())

    def rule_text(self, rule_id: str) -> RuleText | None:
        rule = self._bundle.rules.get(rule_id)
        if rule is None:
            return None
        notes = rule["annotations"]
        return RuleText(basis=notes["basis"], explain=notes["explain"], remedy=notes.get("remedy") or None)

    def _make_table(self, decision_class: DecisionClass) -> DecisionTable:
        rulings = self._rule(decision_class)
        better = {
            code: self._rule(replace(decision_class, facts=replace(decision_class.facts, **{fact: True})))
            for code, fact in _REMEDIES.items()
        }
        better = {code: other for code, other in better.items() if other is not rulings}
        decisions: dict[str, Decision] = {}
        for name, field in self._catalogue.fields.items():
            if field.record_type is None:
                decisions[name] = self._leaf(field, rulings, better)
        for name, field in self._catalogue.fields.items():
            if field.record_type is not None:
                decisions[name] = self._container(field, decisions)
        ordered = {name: decisions[name] for name in self._catalogue.fields}
        return DecisionTable(
            policy_digest=self.policy_digest,
            decision_class=decision_class,
            decisions=ordered,
            edition=self._edition,
            reads=self.facts_of(decision_class.role),
        )

    def _leaf(
        self, field: Field, rulings: Mapping[Kind, Ruling], better: Mapping[DenialCode, Mapping[Kind, Ruling]]
    ) -> Decision:
        kind = self._kinds[field.coordinate]
        effect = _best(rulings[kind], field)
        if effect is not Effect.DENIED:
            return Decision(effect=effect, policies=rulings[kind][effect], denial=None)
        for code, other in better.items():
            if _best(other[kind], field) is not Effect.DENIED:
                return _denied(code)
        return _denied(DenialCode.FIELD_DENIED)

    def _container(self, field: Field, decisions: Mapping[str, Decision]) -> Decision:
        assert field.record_type is not None
        below = [decisions[inner.coordinate] for inner in self._catalogue.types[field.record_type].fields]
        if any(decision.effect is not Effect.DENIED for decision in below):
            return Decision(effect=Effect.FULL, policies=(), denial=None)
        codes = {decision.denial for decision in below}
        return _denied(next((code for code in _REMEDIES if code in codes), DenialCode.FIELD_DENIED))

    def _known(self, decision_class: DecisionClass) -> bool:
        known = self._purposes.roles.get(decision_class.role)
        return (
            known is not None
            and known.agency == decision_class.agency
            and decision_class.purpose in self._purposes.purposes
        )

    def _rule(self, decision_class: DecisionClass) -> Mapping[Kind, Ruling]:
        """Cedar's answers for every kind of field; the same object for classes that no rule tells apart."""
        if not self._known(decision_class):
            return self._nothing
        rules = self._rules[decision_class.role]
        alike = replace(decision_class, facts=rules.alike(decision_class.facts))
        kept = self._rulings.get(alike)
        if kept is None:
            kept = self._rulings[alike] = self._ask(rules, alike)
            if len(self._rulings) > self._remembered:
                self._rulings.popitem(last=False)
        return kept

    def _ask(self, rules: RoleRules, asked: DecisionClass) -> Mapping[Kind, Ruling]:
        """Rulings on every kind; Cedar is asked about those only that differ from what it was asked before."""
        keys = {kind: (asked.role, asked.purpose, kind, rules.true_on(kind, asked.facts)) for kind in self._distinct}
        fresh = [kind for kind, key in keys.items() if key not in self._single]
        if fresh:
            found = rules.ask(asked, fresh, self._entities)
            self._single.update({keys[kind]: ruling for kind, ruling in found.items()})
        return {kind: self._single[key] for kind, key in keys.items()}


def deliverable(effect: Effect, field: Field) -> bool:
    """A mask must be known for the field; a sealed delivery is a text in the place of a text."""
    if effect is Effect.MASKED:
        return field.mask is not None
    if effect is Effect.SEALED:
        return field.value_type is ValueType.STRING and field.shape is Shape.VALUE
    return True


def _best(ruling: Ruling, field: Field) -> Effect:
    return next((effect for effect in LATTICE if effect in ruling and deliverable(effect, field)), Effect.DENIED)


def _denied(code: DenialCode) -> Decision:
    return Decision(effect=Effect.DENIED, policies=(), denial=code)


def _reach(best: Mapping[Kind, Ruling], *, register: bool) -> Reach:
    for kind, ruling in best.items():
        if kind.group == "FG0" and (
            (kind.facet == "detail" and (Effect.FULL in ruling or Effect.MASKED in ruling)) or (ruling and not register)
        ):
            return Reach.MEMBERS
    return Reach.REGISTERS if register and any(best.values()) else Reach.NOBODY
