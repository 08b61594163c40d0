"""Which policies are in force: one value, replaced as a whole.

An operation takes `current` once, at its start, and keeps it to its end; the next operation takes what is in force
then. What lives longer than an operation (subscriptions) asks to be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A judge with where its rules come from. `version` is 0 and `signer` None for the rules of the program's tree.

    `files`: name → text of what was read, as auditors are shown it.
    """

    judge: CedarJudge
    version: int = 0
    signer: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


Told = Callable[[Policy], None]


class RulesInForce:
    """The rules on commands that are in force when they are asked: for what lives longer than one operation."""

    def __init__(self, holder: "PolicyHolder") -> None:
        self._holder = holder

    @property
    def policy_digest(self) -> str:
        return self._holder.current.policy_digest

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        """As the judge in force."""
        judge = self._holder.current
        return judge.may(command, agency=agency, role=role, purpose=purpose, facts=facts, own=own)


class PolicyHolder:
    """Swapping is one assignment, so that nobody ever sees half of it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._told: list[Told] = []

    @property
    def policy(self) -> Policy:
        return self._policy

    @property
    def current(self) -> CedarJudge:
        return self._policy.judge

    def swap(self, policy: Policy) -> None:
        """Put `policy` in force and tell everyone who asked for it; a listener that fails stops nothing."""
        self._policy = policy
        for told in tuple(self._told):
            try:
                told(policy)
            except Exception as error:
                logger.error("policy.listener-failed", kind=type(error).__name__, exc_info=True)

    def on_swap(self, told: Told) -> Callable[[], None]:
        """Call `told` after each swap, in the loop's thread; returns what ends that."""
        self._told.append(told)
        return lambda: self._told.remove(told) if told in self._told else None
