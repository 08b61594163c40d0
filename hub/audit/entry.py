"""What one entry of the audit log says: who asked what of whom and why, never a value.

Persons stand as pseudonyms. Their coordinates by effect are kept once per distinct pattern, because the persons of one
operation mostly share one; `dump` spells them out again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson


class Outcome(StrEnum):
    OK = "OK"
    PARTIAL = "PARTIAL"
    DENIED = "DENIED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class Kind(StrEnum):
    OPERATION = "operation"
    REFUSALS = "refusals"  # refusals before a valid token, one summary a minute
    STARTUP = "startup"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAccess:
    """One person by pseudonym, and the coordinates asked of it by effect, each tuple sorted."""

    person: str
    full: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    predicate: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeen:
    agency: str
    status: str
    as_of: str | None
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry before the log gives it number, id and time."""

    kind: Kind = Kind.OPERATION
    request_id: str
    agency: str = ""
    client: str = ""
    officer: str = ""
    role: str = ""
    purpose: str | None = None
    cases: tuple[str, ...] = ()
    document: str | None = None
    operation: str | None = None
    persons: tuple[PersonAccess, ...] = ()
    sources: tuple[SourceSeen, ...] = ()
    policy_digest: str = ""
    policies: tuple[str, ...] = ()
    outcome: Outcome
    code: str | None = None
    cost: int = 0
    latency_ms: int = 0
    note: Mapping[str, int] = field(default_factory=dict)


_EFFECTS = ("full", "masked", "predicate", "sealed", "denied")


def encode(draft: Draft, *, seq: int, entry_id: str, time_us: int) -> bytes:
    """Canonical bytes: JSON, UTF-8, keys sorted, no blanks. These bytes are what the chain covers."""
    patterns: dict[tuple[tuple[str, ...], ...], int] = {}
    persons = []
    for access in draft.persons:
        pattern = tuple(getattr(access, effect) for effect in _EFFECTS)
        persons.append([access.person, patterns.setdefault(pattern, len(patterns))])
    body = {
        "agency": draft.agency,
        "case": list(draft.cases),
        "client": draft.client,
        "code": draft.code,
        "cost": draft.cost,
        "document": draft.document,
        "id": entry_id,
        "kind": draft.kind.value,
        "latencyMs": draft.latency_ms,
        "note": dict(draft.note),
        "officer": draft.officer,
        "operation": draft.operation,
        "outcome": draft.outcome.value,
        "patterns": [list(map(list, pattern)) for pattern in patterns],
        "persons": persons,
        "policies": list(draft.policies),
        "policyDigest": draft.policy_digest,
        "purpose": draft.purpose,
        "requestId": draft.request_id,
        "role": draft.role,
        "seq": seq,
        "sources": [
            {"agency": use.agency, "asOf": use.as_of, "latencyMs": use.latency_ms, "status": use.status}
            for use in draft.sources
        ],
        "time": time_us,
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def spell_out(body: bytes) -> dict[str, Any]:
    """The entry as `hub audit dump` shows it (DESIGN section 4)."""
    entry: dict[str, Any] = orjson.loads(body)
    patterns: Sequence[Sequence[Sequence[str]]] = entry.pop("patterns")
    if not entry["note"]:
        entry.pop("note")
    entry["persons"] = [
        {"person": person, **dict(zip(_EFFECTS, patterns[pattern], strict=True))}
        for person, pattern in entry["persons"]
    ]
    entry["time"] = _iso(entry["time"])
    return entry


def _iso(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
