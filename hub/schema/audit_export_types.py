"""Types of export jobs: how an auditor asks for a file of the log, and where it stands."""

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from hub.auditing.exports import FORMATS
from hub.schema.audit_types import AuditFilter
from hub.schema.structure import ExecutedElsewhereError
from hub.schema.verb import Verb

AuditExportFormat = Enum("AuditExportFormat", {name.upper(): name for name in FORMATS})  # type: ignore[misc]
strawberry.enum(AuditExportFormat, description="Format of a file of the log. / 审计导出格式。")


@strawberry.enum(description="Where an export stands. / 导出状态。")
class AuditExportState(Enum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@strawberry.type(description="A file of the log that was asked for. / 审计导出任务。")
class AuditExport:
    id: strawberry.ID = strawberry.field(description="Its id. / 任务标识。")
    format: AuditExportFormat = strawberry.field(description="Format. / 格式。")
    state: AuditExportState = strawberry.field(description="Where it stands. / 状态。")
    officer: str = strawberry.field(description="Who asked. / 申请人。")
    created_at: datetime = strawberry.field(description="Asked for. / 申请时间。")
    done: int = strawberry.field(description="Entries that are written. / 已写条目数。")
    entries: int = strawberry.field(description="Entries that there are; 0 before it has begun. / 条目总数。")
    size: int = strawberry.field(description="Bytes of the file; 0 before it is done. / 字节数。")
    digest: str | None = strawberry.field(description="SHA-256 of the file, hexadecimal. / 文件摘要。")
    code: str | None = strawberry.field(description="Why it failed. / 失败原因代码。")
    url: str | None = strawberry.field(description="Where the file is once it is done, with a token. / 下载地址。")


EXPORTS = (
    Verb(
        name="requestAuditExport",
        description="Have a file made of the entries up to now that meet a filter. / 申请审计导出。",
        inputs={
            "format": (AuditExportFormat, "Format. / 格式。"),
            "filter": (AuditFilter | None, "Which entries; default: all. / 条目条件。"),
        },
        receipt_name="export",
        receipt_type=AuditExport,
        receipt_description="The job as it stands. / 任务。",
    ),
)


def export_fields() -> dict[str, Any]:
    """The root field that lists jobs."""

    async def audit_exports(first: int = 20) -> Any:
        raise ExecutedElsewhereError

    return {
        "audit_exports": strawberry.field(
            resolver=audit_exports,
            graphql_type=list[AuditExport] | None,
            description="Files of the log that auditors asked for, newest first. / 审计导出任务。",
        )
    }
