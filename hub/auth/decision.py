"""What may be released: the effect per coordinate, remembered per decision class."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hub.auth.facts import Facts


class Effect(StrEnum):
    FULL = "full"
    MASKED = "masked"
    PREDICATE = "predicate"
    SEALED = "sealed"
    DENIED = "denied"


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

    A record or list coordinate is `full` if at least one field below it is not denied, else denied.
    """

    policy_digest: str
    decision_class: DecisionClass
    decisions: Mapping[str, Decision]


class Reach(StrEnum):
    """How a role finds a person at all, read off what Cedar would grant under any facts."""

    MEMBERS = "members"  # may know who is in the hub (FG0 full under some facts)
    REGISTERS = "registers"  # may not: resolves over the agencies' registers
    NOBODY = "nobody"  # sees no personal field group under this purpose


class Judge(Protocol):
    """Answers from remembered tables; asks Cedar once per class."""

    @property
    def policy_digest(self) -> str: ...

    def table(self, decision_class: DecisionClass) -> DecisionTable: ...

    def reach(self, *, agency: str, role: str, purpose: str) -> Reach: ...

    def reads_consent(self, role: str) -> bool:
        """Whether any rule that bears on the role looks at consent (N)."""
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
