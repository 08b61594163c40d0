"""Who may look at the audit log: the rules in force decide, and what they do not permit is refused."""

from typing import Protocol

from hub.auth.facts import Facts
from hub.auth.principal import Principal


class Rules(Protocol):
    """The rules in force when they are asked."""

    def may(
        self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool
    ) -> tuple[str, ...]: ...


def may_audit(rules: Rules, principal: Principal, purpose: str | None, name: str) -> tuple[str, ...]:
    """Ids of the rules that permit `name` (`LOG` and `CONSOLE` of domain/commands); none: it is refused.

    The log is nobody's own and about no one person, so no fact holds. `purpose` must be one of the token's own.
    """
    if purpose is None or purpose not in principal.purposes:
        return ()
    asked = {"agency": principal.agency, "role": principal.role, "purpose": purpose}
    return rules.may(name, **asked, facts=Facts(), own=False)
