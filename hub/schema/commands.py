"""Commands and their lists for the engine: from coerced arguments to a call, from what it came to back to GraphQL.

Commands of one operation run one after the other, in the order of the document (GraphQL, section 6.2.2).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from hub.audit.entry import Pattern
from hub.auth.decision import DenialCode
from hub.auth.principal import Principal
from hub.casework.case_view import of_kept
from hub.casework.commands import Call, ProblemCode, Subject
from hub.casework.reviews import AccessPage, AccessView, moment_of
from hub.casework.runner import Done
from hub.domain.commands import AUDIT_COMMANDS, COMMANDS, STATUTORY_COMMANDS
from hub.engine.execute import FieldCall
from hub.gateway.reading import Asker, Denied, Lookup
from hub.gateway.subjects import NamedPerson
from hub.schema.audit_exports import ExportFetcher
from hub.schema.casework import Case
from hub.schema.context import OperationContext
from hub.schema.desk import (
    SUCCESSES,
    VERBS,
    AccessReceipt,
    AccessRequest,
    AccessRequestConnection,
    AccessRequestEdge,
    AccessReview,
    AccessState,
    ConsentReceipt,
    Problem,
    ReviewFinding,
    ReviewState,
)
from hub.schema.identity_types import IdentityReviewReceipt
from hub.schema.oversight import Base, CorrectionReceipt, SupervisionReceipt, WebhookReceipt
from hub.schema.problem import Problematic
from hub.schema.roots import DEFAULT_FIRST, MAX_PERSONS, ArgumentError, lookup_of
from hub.schema.statutory import StatutoryFetcher
from hub.schema.structure import PageInfo
from hub.schema.verb import Verb

_VERBS = {verb.name: verb for verb in VERBS}
CURSOR_KIND = "a"
LISTED = Pattern(masked=("AccessRequest.subject",))
"""What the lists tell of a person, for the audit entry."""
_DATED: Mapping[Any, tuple[str, ...]] = {
    SupervisionReceipt: ("due",),
    CorrectionReceipt: ("due",),
    Base: ("certified_until",),
    WebhookReceipt: (),
    IdentityReviewReceipt: (),
}
"""Receipts that are kept as they are shown, and which of their members are days."""


class Runs(Protocol):
    async def run(self, call: Call) -> Done: ...


class Finds(Protocol):
    async def of(self, asker: Asker, lookup: Lookup) -> NamedPerson | None: ...

    async def of_case(self, asker: Asker, case_id: str) -> NamedPerson | None: ...

    async def of_review(self, asker: Asker, review_id: str) -> NamedPerson | None: ...


class Lists(Protocol):
    async def requests(
        self, principal: Principal, purpose: str, first: int, after: str | None
    ) -> AccessPage | None: ...

    async def reviews(
        self, principal: Principal, purpose: str, first: int, after: str | None, *, only_open: bool
    ) -> AccessPage | None: ...


class Cursors(Protocol):
    def seal(self, agency: str, kind: str, payload: str) -> str: ...

    def open(self, agency: str, text: str) -> tuple[str, str] | None: ...


class CommandFetcher:
    """All fields of Mutation."""

    FIELDS = COMMANDS

    def __init__(
        self,
        runner: Runs,
        subjects: Finds,
        statutory: StatutoryFetcher | None = None,
        exports: ExportFetcher | None = None,
    ) -> None:
        self._runner = runner
        self._subjects = subjects
        self._statutory = statutory
        self._exports = exports

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        columns: list[Sequence[Any]] = []
        for call in calls:
            try:
                value: Any = await self._one(context, call.field.name, call.arguments["input"])
            except ArgumentError as error:
                value = error
            columns.append([value] * len(call.parents))
        return columns

    async def _one(self, context: OperationContext, name: str, given: Mapping[str, Any]) -> Any:
        verb, asker = _VERBS[name], context.asker
        if name in (*STATUTORY_COMMANDS, *AUDIT_COMMANDS):
            return await self._elsewhere(context, verb, given)
        subject = None
        field = "person" if verb.about_person else "case" if verb.about_case else "review"
        if verb.about_person or verb.about_case or verb.about_review:
            found = await self._find(asker, verb, given[field])
            if found is None:
                return Problem(code=ProblemCode.NOT_FOUND, field=field, message=f"There is no such {field}.")
            subject = _subject(found, opens=verb.opens)
            context.reading.access.extend((one.key, Pattern()) for one in (subject, *subject.others))
        done = await self._runner.run(
            Call(
                name=name,
                mutation_id=given["clientMutationId"],
                given={key: _plain(value) for key, value in given.items() if key != "clientMutationId"},
                principal=asker.principal,
                purpose=asker.purpose,
                cases=asker.cases,
                request_id=context.request_id,
                document=context.document,
                subject=subject,
            )
        )
        context.reading.policies.update(done.policies)
        if done.denied:
            context.reading.denied.add(Denied(coordinate=f"Mutation.{name}", code=DenialCode.FIELD_DENIED))
        return _result(name, given["clientMutationId"], done)

    async def _elsewhere(self, context: OperationContext, verb: Verb, given: Mapping[str, Any]) -> Any:
        """Commands that change no case: towards the vault, and of auditors."""
        assert self._statutory is not None
        assert self._exports is not None
        plain = {key: _plain(value) for key, value in given.items()}
        try:
            if verb.name in AUDIT_COMMANDS:
                receipt = await self._exports.command(context, given)
            else:
                receipt = await self._statutory.command(context, verb.name, plain)
        except Problematic as problem:
            return Problem(code=problem.code, field=problem.field, message=problem.text)
        success = SUCCESSES[verb.name]
        entry = receipt.pop("entry")
        return success(client_mutation_id=plain["clientMutationId"], audit_entry=entry, **{verb.receipt_name: receipt})

    async def _find(self, asker: Asker, verb: Verb, given: Any) -> NamedPerson | None:
        if verb.about_person:
            return await self._subjects.of(asker, lookup_of(given))
        if verb.about_review:
            return await self._subjects.of_review(asker, str(given))
        return await self._subjects.of_case(asker, str(given).partition(".")[0])


class ListFetcher:
    """`accessRequests` and `accessReviews`."""

    FIELDS = ("accessRequests", "accessReviews")

    def __init__(self, lists: Lists, cursors: Cursors) -> None:
        self._lists = lists
        self._cursors = cursors

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        columns: list[Sequence[Any]] = []
        for call in calls:
            try:
                value: Any = await self._one(context, call)
            except ArgumentError as error:
                value = error
            columns.append([value] * len(call.parents))
        return columns

    async def _one(self, context: OperationContext, call: FieldCall) -> Any:
        principal, purpose, name = context.asker.principal, context.asker.purpose, call.field.name
        first = call.arguments.get("first")
        first = DEFAULT_FIRST if first is None else first
        if not 1 <= first <= MAX_PERSONS:
            raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
        after = self._opened(principal, name, call.arguments.get("after"))
        if name == "accessRequests":
            page = await self._lists.requests(principal, purpose, first, after)
        else:
            only_open = call.arguments.get("open") is not False
            page = await self._lists.reviews(principal, purpose, first, after, only_open=only_open)
        if page is None:
            context.reading.denied.add(Denied(coordinate=f"Query.{name}", code=DenialCode.FIELD_DENIED))
            return None
        context.reading.access.extend((view.key, LISTED) for view in page.views)
        seal = self._cursors.seal
        edges = [
            AccessRequestEdge(cursor=seal(principal.agency, CURSOR_KIND + name[6], view.place), node=_access(view))
            for view in page.views
        ]
        end = edges[-1].cursor if edges else None
        return AccessRequestConnection(
            edges=edges, page_info=PageInfo(has_next_page=page.has_next_page, end_cursor=end)
        )

    def _opened(self, principal: Principal, name: str, text: str | None) -> str | None:
        if text is None:
            return None
        opened = self._cursors.open(principal.agency, text)
        if opened is None or opened[0] != CURSOR_KIND + name[6]:
            raise ArgumentError("This cursor does not belong to this list.")
        return opened[1]


def _subject(found: NamedPerson, *, opens: bool) -> Subject:
    others = tuple(_subject(one, opens=opens) for one in found.others)
    member = found.member or (found.held if opens else None)
    return Subject(key=found.key, member=member, number=found.number, facts=found.facts, others=others)


def _plain(value: Any) -> Any:
    """Coerced input as JSON."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _result(name: str, mutation_id: str, done: Done) -> Any:
    if done.problem is not None:
        problem = done.problem
        return Problem(code=ProblemCode(problem["code"]), field=problem["field"], message=problem["message"])
    assert done.receipt is not None
    verb = _VERBS[name]
    made = _receipt(verb.receipt_type, done.receipt)
    return SUCCESSES[name](client_mutation_id=mutation_id, audit_entry=done.entry_id, **{verb.receipt_name: made})


