"""Types above cases: supervision orders, corrections, the day of an office, forecasts, bases, webhooks."""

from datetime import date, datetime
from enum import Enum

import strawberry

from hub.casework.deadline import DueUnit
from hub.schema.casework import Task

strawberry.enum(DueUnit, description="Units of a deadline. / 时限单位。")


@strawberry.enum(description="What the owner of a fact found. / 核改结论。")
class CorrectionOutcome(Enum):
    CORRECTED = "CORRECTED"
    REJECTED = "REJECTED"


@strawberry.type(description="A supervision order as it stands. / 督办单回执。")
class SupervisionReceipt:
    id: strawberry.ID = strawberry.field(description="Name it when you reply. / 标识。")
    state: str = strawberry.field(description="OPEN or REPLIED. / 状态。")
    due: date = strawberry.field(description="To be replied to by then. / 期限。")


@strawberry.type(description="A supervision order. / 督办单。")
class SupervisionOrder:
    id: strawberry.ID = strawberry.field(description="Name it when you reply. / 标识。")
    case: strawberry.ID = strawberry.field(description="Case. / 案件编号。")
    step: str = strawberry.field(description="What was not done in time. / 事项。")
    office: str = strawberry.field(description="Who shall answer. / 被督办单位。")
    issuer: str = strawberry.field(description="Who ordered. / 督办单位。")
    text: str = strawberry.field(description="What is ordered. / 督办内容。")
    issued_at: datetime = strawberry.field(description="When. / 下发时间。")
    due: date = strawberry.field(description="To be replied to by then. / 期限。")
    overdue: bool = strawberry.field(description="Without reply after its day. / 是否逾期。")
    reply: str | None = strawberry.field(description="Reply. / 回复。")
    replied_at: datetime | None = strawberry.field(description="When. / 回复时间。")


@strawberry.type(description="A request for correction as it stands. / 核改请求回执。")
class CorrectionReceipt:
    id: strawberry.ID = strawberry.field(description="Name it when you answer. / 标识。")
    state: str = strawberry.field(description="OPEN, CORRECTED or REJECTED. / 状态。")
    due: date = strawberry.field(description="To be answered by then. / 期限。")


@strawberry.type(description="A request to the owner of a fact to correct it. / 核改请求。")
class Correction:
    id: strawberry.ID = strawberry.field(description="Name it when you answer. / 标识。")
    case: strawberry.ID = strawberry.field(description="Case, as you cite it. / 案件编号。")
    agency: str = strawberry.field(description="Owner of the fact. / 数据归属部门。")
    coordinate: str = strawberry.field(description="The fact, as Type.field. / 字段坐标。")
    office: str = strawberry.field(description="Who asks. / 请求单位。")
    state: str = strawberry.field(description="OPEN, CORRECTED or REJECTED. / 状态。")
    reason: str = strawberry.field(description="What is wrong and why. / 理由。")
    asked_at: datetime = strawberry.field(description="When. / 请求时间。")
    due: date = strawberry.field(description="To be answered by then. / 期限。")
    overdue: bool = strawberry.field(description="Open after its day. / 是否逾期。")
    answer: str | None = strawberry.field(description="Answer of the owner. / 答复。")
    answered_at: datetime | None = strawberry.field(description="When. / 答复时间。")


@strawberry.type(description="Open tasks of a step by light. / 各事项待办数。")
class StepLights:
    step: str = strawberry.field(description="What is to be done. / 事项。")
    green: int = strawberry.field(description="In time. / 绿灯。")
    yellow: int = strawberry.field(description="About to fall due. / 黄灯。")
    red: int = strawberry.field(description="Late. / 红灯。")


@strawberry.type(description="The day of an office. / 我的一天。")
class MyDay:
    day: date = strawberry.field(description="Today in China. / 日期。")
    steps: list[StepLights] = strawberry.field(description="Open tasks by step and light. / 待办统计。")
    pressing: list[Task] = strawberry.field(description="Late and about to fall due, first due first. / 紧急待办。")
    orders: int = strawberry.field(description="Supervision orders without reply. / 待回复督办单。")


@strawberry.type(description="Tasks that fall due on a day. / 到期数。")
class DueOnDay:
    day: date = strawberry.field(description="Day. / 日期。")
    count: int = strawberry.field(description="Tasks. / 数量。")


@strawberry.type(description="What falls due of one step. / 到期预测。")
class DueForecast:
    step: str = strawberry.field(description="Step. / 事项。")
    overdue: int = strawberry.field(description="Due before today. / 已逾期。")
    days: list[DueOnDay] = strawberry.field(description="By day. / 按日。")


@strawberry.type(description="What another rule would change. / 规则模拟。")
class WhatIf:
    cases: int = strawberry.field(description="Open cases looked at. / 案件数。")
    earlier: int = strawberry.field(description="Tasks that would fall due earlier. / 提前数。")
    later: int = strawberry.field(description="Tasks that would fall due later. / 推后数。")
    red_now: int = strawberry.field(description="Of the changed ones, late today. / 现红灯。")
    red_then: int = strawberry.field(description="Of the changed ones, late under the other rule. / 模拟红灯。")


@strawberry.type(description="A base of transitional placement. / 过渡性安置基地。")
class Base:
    id: strawberry.ID = strawberry.field(description="Code. / 编号。")
    name: str = strawberry.field(description="Name. / 名称。")
    region: str = strawberry.field(description="Region. / 行政区划。")
    capacity: int = strawberry.field(description="Places. / 容量。")
    occupied: int = strawberry.field(description="Persons who stay there. / 在住人数。")
    waiting: int = strawberry.field(description="Persons who wait. / 候补人数。")
    certified_until: date | None = strawberry.field(description="First day without certificate. / 认证截止日。")


@strawberry.type(description="A webhook as it stands. / 推送端点回执。")
class WebhookReceipt:
    id: strawberry.ID = strawberry.field(description="Id. / 标识。")
    count: int = strawberry.field(description="Events that will be sent again. / 重发数。")


@strawberry.type(description="Where your agency is told of events. / 推送端点。")
class WebhookEndpoint:
    id: strawberry.ID = strawberry.field(description="Id. / 标识。")
    url: str = strawberry.field(description="URL. / 地址。")
    kinds: list[str] = strawberry.field(description="Kinds of events, as prefixes; empty: all. / 类别前缀。")
    secret: str = strawberry.field(description="Signs what is sent (Standard Webhooks). / 签名密钥。")
    failures: int = strawberry.field(description="Failures in a row. / 连续失败次数。")
    disabled: bool = strawberry.field(description="Stopped after too many. / 是否停用。")


@strawberry.type(description="A delivery in the log. / 推送记录。")
class WebhookDelivery:
    position: str = strawberry.field(description="Place in the feed. / 位置。")
    kind: str = strawberry.field(description="What happened. / 类别。")
    attempts: int = strawberry.field(description="Attempts. / 次数。")
    delivered_at: datetime | None = strawberry.field(description="Arrived. / 送达时间。")
    next_at: datetime | None = strawberry.field(description="Next attempt. / 下次时间。")
    dead: bool = strawberry.field(description="Given up. / 是否放弃。")
    answer: str | None = strawberry.field(description="Status of the last answer. / 最近应答。")
