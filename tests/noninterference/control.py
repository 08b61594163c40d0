"""A judge under which one role sees everything: for whom worlds that differ must look different."""

from dataclasses import replace

from hub.auth.decision import Decision, DecisionClass, DecisionTable, Effect, Judge, Reach
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
