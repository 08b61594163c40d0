"""Expected decisions beside the rules: `cases/*.toml`, which must hold before rules come into force.

A case names a role, a purpose and the facts that hold, and says what is expected of some coordinates: an effect, or
`denied` with the code that the asker is told (`denied CASE_REQUIRED`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.auth.decision import Decision, DecisionClass, DenialCode, Effect, Judge
from hub.auth.facts import Facts
from hub.auth.purposes import Purposes
from hub.domain.catalogue import Catalogue
from hub.domain.located import Document, load_toml
from hub.errors import PolicyError

_KEYS = {"name", "role", "purpose", "facts", "expect"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`expect`: text of the decision (`full`, `denied CASE_REQUIRED`) by coordinate."""

    file: str
    name: str
    decision_class: DecisionClass
    expect: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A case that does not hold on one coordinate. `policies` are the rules that decided instead."""

    case: Case
    coordinate: str
    expected: str
    found: str
    policies: tuple[str, ...]

    def __str__(self) -> str:
        by = f" by {', '.join(self.policies)}" if self.policies else ""
        return (
            f"{self.case.file}: {self.case.name}: {self.coordinate}: expected {self.expected}, found {self.found}{by}"
        )


def read_cases(directories: Sequence[Path], catalogue: Catalogue, purposes: Purposes) -> tuple[Case, ...]:
    """All cases of `cases/*.toml`, in order of file name.

    Raises:
        PolicyError: a case names something unknown, lacks something or stands twice; names file and case.
    """
    found: list[Case] = []
    for path in (path for directory in directories for path in sorted((directory / "cases").glob("*.toml"))):
        document = load_toml(path, PolicyError)
        for entry in _entries(document):
            case = _case(document, entry, catalogue, purposes)
            if any((case.file, case.name) == (other.file, other.name) for other in found):
                raise PolicyError("case twice", file=case.file, name=case.name)
            found.append(case)
    return tuple(found)


def run_cases(judge: Judge, cases: Sequence[Case]) -> list[Mismatch]:
    """Every expectation that `judge` does not meet. Cost: one table per class."""
    return [mismatch for case in cases for mismatch in _run(judge, case)]


def said(decision: Decision) -> str:
    """A decision as cases and reports write it."""
    return f"{decision.effect.value} {decision.denial.value}" if decision.denial else decision.effect.value


def _run(judge: Judge, case: Case) -> Iterator[Mismatch]:
    table = judge.table(case.decision_class).decisions
    for coordinate, expected in case.expect.items():
        decision = table[coordinate]
        if expected not in (said(decision), decision.effect.value):
            yield Mismatch(
                case=case,
                coordinate=coordinate,
                expected=expected,
                found=said(decision),
                policies=decision.policies,
            )


def _entries(document: Document) -> list[Mapping[str, Any]]:
    entries = document.data.get("case")
    if document.data.keys() != {"case"} or not isinstance(entries, list):
        raise PolicyError("holds [[case]] entries and nothing else", file=document.file)
    return entries


def _case(document: Document, entry: Mapping[str, Any], catalogue: Catalogue, purposes: Purposes) -> Case:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise PolicyError("a case needs a name", file=document.file)

    def need(good: bool, text: str) -> None:
        if not good:
            raise PolicyError(text, file=document.file, name=name)

    unknown = entry.keys() - _KEYS
    need(not unknown, f"unknown key {min(unknown, default='')}")
    role = purposes.roles.get(entry.get("role", ""))
    need(role is not None, "unknown role")
    assert role is not None
    need(entry.get("purpose") in purposes.purposes, "unknown purpose")
    facts = entry.get("facts")
    need(isinstance(facts, list), "facts must be a list")
    for fact in facts or ():
        need(fact in Facts.__dataclass_fields__, f"unknown fact {fact}")
    expect = entry.get("expect")
    need(isinstance(expect, dict) and bool(expect), "expects nothing")
    for coordinate, text in (expect or {}).items():
        need(coordinate in catalogue.fields, f"unknown coordinate {coordinate}")
        need(text in _decisions(), f"{coordinate}: no decision: {text}")
    return Case(
        file=f"cases/{document.file}",
        name=name,
        decision_class=DecisionClass(
            agency=role.agency,
            role=role.name,
            purpose=entry["purpose"],
            facts=Facts(**dict.fromkeys(facts or (), True)),
        ),
        expect=dict(expect or {}),
    )


def _decisions() -> frozenset[str]:
    return frozenset([*(effect.value for effect in Effect), *(f"denied {code.value}" for code in DenialCode)])