def _receipt(kind: Any, held: Mapping[str, Any]) -> Any:
    if kind is AccessReceipt:
        return AccessReceipt(
            id=held["id"],
            state=AccessState(held["state"]),
            coordinates=held["coordinates"],
            minutes=held["minutes"],
            requested_at=moment_of(held["requested_us"]),
            valid_until=_moment(held["valid_until_us"]),
            review_due=_moment(held["review_due_us"]),
        )
    if kind is Case:
        return of_kept(held)
    if kind in _DATED:
        days = {name: date.fromisoformat(held[name]) if held[name] else None for name in _DATED[kind]}
        return {**held, **days}
    return ConsentReceipt(
        agency=held["agency"],
        purpose=held["purpose"],
        scope=held["scope"],
        from_=date.fromisoformat(held["from"]) if held["from"] else None,
        to=date.fromisoformat(held["to"]) if held["to"] else None,
        given_at=moment_of(held["given_us"]),
        withdrawn_at=_moment(held["withdrawn_us"]),
    )


def _moment(value_us: int | None) -> datetime | None:
    return None if value_us is None else moment_of(value_us)


def _access(view: AccessView) -> AccessRequest:
    review = view.review
    return AccessRequest(
        id=view.id,  # type: ignore[arg-type]  # an ID is text
        state=AccessState(view.state),
        agency=view.agency,
        officer=view.officer,
        on_behalf_of=view.on_behalf_of,
        role=view.role,
        purpose=view.purpose,
        subject=view.subject,
        coordinates=list(view.coordinates),
        minutes=view.minutes,
        reason=view.reason,
        requested_at=view.requested_at,
        approver=view.approver,
        approver_on_behalf_of=view.approver_on_behalf_of,
        decided_at=view.decided_at,
        decision_reason=view.decision_reason,
        valid_until=view.valid_until,
        withdrawn_at=view.withdrawn_at,
        review=None
        if review is None
        else AccessReview(
            state=ReviewState(review.state),
            due_at=review.due_at,
            overdue=review.overdue,
            reviewer=review.reviewer,
            closed_at=review.closed_at,
            finding=None if review.finding is None else ReviewFinding(review.finding),
            note=review.note,
        ),
    )
