"""The auditors' part of the graph as it is declared; `schema.audit_roots` says what the fields do."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from hub.schema.structure import PageInfo

DEFAULT_ENTRIES = 20


class AskedElsewhereError(TypeError):
    """A declared field was called as a resolver: queries run in the engine, which calls none."""


@strawberry.type(description="The coordinates asked of one person, by what was given. / 对一人查询的字段及结果。")
class AuditPerson:
    person: str = strawberry.field(description="Pseudonym of the person. / 人员假名。")
    full: list[str] = strawberry.field(description="Given in full. / 完整提供。")
    masked: list[str] = strawberry.field(description="Given masked. / 掩码提供。")
    predicate: list[str] = strawberry.field(description="Given as yes or no. / 仅提供是否。")
    sealed: list[str] = strawberry.field(description="Left sealed. / 封存。")
    denied: list[str] = strawberry.field(description="Denied. / 拒绝。")
    facts: list[str] = strawberry.field(description="Facts that held, of those the rules look at. / 判定所依事实。")


@strawberry.type(description="An agency that was asked for the answer. / 数据来源。")
class AuditSource:
    agency: str = strawberry.field(description="The agency. / 部门。")
    status: str = strawberry.field(description="OK, STALE, TIMEOUT, DOWN, INVALID or THROTTLED. / 状态。")
    as_of: str | None = strawberry.field(description="How fresh its records were. / 数据时点。")
    latency_ms: int = strawberry.field(description="Time it took, in milliseconds. / 用时（毫秒）。")


@strawberry.type(description="What an auditor's read was for. / 审计查询条件。")
class AuditLookedAt:
    name: str = strawberry.field(description="Name of the condition. / 条件名。")
    value: str = strawberry.field(description="What was asked; persons by pseudonym. / 条件值。")


@strawberry.type(description="One entry of the audit log. / 审计日志条目。")
class AuditEntry:
    id: strawberry.ID = strawberry.field(description="Id, as in `extensions.hub.auditEntry`. / 条目标识。")
    number: str = strawberry.field(description="Number from 1, without gaps. / 序号。")
    time: datetime = strawberry.field(description="When it was written. / 写入时间。")
    kind: str = strawberry.field(description="What it is about, see docs/audit-log.md. / 类别。")
    removed: bool = strawberry.field(description="Whether its body was removed after retention. / 内容是否已删除。")
    request_id: str | None = strawberry.field(description="Id of the request. / 请求标识。")
    agency: str | None = strawberry.field(description="Agency that asked. / 查询部门。")
    client: str | None = strawberry.field(description="Client that asked. / 客户端。")
    officer: str | None = strawberry.field(description="Officer who asked. / 经办人。")
    on_behalf_of: str | None = strawberry.field(description="Whom the officer stood in for. / 被代理人。")
    approver: str | None = strawberry.field(description="Who approved the emergency access. / 审批人。")
    role: str | None = strawberry.field(description="Role of the officer. / 角色。")
    purpose: str | None = strawberry.field(description="Stated purpose. / 用途。")
    cases: list[str] = strawberry.field(description="Stated cases. / 案件编号。")
    operation: str | None = strawberry.field(description="Name of the operation. / 操作名。")
    document: str | None = strawberry.field(description="SHA-256 of the document. / 文档摘要。")
    persons: list[AuditPerson] = strawberry.field(description="Persons asked for. / 涉及人员。")
    sources: list[AuditSource] = strawberry.field(description="Agencies asked for the answer. / 数据来源。")
    looked_at: list[AuditLookedAt] = strawberry.field(description="Of an auditor's read: what for. / 审计查询条件。")
    parent: str | None = strawberry.field(description="Of a later payload: the first answer's entry. / 首个应答条目。")
    policy_digest: str | None = strawberry.field(description="Policy in force. / 生效策略摘要。")
    policies: list[str] = strawberry.field(description="Ids of the deciding policies. / 适用策略。")
    outcome: str | None = strawberry.field(description="OK, PARTIAL, DENIED, FAILED or ABORTED. / 结果。")
    code: str | None = strawberry.field(description="Error code. / 错误代码。")
    cost: int | None = strawberry.field(description="Static cost. / 静态成本。")
    latency_ms: int | None = strawberry.field(description="Time it took, in milliseconds. / 用时（毫秒）。")
    answer_bytes: int | None = strawberry.field(description="Size of the answer. / 应答字节数。")
    answer_digest: str | None = strawberry.field(description="SHA-256 of the answer. / 应答摘要。")


@strawberry.type(description="An entry in a list. / 列表项。")
class AuditEntryEdge:
    cursor: str = strawberry.field(description="Place of this entry in the list. / 游标。")
    node: AuditEntry = strawberry.field(description="The entry. / 条目。")


@strawberry.type(description="A page of entries, newest first; a page may be short and still have a next. / 条目分页。")
class AuditEntryConnection:
    edges: list[AuditEntryEdge] = strawberry.field(description="This page. / 本页。")
    page_info: PageInfo = strawberry.field(description="Where this page ends. / 分页信息。")


@strawberry.type(description="Where the log stood, signed. / 签名检查点。")
class AuditCheckpoint:
    origin: str = strawberry.field(description="Name of the log. / 日志名称。")
    size: str = strawberry.field(description="Number of entries. / 条目数。")
    root: str = strawberry.field(description="Root of the tree, base64. / 树根哈希。")
    time: datetime = strawberry.field(description="When it was made. / 生成时间。")
    witnesses: int = strawberry.field(description="How many witnesses cosigned it. / 见证人数。")
    note: str = strawberry.field(description="The signed note (C2SP). / 签名文本。")


@strawberry.type(description="That an entry is in the tree of a checkpoint (RFC 9162). / 存在性证明。")
class AuditProof:
    entry: strawberry.ID = strawberry.field(description="Id of the entry. / 条目标识。")
    index: str = strawberry.field(description="Number of the leaf, from 0. / 叶序号。")
    header: str | None = strawberry.field(description="Header of the leaf, base64. / 叶头部。")
    body: str | None = strawberry.field(description="Body of the leaf, base64; null if removed. / 叶内容。")
    leaf: str = strawberry.field(description="Hash of the leaf, base64. / 叶哈希。")
    hashes: list[str] = strawberry.field(description="Hashes from the leaf up, base64. / 证明路径。")
    checkpoint: AuditCheckpoint = strawberry.field(description="The checkpoint it leads to. / 检查点。")


@strawberry.type(description="Entries of one agency, purpose and outcome. / 统计行。")
class AuditStatisticsRow:
    agency: str = strawberry.field(description="Agency that asked. / 部门。")
    purpose: str = strawberry.field(description="Stated purpose. / 用途。")
    outcome: str = strawberry.field(description="Outcome. / 结果。")
    entries: int = strawberry.field(description="Number of entries. / 条目数。")
    persons: int = strawberry.field(description="Sum of persons asked for. / 人次。")


@strawberry.type(description="What of the log is anchored. / 日志锚定状态。")
class AuditStatus:
    from_: datetime | None = strawberry.field(name="from", description="First entry. / 首条时间。")
    to: datetime | None = strawberry.field(description="Last entry. / 末条时间。")
    entries: str = strawberry.field(description="Number of entries. / 条目数。")
    last_anchored_at: datetime | None = strawberry.field(description="Newest checkpoint. / 最近检查点时间。")
    anchored: str = strawberry.field(description="Entries under the newest checkpoint. / 已锚定条目数。")
    last_witnessed_at: datetime | None = strawberry.field(description="Newest cosigned one. / 最近见证时间。")
    witnessed: str = strawberry.field(description="Entries under it. / 已见证条目数。")
    lag: int = strawberry.field(description="Entries after the newest checkpoint. / 未锚定条目数。")


@strawberry.type(description="A text in two languages. / 双语文本。")
class BothLanguages:
    zh: str = strawberry.field(description="Chinese. / 中文。")
    en: str = strawberry.field(description="English. / 英文。")


@strawberry.type(description="One time somebody asked for data of the person. / 一次查询。")
class SubjectAccess:
    entry: strawberry.ID = strawberry.field(description="Id of the entry. / 条目标识。")
    time: datetime = strawberry.field(description="When. / 时间。")
    agency: str = strawberry.field(description="Who asked. / 查询部门。")
    purpose: str | None = strawberry.field(description="What for. / 用途。")
    text: BothLanguages = strawberry.field(description="In words. / 文字说明。")


@strawberry.type(description="A class of reads that the person is told of later. / 延后告知的类别。")
class DelayedDisclosure:
    purpose: str = strawberry.field(description="Purpose of the reads. / 用途。")
    days: int = strawberry.field(description="Days until the person is told. / 延后天数。")
    text: BothLanguages = strawberry.field(description="In words. / 文字说明。")


@strawberry.type(description="Who saw the person, as the person may know it now. / 本人查询记录报告。")
class SubjectReport:
    person: str = strawberry.field(description="Pseudonym of the person. / 人员假名。")
    accesses: list[SubjectAccess] = strawberry.field(description="Newest first. / 由近及远。")
    delayed: list[DelayedDisclosure] = strawberry.field(description="Told later, if any. / 延后告知的类别。")
    page_info: PageInfo = strawberry.field(description="Where this page ends. / 分页信息。")


@strawberry.input(one_of=True, description="Names one person of the log. / 指定日志中的人员。")
class AuditPersonLookup:
    pseudonym: str | None = strawberry.field(default=strawberry.UNSET, description="As in the log. / 假名。")
    identity_number: str | None = strawberry.field(
        default=strawberry.UNSET, description="Citizen identity number, 15 or 18 characters. / 公民身份号码。"
    )


@strawberry.input(description="Which entries; all conditions must hold. / 条目条件（同时满足）。")
class AuditFilter:
    person: AuditPersonLookup | None = strawberry.field(default=None, description="Of this person. / 人员。")
    officer: str | None = strawberry.field(default=None, description="By this officer. / 经办人。")
    agency: str | None = strawberry.field(default=None, description="By this agency. / 部门。")
    coordinate: str | None = strawberry.field(default=None, description="That asked for `Type.field`. / 字段坐标。")
    decision: str | None = strawberry.field(
        default=None, description="That gave it as full, masked, predicate, sealed or denied. / 决定。"
    )
    purpose: str | None = strawberry.field(default=None, description="For this purpose. / 用途。")
    case: str | None = strawberry.field(default=None, description="In this case. / 案件编号。")
    outcome: str | None = strawberry.field(default=None, description="With this outcome. / 结果。")
    kind: str | None = strawberry.field(default=None, description="Of this kind. / 类别。")
    from_: datetime | None = strawberry.field(default=None, name="from", description="Not before. / 起（含）。")
    to: datetime | None = strawberry.field(default=None, description="Before. / 止（不含）。")


def audit_fields() -> dict[str, Any]:
    """The root fields for auditors, by name."""

    async def entries(filter: AuditFilter | None = None, first: int = DEFAULT_ENTRIES, after: str | None = None) -> Any:
        raise AskedElsewhereError

    async def plain() -> Any:
        raise AskedElsewhereError

    async def proof(entry: strawberry.ID) -> Any:
        raise AskedElsewhereError

    async def statistics(from_: Annotated[datetime, strawberry.argument(name="from")], to: datetime) -> Any:
        raise AskedElsewhereError

    async def subject(person: AuditPersonLookup, after: str | None = None) -> Any:
        raise AskedElsewhereError

    rows: Any = list[AuditStatisticsRow]
    declared: dict[str, tuple[Any, Any, str]] = {
        "auditEntries": (entries, AuditEntryConnection, "Entries of the log, newest first. / 审计日志条目。"),
        "auditCheckpoint": (plain, AuditCheckpoint, "The newest checkpoint. / 最近检查点。"),
        "auditProof": (proof, AuditProof, "That an entry is in the log. / 条目存在性证明。"),
        "auditStatistics": (statistics, rows, "Counts of a period. / 期间统计。"),
        "auditStatus": (plain, AuditStatus, "What of the log is anchored. / 锚定状态。"),
        "subjectReport": (subject, SubjectReport, "Who saw a person, in words. / 本人查询记录报告。"),
    }
    return {
        name: strawberry.field(name=name, resolver=resolver, graphql_type=result | None, description=text)
        for name, (resolver, result, text) in declared.items()
    }
