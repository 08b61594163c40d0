"""Asks Cedar: which effects the rules in force permit on each kind of field, for one class. Remembers nothing.

A permit can only answer where its scope reaches, so what no scope reaches is denied without a question. Everything
else, conditions and forbids among it, is Cedar's alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import cedarpy

from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.domain.catalogue import Field

ACTION_OF: Mapping[Effect, str] = {
    Effect.FULL: "readFull",
    Effect.SEALED: "readSealed",
    Effect.MASKED: "readMasked",
    Effect.PREDICATE: "readPredicate",
}
PREDICATE_FACETS = frozenset({"predicate", "key-group"})
_FACTS = tuple(field.name for field in fields(Facts))


@dataclass(frozen=True, slots=True)
class Kind:
    """What decisions distinguish of a field; coordinates of one kind share their decision."""

    group: str
    facet: str
    sensitivity: str
    owner: str

    @property
    def uid(self) -> str:
        return f"{self.owner}/{self.group}/{self.facet}/{self.sensitivity}"


Ruling = Mapping[Effect, tuple[str, ...]]
"""The permitted effects, best first, each with the ids of the rules that permit it. After `full` nothing is asked."""


def kind_of(field: Field) -> Kind:
    return Kind(field.group, field.facet, field.sensitivity.value, field.owner)


class RoleRules:
    """The rules that can bear on one role, under their own ids: leaving out others changes no decision.

    `kinds` are all that tables decide on; they are what `facts` speaks of.
    """

    def __init__(self, rules: Mapping[str, Mapping[str, Any]], role: str, kinds: Iterable[Kind]) -> None:
        mine = {name: rule for name, rule in rules.items() if _bears_on(rule, role)}
        self.bearing: Mapping[str, Mapping[str, Any]] = mine
        text = json.dumps({"templates": {}, "staticPolicies": mine, "templateLinks": []})
        self._policies = cedarpy.PolicySet.from_json_str(text)
        self._scopes = {
            effect: [rule["resource"] for rule in mine.values() if rule["effect"] == "permit" and _acts(rule, action)]
            for effect, action in ACTION_OF.items()
        }
        self._mentions = [(rule["resource"], _mentioned(rule)) for rule in mine.values()]
        self._facts_of = {kind: self.facts_on([kind]) for kind in kinds}
        self.facts = frozenset().union(*self._facts_of.values())

    def facts_on(self, kinds: Iterable[Kind]) -> frozenset[str]:
        """The facts that rules which may reach one of `kinds` mention."""
        wanted = tuple(kinds)
        reaching = [names for scope, names in self._mentions if any(_covers(scope, kind) for kind in wanted)]
        return frozenset().union(*reaching)

    def alike(self, facts: Facts) -> Facts:
        """`facts` without those that no rule of the role mentions: equal ones have equal rulings on every kind."""
        return Facts(**{name: name in self.facts and getattr(facts, name) for name in _FACTS})

    def true_on(self, kind: Kind, facts: Facts) -> frozenset[str]:
        """The facts that hold and that a rule which may reach `kind` mentions: equal ones have equal rulings on it."""
        return frozenset(name for name in self._facts_of[kind] if getattr(facts, name))

    def ask(
        self, decision_class: DecisionClass, kinds: Iterable[Kind], entities: cedarpy.Entities
    ) -> dict[Kind, Ruling]:
        """Rulings on `kinds`. Cost: at most two batches; some 0.1 ms for each kind and action that a permit reaches."""
        found: dict[Kind, dict[Effect, tuple[str, ...]]] = {kind: {} for kind in kinds}
        self._batch(decision_class, [(kind, Effect.FULL) for kind in found], entities, found)
        rest = [kind for kind, ruling in found.items() if not ruling]
        lesser = [(kind, effect) for kind in rest for effect in ACTION_OF if effect is not Effect.FULL]
        self._batch(decision_class, lesser, entities, found)
        return dict(found)

    def _batch(
        self,
        decision_class: DecisionClass,
        questions: Sequence[tuple[Kind, Effect]],
        entities: cedarpy.Entities,
        found: dict[Kind, dict[Effect, tuple[str, ...]]],
    ) -> None:
        reached = [(kind, effect) for kind, effect in questions if self._reached(kind, effect)]
        if not reached:
            return
        context = _context(decision_class)
        requests = [_request(decision_class, kind, effect, context) for kind, effect in reached]
        answers = cedarpy.is_authorized_batch(requests, self._policies, entities)
        for (kind, effect), answer in zip(reached, answers, strict=True):
            if answer.allowed:
                found[kind][effect] = tuple(sorted(answer.diagnostics.reasons))

    def _reached(self, kind: Kind, effect: Effect) -> bool:
        if effect is Effect.PREDICATE and kind.facet not in PREDICATE_FACETS:
            return False
        return any(_covers(scope, kind) for scope in self._scopes[effect])


def _mentioned(rule: Mapping[str, Any]) -> frozenset[str]:
    """The names of facts in the conditions of `rule`; one too many at most, where a literal is called like a fact."""
    text = json.dumps(rule.get("conditions", []))
    return frozenset(name for name in _FACTS if f'"{name}"' in text)


def entities_of(kinds: Iterable[Kind]) -> cedarpy.Entities:
    return cedarpy.Entities.from_json_str(json.dumps([_entity(kind) for kind in kinds]))


def _bears_on(rule: Mapping[str, Any], role: str) -> bool:
    principal = rule["principal"]
    return principal["op"] != "==" or str(principal["entity"]["id"]) == role


def _acts(rule: Mapping[str, Any], action: str) -> bool:
    scope = rule["action"]
    named = [scope["entity"]] if "entity" in scope else scope.get("entities")
    return named is None or any(entity["id"] == action for entity in named)


def _covers(scope: Mapping[str, Any], kind: Kind) -> bool:
    """Whether a permit with this resource scope may reach `kind`; a scope of a form not known here may."""
    if scope["op"] not in ("==", "in") or "entity" not in scope:
        return True
    entity = scope["entity"]
    names = {"Hub::Group": kind.group, "Hub::Facet": f"{kind.group}/{kind.facet}", "Hub::Field": kind.uid}
    return entity["type"] not in names or entity["id"] == names[entity["type"]]


def _context(decision_class: DecisionClass) -> dict[str, Any]:
    return {
        "purpose": {"__entity": {"type": "Hub::Purpose", "id": decision_class.purpose}},
        "facts": asdict(decision_class.facts),
    }


def _request(decision_class: DecisionClass, kind: Kind, effect: Effect, context: Mapping[str, Any]) -> dict[str, Any]:
    own = decision_class.facts.own and kind.owner == decision_class.agency
    return {
        "principal": f'Hub::Role::"{decision_class.role}"',
        "action": f'Hub::Action::"{ACTION_OF[effect]}"',
        "resource": f'Hub::Field::"{kind.uid}"',
        "context": {**context, "own": own},
    }


def _entity(kind: Kind) -> dict[str, Any]:
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
