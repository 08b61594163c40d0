"""The root of the graph. A root field names persons; the operation's one loader reads all of them together."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from hub.clock import CHINA
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.errors import RequestError
from hub.gateway.reading import Ask, AskAnswer, Listing, Lookup, LookupKind, PersonView
from hub.schema.context import OperationContext
from hub.schema.person import person_value
from hub.schema.records import RecordTypes
from hub.schema.structure import Node, PageInfo, PersonLookup, Viewer

MAX_PERSONS = 100
MAX_OFFSET = 10_000


class ArgumentError(RequestError):
    """An argument is out of its bounds; `public` says which bound."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public  # type: ignore[misc]  # a template of our own, without the caller's value


def build_query(types: RecordTypes, sex: Any) -> Any:
    """The `Query` type over the generated person type."""
    person_type: Any = types.person
    filter_type = _people_filter(sex)
    connection_type = _connection(person_type)

    async def person(info: Info, lookup: PersonLookup) -> Any:
        answer = await _load(info, lookups=(_lookup(lookup),))
        return _value(info, answer.persons[0])

    async def persons(info: Info, ids: list[strawberry.ID]) -> Any:
        if len(ids) > MAX_PERSONS:
            raise ArgumentError(f"At most {MAX_PERSONS} ids.")
        answer = await _load(info, lookups=tuple(Lookup(kind=LookupKind.ID, text=str(text)) for text in ids))
        return [_value(info, view) for view in answer.persons]

    async def node(info: Info, id: strawberry.ID) -> Any:  # the argument's name is GraphQL's own
        answer = await _load(info, lookups=(Lookup(kind=LookupKind.ID, text=str(id)),))
        return _value(info, answer.persons[0])

    async def people(
        info: Info,
        filter: Annotated[Any, strawberry.argument()] = None,
        first: int | None = 20,
        after: str | None = None,
        offset: int | None = 0,
    ) -> Any:
        first = 20 if first is None else first
        offset = offset or 0
        if not 1 <= first <= MAX_PERSONS:
            raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
        if not 0 <= offset <= MAX_OFFSET:
            raise ArgumentError(f"`offset` is from 0 to {MAX_OFFSET}.")
        listing = Listing(
            region=(filter.region or None) if filter else None,
            sex=filter.sex.value if filter and filter.sex else None,
            first=first,
            after=after,
            offset=offset,
        )
        return _page(info, await _load(info, listing=listing))

    people.__annotations__["filter"] = filter_type | None

    def viewer(info: Info) -> Viewer:
        return _viewer(info)

    members = {
        "person": _root(person, person_type | None, "One person. / 查询一人。"),
        "persons": _root(persons, list[person_type | None], "Persons by id, in order. / 按标识批量查询。"),
        "people": _root(people, connection_type | None, "Persons in your jurisdiction. / 辖区内人员列表。"),
        "node": _root(node, Node | None, "Anything by its id. / 按标识取对象。"),
        "viewer": _root(viewer, Viewer, "Who you are. / 当前请求者。"),
    }
    return strawberry.type(
        type("Query", (), {"__annotations__": {}, "__module__": __name__, **members}),
        description="What agencies know about people released from prison, as far as you may see it. / 查询入口。",
    )


def _root(resolver: Any, graphql_type: Any, description: str) -> Any:
    return strawberry.field(resolver=resolver, graphql_type=graphql_type, description=description)


def _people_filter(sex: Any) -> Any:
    body = {
        "__annotations__": {"region": str | None, "sex": sex | None},
        "__module__": __name__,
        "region": strawberry.field(default=None, description="Region prefix, GB/T 2260. / 行政区划代码前缀。"),
        "sex": strawberry.field(default=None, description="GB/T 2261.1. / 性别。"),
    }
    return strawberry.input(type("PeopleFilter", (), body), description="Which persons to list. / 列表条件。")


def _connection(person_type: Any) -> Any:
    edge = strawberry.type(
        type(
            "PersonEdge",
            (),
            {
                "__annotations__": {"cursor": str, "node": person_type | None},
                "__module__": __name__,
                "cursor": strawberry.field(description="Place of this person in the list. / 游标。"),
                "node": strawberry.field(description="The person. / 人员。"),
            },
        ),
        description="A person in a list. / 列表项。",
    )
    body = {
        "__annotations__": {"total_count": int, "edges": list[edge], "page_info": PageInfo},  # type: ignore[valid-type]
        "__module__": __name__,
        "total_count": strawberry.field(description="Persons in the whole list. / 总数。"),
        "edges": strawberry.field(description="This page. / 本页。"),
        "page_info": strawberry.field(description="Where this page ends. / 分页信息。"),
    }
    return strawberry.type(type("PersonConnection", (), body), description="A page of persons. / 人员分页。")


def _lookup(lookup: PersonLookup) -> Lookup:
    if lookup.id not in (None, strawberry.UNSET):
        return Lookup(kind=LookupKind.ID, text=str(lookup.id))
    if lookup.case_number not in (None, strawberry.UNSET):
        return Lookup(kind=LookupKind.CASE_NUMBER, text=str(lookup.case_number))
    try:
        number = IdentityNumber.parse(str(lookup.identity_number))
    except IdentityNumberError as exc:
        raise ArgumentError("This is not a valid identity number.") from exc
    return Lookup(kind=LookupKind.IDENTITY_NUMBER, text=str(number))


async def _load(info: Info, *, lookups: tuple[Lookup, ...] = (), listing: Listing | None = None) -> AskAnswer:
    context: OperationContext = info.context
    coordinates = context.asked[info.path.key]  # type: ignore[index]  # a root field's key is its response key
    return await context.people.load(
        Ask(field=info.field_name, lookups=lookups, listing=listing, coordinates=coordinates)
    )


def _value(info: Info, view: PersonView | None) -> dict[str, object] | None:
    context: OperationContext = info.context
    return None if view is None else person_value(view, context.asked[info.path.key])  # type: ignore[index]


def _page(info: Info, answer: AskAnswer) -> dict[str, object] | None:
    if answer.page is None:
        return None
    cursors = answer.page.cursors
    return {
        "total_count": answer.page.total_count,
        "edges": [
            {"cursor": cursor, "node": _value(info, view)} for cursor, view in zip(cursors, answer.persons, strict=True)
        ],
        "page_info": {"has_next_page": answer.page.has_next_page, "end_cursor": cursors[-1] if cursors else None},
    }


def _viewer(info: Info) -> Viewer:
    context: OperationContext = info.context
    principal = context.principal
    return Viewer(
        agency=principal.agency,
        role=principal.role,
        officer=principal.officer,
        client=principal.client,
        regions=list(principal.regions),
        purposes=sorted(principal.purposes),
        expires_at=datetime.fromtimestamp(principal.expires_at, CHINA),
    )
