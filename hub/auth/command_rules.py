"""Who may give which command: the rules of action `perform`, judged by Cedar like every other rule."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import cedarpy

from hub.auth.facts import Facts
from hub.auth.purposes import Purposes
from hub.domain.commands import NAMES

ACTION = "perform"


class CommandRules:
    """Remembers Cedar's answers. `own`: what the command is about belongs to the caller's own agency."""

    def __init__(self, in_force: Mapping[str, Mapping[str, Any]], purposes: Purposes) -> None:
        self._purposes = purposes
        rules = {name: rule for name, rule in in_force.items() if _performs(rule)}
        text = json.dumps({"templates": {}, "staticPolicies": rules, "templateLinks": []})
        self._policies = cedarpy.PolicySet.from_json_str(text)
        self._answers: dict[tuple[str, str, str, str, Facts, bool], tuple[str, ...]] = {}

    def may(self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool) -> tuple[str, ...]:
        """Ids of the rules that permit it, sorted; none: it is denied. Cost: a look-up, or one Cedar decision."""
        key = (command, agency, role, purpose, facts, own)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._ask(command, agency, role, purpose, facts, own=own)
        return answer

    def _ask(self, command: str, agency: str, role: str, purpose: str, facts: Facts, *, own: bool) -> tuple[str, ...]:
        known = self._purposes.roles.get(role)
        if known is None or known.agency != agency or purpose not in known.purposes:
            return ()
        if command not in NAMES:
            return ()
        request: dict[str, Any] = {
            "principal": f'Hub::Role::"{role}"',
            "action": f'Hub::Action::"{ACTION}"',
            "resource": f'Hub::Command::"{command}"',
            "context": {
                "purpose": {"__entity": {"type": "Hub::Purpose", "id": purpose}},
                "own": own,
                "facts": asdict(facts),
            },
        }
        answer = cedarpy.is_authorized(request, self._policies, [])
        return tuple(sorted(answer.diagnostics.reasons)) if answer.allowed else ()


def _performs(rule: Mapping[str, Any]) -> bool:
    """A rule that names no action bears on every one, so it bears on commands, too."""
    action = rule["action"]
    if action["op"] == "All":
        return True
    named = [action["entity"]] if "entity" in action else action["entities"]
    return any(entity["id"] == ACTION for entity in named)
