"""What a role may see at all: under some facts, for some of its purposes. What is in no sight does not exist for it.

Schema views, lists of access and explanations hold these coordinates and no others.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, replace

from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect, Judge, Reach, RuleText
from hub.auth.facts import Facts
from hub.domain.catalogue import Catalogue
from hub.gateway.plan import tightened

EXISTENCE = "Person.assistanceStatus"  # FG0: whether a role may know that this person is in the hub
CONDITIONS: Mapping[DenialCode, str] = {
    DenialCode.CASE_REQUIRED: "case",
    DenialCode.CONSENT_REQUIRED: "consent",
    DenialCode.APPROVAL_REQUIRED: "approved",
}
"""Conditions that an asker can meet, by the code that asks for them."""
_EVERYTHING = Facts(**{field.name: True for field in fields(Facts)})
_KEPT = 512
_JUDGES = 8


class Sight:
    """`members_only` are agencies whose register is membership itself: shut for roles that may not know of it."""

    def __init__(self, judge: Judge, catalogue: Catalogue, *, members_only: frozenset[str]) -> None:
        self._judge = judge
        self._catalogue = catalogue
        self._members_only = members_only
        self._ever: OrderedDict[tuple[str, str, str], frozenset[str]] = OrderedDict()

    @property
    def policy_digest(self) -> str:
        return self._judge.policy_digest

    @property
    def edition(self) -> str:
        """What is made of this sight is kept by it."""
        return self._judge.edition

    def purposes(self, role: str) -> frozenset[str]:
        return self._judge.role_purposes(role)

    def ever(self, *, agency: str, role: str) -> frozenset[str]:
        """Coordinates of the catalogue that the role sees for at least one purpose under some facts."""
        key = (self._judge.edition, agency, role)
        found = self._ever.get(key)
        if found is None:
            found = self._ever[key] = frozenset(
                name
                for purpose in sorted(self.purposes(role))
                for name, decision in self.best(agency=agency, role=role, purpose=purpose).items()
                if decision.effect is not Effect.DENIED
            )
            if len(self._ever) > _KEPT:
                self._ever.popitem(last=False)
        return found

    def best(self, *, agency: str, role: str, purpose: str) -> Mapping[str, Decision]:
        """For every coordinate the most that any facts give for `purpose`."""
        best = self._judge.best(agency=agency, role=role, purpose=purpose)
        shut = self._shut(agency, role, purpose)
        return {name: tightened(decision, self._catalogue.fields[name], shut) for name, decision in best.items()}

    def may(self, command: str, *, agency: str, role: str) -> bool:
        """Whether under some facts, for some purpose, the role may give a command or see a list of that name."""
        return any(
            self._judge.may(command, agency=agency, role=role, purpose=purpose, facts=_EVERYTHING, own=True)
            for purpose in self.purposes(role)
        )

    def lists(self, *, agency: str, role: str) -> bool:
        """Whether for some purpose the role may know who is in the hub, and so list them."""
        return any(self._reach(agency, role, purpose) is Reach.MEMBERS for purpose in self.purposes(role))

    def decision(self, table: DecisionTable, coordinate: str) -> Decision:
        """The decision of `table` on a coordinate, as the gateway carries it out."""
        by = table.decision_class
        shut = self._shut(by.agency, by.role, by.purpose)
        return tightened(table.decisions[coordinate], self._catalogue.fields[coordinate], shut)

    def access(self, table: DecisionTable) -> Mapping[str, Decision]:
        """Decisions of `table` on everything in the sight of its role, in the order of the catalogue."""
        by = table.decision_class
        ever = self.ever(agency=by.agency, role=by.role)
        return {name: self.decision(table, name) for name in self._catalogue.fields if name in ever}

    def opening(self, table: DecisionTable, coordinate: str) -> tuple[str, ...]:
        """Ids of the rules that would open a coordinate if the condition that its code names were met."""
        condition = CONDITIONS.get(self.decision(table, coordinate).denial or DenialCode.FIELD_DENIED)
        if condition is None:
            return ()
        by = table.decision_class
        met = replace(by, facts=replace(by.facts, **{condition: True}))
        return self.decision(self._judge.table(met), coordinate).policies

    def remedy(self, table: DecisionTable, coordinate: str) -> str | None:
        """What the policy itself says about how to get a denied coordinate."""
        if not self._judge.tells_remedies:
            return None
        texts = [self._judge.rule_text(rule) for rule in self.opening(table, coordinate)]
        return next((text.remedy for text in texts if text is not None and text.remedy), None)

    def needs(self, *, agency: str, role: str, purpose: str, coordinate: str, code: DenialCode) -> bool:
        """Whether a coordinate that may be given at best is never given without the condition of `code`."""
        facts = replace(_EVERYTHING, **{CONDITIONS[code]: False})
        without = DecisionClass(agency=agency, role=role, purpose=purpose, facts=facts)
        return self.decision(self._judge.table(without), coordinate).effect is Effect.DENIED

    def rule_text(self, rule_id: str) -> RuleText | None:
        return self._judge.rule_text(rule_id)

    def outsider(self, *, agency: str, role: str, purpose: str) -> DenialCode:
        """What is said of a person who is unknown, or not the asker's."""
        stranger = DecisionClass(agency=agency, role=role, purpose=purpose, facts=Facts())
        return self._judge.table(stranger).decisions[EXISTENCE].denial or DenialCode.FIELD_DENIED

    def _shut(self, agency: str, role: str, purpose: str) -> frozenset[str]:
        return self._members_only if self._reach(agency, role, purpose) is Reach.REGISTERS else frozenset()

    def _reach(self, agency: str, role: str, purpose: str) -> Reach:
        return self._judge.reach(agency=agency, role=role, purpose=purpose)


class Sights:
    """The sight of each judge: an operation keeps the judge it began with, and so its sight."""

    def __init__(self, catalogue: Catalogue, *, members_only: frozenset[str]) -> None:
        self._catalogue = catalogue
        self._members_only = members_only
        self._of: OrderedDict[str, Sight] = OrderedDict()

    def of(self, judge: Judge) -> Sight:
        sight = self._of.get(judge.edition)
        if sight is None:
            sight = self._of[judge.edition] = Sight(judge, self._catalogue, members_only=self._members_only)
            if len(self._of) > _JUDGES:
                self._of.popitem(last=False)
        return sight

    def remedy(self, judge: Judge, table: DecisionTable, coordinate: str) -> str | None:
        """What the policy itself says about how to get a denied coordinate."""
        return self.of(judge).remedy(table, coordinate) if judge.tells_remedies else None
