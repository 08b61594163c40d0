"""Cedar judges, hub remembers: decision tables per class, asked of Cedar once."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import cedarpy

from hub.auth.command_rules import CommandRules
from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect, Reach
from hub.auth.facts import Facts
from hub.auth.policy_reader import Bundle
from hub.auth.purposes import Purposes
from hub.domain.catalogue import Catalogue, Field

_EFFECTS = ((Effect.FULL, "readFull"), (Effect.MASKED, "readMasked"), (Effect.PREDICATE, "readPredicate"))
_PREDICATE_FACETS = frozenset({"predicate", "key-group"})
_EVERYTHING = Facts(**dict.fromkeys(Facts.__dataclass_fields__, True))
EXISTENCE = ("FG0", "detail")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What decisions distinguish of a field; coordinates of one kind share their decision."""

    group: str
    facet: str
    sensitivity: str
    owner: str

    @property
    def uid(self) -> str:
        return f"{self.owner}/{self.group}/{self.facet}/{self.sensitivity}"


@dataclass(frozen=True, slots=True)
class _Ruling:
    effect: Effect
    policies: tuple[str, ...]


class CedarJudge:
    """Tables are kept for the `remembered` most recently used classes."""

    def __init__(self, bundle: Bundle, catalogue: Catalogue, purposes: Purposes, *, remembered: int = 2048) -> None:
        self._bundle = bundle
        self._catalogue = catalogue
        self._purposes = purposes
        self._remembered = remembered
        texts = {role: _rules_of(bundle, role) for role in purposes.roles}
        self._policies = {role: cedarpy.PolicySet.from_json_str(text) for role, text in texts.items()}
        self._reads_consent = frozenset(role for role, text in texts.items() if '"consent"' in text)
        self._reads_approved = frozenset(role for role, text in texts.items() if '"approved"' in text)
        self._commands = CommandRules(bundle, purposes)
        self._kinds = {name: _kind(field) for name, field in catalogue.fields.items()}
        self._distinct = tuple(dict.fromkeys(self._kinds.values()))
        self._entities = cedarpy.Entities.from_json_str(json.dumps([_entity(kind) for kind in self._distinct]))
        self._rulings: OrderedDict[DecisionClass, Mapping[_Kind, _Ruling]] = OrderedDict()
        self._tables: OrderedDict[DecisionClass, DecisionTable] = OrderedDict()
        self._reaches: dict[tuple[str, str, str], Reach] = {}

    @property
    def policy_digest(self) -> str:
        return self._bundle.digest

    @property
    def rule_count(self) -> int:
        return len(self._bundle.rules)

    def reads_consent(self, role: str) -> bool:
        return role in self._reads_consent

    def reads_approved(self, role: str) -> bool:
        return role in self._reads_approved

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        return self._commands.may(command, agency=agency, role=role, purpose=purpose, facts=facts, own=own)

    def role_purposes(self, role: str) -> frozenset[str]:
        known = self._purposes.roles.get(role)
        return known.purposes if known else frozenset()

    def table(self, decision_class: DecisionClass) -> DecisionTable:
        """Cost: a look-up, or some 10 ms for a class seen for the first time."""
        table = self._tables.get(decision_class)
        if table is None:
            table = self._tables[decision_class] = self._make_table(decision_class)
            if len(self._tables) > self._remembered:
                self._tables.popitem(last=False)
        return table

    def reach(self, *, agency: str, role: str, purpose: str) -> Reach:
        """Read off the table of the most favourable facts."""
        key = (agency, role, purpose)
        if key not in self._reaches:
            best = self._rule(DecisionClass(agency=agency, role=role, purpose=purpose, facts=_EVERYTHING))
            self._reaches[key] = _reach(best)
        return self._reaches[key]

    def _make_table(self, decision_class: DecisionClass) -> DecisionTable:
        rulings = self._rule(decision_class)
        better = {
            code: self._rule(replace(decision_class, facts=facts))
            for code, facts in _alternatives(decision_class.facts)
        }
        decisions: dict[str, Decision] = {}
        for name, field in self._catalogue.fields.items():
            if field.record_type is None:
                decisions[name] = self._leaf(field, rulings, better)
        for name, field in self._catalogue.fields.items():
            if field.record_type is not None:
                decisions[name] = self._container(field, decisions, better)
        ordered = {name: decisions[name] for name in self._catalogue.fields}
        return DecisionTable(policy_digest=self.policy_digest, decision_class=decision_class, decisions=ordered)

    def _leaf(
        self,
        field: Field,
        rulings: Mapping[_Kind, _Ruling],
        better: Mapping[DenialCode, Mapping[_Kind, _Ruling]],
    ) -> Decision:
        kind = self._kinds[field.coordinate]
        ruling = rulings[kind]
        effect = _effective(ruling.effect, field)
        if effect is not Effect.DENIED:
            return Decision(effect=effect, policies=ruling.policies, denial=None)
        for code, other in better.items():
            if _effective(other[kind].effect, field) is not Effect.DENIED:
                return Decision(effect=Effect.DENIED, policies=(), denial=code)
        return Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)

    def _container(
        self, field: Field, decisions: Mapping[str, Decision], better: Mapping[DenialCode, Mapping[_Kind, _Ruling]]
    ) -> Decision:
        assert field.record_type is not None
        below = [decisions[inner.coordinate] for inner in self._catalogue.types[field.record_type].fields]
        if any(decision.effect is not Effect.DENIED for decision in below):
            return Decision(effect=Effect.FULL, policies=(), denial=None)
        codes = {decision.denial for decision in below}
        code = next((code for code in better if code in codes), DenialCode.FIELD_DENIED)
        return Decision(effect=Effect.DENIED, policies=(), denial=code)

    def _rule(self, decision_class: DecisionClass) -> Mapping[_Kind, _Ruling]:
        """Cedar's answers for every kind of field, in one batch."""
        kept = self._rulings.get(decision_class)
        if kept is not None:
            return kept
        known = self._purposes.roles.get(decision_class.role)
        if (
            known is None
            or known.agency != decision_class.agency
            or decision_class.purpose not in self._purposes.purposes
        ):
            nothing = _Ruling(Effect.DENIED, ())
            return dict.fromkeys(self._distinct, nothing)
        requests = [self._request(decision_class, kind, action) for kind in self._distinct for _, action in _EFFECTS]
        answers = cedarpy.is_authorized_batch(requests, self._policies[decision_class.role], self._entities)
        rulings: dict[_Kind, _Ruling] = {}
        for number, kind in enumerate(self._distinct):
            rulings[kind] = self._ruling(kind, answers[number * len(_EFFECTS) : (number + 1) * len(_EFFECTS)])
        self._rulings[decision_class] = rulings
        if len(self._rulings) > self._remembered:
            self._rulings.popitem(last=False)
        return rulings

    def _ruling(self, kind: _Kind, answers: list[Any]) -> _Ruling:
        for (effect, _), answer in zip(_EFFECTS, answers, strict=True):
            if effect is Effect.PREDICATE and kind.facet not in _PREDICATE_FACETS:
                continue
            if answer.allowed:
                return _Ruling(effect, tuple(sorted(answer.diagnostics.reasons)))
        return _Ruling(Effect.DENIED, ())

    def _request(self, decision_class: DecisionClass, kind: _Kind, action: str) -> dict[str, Any]:
        own = decision_class.facts.own and kind.owner == decision_class.agency
        purpose = {"__entity": {"type": "Hub::Purpose", "id": decision_class.purpose}}
        return {
            "principal": f'Hub::Role::"{decision_class.role}"',
            "action": f'Hub::Action::"{action}"',
            "resource": f'Hub::Field::"{kind.uid}"',
            "context": {"purpose": purpose, "own": own, "facts": asdict(decision_class.facts)},
        }


