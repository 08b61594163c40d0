"""The root of the graph as it is declared: fields, arguments, descriptions. `schema.roots` says what they do."""

from typing import Annotated, Any

import strawberry

from hub.schema.audit_types import audit_fields
from hub.schema.records import RecordTypes
from hub.schema.roots import DEFAULT_FIRST
from hub.schema.structure import Node, PageInfo, PersonLookup, Viewer


class ExecutedElsewhereError(TypeError):
    """A declared root field was called as a resolver: queries run in the engine (`schema.roots`), which calls none."""


def build_query(types: RecordTypes, sex: Any) -> Any:
    """The `Query` type over the generated person type."""
    person_type: Any = types.person
    filter_type = _people_filter(sex)
    connection_type = _connection(person_type)

    async def person(lookup: PersonLookup) -> Any:
        raise ExecutedElsewhereError

    async def persons(ids: list[strawberry.ID]) -> Any:
        raise ExecutedElsewhereError

    async def node(id: strawberry.ID) -> Any:  # the argument's name is GraphQL's own
        raise ExecutedElsewhereError

    async def people(
        filter: Annotated[Any, strawberry.argument()] = None,
        first: int | None = DEFAULT_FIRST,
        after: str | None = None,
        offset: int | None = 0,
    ) -> Any:
        raise ExecutedElsewhereError

    people.__annotations__["filter"] = filter_type | None

    def viewer() -> Viewer:
        raise ExecutedElsewhereError

    members = {
        "person": _root(person, person_type | None, "One person. / 查询一人。"),
        "persons": _root(persons, list[person_type | None], "Persons by id, in order. / 按标识批量查询。"),
        "people": _root(people, connection_type | None, "Persons in your jurisdiction. / 辖区内人员列表。"),
        "node": _root(node, Node | None, "Anything by its id. / 按标识取对象。"),
        "viewer": _root(viewer, Viewer, "Who you are. / 当前请求者。"),
        **audit_fields(),
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
