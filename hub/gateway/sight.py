"""What a role may see at all: under some facts, for some of its purposes. What is in no sight does not exist for it.

Schema views, lists of access and explanations hold these coordinates and no others.
"""

from collections import OrderedDict
from collections.abc import Mapping

from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect, Judge, Reach
from hub.auth.facts import Facts
from hub.domain.catalogue import Catalogue
from hub.gateway.plan import tightened

_KEPT = 512


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
    def judge(self) -> Judge:
        return self._judge

    def purposes(self, role: str) -> frozenset[str]:
        return self._judge.role_purposes(role)

    def ever(self, *, agency: str, role: str) -> frozenset[str]:
        """Coordinates of the catalogue that the role sees for at least one purpose under some facts."""
        key = (self._judge.policy_digest, agency, role)
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

    def outsider(self, *, agency: str, role: str, purpose: str, existence: str) -> DenialCode:
        """What is said of a person who is unknown, or not the asker's."""
        stranger = DecisionClass(agency=agency, role=role, purpose=purpose, facts=Facts())
        return self._judge.table(stranger).decisions[existence].denial or DenialCode.FIELD_DENIED

    def _shut(self, agency: str, role: str, purpose: str) -> frozenset[str]:
        return self._members_only if self._reach(agency, role, purpose) is Reach.REGISTERS else frozenset()

    def _reach(self, agency: str, role: str, purpose: str) -> Reach:
        return self._judge.reach(agency=agency, role=role, purpose=purpose)
