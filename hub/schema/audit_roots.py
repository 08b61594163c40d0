"""The auditors' root fields for the engine. What they looked at goes into the entry of the operation."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from hub.audit.checkpoints import Stored
from hub.audit.kinds import Kind
from hub.audit.leaf import pack_header
from hub.audit.queries import EntryFilter
from hub.auditing.desk import AuditArgumentError, AuditDesk, Reader, Trace, checked
from hub.auth.decision import DenialCode
from hub.clock import microseconds, moment_of
from hub.engine.execute import FieldCall
from hub.errors import ForbiddenError, RequestError
from hub.gateway.reading import Denied
from hub.schema.context import OperationContext

_NULLABLE = (
    "requestId",
    "agency",
    "client",
    "officer",
    "onBehalfOf",
    "approver",
    "role",
    "purpose",
    "operation",
    "document",
    "parent",
)
_FIGURES = ("policyDigest", "outcome", "code", "cost", "latencyMs", "answerBytes", "answerDigest")


class AuditFetcher:
    """All fields that read the log. A caller who may not gets null, and `extensions.hub.denied` says so."""

    FIELDS = ("auditEntries", "auditCheckpoint", "auditProof", "auditStatistics", "auditStatus", "subjectReport")

    def __init__(self, desk: AuditDesk) -> None:
        self._desk = desk
        self._answers: Mapping[str, Callable[[Reader, Mapping[str, Any], Trace], Awaitable[Any]]] = {
            "auditEntries": self._entries,
            "auditCheckpoint": self._checkpoint,
            "auditProof": self._proof,
            "auditStatistics": self._statistics,
            "auditStatus": self._status,
            "subjectReport": self._subject,
        }

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        return [[await self._one(context, call)] * len(call.parents) for call in calls]

    async def _one(self, context: OperationContext, call: FieldCall) -> Any:
        name, reading, trace = call.field.name, context.reading, Trace()
        reader = Reader(principal=context.principal, purpose=context.purpose)
        try:
            value = await self._answers[name](reader, call.arguments, trace)
        except ForbiddenError:
            reading.denied.add(Denied(coordinate=f"Query.{name}", code=DenialCode.FIELD_DENIED))
            return None
        except RequestError as error:
            return error
        reading.kind = trace.kind if reading.kind is not Kind.SUBJECT_REPORT else reading.kind
        reading.looked_at |= {f"{name}.{key}": text for key, text in trace.looked_at.items()} or {name: ""}
        reading.note |= trace.note
        reading.policies.update(self._desk.allows(reader, name))
        held = {person for person, _ in reading.access}
        reading.access += [item for item in trace.access() if item[0] not in held]
        return value

    async def _entries(self, reader: Reader, arguments: Mapping[str, Any], trace: Trace) -> Any:
        self._desk.demand(reader, "auditEntries")
        wanted = filter_of(self._desk, arguments.get("filter") or {})
        first = arguments.get("first")
        page = await self._desk.entries(
            reader, wanted, trace, first=20 if first is None else first, after=arguments.get("after")
        )
        return {
            "edges": [
                {"cursor": cursor, "node": _entry(shown)}
                for cursor, shown in zip(page.cursors, page.entries, strict=True)
            ],
            "page_info": {"has_next_page": page.more, "end_cursor": page.end},
        }

    async def _checkpoint(self, reader: Reader, _arguments: Mapping[str, Any], _trace: Trace) -> Any:
        stored = await self._desk.checkpoint(reader)
        return _checkpoint(stored) if stored else None

    async def _proof(self, reader: Reader, arguments: Mapping[str, Any], trace: Trace) -> Any:
        found = await self._desk.proof(reader, arguments["entry"], trace)
        if found is None:
            return None
        row = found.entry
        header = None
        if row.body is not None:
            header = pack_header(
                kind=row.kind, length=len(row.body), seq=row.seq, time_us=row.time_us, entry_id=row.entry_id
            )
        return {
            "entry": row.entry_id,
            "index": str(found.index),
            "header": _b64(header) if header is not None else None,
            "body": _b64(row.body) if row.body is not None else None,
            "leaf": _b64(row.leaf),
            "hashes": [_b64(one) for one in found.hashes],
            "checkpoint": _checkpoint(found.checkpoint),
        }

    async def _statistics(self, reader: Reader, arguments: Mapping[str, Any], trace: Trace) -> Any:
        start = arguments.get("from", arguments.get("from_"))
        assert start is not None
        rows = await self._desk.statistics(reader, trace, from_us=_us(start), to_us=_us(arguments["to"]))
        names = ("agency", "purpose", "outcome", "entries", "persons")
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def _status(self, reader: Reader, _arguments: Mapping[str, Any], _trace: Trace) -> Any:
        status = await self._desk.status(reader)
        return {
            "from_": _moment(status.from_us),
            "to": _moment(status.to_us),
            "entries": str(status.entries),
            "last_anchored_at": _moment(status.checkpoint_us),
            "anchored": str(status.checkpointed),
            "last_witnessed_at": _moment(status.witnessed_us),
            "witnessed": str(status.witnessed),
            "lag": status.lag,
        }

    async def _subject(self, reader: Reader, arguments: Mapping[str, Any], trace: Trace) -> Any:
        self._desk.demand(reader, "subjectReport")
        person = _person(self._desk, arguments["person"])
        report = await self._desk.subject_report(reader, person, trace, after=arguments.get("after"))
        accesses = [
            {
                "entry": one.entry,
                "time": datetime.fromisoformat(one.time),
                "agency": one.agency,
                "purpose": one.purpose,
                "text": asdict(one.text),
            }
            for one in report.accesses
        ]
        return {
            "person": report.person,
            "accesses": accesses,
            "delayed": [asdict(one) for one in report.delayed],
            "page_info": {"has_next_page": report.more, "end_cursor": report.end},
        }


def filter_of(desk: AuditDesk, given: Mapping[str, Any]) -> EntryFilter:
    """Raises AuditArgumentError: a kind, decision, outcome, coordinate or number that cannot be one."""
    kind = given.get("kind")
    if kind is not None and kind not in list(Kind):
        raise AuditArgumentError("`kind` is none of the catalogue.")
    start, end = given.get("from", given.get("from_")), given.get("to")
    names = ("officer", "agency", "coordinate", "decision", "purpose", "case", "outcome")
    return checked(
        EntryFilter(
            person=_person(desk, given["person"]) if given.get("person") else None,
            kind=Kind(kind) if kind else None,
            from_us=_us(start) if start else None,
            to_us=_us(end) if end else None,
            **{name: given.get(name) for name in names},
        )
    )


def _person(desk: AuditDesk, given: Mapping[str, Any]) -> str:
    pseudonym = given.get("pseudonym")
    if pseudonym is not None:
        return str(pseudonym)
    return desk.person_of(given.get("identityNumber") or given.get("identity_number") or "")


def _entry(shown: Mapping[str, Any]) -> dict[str, Any]:
    """From names of the log to names of the types."""
    return {
        "id": shown["id"],
        "number": str(shown["seq"]),
        "time": datetime.fromisoformat(shown["time"]),
        "kind": shown["kind"],
        "removed": shown.get("removed", False),
        "cases": shown.get("case", []),
        "persons": [{**one, "facts": (one.get("facts") or "").split()} for one in shown.get("persons", [])],
        "sources": [{_snake(name): value for name, value in one.items()} for one in shown.get("sources", [])],
        "looked_at": [{"name": name, "value": value} for name, value in sorted(shown.get("lookedAt", {}).items())],
        "policies": shown.get("policies", []),
        **{_snake(name): shown.get(name) for name in (*_NULLABLE, *_FIGURES)},
    }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _checkpoint(stored: Stored) -> dict[str, Any]:
    return {
        "origin": stored.checkpoint.origin,
        "size": str(stored.checkpoint.size),
        "root": _b64(stored.checkpoint.root),
        "time": _moment(stored.time_us),
        "witnesses": stored.witnesses,
        "note": bytes(stored.note).decode(),
    }


def _b64(data: bytes) -> str:
    return b64encode(bytes(data)).decode()


def _us(moment: datetime) -> int:
    """Microseconds since 1970; a time without zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return microseconds(aware)


def _moment(us: int | None) -> datetime | None:
    return moment_of(us) if us is not None else None
