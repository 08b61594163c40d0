"""What is wrong with a policy directory, beyond what keeps it from being read: all of it at once.

A rule must be able to decide something, a coordinate must be given to somebody or be left out on purpose
(`undisclosed.toml`), words must be in both languages, no rule may be past its day, and the cases must hold.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import product
from pathlib import Path

from hub.auth.command_rules import ACTION as PERFORM
from hub.auth.command_rules import CommandRules
from hub.auth.decision import Effect
from hub.auth.favourable import favourable
from hub.auth.judge import CedarJudge
from hub.auth.policy_cases import read_cases, run_cases
from hub.auth.policy_loader import PolicyLoader
from hub.auth.policy_reader import Bundle
from hub.auth.rule_match import applies, kinds_of
from hub.auth.rule_scope import Rule, actions_of, covers_field, is_permit
from hub.auth.survey import survey
from hub.domain.catalogue import Catalogue
from hub.domain.commands import NAMES
from hub.domain.located import load_toml
from hub.errors import PolicyError

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ENGLISH = re.compile(r"[A-Za-z]{2}")


class Fault(StrEnum):
    INVALID = "invalid"  # a file that cannot be read; nothing else was looked at
    DEAD = "dead-rule"
    NOT_DORMANT = "not-dormant"  # said to be dormant, and decides
    UNCOVERED = "uncovered"
    DISCLOSED = "disclosed"  # said to be undisclosed, and is given
    ANNOTATION = "annotation"
    EXPIRED = "expired"
    CASE = "case"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`name` is the rule, coordinate, file or case that is wrong."""

    fault: Fault
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    digest: str
    rules: int
    coordinates: int
    cases: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exempt:
    """What is as it is on purpose, with the reason: coordinates nobody gets, rules that decide nothing yet."""

    undisclosed: Mapping[str, str]
    dormant: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    given: frozenset[str]
    deciding: frozenset[str]


def check(directories: Sequence[Path], loader: PolicyLoader, today: date) -> Report:
    """Look at everything. Cost: a table for each class that the rules can tell apart (seconds)."""
    try:
        judge = loader.judge(directories)
        exempt = read_exempt(directories, loader.catalogue, judge.bundle)
        cases = read_cases(directories, loader.catalogue, loader.purposes)
    except PolicyError as error:
        finding = Finding(fault=Fault.INVALID, name=error.name or error.file or "", text=str(error))
        return Report(digest="", rules=0, coordinates=len(loader.catalogue.fields), cases=0, findings=(finding,))
    seen = _look(judge, loader)
    findings = [
        *_annotations(judge.bundle, today),
        *_dead(judge.bundle, loader, seen, exempt, today),
        *_coverage(loader.catalogue, seen, exempt),
        *(Finding(fault=Fault.CASE, name=wrong.case.name, text=str(wrong)) for wrong in run_cases(judge, cases)),
    ]
    if not cases:
        findings.append(Finding(fault=Fault.CASE, name="cases", text="there are no cases"))
    return Report(
        digest=judge.policy_digest,
        rules=judge.rule_count,
        coordinates=len(loader.catalogue.fields),
        cases=len(cases),
        findings=tuple(findings),
    )


def read_exempt(directories: Sequence[Path], catalogue: Catalogue, bundle: Bundle) -> Exempt:
    """`undisclosed.toml` of the directories; nothing is exempt where there is none.

    Raises:
        PolicyError: a coordinate or rule that does not exist, a reason that is missing.
    """
    tables: dict[str, dict[str, str]] = {"undisclosed": {}, "dormant": {}}
    for path in (item / "undisclosed.toml" for item in directories):
        if not path.exists():
            continue
        document = load_toml(path, PolicyError)
        for table, entries in document.data.items():
            known: Mapping[str, object] = catalogue.fields if table == "undisclosed" else bundle.rules
            if table not in tables or not isinstance(entries, dict):
                raise PolicyError("knows [undisclosed] and [dormant] only", file=path.name, name=table)
            for name, reason in entries.items():
                if name not in known or not isinstance(reason, str) or not reason:
                    text = "needs a reason" if name in known else "does not exist"
                    raise PolicyError(text, file=path.name, line=document.line(table, name), name=name)
            tables[table].update(entries)
    return Exempt(**tables)


