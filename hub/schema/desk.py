"""Types of commands and of the lists that belong to them: inputs, receipts, problems, emergency accesses.

A verb is one row of `VERBS`; its field, input and result types are made of it. `schema.commands` says what they do.
"""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Union

import strawberry

from hub.casework.commands import ProblemCode
from hub.casework.verbs import CaseVerb, read_verbs
from hub.casework.workflow_reader import read_workflow
from hub.engine.shape import Shape
from hub.schema.audit_export_types import EXPORTS
from hub.schema.casework import Case, verb_inputs
from hub.schema.identity_types import IDENTITY
from hub.schema.oversight_verbs import OVERSIGHT
from hub.schema.statutory_types import STATUTORY
from hub.schema.structure import PageInfo, PersonLookup
from hub.schema.verb import Verb

MUTATION_ID = "Your own id of this command: the same id is the same command. / 命令幂等标识。"

strawberry.enum(ProblemCode, description="Why a command had no effect. / 命令未执行的原因。")


@strawberry.type(description="A command that had no effect. / 未执行的命令。")
class Problem:
    code: ProblemCode = strawberry.field(description="Why. / 原因代码。")
    field: str | None = strawberry.field(description="Field of the input that it is about. / 相关输入字段。")
    message: str = strawberry.field(description="For the officer. / 说明。")


@strawberry.enum(description="What a second officer decides. / 审批决定。")
class AccessDecision(Enum):
    APPROVE = "APPROVE"
    REFUSE = "REFUSE"


@strawberry.enum(description="What a third officer found. / 复核结论。")
class ReviewFinding(Enum):
    JUSTIFIED = "JUSTIFIED"
    NOT_JUSTIFIED = "NOT_JUSTIFIED"


@strawberry.enum(description="Where an emergency access stands. / 紧急访问状态。")
class AccessState(Enum):
    PENDING = "PENDING"
    LAPSED = "LAPSED"
    REFUSED = "REFUSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


