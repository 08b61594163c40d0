"""Why a coordinate is given or withheld, and what would change that: for data officers and for the person who asks.

An explanation is about a decision class, never about a person. Whoever shows it to an asker must first hold it against
what the asker may know to exist.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from hub.auth.decision import Decision, DecisionClass, DenialCode, Effect, Judge
from hub.auth.policy_reader import Bundle
from hub.auth.rule_scope import bears_on, covers_field, facts_of, is_permit
from hub.domain.catalogue import Catalogue, Field

RANK = {Effect.DENIED: 0, Effect.PREDICATE: 1, Effect.MASKED: 2, Effect.SEALED: 3, Effect.FULL: 4}
"""How much an effect gives."""
REMEDIES: Mapping[str, tuple[str, str]] = {
    "jurisdiction": ("only an office responsible for this person gets it", "仅对该人负有管辖责任的机构可得"),
    "term": ("only during the assistance period", "仅限帮教期内"),
    "case": ("name an open case or task of this person in Hub-Case", "在 Hub-Case 中注明该人的在办案件或任务"),
    "own": ("only where your own agency holds a record", "仅限本部门持有记录的人员"),
    "consent": ("ask the person for consent and record it", "征得本人同意并登记"),
    "key_person": ("only for persons classed as key persons", "仅限重点帮教对象"),
    "approved": ("request emergency access and have a second officer approve it", "申请紧急查阅并由第二人批准"),
}
"""How each condition is met, in English and Chinese."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What a rule says of itself."""

    id: str
    basis: str
    explain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decision on one coordinate and its reasons.

    `rules` decide if the coordinate is given; if it is denied they would decide with the facts of `missing`. `missing`
    holds the least sets of further facts that would give it, or give more of it, the smallest first; empty where no
    facts would.
    """

    coordinate: str
    effect: Effect
    code: DenialCode | None
    policies: tuple[str, ...]
    rules: tuple[RuleText, ...]
    missing: tuple[frozenset[str], ...]

    @property
    def basis(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.basis for rule in self.rules))

    @property
    def explain(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.explain for rule in self.rules))

    @property
    def remedies(self) -> tuple[tuple[str, str], ...]:
        """How to meet the conditions of the first of `missing`."""
        first = sorted(self.missing[0]) if self.missing else []
        return tuple(REMEDIES.get(name, (name, name)) for name in first)


def explain(
    judge: Judge, bundle: Bundle, catalogue: Catalogue, decision_class: DecisionClass, coordinate: str
) -> Explanation:
    """Explain the decision on `coordinate` for `decision_class`.

    Raises:
        KeyError: the catalogue has no such coordinate.

    Cost: a table for each set of facts that the rules on this coordinate look at and that are not there (remembered).
    """
    leaves = tuple(_leaves(catalogue, catalogue.fields[coordinate]))
    decision = judge.table(decision_class).decisions[coordinate]
    missing: list[frozenset[str]] = []
    would: Decision | None = None
    for added in _additions(bundle, decision_class, leaves):
        if any(less <= added for less in missing):
            continue
        better = replace(decision_class, facts=replace(decision_class.facts, **dict.fromkeys(added, True)))
        found = judge.table(better).decisions[coordinate]
        if RANK[found.effect] > RANK[decision.effect]:
            missing.append(added)
            would = would or _deciding(judge, better, coordinate, leaves)
    reason = _deciding(judge, decision_class, coordinate, leaves)
    shown = reason if decision.effect is not Effect.DENIED or would is None else would
    return Explanation(
        coordinate=coordinate,
        effect=decision.effect,
        code=decision.denial,
        policies=reason.policies,
        rules=tuple(_text(bundle, name) for name in shown.policies if name in bundle.rules),
        missing=tuple(missing),
    )


def _deciding(judge: Judge, decision_class: DecisionClass, coordinate: str, leaves: Iterable[Field]) -> Decision:
    """The decision with its rules; those of a record are the rules of what stands below it."""
    table = judge.table(decision_class).decisions
    below = {name for leaf in leaves for name in table[leaf.coordinate].policies}
    return replace(table[coordinate], policies=tuple(sorted(below)))


def _additions(bundle: Bundle, decision_class: DecisionClass, leaves: Iterable[Field]) -> Iterator[frozenset[str]]:
    """Sets of facts that are not there and that a permit on one of `leaves` looks at, the smallest first."""
    looked_at = {
        fact
        for rule in bundle.rules.values()
        if is_permit(rule) and bears_on(rule, decision_class.role) and any(covers_field(rule, leaf) for leaf in leaves)
        for fact in facts_of(rule)
    }
    absent = sorted(name for name in looked_at if not getattr(decision_class.facts, name))
    for size in range(1, len(absent) + 1):
        for names in combinations(absent, size):
            yield frozenset(names)


def _leaves(catalogue: Catalogue, field: Field) -> Iterator[Field]:
    if field.record_type is None:
        yield field
        return
    for inner in catalogue.types[field.record_type].fields:
        yield from _leaves(catalogue, inner)


def _text(bundle: Bundle, name: str) -> RuleText:
    notes = bundle.rules[name]["annotations"]
    return RuleText(id=name, basis=notes["basis"], explain=notes["explain"])
