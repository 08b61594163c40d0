"""Reads the policy bundle: Cedar files, validated against the generated schema before anything is decided by them."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import cedarpy

from hub.errors import PolicyError

_ANNOTATIONS = ("id", "basis", "explain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All rules by their `@id`, in Cedar's JSON form.

    A rule with `@expires("YYYY-MM-DD")` is in force before that day; the digest is of the text, so it stays.
    """

    digest: str
    rules: Mapping[str, Mapping[str, Any]]

    def in_force(self, day: date) -> Mapping[str, Mapping[str, Any]]:
        """The rules that have not expired on `day`."""
        return {name: rule for name, rule in self.rules.items() if (end := expiry(rule)) is None or day < end}

    def next_expiry(self, day: date) -> date | None:
        """The first day after `day` on which a rule stops; None if none ever does."""
        return min((end for rule in self.rules.values() if (end := expiry(rule)) and end > day), default=None)


def expiry(rule: Mapping[str, Any]) -> date | None:
    """The first day on which `rule` is not in force any more."""
    text = rule.get("annotations", {}).get("expires")
    return None if text is None else date.fromisoformat(text)


def read_bundle(directories: Sequence[Path], schema: str) -> Bundle:
    """Read every `*.cedar` file and validate it.

    Raises:
        PolicyError: no rules, a syntax error, an unknown group, facet, role, purpose or fact, a rule without id, basis
            or explanation, an id twice, an expiry that is no day; names file, line and rule.
    """
    files = sorted(path for directory in directories for path in directory.glob("*.cedar"))
    texts: list[str] = []
    rules: dict[str, Mapping[str, Any]] = {}
    for path in files:
        text = path.read_text("utf-8")
        for name, rule in _validated(path, text, schema):
            if name in rules:
                raise PolicyError("rule id twice", file=path.name, line=_line(text, name), name=name)
            rules[name] = rule
        texts.append(text)
    if not rules:
        raise PolicyError("the rule set is empty")
    digest = hashlib.sha256("\x00".join([schema, *texts]).encode()).hexdigest()
    return Bundle(digest=digest, rules=rules)


def _validated(path: Path, text: str, schema: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(id, rule) of one file, in order."""
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    except ValueError as exc:
        found = re.search(r"line (\d+)", str(exc))
        line = int(found[1]) if found else _failing_line(text)
        raise PolicyError("is not Cedar", file=path.name, line=line) from exc
    ordered = [parsed[f"policy{number}"] for number in range(len(parsed))]
    names = [policy.get("annotations", {}).get("id", "") for policy in ordered]
    result = cedarpy.validate_policies(text, schema)
    for error in result.errors:
        number = int(error.policy_id.removeprefix("policy")) if error.policy_id.startswith("policy") else 0
        name = names[number] if number < len(names) else error.policy_id
        raise PolicyError(_reason(str(error.error)), file=path.name, line=_line(text, name), name=name)
    for policy, name in zip(ordered, names, strict=True):
        missing = [key for key in _ANNOTATIONS if not policy.get("annotations", {}).get(key)]
        if missing:
            raise PolicyError(f"lacks @{missing[0]}", file=path.name, line=_line(text, name), name=name or None)
        if not _is_day(policy["annotations"].get("expires", "2000-01-01")):
            raise PolicyError("@expires is no day (YYYY-MM-DD)", file=path.name, line=_line(text, name), name=name)
    return list(zip(names, ordered, strict=True))


def _is_day(text: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _reason(error: str) -> str:
    return " ".join(error.split())[:200]


def _line(text: str, name: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if name and f'@id("{name}")' in line:
            return number
    return None


def _failing_line(text: str) -> int | None:
    """The first line up to which the text, cut after a rule, no longer parses."""
    end = 0
    for rule in re.finditer(r";[^\S\n]*(?=\n|$)", text):
        try:
            cedarpy.policies_to_json_str(text[: rule.end()])
        except ValueError:
            return text.count("\n", 0, end) + 1 + (len(text[end:]) - len(text[end:].lstrip("\n"))) * bool(end)
        end = rule.end()
    return text.count("\n", 0, end) + 1
