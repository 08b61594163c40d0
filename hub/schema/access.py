"""What a caller may see, told before anything is asked for: the viewer's access and quota, and explanations.

Nothing here calls an agency. Coordinates outside the caller's view are answered as names that do not exist.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.auth.decision import LATTICE, Decision, DecisionClass, DecisionTable, DenialCode, Effect, Judge
from hub.auth.principal import Principal
from hub.engine.execute import FieldCall
from hub.gateway.plan import ClassPlan
from hub.gateway.quota import QuotaState
from hub.gateway.reading import FieldAccess
from hub.gateway.sight import CONDITIONS, Sight, Sights
from hub.schema.context import OperationContext
from hub.schema.structure import AccessCondition, AccessExplanation, Quota

NO_RULE = "No rule speaks of such a field. / 没有规则涉及该字段。"
NO_PERSON = "There is no such person, or not for you. / 查无此人，或不在您的权限之内。"
WITHHELD = (
    "Your role does not get this field of this person for this purpose. / 您的角色以此用途不能取得该人员的该字段。"
)
NEVER_NOW = "Your role does not get this field for this purpose. / 您的角色以此用途不能取得该字段。"
PART = "Given as far as the fields below it are. / 视其下各字段的权限提供。"
REMEDIES: Mapping[DenialCode, str] = {
    DenialCode.CASE_REQUIRED: "Name an open case of this person in Hub-Case. / 请在 Hub-Case 中填写该人员的在办案件。",
    DenialCode.CONSENT_REQUIRED: "Obtain the person's consent for this purpose. / 请取得本人对此用途的同意。",
    DenialCode.APPROVAL_REQUIRED: "Have a second officer approve. / 请由第二名经办人审批。",
}
"""What to do about a code; it says no more than the code does."""
_MISSING = {
    DenialCode.CASE_REQUIRED: AccessCondition.CASE,
    DenialCode.CONSENT_REQUIRED: AccessCondition.CONSENT,
    DenialCode.APPROVAL_REQUIRED: AccessCondition.APPROVAL,
}


class AccessDesk:
    """`quota_of`: how much of the officer's quota is used; `at`: the date and time `seconds` from now."""

    def __init__(
        self, sight: Sight, quota_of: Callable[[Principal], QuotaState], at: Callable[[float], datetime]
    ) -> None:
        self._sight = sight
        self._quota_of = quota_of
        self._at = at
        self.resolvers: Mapping[tuple[str, str], Any] = {
            ("Viewer", "quota"): self.quota,
            ("Viewer", "access"): self.access,
        }

    def quota(self, context: OperationContext, call: FieldCall) -> Sequence[Quota]:
        state = self._quota_of(context.principal)
        resets_at = None if state.resets_in_s is None else self._at(state.resets_in_s)
        return [Quota(limit=state.limit, used=state.used, resets_at=resets_at)] * len(call.parents)

    def access(self, context: OperationContext, call: FieldCall) -> Sequence[Sequence[FieldAccess]]:
        """The most that any facts give; for the purpose of the request, or for all the token's where it has none."""
        wanted = call.arguments.get("type")
        found = [
            field_access(name, decision, None)
            for name, decision in self._best(context).items()
            if wanted is None or name.partition(".")[0] == wanted
        ]
        return [found] * len(call.parents)

    def explain(
        self, context: OperationContext, coordinates: Sequence[str], table: DecisionTable | None, *, named: bool
    ) -> list[AccessExplanation]:
        """One explanation for each coordinate, in order.

        Args:
            table: the decisions on the person who was named; None if there is nobody, or nobody for the caller.
            named: whether a person was named; if not, what holds at best is explained.
        """
        ever = self._sight.ever(agency=context.principal.agency, role=context.principal.role)
        found = []
        for name in coordinates:
            if name not in ever:
                found.append(_explanation(name, _DENIED, NO_RULE))
            elif not named:
                found.append(self._at_best(context, name))
            else:
                found.append(self._nobody(context, name) if table is None else self._decided(table, name))
        return found

    def _best(self, context: OperationContext) -> Mapping[str, Decision]:
        principal = context.principal
        purposes = sorted(principal.purposes) if context.purpose is None else [context.purpose]
        ever = self._sight.ever(agency=principal.agency, role=principal.role)
        most = dict.fromkeys(ever, _DENIED)
        for purpose in purposes:
            if purpose in principal.purposes:
                best = self._sight.best(agency=principal.agency, role=principal.role, purpose=purpose)
                most |= {name: best[name] for name in ever if _better(best[name], most[name])}
        return {name: most[name] for name in sorted(most)}

    def _decided(self, table: DecisionTable, name: str) -> AccessExplanation:
        decision = self._sight.decision(table, name)
        if decision.effect is not Effect.DENIED:
            return self._told(name, decision, decision.policies, PART)
        opening = self._sight.opening(table, name)
        return self._told(name, decision, opening, WITHHELD)

    def _nobody(self, context: OperationContext, name: str) -> AccessExplanation:
        assert context.purpose is not None
        principal = context.principal
        code = self._sight.outsider(agency=principal.agency, role=principal.role, purpose=context.purpose)
        decision = Decision(effect=Effect.DENIED, policies=(), denial=code)
        return _explanation(name, decision, NO_PERSON)

    def _at_best(self, context: OperationContext, name: str) -> AccessExplanation:
        assert context.purpose is not None
        principal = context.principal
        asker = {"agency": principal.agency, "role": principal.role, "purpose": context.purpose}
        decision = self._sight.best(**asker)[name]
        if decision.effect is Effect.DENIED:
            return _explanation(name, _DENIED, NEVER_NOW)
        told = self._told(name, decision, decision.policies, PART)
        told.missing = [_MISSING[code] for code in CONDITIONS if self._sight.needs(**asker, coordinate=name, code=code)]
        return told

    def _told(self, name: str, decision: Decision, rules: Sequence[str], otherwise: str) -> AccessExplanation:
        texts = [text for rule in rules if (text := self._sight.rule_text(rule)) is not None]
        return _explanation(
            name,
            decision,
            "\n".join(dict.fromkeys(text.explain for text in texts)) or otherwise,
            policies=list(rules),
            basis=list(dict.fromkeys(text.basis for text in texts)),
            remedy=next((text.remedy for text in texts if text.remedy), None) if decision.denial else None,
        )