def _rules_of(bundle: Bundle, role: str) -> str:
    """The rules that can bear on `role`, under their own ids: leaving out those of other roles changes no decision."""
    rules = {
        name: rule
        for name, rule in bundle.rules.items()
        if rule["principal"]["op"] != "==" or rule["principal"]["entity"]["id"] == role
    }
    return json.dumps({"templates": {}, "staticPolicies": rules, "templateLinks": []})


def _kind(field: Field) -> _Kind:
    return _Kind(field.group, field.facet, field.sensitivity.value, field.owner)


def _entity(kind: _Kind) -> dict[str, Any]:
    return {
        "uid": {"type": "Hub::Field", "id": kind.uid},
        "attrs": {
            "owner": {"__entity": {"type": "Hub::Agency", "id": kind.owner}},
            "sensitivity": int(kind.sensitivity),
        },
        "parents": [
            {"type": "Hub::Group", "id": kind.group},
            {"type": "Hub::Facet", "id": f"{kind.group}/{kind.facet}"},
        ],
    }


def _effective(effect: Effect, field: Field) -> Effect:
    """Masked without a mask is denied."""
    return Effect.DENIED if effect is Effect.MASKED and field.mask is None else effect


def _alternatives(facts: Facts) -> list[tuple[DenialCode, Facts]]:
    """The same facts with one condition met that the asker could meet, in the order in which it is advised."""
    return [
        (DenialCode.CASE_REQUIRED, replace(facts, case=True)),
        (DenialCode.CONSENT_REQUIRED, replace(facts, consent=True)),
        (DenialCode.APPROVAL_REQUIRED, replace(facts, approved=True)),
    ]


def _reach(best: Mapping[_Kind, _Ruling]) -> Reach:
    for kind, ruling in best.items():
        if (kind.group, kind.facet) == EXISTENCE and ruling.effect in (Effect.FULL, Effect.MASKED):
            return Reach.MEMBERS
    released = any(ruling.effect is not Effect.DENIED for ruling in best.values())
    return Reach.REGISTERS if released else Reach.NOBODY
