"""Types of the statutory query: how one asks for records sealed by law, and what is given."""

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from hub.gateway.statutory_queries import State, StatutoryBasis
from hub.schema.structure import ExecutedElsewhereError
from hub.schema.verb import Verb

strawberry.enum(StatutoryBasis, description="Laws under which a sealed record may be asked for. / 法定依据。")


@strawberry.enum(name="StatutoryState", description="Where a statutory query stands. / 法定查询状态。")
class StatutoryState(Enum):
    PENDING = State.PENDING.value
    LAPSED = State.LAPSED.value
    OPEN = State.OPEN.value
    ENDED = State.ENDED.value


@strawberry.type(description="A statutory query as it stands after a command. / 法定查询回执。")
class StatutoryReceipt:
    id: strawberry.ID = strawberry.field(description="Name it when you approve or read. / 查询标识。")
    state: StatutoryState = strawberry.field(description="Where it stands. / 状态。")
    basis: StatutoryBasis = strawberry.field(description="By which law. / 法定依据。")
    asked_at: datetime = strawberry.field(description="Asked. / 申请时间。")
    open_until: datetime | None = strawberry.field(description="Until when it can be read. / 可查阅至。")


@strawberry.type(description="A statutory query. / 法定查询。")
class StatutoryQuery:
    id: strawberry.ID = strawberry.field(description="Name it when you approve or read. / 查询标识。")
    state: StatutoryState = strawberry.field(description="Where it stands. / 状态。")
    agency: str = strawberry.field(description="Agency of who asked. / 申请部门。")
    officer: str = strawberry.field(description="Who asked. / 申请人。")
    role: str = strawberry.field(description="In which role. / 角色。")
    case: str | None = strawberry.field(description="Under which case. / 案件编号。")
    basis: StatutoryBasis = strawberry.field(description="By which law. / 法定依据。")
    subject: str = strawberry.field(description="Masked identity number asked for. / 脱敏身份号码。")
    asked_at: datetime = strawberry.field(description="Asked. / 申请时间。")
    approver: str | None = strawberry.field(description="Who approved. / 审批人。")
    approved_at: datetime | None = strawberry.field(description="Approved. / 审批时间。")
    open_until: datetime | None = strawberry.field(description="Until when it can be read. / 可查阅至。")


@strawberry.type(description="One value of a vaulted record. / 封存记录字段。")
class VaultedValue:
    name: str = strawberry.field(description="Its name at the owner. / 名称。")
    value: str = strawberry.field(description="As the owner gave it. / 值。")


@strawberry.type(description="A record sealed by law, as its owner gave it. / 封存记录。")
class VaultedRecord:
    id: strawberry.ID = strawberry.field(description="Id in the vault. / 标识。")
    agency: str = strawberry.field(description="Owner. / 归属部门。")
    key: str = strawberry.field(description="Number of the record at its owner. / 原始编号。")
    content: list[VaultedValue] = strawberry.field(description="What it holds. / 内容。")
    imported_at: datetime = strawberry.field(description="Put into the vault. / 入库时间。")


@strawberry.type(description="That a vaulted record of your agency was read. / 封存记录查阅通知。")
class StatutoryNotice:
    id: strawberry.ID = strawberry.field(description="Id. / 标识。")
    record: strawberry.ID = strawberry.field(description="The record. / 封存记录标识。")
    query: strawberry.ID = strawberry.field(description="The statutory query. / 法定查询标识。")
    agency: str = strawberry.field(description="Agency of who read it. / 查阅部门。")
    officer: str = strawberry.field(description="Who read it. / 查阅人。")
    role: str = strawberry.field(description="In which role. / 角色。")
    basis: StatutoryBasis = strawberry.field(description="By which law. / 法定依据。")
    noted_at: datetime = strawberry.field(description="When. / 查阅时间。")


_RECEIPT: dict[str, Any] = {
    "receipt_name": "query",
    "receipt_type": StatutoryReceipt,
    "receipt_description": "The query as it stands. / 法定查询。",
}
STATUTORY = (
    Verb(
        name="requestStatutoryQuery",
        description="Ask for a person's records sealed by law; a second officer must approve. / 申请法定查询。",
        inputs={
            "identityNumber": (str, "Whose records. / 身份号码。"),
            "case": (strawberry.ID | None, "Your open case; the person concerned needs none. / 案件编号。"),
            "basis": (StatutoryBasis, "By which law. / 法定依据。"),
        },
        **_RECEIPT,
    ),
    Verb(
        name="approveStatutoryQuery",
        description="Let, as a second officer, the asker read for an hour. / 审批法定查询。",
        inputs={"query": (strawberry.ID, "Id of the query. / 查询标识。")},
        **_RECEIPT,
    ),
)


def statutory_fields() -> dict[str, Any]:
    """Root fields of Query: what was asked, what is given, what owners are told."""

    async def statutory_queries() -> Any:
        raise ExecutedElsewhereError

    async def statutory_records(query: strawberry.ID) -> Any:
        raise ExecutedElsewhereError

    async def statutory_notices() -> Any:
        raise ExecutedElsewhereError

    return {
        "statutory_queries": strawberry.field(
            resolver=statutory_queries,
            graphql_type=list[StatutoryQuery] | None,
            description="Statutory queries that you asked or may approve. / 本人申请及待本人审批的法定查询。",
        ),
        "statutory_records": strawberry.field(
            resolver=statutory_records,
            graphql_type=list[VaultedRecord] | None,
            description="Records sealed by law that your approved query opens. / 经审批法定查询的封存记录。",
        ),
        "statutory_notices": strawberry.field(
            resolver=statutory_notices,
            graphql_type=list[StatutoryNotice] | None,
            description="Who read vaulted records of your agency. / 本部门封存记录查阅通知。",
        ),
    }
