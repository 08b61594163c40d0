"""The root of the graph as it is declared: fields, arguments, descriptions. `schema.roots` says what they do."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from hub.casework.deadline import DueUnit
from hub.casework.queries import CaseOrder
from hub.schema.audit_export_types import export_fields
from hub.schema.audit_types import audit_fields
from hub.schema.casework import Case, CaseConnection, CaseFilter, ChangePage, HandoverForm, TaskConnection, TaskFilter
from hub.schema.desk import AccessRequestConnection
from hub.schema.identity_types import identity_fields
from hub.schema.oversight import (
    Base,
    Correction,
    DueForecast,
    MyDay,
    SupervisionOrder,
    WebhookDelivery,
    WebhookEndpoint,
    WhatIf,
)
from hub.schema.records import RecordTypes
from hub.schema.roots import DEFAULT_FIRST
from hub.schema.statutory_types import statutory_fields
from hub.schema.structure import AccessExplanation, ExecutedElsewhereError, Node, PageInfo, PersonLookup, Viewer

AsOf = Annotated[
    datetime | None, strawberry.argument(description="What was so at this time; default now. / 数据有效时点。")
]
KnownAt = Annotated[
    datetime | None,
    strawberry.argument(description="As it was known at this time; default now. / 数据知悉时点。"),
]


def build_query(types: RecordTypes, sex: Any) -> Any:
    """The `Query` type over the generated person type."""
    person_type: Any = types.person
    filter_type = _people_filter(sex)
    connection_type = _connection(person_type)

    async def person(lookup: PersonLookup, as_of: AsOf = None, known_at: KnownAt = None) -> Any:
        raise ExecutedElsewhereError

    async def persons(ids: list[strawberry.ID], as_of: AsOf = None, known_at: KnownAt = None) -> Any:
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

    async def explain_access(coordinates: list[str], person: PersonLookup | None = None) -> Any:
        raise ExecutedElsewhereError

    async def access_requests(first: int | None = DEFAULT_FIRST, after: str | None = None) -> Any:
        raise ExecutedElsewhereError

    async def access_reviews(
        open: bool | None = True, first: int | None = DEFAULT_FIRST, after: str | None = None
    ) -> Any:
        raise ExecutedElsewhereError

    async def case(id: strawberry.ID) -> Any:
        raise ExecutedElsewhereError

    async def handover_form(case: strawberry.ID) -> Any:
        raise ExecutedElsewhereError

    async def caseload(
        filter: CaseFilter | None = None,
        order_by: CaseOrder | None = CaseOrder.RELEASE_DATE,
        first: int | None = DEFAULT_FIRST,
        after: str | None = None,
    ) -> Any:
        raise ExecutedElsewhereError

    async def tasks(
        filter: TaskFilter | None = None, first: int | None = DEFAULT_FIRST, after: str | None = None
    ) -> Any:
        raise ExecutedElsewhereError

    async def changes(after: str | None = None, first: int | None = DEFAULT_FIRST) -> Any:
        raise ExecutedElsewhereError

    async def supervision_orders(open: bool | None = True) -> Any:
        raise ExecutedElsewhereError

    async def corrections(open: bool | None = True) -> Any:
        raise ExecutedElsewhereError

    async def my_day(first: int | None = DEFAULT_FIRST) -> Any:
        raise ExecutedElsewhereError

    async def due_forecast(region: str, days: int | None = 30) -> Any:
        raise ExecutedElsewhereError

    async def what_if(region: str, step: str, count: int, unit: DueUnit) -> Any:
        raise ExecutedElsewhereError

    async def bases(region: str) -> Any:
        raise ExecutedElsewhereError

    async def webhooks() -> Any:
        raise ExecutedElsewhereError

    async def webhook_deliveries(webhook: strawberry.ID) -> Any:
        raise ExecutedElsewhereError

    def viewer() -> Viewer:
        raise ExecutedElsewhereError

    members = {
        "person": _root(person, person_type | None, "One person. / 查询一人。"),
        "persons": _root(persons, list[person_type | None], "Persons by id, in order. / 按标识批量查询。"),
        "people": _root(people, connection_type | None, "Persons in your jurisdiction. / 辖区内人员列表。"),
        "node": _root(node, Node | None, "Anything by its id. / 按标识取对象。"),
        "explain_access": _root(
            explain_access, list[AccessExplanation], "Why fields are given or withheld. / 字段权限说明。"
        ),
        "access_requests": _root(
            access_requests,
            AccessRequestConnection | None,
            "Emergency accesses that you asked for or may decide on. / 本人申请及待本人审批的紧急访问。",
        ),
        "access_reviews": _root(
            access_reviews,
            AccessRequestConnection | None,
            "Approved emergency accesses with their reviews; by default those still open. / 紧急访问复核。",
        ),
        "case": _root(case, Case | None, "One case of your office or below. / 案件。"),
        "handover_form": _root(
            handover_form,
            HandoverForm | None,
            "Form of the hand-over of a case of your office or below. / 衔接登记表。",
        ),
        "caseload": _root(caseload, CaseConnection | None, "Cases of your regions. / 辖区案件。"),
        "tasks": _root(tasks, TaskConnection | None, "What your regions have to do, by due day. / 辖区待办。"),
        "changes": _root(changes, ChangePage | None, "What happened that concerns you. / 变更流。"),
        "supervision_orders": _root(
            supervision_orders,
            list[SupervisionOrder] | None,
            "Supervision orders of your regions; by default those without reply. / 督办单。",
        ),
        "corrections": _root(
            corrections,
            list[Correction] | None,
            "Requests for correction to or from your agency; by default the open ones. / 核改请求。",
        ),
        "my_day": _root(my_day, MyDay | None, "What your offices have to do today. / 我的一天。"),
        "due_forecast": _root(due_forecast, list[DueForecast] | None, "What falls due in a region. / 到期预测。"),
        "what_if": _root(what_if, WhatIf | None, "What other days of a step would change. / 规则模拟。"),
        "bases": _root(bases, list[Base] | None, "Bases of a region with their occupancy. / 安置基地。"),
        "webhooks": _root(webhooks, list[WebhookEndpoint] | None, "Webhooks of your agency. / 推送端点。"),
        "webhook_deliveries": _root(
            webhook_deliveries, list[WebhookDelivery] | None, "Latest deliveries of a webhook. / 推送记录。"
        ),
        "viewer": _root(viewer, Viewer, "Who you are. / 当前请求者。"),
        **audit_fields(),
        **export_fields(),
        **identity_fields(),
        **statutory_fields(),
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
