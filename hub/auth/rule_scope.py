"""What a rule could bear on, read off its Cedar form: role, actions, fields, and the facts and purposes it looks at.

Everything here errs on the wide side: a rule that is said not to bear on something cannot change the decision about it.
So tools ask Cedar only where an answer can differ, and leave no difference out. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from hub.auth.facts import Facts
from hub.domain.catalogue import Field

Rule = Mapping[str, Any]
_CONTEXT = {"Var": "context"}
_FACTS = {".": {"left": _CONTEXT, "attr": "facts"}}
ALL_ACTIONS = frozenset({"readFull", "readMasked", "readPredicate", "readSealed"})


def is_permit(rule: Rule) -> bool:
    return bool(rule["effect"] == "permit")


def role_of(rule: Rule) -> str | None:
    """The one role the rule names; None where it bears on all."""
    scope = rule["principal"]
    return str(scope["entity"]["id"]) if scope["op"] == "==" else None


def bears_on(rule: Rule, role: str) -> bool:
    return role_of(rule) in (None, role)


def actions_of(rule: Rule) -> frozenset[str]:
    scope = rule["action"]
    if scope["op"] == "==":
        return frozenset({scope["entity"]["id"]})
    if scope["op"] == "in":
        entities = scope["entities"] if "entities" in scope else [scope["entity"]]
        return frozenset(entity["id"] for entity in entities)
    return ALL_ACTIONS


def covers(rule: Rule, *, group: str, facet: str) -> bool:
    """Whether the rule's resource scope can hold a field of this group and facet."""
    scope = rule["resource"]
    entity = scope.get("entity") or scope.get("in", {}).get("entity")
    if scope["op"] not in ("in", "is") or entity is None:
        return True
    kind, name = entity["type"], entity["id"]
    if kind == "Hub::Group":
        return bool(name == group)
    if kind == "Hub::Facet":
        return bool(name == f"{group}/{facet}")
    return True


def covers_field(rule: Rule, field: Field) -> bool:
    return covers(rule, group=field.group, facet=field.facet)


def facts_of(rule: Rule) -> frozenset[str]:
    """Facts that its conditions look at. One that looks at the whole context looks at all."""
    found: set[str] = set()
    _note_facts(rule.get("conditions", ()), found)
    return frozenset(found)


def facts_read(rules: Iterable[Rule], role: str) -> frozenset[str]:
    """Facts that any decision about `role` can depend on."""
    return frozenset().union(*(facts_of(rule) for rule in rules if bears_on(rule, role)))


def purpose_sets(rule: Rule) -> list[frozenset[str]]:
    """Every set of purposes, or single purpose, that its conditions name."""
    found: list[frozenset[str]] = []
    _note_purposes(rule.get("conditions", ()), found)
    return found


def like_purposes(rules: Iterable[Rule], role: str, purposes: Iterable[str]) -> list[tuple[str, ...]]:
    """`purposes` parted so that no rule that bears on `role` can tell two of one part from each other.

    A purpose is a bare name to Cedar: rules can only compare it with the names they hold. Two purposes that stand in
    the same of these sets can change places without changing any rule.
    """
    named = [item for rule in rules if bears_on(rule, role) for item in purpose_sets(rule)]
    parts: dict[tuple[bool, ...], list[str]] = {}
    for purpose in purposes:
        parts.setdefault(tuple(purpose in item for item in named), []).append(purpose)
    return [tuple(part) for part in parts.values()]


def _purpose(node: Any) -> str | None:
    value = node.get("Value") if isinstance(node, Mapping) else None
    entity = value.get("__entity") if isinstance(value, Mapping) else None
    return str(entity["id"]) if entity is not None and entity["type"] == "Hub::Purpose" else None


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _note_facts(node: Any, found: set[str]) -> None:
    if isinstance(node, Mapping):
        if node in (_CONTEXT, _FACTS):
            found.update(Facts.__dataclass_fields__)
            return
        reads = node.get(".") or node.get("has")
        if reads is not None and reads["left"] in (_CONTEXT, _FACTS) and node != _FACTS:
            if reads["left"] == _FACTS or reads["attr"] == "own":
                found.add(reads["attr"])
            return
    for item in _inner(node):
        _note_facts(item, found)


def _note_purposes(node: Any, found: list[frozenset[str]]) -> None:
    if isinstance(node, Mapping):
        if (name := _purpose(node)) is not None:
            found.append(frozenset({name}))
            return
        names = [_purpose(item) for item in node.get("Set", ())]
        if names and all(names):
            found.append(frozenset(name for name in names if name))
            return
    for item in _inner(node):
        _note_purposes(item, found)
