"""Cases, tasks and changes for the engine: the rules say who may see them; given is what lies in their regions."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

import msgspec

from hub.audit.entry import Pattern
from hub.auth.principal import Principal
from hub.casework.case_view import CaseView
from hub.casework.deadline import Light
from hub.casework.handover import HandoverForm
from hub.casework.queries import CaseFilter, CaseOrder, CaseRow, TaskFilter, TaskRow
from hub.engine.execute import FieldCall
from hub.events.outbox import Event
from hub.events.places import BEGINNING, Places
from hub.schema.context import OperationContext
from hub.schema.roots import DEFAULT_FIRST, MAX_PERSONS, ArgumentError
from hub.schema.ruled_roots import MEMBER_KIND, Ids, Names, RuledRoots, Rules

CURSORS = {"caseload": "C", "tasks": "T"}
HELPED = "Case"


class Cases(Protocol):
    async def caseload(
        self, wanted: CaseFilter, order: CaseOrder, *, first: int, after: tuple[date, str] | None
    ) -> tuple[CaseRow, ...]: ...

    async def count(self, wanted: CaseFilter) -> int: ...

    async def tasks(
        self, wanted: TaskFilter, today: date, *, first: int, after: tuple[date, str] | None
    ) -> tuple[TaskRow, ...]: ...


class Reads(Protocol):
    async def case(self, principal: Principal, case_id: str) -> tuple[str, CaseView] | None:
        """The person's id and the case, if it is the caller's."""
        ...


class Forms(Protocol):
    async def form(self, principal: Principal, case_id: str) -> tuple[str, HandoverForm] | None:
        """The person's id and the form of the hand-over, if the case is the caller's and is so far."""
        ...


class Feeds(Protocol):
    async def after(
        self, position: int, *, recipient: str, regions: Sequence[str] | None, first: int
    ) -> tuple[Event, ...]: ...


class Today(Protocol):
    def __call__(self) -> date: ...


class CaseFetcher(RuledRoots):
    """`case`, `caseload`, `tasks` and `changes`; each person in a list stands in the audit entry."""

    FIELDS = ("case", "handoverForm", "caseload", "tasks", "changes")

    def __init__(
        self,
        *,
        cases: Cases,
        reads: Reads,
        forms: Forms,
        feed: Feeds,
        rules: Rules,
        ids: Ids,
        names: Names,
        today: Today,
    ) -> None:
        answers = {
            "case": self._case,
            "handoverForm": self._form,
            "caseload": self._caseload,
            "tasks": self._tasks,
            "changes": self._changes,
        }
        super().__init__(rules, answers)
        self._forms = forms
        self._cases = cases
        self._reads = reads
        self._feed = feed
        self._ids = ids
        self._places = Places(ids)
        self._names = names
        self._today = today

    async def _case(self, context: OperationContext, call: FieldCall) -> CaseView | None:
        found = await self._reads.case(context.asker.principal, str(call.arguments["id"]).partition(".")[0])
        if found is None:
            return None
        self._note(context, call, [found[0]])
        return found[1]

    async def _form(self, context: OperationContext, call: FieldCall) -> HandoverForm | None:
        found = await self._forms.form(context.asker.principal, str(call.arguments["case"]).partition(".")[0])
        if found is None:
            return None
        self._note(context, call, [found[0]])
        return found[1]

    async def _caseload(self, context: OperationContext, call: FieldCall) -> Any:
        principal, given = context.asker.principal, call.arguments.get("filter") or {}
        first = _first(call)
        wanted = CaseFilter(
            regions=principal.regions,
            region=given.get("region"),
            states=tuple(given.get("states") or ()),
            ended=given.get("ended"),
            key_person=given.get("keyPerson", given.get("key_person")),
            office=given.get("office"),
            joint=bool(given.get("joint")),
        )
        order = call.arguments.get("orderBy") or CaseOrder.RELEASE_DATE
        after = self._after(principal, "caseload", call.arguments.get("after"))
        rows = await self._cases.caseload(wanted, CaseOrder(order), first=first, after=after)
        page = rows[:first]
        self._note(context, call, [row.person_id for row in page])
        counted = await self._cases.count(wanted) if "CaseConnection.totalCount" in call.field.coordinates else 0
        nodes = [
            {
                **_fields(row),
                "id": row.case_id,
                "accountable_office": row.accountable,
                "pending_office": row.pending,
                "person": self._person(principal, row.person_id),
            }
            for row in page
        ]
        connection = self._connection(principal, "caseload", nodes, [row.place for row in page], len(rows) > first)
        return {**connection, "total_count": counted}

    async def _tasks(self, context: OperationContext, call: FieldCall) -> Any:
        principal, given = context.asker.principal, call.arguments.get("filter") or {}
        first = _first(call)
        wanted = TaskFilter(
            regions=principal.regions,
            region=given.get("region"),
            steps=tuple(given.get("steps") or ()),
            office=given.get("office"),
            due_until=given.get("dueUntil", given.get("due_until")),
            lights=tuple(Light(light) for light in given.get("lights") or ()),
        )
        after = self._after(principal, "tasks", call.arguments.get("after"))
        rows = await self._cases.tasks(wanted, self._today(), first=first, after=after)
        page = rows[:first]
        self._note(context, call, [row.person_id for row in page])
        nodes = [
            {
                **_fields(row),
                "id": row.task_id,
                "case": row.case_id,
                "rule": row.rule_id,
                "person": self._person(principal, row.person_id),
            }
            for row in page
        ]
        return self._connection(principal, "tasks", nodes, [row.place for row in page], len(rows) > first)

    async def _changes(self, context: OperationContext, call: FieldCall) -> Any:
        principal = context.asker.principal
        after = self._places.open(principal.agency, call.arguments.get("after") or BEGINNING)
        if after is None:
            raise ArgumentError("This place does not belong to this feed.")
        events = await self._feed.after(
            after, recipient=principal.agency, regions=principal.regions, first=_first(call)
        )
        return {
            "changes": [
                {
                    "position": self._places.seal(principal.agency, event.position),
                    "kind": event.kind,
                    "case": event.body.get("case"),
                    "office": event.office,
                    "happened_at": datetime.fromtimestamp(event.happened_us / 1_000_000, UTC),
                }
                for event in events
            ],
            "position": self._places.seal(principal.agency, events[-1].position if events else after),
        }

    def _note(self, context: OperationContext, call: FieldCall, persons: Sequence[str]) -> None:
        pattern = Pattern(full=tuple(sorted(call.field.coordinates)))
        named = [(self._names.of("member", person), pattern) for person in dict.fromkeys(persons)]
        context.reading.access.extend(named)

    def _person(self, principal: Principal, person_id: str) -> str:
        return self._ids.seal(principal.agency, MEMBER_KIND, person_id)

    def _connection(
        self, principal: Principal, name: str, nodes: Sequence[Any], places: Sequence[tuple[date, str]], more: bool
    ) -> dict[str, Any]:
        seal = self._ids.seal
        cursors = [seal(principal.agency, CURSORS[name], f"{day.isoformat()} {item}") for day, item in places]
        return {
            "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)],
            "page_info": {"has_next_page": more, "end_cursor": cursors[-1] if cursors else None},
        }

    def _after(self, principal: Principal, name: str, text: str | None) -> tuple[date, str] | None:
        if text is None:
            return None
        opened = self._ids.open(principal.agency, text)
        if opened is None or opened[0] != CURSORS[name]:
            raise ArgumentError("This cursor does not belong to this list.")
        day, _, item = opened[1].partition(" ")
        return date.fromisoformat(day), item


def _first(call: FieldCall) -> int:
    first = call.arguments.get("first")
    first = DEFAULT_FIRST if first is None else first
    if not 1 <= first <= MAX_PERSONS:
        raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
    return int(first)


def _fields(row: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(row)
