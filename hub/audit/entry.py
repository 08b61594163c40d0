"""What one entry of the audit log says: who asked what of whom and why, never a value.

Persons stand as pseudonyms. Their coordinates by effect are kept once per distinct pattern, because the persons of one
operation mostly share one; `dump` spells them out again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec
import orjson

from hub.audit.kinds import BY_NUMBER, Kind
from hub.auth.principal import Principal

EFFECTS = ("full", "masked", "predicate", "sealed", "denied")


class Outcome(StrEnum):
    OK = "OK"
    PARTIAL = "PARTIAL"
    DENIED = "DENIED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """The coordinates asked of a person by effect, each tuple sorted. Persons of one class share one value.

    `facts` are those that the decision could depend on and that held, by name; None where no rule was asked. Facts that
    the role's rules do not look at are not noted: the log would else know of a person what the asker may not.
    """

    full: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    predicate: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    facts: str | None = None

    @cached_property
    def encoded(self) -> orjson.Fragment:
        """As it stands in an entry: an array of arrays in the order of `EFFECTS`, and the facts if there are any."""
        parts = [getattr(self, effect) for effect in EFFECTS]
        return orjson.Fragment(orjson.dumps(parts if self.facts is None else [*parts, self.facts]))


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True):
    agency: str
    status: str
    as_of: str | None
    latency_ms: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry before the log gives it number and time.

    `parent`: for a later part of an answer the id of the entry of the first. `on_behalf_of`: whom the officer stands in
    for; `approver`: who approved what needs two. `answer_bytes`, `answer_digest` (SHA-256, hex): the body of the answer
    as sent. `note`: counts and numbers of kinds that have some. `looked_at`: what an auditor's read was for, by name.
    Members that are empty do not stand in the entry.
    """

    kind: Kind = Kind.OPERATION
    request_id: str
    parent: str | None = None
    agency: str = ""
    client: str = ""
    officer: str = ""
    on_behalf_of: str | None = None
    approver: str | None = None
    role: str = ""
    purpose: str | None = None
    cases: tuple[str, ...] = ()
    document: str | None = None
    operation: str | None = None
    persons: Sequence[tuple[str, Pattern]] = ()  # pseudonym, and what was asked of this person
    sources: tuple[SourceSeen, ...] = ()
    policy_digest: str = ""
    policies: tuple[str, ...] = ()
    outcome: Outcome
    code: str | None = None
    cost: int = 0
    latency_ms: int = 0
    answer_bytes: int | None = None
    answer_digest: str | None = None
    note: Mapping[str, int] = msgspec.field(default_factory=dict)
    looked_at: Mapping[str, str] = msgspec.field(default_factory=dict)


def asked_by(principal: Principal) -> dict[str, Any]:
    """The members of a `Draft` that say who asks, and for whom."""
    return {
        "agency": principal.agency,
        "client": principal.client,
        "officer": principal.officer,
        "on_behalf_of": principal.on_behalf_of,
        "role": principal.role,
    }


def encode(draft: Draft) -> bytes:
    """Canonical bytes: JSON, UTF-8, keys sorted, no blanks. The leaf's header says number, time, kind and id."""
    patterns: dict[int, Pattern] = {}
    numbers: dict[int, int] = {}
    persons: list[tuple[str, int]] = []
    for person, pattern in draft.persons:
        number = numbers.setdefault(id(pattern), len(patterns))
        patterns.setdefault(id(pattern), pattern)
        persons.append((person, number))
    body: dict[str, Any] = {
        "agency": draft.agency,
        "case": list(draft.cases),
        "client": draft.client,
        "code": draft.code,
        "cost": draft.cost,
        "document": draft.document,
        "latencyMs": draft.latency_ms,
        "note": dict(draft.note),
        "officer": draft.officer,
        "operation": draft.operation,
        "outcome": draft.outcome.value,
        "patterns": [pattern.encoded for pattern in patterns.values()],
        "persons": persons,
        "policies": list(draft.policies),
        "policyDigest": draft.policy_digest,
        "purpose": draft.purpose,
        "requestId": draft.request_id,
        "role": draft.role,
        "sources": [
            {"agency": use.agency, "asOf": use.as_of, "latencyMs": use.latency_ms, "status": use.status}
            for use in draft.sources
        ],
    }
    for name, value in (
        ("parent", draft.parent),
        ("onBehalfOf", draft.on_behalf_of),
        ("approver", draft.approver),
        ("answerBytes", draft.answer_bytes),
        ("answerDigest", draft.answer_digest),
        ("lookedAt", dict(draft.looked_at) or None),
    ):
        if value is not None:
            body[name] = value
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def spell_out(*, seq: int, entry_id: str, time_us: int, kind: int, body: bytes | None) -> dict[str, Any]:
    """The entry as `hub audit dump` shows it. Of a removed one only what its row still says, and `removed`."""
    known = BY_NUMBER.get(kind)
    said = {"seq": seq, "id": entry_id, "time": iso_time(time_us), "kind": known.value if known else str(kind)}
    if body is None:
        return {**said, "removed": True}
    entry: dict[str, Any] = orjson.loads(body)
    patterns: Sequence[Sequence[Any]] = entry.pop("patterns")
    if not entry["note"]:
        entry.pop("note")
    entry["persons"] = [
        {"person": person, **dict(zip((*EFFECTS, "facts"), patterns[pattern], strict=False))}
        for person, pattern in entry["persons"]
    ]
    return {**entry, **said}


def iso_time(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