class PersonAccess:
    """`Person.access` by class of persons: made once for a class, the least recently used forgotten first."""

    def __init__(self, sights: Sights, *, kept: int = 128) -> None:
        self._sights = sights
        self._kept = kept
        self._lists: OrderedDict[tuple[str, DecisionClass], tuple[FieldAccess, ...]] = OrderedDict()

    def __call__(self, plan: ClassPlan, judge: Judge) -> tuple[FieldAccess, ...]:
        table = plan.table
        key = (table.edition, table.decision_class)
        found = self._lists.get(key)
        if found is None:
            sight = self._sights.of(judge)
            found = self._lists[key] = tuple(
                field_access(name, decision, sight.remedy(table, name) if decision.denial else None)
                for name, decision in sight.access(table).items()
            )
            if len(self._lists) > self._kept:
                self._lists.popitem(last=False)
        return found


_DENIED = Decision(effect=Effect.DENIED, policies=(), denial=DenialCode.FIELD_DENIED)


def _better(one: Decision, other: Decision) -> bool:
    return LATTICE.index(one.effect) < LATTICE.index(other.effect)


def field_access(coordinate: str, decision: Decision, remedy: str | None) -> FieldAccess:
    """`remedy`: what the policy says about it, in place of our own text."""
    told = remedy or (REMEDIES.get(decision.denial) if decision.denial else None)
    return FieldAccess(coordinate=coordinate, effect=decision.effect, code=decision.denial, remedy=told)


def _explanation(
    coordinate: str,
    decision: Decision,
    text: str,
    *,
    policies: list[str] | None = None,
    basis: list[str] | None = None,
    remedy: str | None = None,
) -> AccessExplanation:
    code = decision.denial
    return AccessExplanation(
        coordinate=coordinate,
        effect=decision.effect,
        code=code,
        policies=policies or [],
        basis=basis or [],
        explanation=text,
        missing=[_MISSING[code]] if code in _MISSING else [],
        remedy=remedy or (REMEDIES.get(code) if code is not None else None),
    )
