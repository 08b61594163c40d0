"""What may be released: the effect per coordinate, remembered per decision class."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hub.auth.facts import Facts
from hub.domain.agencies import HUB


class Effect(StrEnum):
    """In order of what reaches the agency, most first; the best one that is permitted and can be delivered counts.

    Sealed delivery is the whole value, but for the holder of the agency's key only; so it stands above a mask, and
    taking a permission away can never put something into an answer that could not be made of what was there before.
    """

    FULL = "full"
    SEALED = "sealed"
    MASKED = "masked"
    PREDICATE = "predicate"
    DENIED = "denied"


LATTICE = tuple(Effect)


class DenialCode(StrEnum):
    """Why a field is withheld, and so what would open it."""

    FIELD_DENIED = "FIELD_DENIED"
    CASE_REQUIRED = "CASE_REQUIRED"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Effect on one coordinate; `policies` are the ids of the deciding rules, `denial` is set iff denied."""

    effect: Effect
    policies: tuple[str, ...]
    denial: DenialCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionClass:
    """Everything a decision depends on, beside the policies themselves."""

    agency: str
    role: str
    purpose: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTable:
    """Cedar's remembered answer for one class: a decision for every coordinate of the catalogue.

    A record or list coordinate is `full` if at least one field below it is not denied, else denied. What is made of a
    table is remembered by `edition`: the digest and, once rules have expired, how many.
    `reads` are the facts that any decision about this role can depend on.
    """

    policy_digest: str
    decision_class: DecisionClass
    decisions: Mapping[str, Decision]
    edition: str = ""
    reads: frozenset[str] = frozenset()

    @property
    def held(self) -> str:
        """The facts that hold, of those that decisions about this role depend on: names in order, a blank between."""
        facts = self.decision_class.facts
        return " ".join(sorted(name for name in self.reads if getattr(facts, name)))


class Reach(StrEnum):
    """How a role finds a person at all, read off what Cedar would grant under any facts."""

    MEMBERS = "members"  # may know who is in the hub (FG0 full under some facts, or its predicate and no register)
    REGISTERS = "registers"  # may not: resolves over the agencies' registers
    NOBODY = "nobody"  # sees no personal field group under this purpose


EXISTENCE = ("Person.assistanceStatus", "Person.entitledGroup")
"""The coordinates of FG0 that tell a member from somebody else: as status, or as yes or no."""


def knows_existence(table: DecisionTable) -> bool:
    """Whether the asker may know that a person of this class is in the hub."""
    return any(table.decisions[name].effect is not Effect.DENIED for name in EXISTENCE if name in table.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """The annotations of a rule. `remedy`: what the policy lets a caller be told whom the rule does not serve yet."""

    basis: str
    explain: str
    remedy: str | None


class Judge(Protocol):
    """Answers from remembered tables; asks Cedar once per class."""

    @property
    def policy_digest(self) -> str: ...

    @property
    def edition(self) -> str:
        """The digest and, once rules have expired, how many: what caches of decisions key on."""
        ...

    def table(self, decision_class: DecisionClass) -> DecisionTable: ...

    def ruling(self, decision_class: DecisionClass, group: str, facet: str = "detail", *, owner: str = HUB) -> Decision:
        """The decision on what is no field of a person view: records of the vault (FG17) and of the log (FG18)."""
        ...

    def reach(self, *, agency: str, role: str, purpose: str) -> Reach: ...

    def best(self, *, agency: str, role: str, purpose: str) -> Mapping[str, Decision]:
        """For every coordinate the most that any facts give; denied is what no facts open."""
        ...

    @property
    def tells_remedies(self) -> bool:
        """Whether any rule says how to get what it does not give yet."""
        ...

    def rule_text(self, rule_id: str) -> RuleText | None:
        """What a rule says of itself; None for an unknown id."""
        ...

    def reads_consent(self, role: str) -> bool:
        """Whether any rule that bears on the role looks at consent (N)."""
        ...

    def facts_of(self, role: str, group: str | None = None) -> frozenset[str]:
        """Names of the facts that a decision for `role` may depend on, on fields of the person view or of `group`."""
        ...

    def reads_approved(self, role: str) -> bool:
        """Whether any rule that bears on the role looks at an approval (2)."""
        ...

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        """Ids of the rules that let the role give `command`; empty: denied. `own`: it is about its own agency's."""
        ...

    def role_purposes(self, role: str) -> frozenset[str]:
        """Purposes of a role (DESIGN section 4); empty for an unknown role."""
        ...