@strawberry.enum(description="Where a review stands. / 复核状态。")
class ReviewState(Enum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@strawberry.type(description="An emergency access as it stood after a command. / 紧急访问回执。")
class AccessReceipt:
    id: strawberry.ID = strawberry.field(description="Name it when you decide, end or review. / 申请标识。")
    state: AccessState = strawberry.field(description="Where it stands. / 状态。")
    coordinates: list[str] = strawberry.field(description="Fields it opens, as Type.field. / 字段坐标。")
    minutes: int = strawberry.field(description="How long, from the approval. / 时长（分钟）。")
    requested_at: datetime = strawberry.field(description="Asked for. / 申请时间。")
    valid_until: datetime | None = strawberry.field(description="Ends by the clock. / 有效期至。")
    review_due: datetime | None = strawberry.field(description="A third officer must review it by then. / 复核期限。")


@strawberry.type(description="A consent as it stands after a command. / 同意书回执。")
class ConsentReceipt:
    agency: str = strawberry.field(description="Agency that may use it. / 部门。")
    purpose: str = strawberry.field(description="Purpose it holds for. / 用途。")
    scope: list[str] | None = strawberry.field(description="Field groups; null: all of the purpose. / 字段组范围。")
    from_: date | None = strawberry.field(name="from", description="First day. / 起始日。")
    to: date | None = strawberry.field(description="First day on which it no longer holds. / 截止日。")
    given_at: datetime = strawberry.field(description="Recorded. / 登记时间。")
    withdrawn_at: datetime | None = strawberry.field(description="Withdrawn. / 撤回时间。")


@strawberry.type(description="The mandatory review of an emergency access. / 紧急访问复核。")
class AccessReview:
    state: ReviewState = strawberry.field(description="Open until a third officer closes it. / 状态。")
    due_at: datetime = strawberry.field(description="To be closed by then. / 期限。")
    overdue: bool = strawberry.field(description="Open after its day. / 是否逾期。")
    reviewer: str | None = strawberry.field(description="Who closed it. / 复核人。")
    closed_at: datetime | None = strawberry.field(description="When. / 复核时间。")
    finding: ReviewFinding | None = strawberry.field(description="What was found. / 结论。")
    note: str | None = strawberry.field(description="Why. / 说明。")


@strawberry.type(description="An emergency access. / 紧急访问。")
class AccessRequest:
    id: strawberry.ID = strawberry.field(description="Name it when you decide, end or review. / 申请标识。")
    state: AccessState = strawberry.field(description="Where it stands. / 状态。")
    agency: str = strawberry.field(description="Agency of who asked. / 申请部门。")
    officer: str = strawberry.field(description="Who asked. / 申请人。")
    on_behalf_of: str | None = strawberry.field(description="Whom the asker stood in for. / 被代理申请人。")
    role: str = strawberry.field(description="In which role. / 角色。")
    purpose: str = strawberry.field(description="For what. / 用途。")
    subject: str | None = strawberry.field(description="Masked identity number asked for. / 脱敏身份号码。")
    coordinates: list[str] = strawberry.field(description="Fields it opens, as Type.field. / 字段坐标。")
    minutes: int = strawberry.field(description="How long, from the approval. / 时长（分钟）。")
    reason: str = strawberry.field(description="Why it is needed. / 申请理由。")
    requested_at: datetime = strawberry.field(description="Asked for. / 申请时间。")
    approver: str | None = strawberry.field(description="Who decided. / 审批人。")
    approver_on_behalf_of: str | None = strawberry.field(
        description="Whom the one who decided stood in for. / 被代理审批人。"
    )
    decided_at: datetime | None = strawberry.field(description="Decided. / 审批时间。")
    decision_reason: str | None = strawberry.field(description="Why so. / 审批意见。")
    valid_until: datetime | None = strawberry.field(description="Ends by the clock. / 有效期至。")
    withdrawn_at: datetime | None = strawberry.field(description="Ended before. / 提前终止时间。")
    review: AccessReview | None = strawberry.field(description="Its review, once approved. / 复核。")


@strawberry.type(description="An emergency access in a list. / 列表项。")
class AccessRequestEdge:
    cursor: str = strawberry.field(description="Its place in the list. / 游标。")
    node: AccessRequest = strawberry.field(description="The access. / 紧急访问。")


@strawberry.type(description="A page of emergency accesses, newest first. / 紧急访问分页。")
class AccessRequestConnection:
    edges: list[AccessRequestEdge] = strawberry.field(description="This page. / 本页。")
    page_info: PageInfo = strawberry.field(description="Where it ends. / 分页信息。")


_WHO = (PersonLookup, "Whom it is about. / 对象。")
_REQUEST = (strawberry.ID, "Id of the request. / 申请标识。")
_ACCESS: dict[str, Any] = {
    "receipt_name": "request",
    "receipt_type": AccessReceipt,
    "receipt_description": "The request as it stands. / 申请。",
}
_CONSENT: dict[str, Any] = {
    "receipt_name": "consent",
    "receipt_type": ConsentReceipt,
    "receipt_description": "The consent as it stands. / 同意书。",
    "about_person": True,
}

VERBS: tuple[Verb, ...] = (
    Verb(
        name="requestEmergencyAccess",
        description="Ask a second officer to open fields of one person for a while. / 申请紧急访问。",
        inputs={
            "person": _WHO,
            "reason": (str, "Why it cannot wait, 5 to 500 characters. / 理由。"),
            "minutes": (int, "How long, 1 to 240. / 时长（分钟）。"),
            "coordinates": (list[str], "Fields, as Type.field. / 字段坐标。"),
        },
        about_person=True,
        **_ACCESS,
    ),
    Verb(
        name="approveAccess",
        description="Decide, as a second officer, on a request for emergency access. / 审批紧急访问。",
        inputs={
            "request": _REQUEST,
            "decision": (AccessDecision, "Approve or refuse. / 决定。"),
            "reason": (str, "Why so, 5 to 500 characters. / 意见。"),
        },
        **_ACCESS,
    ),
    Verb(
        name="withdrawEmergencyAccess",
        description="End an emergency access before its time. / 提前终止紧急访问。",
        inputs={"request": _REQUEST},
        **_ACCESS,
    ),
    Verb(
        name="closeAccessReview",
        description="Close, as a third officer, the review of an emergency access that has ended. / 复核紧急访问。",
        inputs={
            "request": _REQUEST,
            "finding": (ReviewFinding, "What was found. / 结论。"),
            "note": (str, "Why, 5 to 500 characters. / 说明。"),
        },
        **_ACCESS,
    ),
    Verb(
        name="giveConsent",
        description="Record a consent that the person signed. / 登记同意书。",
        inputs={
            "person": _WHO,
            "agency": (str, "Agency that may use it. / 部门。"),
            "purpose": (str, "Purpose it holds for. / 用途。"),
            "scope": (list[str] | None, "Field groups, FG0 to FG18; default: all of the purpose. / 字段组范围。"),
            "from": (date | None, "First day; default: today. / 起始日。"),
            "to": (date | None, "First day on which it no longer holds. / 截止日。"),
            "evidence": (str, "Where the signed paper is kept. / 证据编号。"),
        },
        **_CONSENT,
    ),
    Verb(
        name="withdrawConsent",
        description="Withdraw a consent; it holds no longer from the next request on. / 撤回同意。",
        inputs={
            "person": _WHO,
            "agency": (str, "Agency that might use it. / 部门。"),
            "purpose": (str, "Purpose it held for. / 用途。"),
        },
        **_CONSENT,
    ),
)


_CASE = (strawberry.ID, "The case. / 案件编号。")


def _case_verb(verb: CaseVerb) -> Verb:
    first = {"person": _WHO} if verb.opens else {"case": _CASE}
    return Verb(
        name=verb.name,
        description=f"{verb.en} / {verb.zh}",
        inputs={**first, **verb_inputs(verb)},
        receipt_name="case",
        receipt_type=Case,
        receipt_description="The case as it stands. / 案件。",
        about_person=verb.opens,
        about_case=not verb.opens,
        opens=verb.opens,
    )


VERBS += tuple(_case_verb(verb) for verb in read_verbs(read_workflow()))
VERBS += OVERSIGHT + STATUTORY + IDENTITY + EXPORTS


def success_name(verb: str) -> str:
    return f"{verb[0].upper()}{verb[1:]}Success"


def _success(verb: Verb) -> Any:
    body = {
        "__annotations__": {
            "client_mutation_id": strawberry.ID,
            verb.receipt_name: verb.receipt_type,
            "audit_entry": strawberry.ID,
        },
        "__module__": __name__,
        "client_mutation_id": strawberry.field(description=MUTATION_ID),
        verb.receipt_name: strawberry.field(description=verb.receipt_description),
        "audit_entry": strawberry.field(description="Audit entry of the command. / 审计记录。"),
    }
    return strawberry.type(type(success_name(verb.name), (), body), description="The command took effect. / 已执行。")


SUCCESSES = {verb.name: _success(verb) for verb in VERBS}


for _kind in (*SUCCESSES.values(), Problem):
    _kind.shape = Shape(type_name=_kind.__name__, slots={})  # so that the engine knows which of a result it is


def build_mutation() -> Any:
    """The `Mutation` type: one field a verb."""
    members = {verb.name: _field(verb) for verb in VERBS}
    body = {"__annotations__": {}, "__module__": __name__, **members}
    return strawberry.type(type("Mutation", (), body), description="Commands. / 命令。")


def _field(verb: Verb) -> Any:
    title = verb.name[0].upper() + verb.name[1:]
    inputs: dict[str, Any] = {"client_mutation_id": strawberry.field(description=MUTATION_ID)}
    annotations: dict[str, Any] = {"client_mutation_id": strawberry.ID}
    for name, (kind, description) in verb.inputs.items():
        member = f"{name}_" if name == "from" else name
        annotations[member] = kind
        optional = type(None) in getattr(kind, "__args__", ())
        default = {"default": strawberry.UNSET} if optional else {}
        inputs[member] = strawberry.field(name=name, description=description, **default)
    body = {"__annotations__": annotations, "__module__": __name__, **inputs}
    input_type = strawberry.input(type(f"{title}Input", (), body), description=verb.description)
    options: Any = Union[SUCCESSES[verb.name], Problem]  # noqa: UP007
    described = strawberry.union(f"{title}Result", description="Done, or why not. / 结果。")
    result: Any = Annotated[options, described]

    async def resolver(input: Annotated[Any, strawberry.argument()]) -> Any:
        raise TypeError("commands run in the engine")

    resolver.__annotations__["input"] = input_type
    return strawberry.field(resolver=resolver, graphql_type=result, name=verb.name, description=verb.description)
