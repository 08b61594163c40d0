"""Reads `rules/deadlines.toml`: every row is checked against the workflow before anything is counted by it."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from hub.casework.deadline import (
    Automatic,
    DeadlineRule,
    DeadlineRules,
    DueUnit,
    Escalation,
    Level,
    PersonClass,
    TermRule,
)
from hub.casework.workflow import Workflow
from hub.domain.located import Document, load_toml
from hub.errors import CaseworkRulesError

DEADLINES_FILE = Path(__file__).with_name("rules") / "deadlines.toml"
ANCHORS = frozenset({"plannedRelease", "termEnd", "lastContact", "lastVisit"})
ROUTES = frozenset({"ANY", "PRISON", "DETENTION", "CORRECTION", "CONTROL"})
_KNOWN = frozenset(
    "step region class anchor again field n unit yellow red done moot measured within escalate then from until"
    " source".split()
)


def read_deadlines(workflow: Workflow, path: Path = DEADLINES_FILE) -> DeadlineRules:
    """Read deadline and term rules.

    Raises:
        CaseworkRulesError: not TOML, a row that lacks a member or has one too many, an unknown event, anchor,
            unit, class, route or chain, two rows for one step, region and class that hold on the same day; names file
            and row.
    """
    document = load_toml(path, CaseworkRulesError)
    try:
        chains = {name: _chain(rows) for name, rows in document.data["chain"].items()}
    except (KeyError, ValueError) as exc:
        raise CaseworkRulesError(f"chains: {exc}", file=document.file) from exc
    rules = [_rule(document, number, row, chains, workflow) for number, row in enumerate(document.data["rule"], 1)]
    _distinct(document, rules)
    terms = [_term(document, number, row) for number, row in enumerate(document.data.get("term", ()), 1)]
    return DeadlineRules(rules, terms)


def _chain(rows: list[Mapping[str, Any]]) -> tuple[Escalation, ...]:
    return tuple(Escalation(level=Level(row["level"]), after=row["after"]) for row in rows)


def _rule(
    document: Document,
    number: int,
    row: Mapping[str, Any],
    chains: Mapping[str, tuple[Escalation, ...]],
    workflow: Workflow,
) -> DeadlineRule:
    name = f"rule {number} ({row.get('step', '?')})"
    if unknown := sorted(row.keys() - _KNOWN):
        raise CaseworkRulesError(f"has the unknown member {unknown[0]}", file=document.file, name=name)
    try:
        rule = _made(row, chains)
    except (KeyError, ValueError, TypeError) as exc:
        raise CaseworkRulesError(f"lacks or misstates {exc}", file=document.file, name=name) from exc
    anchor = rule.anchor.removeprefix("event:")
    events = rule.done | rule.moot | ({rule.again} if rule.again else set())
    events |= {rule.automatic.event} if rule.automatic else set()
    if rule.anchor.startswith("event:"):
        events |= {anchor}
    elif anchor not in ANCHORS:
        raise CaseworkRulesError(f"has the unknown anchor {anchor}", file=document.file, name=name)
    for event in sorted(events):
        if event not in workflow.events:
            raise CaseworkRulesError(f"names the unknown event {event}", file=document.file, name=name)
    if rule.starts and rule.stops and rule.stops < rule.starts:
        raise CaseworkRulesError("ends before it begins", file=document.file, name=name)
    return rule


def _made(row: Mapping[str, Any], chains: Mapping[str, tuple[Escalation, ...]]) -> DeadlineRule:
    person_class = PersonClass(row.get("class", "ANY"))
    starts: date | None = row.get("from")
    then = row.get("then")
    parts = [row["step"], row["region"] or "-", person_class.value, starts.isoformat() if starts else "-"]
    return DeadlineRule(
        rule_id="/".join(parts),
        step=row["step"],
        region=row["region"],
        person_class=person_class,
        starts=starts,
        stops=row.get("until"),
        anchor=row["anchor"],
        again=row.get("again"),
        field=row.get("field"),
        count=row["n"],
        unit=DueUnit(row["unit"]),
        yellow=row["yellow"],
        red=row["red"],
        done=frozenset(row["done"]),
        moot=frozenset(row.get("moot", ())),
        received={"happened": False, "received": True}[row.get("measured", "happened")],
        within=row.get("within"),
        escalations=chains[row["escalate"]],
        automatic=Automatic(event=then["event"], after=then["after"]) if then else None,
        source=row["source"],
    )


def _distinct(document: Document, rules: list[DeadlineRule]) -> None:
    """No two rows may hold for the same step, region and class on one day."""
    kept: dict[tuple[str, str, PersonClass], list[DeadlineRule]] = {}
    for rule in rules:
        for other in kept.setdefault((rule.step, rule.region, rule.person_class), []):
            first = max(rule.starts or date.min, other.starts or date.min)
            if first <= min(rule.stops or date.max, other.stops or date.max):
                raise CaseworkRulesError(f"overlaps with {other.rule_id}", file=document.file, name=rule.rule_id)
        kept[rule.step, rule.region, rule.person_class].append(rule)


def _term(document: Document, number: int, row: Mapping[str, Any]) -> TermRule:
    try:
        rule = TermRule(region=row["region"], route=row["route"], years=row["years"], source=row["source"])
    except KeyError as exc:
        raise CaseworkRulesError(f"lacks {exc}", file=document.file, name=f"term {number}") from exc
    if rule.route not in ROUTES or rule.years < 1:
        raise CaseworkRulesError("has an unknown route or no years", file=document.file, name=f"term {number}")
    return rule
