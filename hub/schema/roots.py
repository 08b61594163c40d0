"""The root fields of Query for the engine: all that read persons share one fetcher, so that they are read together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.clock import CHINA
from hub.connectors.base import Moment
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.engine.execute import FieldCall
from hub.errors import RequestError
from hub.gateway.plan import ACCESS
from hub.gateway.reading import Ask, AskAnswer, Listing, Lookup, LookupKind
from hub.schema.access import AccessDesk
from hub.schema.context import OperationContext
from hub.schema.shapes import PersonShapes
from hub.schema.structure import Viewer

MAX_PERSONS = 100
MAX_OFFSET = 10_000
DEFAULT_FIRST = 20
MAX_EXPLAINED = 100
MAX_COORDINATE = 100
EXPLAIN = "explainAccess"
MAX_MOMENTS = 4
"""Times that one operation may ask about, now among them: each costs a call per agency."""


class ArgumentError(RequestError):
    """An argument is out of its bounds; `public` says which bound."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public  # type: ignore[misc]  # a template of our own, without the caller's value


class PeopleFetcher:
    """`person`, `persons`, `node`, `people` and `explainAccess`: whatever their number, one read."""

    FIELDS = ("person", "persons", "node", "people", EXPLAIN)

    def __init__(self, shapes: PersonShapes, desk: AccessDesk | None = None) -> None:
        self._shapes = shapes
        self._desk = desk

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        asks: list[Ask | Exception | None] = [_ask(call) for call in calls]
        if len({ask.at for ask in asks if isinstance(ask, Ask)}) > MAX_MOMENTS:
            asks = [ArgumentError(f"At most {MAX_MOMENTS} times in one operation.")] * len(calls)
        answers = iter(await context.read([ask for ask in asks if isinstance(ask, Ask)]))
        columns: list[Sequence[Any]] = []
        for call, ask in zip(calls, asks, strict=True):
            if isinstance(ask, Exception):
                value: Any = ask
            elif call.field.name == EXPLAIN:
                value = self._explained(context, call, next(answers) if ask is not None else None)
            else:
                value = self._value(call, next(answers))
            columns.append([value] * len(call.parents))
        return columns

    def _value(self, call: FieldCall, answer: AskAnswer) -> Any:
        for view in answer.persons:
            if view is not None:
                self._shapes.prepare(view.bound)
        if call.field.name == "people":
            return _page(answer)
        return list(answer.persons) if call.field.name == "persons" else answer.persons[0]

    def _explained(self, context: OperationContext, call: FieldCall, answer: AskAnswer | None) -> Any:
        assert self._desk is not None
        coordinates = call.arguments["coordinates"]
        context.reading.explained.update(coordinates)
        person = answer.persons[0] if answer is not None else None
        table = person.bound.plan.table if person is not None else None
        return self._desk.explain(context, coordinates, table, named=answer is not None)


def viewer(context: OperationContext, call: FieldCall) -> Sequence[Viewer]:
    principal = context.principal
    value = Viewer(
        agency=principal.agency,
        role=principal.role,
        officer=principal.officer,
        on_behalf_of=principal.on_behalf_of,
        client=principal.client,
        regions=list(principal.regions),
        purposes=sorted(principal.purposes),
        expires_at=datetime.fromtimestamp(principal.expires_at, CHINA),
    )
    return [value] * len(call.parents)


def _ask(call: FieldCall) -> Ask | Exception | None:
    """What the field asks for, or why its arguments cannot be taken; None where it names nobody."""
    arguments, coordinates, name = call.arguments, call.field.coordinates, call.field.name
    try:
        if name == "people":
            return Ask(field=name, listing=_listing(arguments), coordinates=coordinates)
        if name == EXPLAIN:
            return _explaining(arguments)
        if name == "person":
            lookups: tuple[Lookup, ...] = (lookup_of(arguments["lookup"]),)
        elif name == "node":
            lookups = (Lookup(kind=LookupKind.ID, text=arguments["id"]),)
        else:
            if len(arguments["ids"]) > MAX_PERSONS:
                raise ArgumentError(f"At most {MAX_PERSONS} ids.")
            lookups = tuple(Lookup(kind=LookupKind.ID, text=text) for text in arguments["ids"])
    except ArgumentError as error:
        return error
    try:
        return Ask(field=name, lookups=lookups, coordinates=coordinates, at=_moment(arguments))
    except ArgumentError as error:
        return error


def _moment(arguments: Mapping[str, Any]) -> Moment | None:
    """The time that is asked about; None: now."""
    valid, known = arguments.get("asOf"), arguments.get("knownAt")
    if any(given is not None and given.tzinfo is None for given in (valid, known)):
        raise ArgumentError("A time needs an offset.")
    return None if valid is None and known is None else Moment(valid=valid, known=known)


def _explaining(arguments: Mapping[str, Any]) -> Ask | None:
    coordinates = arguments["coordinates"]
    if len(coordinates) > MAX_EXPLAINED or any(len(name) > MAX_COORDINATE for name in coordinates):
        raise ArgumentError(f"At most {MAX_EXPLAINED} coordinates of at most {MAX_COORDINATE} characters.")
    given = arguments.get("person")
    if given is None:
        return None
    return Ask(field=EXPLAIN, lookups=(lookup_of(given),), coordinates=frozenset({ACCESS}))


def _listing(arguments: Mapping[str, Any]) -> Listing:
    first = arguments.get("first")
    first = DEFAULT_FIRST if first is None else first
    offset = arguments.get("offset") or 0
    if not 1 <= first <= MAX_PERSONS:
        raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
    if not 0 <= offset <= MAX_OFFSET:
        raise ArgumentError(f"`offset` is from 0 to {MAX_OFFSET}.")
    given = arguments.get("filter") or {}
    sex = given.get("sex")
    return Listing(
        region=given.get("region") or None,
        sex=getattr(sex, "value", sex),
        first=first,
        after=arguments.get("after"),
        offset=offset,
    )


def lookup_of(given: Mapping[str, Any]) -> Lookup:
    """What a `PersonLookup` names.

    Raises:
        ArgumentError: it is not a valid identity number.
    """
    if given.get("id") is not None:
        return Lookup(kind=LookupKind.ID, text=given["id"])
    if given.get("caseNumber") is not None:
        return Lookup(kind=LookupKind.CASE_NUMBER, text=given["caseNumber"])
    try:
        number = IdentityNumber.parse(given["identityNumber"])
    except IdentityNumberError as exc:
        raise ArgumentError("This is not a valid identity number.") from exc
    return Lookup(kind=LookupKind.IDENTITY_NUMBER, text=number.text)


def _page(answer: AskAnswer) -> dict[str, Any] | None:
    if answer.page is None:
        return None
    cursors = answer.page.cursors
    return {
        "total_count": answer.page.total_count,
        "edges": [{"cursor": cursor, "node": view} for cursor, view in zip(cursors, answer.persons, strict=True)],
        "page_info": {
            "has_next_page": answer.page.has_next_page,
            "end_cursor": cursors[-1] if cursors else None,
        },
    }
