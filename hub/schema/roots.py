"""The root fields of Query for the engine: all that read persons share one fetcher, so that they are read together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.clock import CHINA
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.engine.execute import FieldCall
from hub.errors import RequestError
from hub.gateway.reading import Ask, AskAnswer, Listing, Lookup, LookupKind
from hub.schema.context import OperationContext
from hub.schema.shapes import PersonShapes
from hub.schema.structure import Viewer

MAX_PERSONS = 100
MAX_OFFSET = 10_000
DEFAULT_FIRST = 20


class ArgumentError(RequestError):
    """An argument is out of its bounds; `public` says which bound."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public  # type: ignore[misc]  # a template of our own, without the caller's value


class PeopleFetcher:
    """`person`, `persons`, `node` and `people`: whatever their number, one read."""

    FIELDS = ("person", "persons", "node", "people")

    def __init__(self, shapes: PersonShapes) -> None:
        self._shapes = shapes

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        asks: list[Ask | Exception] = [_ask(call) for call in calls]
        answers = iter(await context.read([ask for ask in asks if isinstance(ask, Ask)]))
        columns: list[Sequence[Any]] = []
        for call, ask in zip(calls, asks, strict=True):
            value = ask if isinstance(ask, Exception) else self._value(call, next(answers))
            columns.append([value] * len(call.parents))
        return columns

    def _value(self, call: FieldCall, answer: AskAnswer) -> Any:
        for view in answer.persons:
            if view is not None:
                self._shapes.prepare(view.bound)
        if call.field.name == "people":
            return _page(answer)
        return list(answer.persons) if call.field.name == "persons" else answer.persons[0]


def viewer(context: OperationContext, call: FieldCall) -> Sequence[Viewer]:
    principal = context.principal
    value = Viewer(
        agency=principal.agency,
        role=principal.role,
        officer=principal.officer,
        client=principal.client,
        regions=list(principal.regions),
        purposes=sorted(principal.purposes),
        expires_at=datetime.fromtimestamp(principal.expires_at, CHINA),
    )
    return [value] * len(call.parents)


def _ask(call: FieldCall) -> Ask | Exception:
    """What the field asks for, or why its arguments cannot be taken."""
    arguments, coordinates, name = call.arguments, call.field.coordinates, call.field.name
    try:
        if name == "people":
            return Ask(field=name, listing=_listing(arguments), coordinates=coordinates)
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
    return Ask(field=name, lookups=lookups, coordinates=coordinates)


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
