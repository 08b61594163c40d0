"""A judge under which one role sees everything: for whom worlds that differ must look different."""

from collections.abc import Mapping
from dataclasses import replace

from hub.auth.decision import Decision, DecisionClass, DecisionTable, Effect, Judge, Reach, RuleText
from hub.auth.facts import Facts
from hub.rules import Rules

FULL_SIGHT = Decision(effect=Effect.FULL, policies=("control",), denial=None)


class AllSeeing:
    """Gives every field of everybody in full; exists in tests only."""

    def __init__(self, judge: Judge, coordinates: frozenset[str]) -> None:
        self._judge = judge
        self._decisions = dict.fromkeys(sorted(coordinates), FULL_SIGHT)

    @property
    def policy_digest(self) -> str:
        return "control"

    @property
    def edition(self) -> str:
        return "control"

    @property
    def tells_remedies(self) -> bool:
        return False

    def best(self, *, agency: str, role: str, purpose: str) -> Mapping[str, Decision]:
        return self._decisions

    def reads_approved(self, role: str) -> bool:
        return False

    def rule_text(self, rule_id: str) -> RuleText | None:
        return None

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        return self._judge.may(command, agency=agency, role=role, purpose=purpose, facts=facts, own=own)

    def table(self, decision_class: DecisionClass) -> DecisionTable:
        return DecisionTable(policy_digest="control", decision_class=decision_class, decisions=self._decisions)

    def reach(self, *, agency: str, role: str, purpose: str) -> Reach:
        return Reach.MEMBERS

    def reads_consent(self, role: str) -> bool:
        return False

    def role_purposes(self, role: str) -> frozenset[str]:
        return self._judge.role_purposes(role)


def all_seeing(rules: Rules) -> Rules:
    return replace(rules, judge=AllSeeing(rules.judge, frozenset(rules.catalogue.fields)))  # type: ignore[arg-type]
