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

EFFECTS = ("full", "masked", "predicate", "sealed", "denied")


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
    SWEEP = "sweep"  # the hub looks by itself, batch by batch, whether something changed at an agency
    COMMAND = "command"  # before the effect of a command; the operation has an entry of its own


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """The coordinates asked of a person by effect, each tuple sorted. Persons of one class share one value."""

    full: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    predicate: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    @cached_property
    def encoded(self) -> orjson.Fragment:
        """As it stands in an entry: an array of arrays in the order of `EFFECTS`."""
        return orjson.Fragment(orjson.dumps([getattr(self, effect) for effect in EFFECTS]))


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True):
    agency: str
    status: str
    as_of: str | None
    latency_ms: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry before the log gives it number, id and time.

    `parent`: for a later part of an answer the id of the entry of the first; only such entries have the member.
    """

    kind: Kind = Kind.OPERATION
    request_id: str
    parent: str | None = None
    agency: str = ""
    client: str = ""
    officer: str = ""
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
    note: Mapping[str, int] = msgspec.field(default_factory=dict)


def encode(draft: Draft, *, seq: int, entry_id: str, time_us: int) -> bytes:
    """Canonical bytes: JSON, UTF-8, keys sorted, no blanks. These bytes are what the chain covers."""
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
        "id": entry_id,
        "kind": draft.kind.value,
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
        "seq": seq,
        "sources": [
            {"agency": use.agency, "asOf": use.as_of, "latencyMs": use.latency_ms, "status": use.status}
            for use in draft.sources
        ],
        "time": time_us,
    }
    if draft.parent is not None:
        body["parent"] = draft.parent
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def spell_out(body: bytes) -> dict[str, Any]:
    """The entry as `hub audit dump` shows it (DESIGN section 4)."""
    entry: dict[str, Any] = orjson.loads(body)
    patterns: Sequence[Sequence[Sequence[str]]] = entry.pop("patterns")
    if not entry["note"]:
        entry.pop("note")
    entry["persons"] = [
        {"person": person, **dict(zip(EFFECTS, patterns[pattern], strict=True))} for person, pattern in entry["persons"]
    ]
    entry["time"] = _iso(entry["time"])
    return entry


def _iso(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