def _look(judge: CedarJudge, loader: PolicyLoader) -> _Seen:
    given: set[str] = set()
    deciding: set[str] = set()
    for role in loader.purposes.roles.values():
        for known in survey([judge.bundle], role, loader.purposes.purposes).classes():
            for coordinate, decision in judge.table(known).decisions.items():
                if decision.effect is not Effect.DENIED:
                    given.add(coordinate)
                    deciding.update(decision.policies)
    return _Seen(frozenset(given), frozenset(deciding))


def _annotations(bundle: Bundle, today: date) -> Iterator[Finding]:
    for name, rule in bundle.rules.items():
        notes = rule["annotations"]
        if not (_CHINESE.search(notes["explain"]) and _ENGLISH.search(notes["explain"])):
            yield Finding(fault=Fault.ANNOTATION, name=name, text="@explain is not in English and Chinese")
        if not _is_day(notes.get("expires")):
            yield Finding(fault=Fault.ANNOTATION, name=name, text=f"@expires is no day: {notes['expires']}")
        elif _expired(rule, today):
            text = f"not in force since {notes['expires']}: renew or remove it"
            yield Finding(fault=Fault.EXPIRED, name=name, text=text)


def _is_day(text: str | None) -> bool:
    try:
        return text is None or date.fromisoformat(text) is not None
    except ValueError:
        return False


def _expired(rule: Rule, today: date) -> bool:
    """A rule is in force before the day of its `@expires`."""
    text = rule["annotations"].get("expires")
    return text is not None and _is_day(text) and date.fromisoformat(text) <= today


def _dead(bundle: Bundle, loader: PolicyLoader, seen: _Seen, exempt: Exempt, today: date) -> Iterator[Finding]:
    kinds = kinds_of(loader.catalogue)
    leaves = [field for field in loader.catalogue.fields.values() if field.record_type is None]
    commanding = _commanding(bundle, loader, today)
    for name, rule in bundle.rules.items():
        if _expired(rule, today):
            continue
        if actions_of(rule) == {PERFORM}:
            if is_permit(rule) and name not in commanding:
                yield Finding(fault=Fault.DEAD, name=name, text="no role, purpose, facts and command ever meet it")
            continue
        of_fields = any(covers_field(rule, leaf) for leaf in leaves)
        if is_permit(rule) and of_fields and name in seen.deciding:
            alive, text = True, ""
        elif not applies(rule, kinds, loader.purposes):
            alive, text = False, "no role, purpose, facts and field ever meet it"
        elif is_permit(rule) and of_fields:
            alive, text = False, "never the reason: a better effect always wins, a forbid does, or no field has a mask"
        else:
            alive, text = True, ""
        if alive and name in exempt.dormant:
            yield Finding(fault=Fault.NOT_DORMANT, name=name, text="stands under [dormant] and decides")
        if not alive and name not in exempt.dormant:
            yield Finding(fault=Fault.DEAD, name=name, text=text)


def _commanding(bundle: Bundle, loader: PolicyLoader, today: date) -> set[str]:
    """The rules that permit some role some command."""
    in_force = bundle.in_force(today)
    rules = CommandRules(in_force, loader.purposes)
    found: set[str] = set()
    vectors = favourable({name: rule for name, rule in in_force.items() if PERFORM in actions_of(rule)})
    for role in loader.purposes.roles.values():
        for purpose, command, facts, own in product(role.purposes, NAMES, vectors, (True, False)):
            asked = {"agency": role.agency, "role": role.name, "purpose": purpose}
            found.update(rules.may(command, **asked, facts=facts, own=own))
    return found


def _coverage(catalogue: Catalogue, seen: _Seen, exempt: Exempt) -> Iterator[Finding]:
    for coordinate in catalogue.fields:
        if coordinate in seen.given and coordinate in exempt.undisclosed:
            yield Finding(fault=Fault.DISCLOSED, name=coordinate, text="stands under [undisclosed] and is given")
        if coordinate not in seen.given and coordinate not in exempt.undisclosed:
            yield Finding(
                fault=Fault.UNCOVERED, name=coordinate, text="nobody ever gets it; permit it or name it undisclosed"
            )
