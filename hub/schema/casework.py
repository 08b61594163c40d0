"""Types of cases: the case itself, its events and deadlines, lists of cases and tasks, changes."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry

from hub.casework.deadline import Level, Light
from hub.casework.queries import CaseOrder
from hub.casework.verbs import CaseVerb, Input, InputKind
from hub.schema.structure import PageInfo

strawberry.enum(Light, description="How a deadline stands. / 时限状态（绿黄红灯）。")
strawberry.enum(Level, name="SupervisionLevel", description="Who hears of an alarm. / 督办层级。")
strawberry.enum(CaseOrder, description="Orders of a list of cases. / 案件排序。")


@strawberry.type(description="An office and when it answered for or helped with a case. / 责任或协助单位。")
class CaseOffice:
    office: str = strawberry.field(description="Office, as role/region. / 单位。")
    role: str = strawberry.field(description="ACCOUNTABLE, HOUSEHOLD, RESIDENCE or WORK. / 责任类别。")
    since: datetime = strawberry.field(description="From. / 起。")
    until: datetime | None = strawberry.field(description="Until; null: still. / 止。")


@strawberry.type(description="Something that an event says. / 事项内容。")
class CaseEventItem:
    name: str = strawberry.field(description="Name, as in the command. / 名称。")
    value: str = strawberry.field(description="Code, date or number. / 值。")


@strawberry.type(description="Something that happened to a case. / 案件事项。")
class CaseEvent:
    id: strawberry.ID = strawberry.field(description="Id of the event. / 标识。")
    kind: str = strawberry.field(description="What happened. / 类别。")
    state: str | None = strawberry.field(description="State it left the case in. / 其后状态。")
    happened_at: datetime = strawberry.field(description="When it happened. / 发生时间。")
    recorded_at: datetime = strawberry.field(description="When it was written down. / 登记时间。")
    received_at: datetime = strawberry.field(description="When the hub received it. / 接收时间。")
    office: str = strawberry.field(description="Who says so. / 登记单位。")
    flags: list[str] = strawberry.field(
        description="OUT_OF_ORDER, BACKFILLED, TIMES_DISORDERED, AFTER_END. / 标记（补录、次序等）。"
    )
    said: list[CaseEventItem] = strawberry.field(description="What it says, without personal words. / 内容。")


@strawberry.type(description="When an alarm is raised to a higher office. / 升级督办。")
class Escalation:
    level: Level = strawberry.field(description="To whom. / 层级。")
    day: date = strawberry.field(description="When. / 日期。")


@strawberry.type(description="A step of a case with its days. / 办理时限。")
class Deadline:
    step: str = strawberry.field(description="What is to be done. / 事项。")
    rule: str = strawberry.field(description="Rule it follows: step/region/class/from. / 规则。")
    due: date = strawberry.field(description="Due. / 期限。")
    warn_from: date = strawberry.field(description="First day of the warning. / 黄灯日。")
    alarm_from: date = strawberry.field(description="First day of the alarm. / 红灯日。")
    done: date | None = strawberry.field(description="Done. / 完成日。")
    missed: date | None = strawberry.field(description="Day on which it came to no use, undone. / 失效日。")
    light: Light = strawberry.field(description="How it stands today. / 今日状态。")
    assumed: bool = strawberry.field(description="Holidays of a year in it are not announced yet. / 节假日未公布。")
    escalations: list[Escalation] = strawberry.field(description="Alarms to higher offices. / 升级督办。")


@strawberry.type(description="The case of one release: state, offices, events, deadlines. / 安置帮教案件。")
class Case:
    id: strawberry.ID = strawberry.field(description="Id; cite it in Hub-Case. / 案件编号。")
    state: str | None = strawberry.field(description="State. / 状态。")
    ended: bool = strawberry.field(description="Whether it is over. / 是否办结。")
    accountable_office: str | None = strawberry.field(description="The one office that answers. / 责任单位。")
    pending_office: str | None = strawberry.field(description="Office that has not accepted yet. / 待接收单位。")
    bounces: int = strawberry.field(description="How often it was returned. / 退回次数。")
    route: str = strawberry.field(description="How the person came to release. / 衔接途径。")
    key_person: bool = strawberry.field(description="重点帮教对象。 / Key person.")
    planned_release: date | None = strawberry.field(description="Planned release. / 预计释放日。")
    released: date | None = strawberry.field(description="Release. / 释放日。")
    term_start: date | None = strawberry.field(description="First day of the term. / 帮教期起。")
    term_end: date | None = strawberry.field(description="First day after the term. / 帮教期止。")
    offices: list[CaseOffice] = strawberry.field(description="Who answered or helped, when. / 责任单位沿革。")
    events: list[CaseEvent] = strawberry.field(description="What happened, in order. / 事项。")
    deadlines: list[Deadline] = strawberry.field(description="Every deadline. / 时限。")


@strawberry.type(description="What stands in the form of a hand-over. / 《必接必送人员衔接登记表》。")
class HandoverForm:
    case: strawberry.ID = strawberry.field(description="Case. / 案件编号。")
    key_person: bool = strawberry.field(description="重点帮教对象。 / Key person, to be fetched in any case.")
    office: str | None = strawberry.field(description="Office that says so, or answers. / 填报单位。")
    planned_release: date | None = strawberry.field(description="Planned release. / 预计释放日。")
    released: date | None = strawberry.field(description="Release. / 释放日。")
    certificate: str | None = strawberry.field(description="Release certificate. / 释放证明书编号。")
    refused: bool = strawberry.field(description="Whether the person refuses to be fetched. / 是否拒绝接送。")
    day: date | None = strawberry.field(description="Planned day. / 接送日期。")
    mode: str | None = strawberry.field(description="Who fetches, as planned. / 接送方式。")
    escorts: str | None = strawberry.field(description="Who comes, and how to reach them. / 接送人员及电话。")
    outcome: str | None = strawberry.field(description="How it went. / 衔接情况。")
    happened_at: datetime | None = strawberry.field(description="When. / 衔接时间。")
    persons: int | None = strawberry.field(description="How many came. / 总人数。")
    present: str | None = strawberry.field(description="Relatives and staff who came. / 随从亲属、工作人员。")
    remarks: str | None = strawberry.field(description="Remarks. / 情况说明。")


@strawberry.type(description="A case in a list. / 案件列表项。")
class CaseItem:
    id: strawberry.ID = strawberry.field(description="Id; cite it in Hub-Case. / 案件编号。")
    person: strawberry.ID = strawberry.field(description="Id of the person, as in `persons`. / 人员标识。")
    state: str | None = strawberry.field(description="State. / 状态。")
    ended: bool = strawberry.field(description="Whether it is over. / 是否办结。")
    accountable_office: str | None = strawberry.field(description="The one office that answers. / 责任单位。")
    pending_office: str | None = strawberry.field(description="Office that has not accepted yet. / 待接收单位。")
    bounces: int = strawberry.field(description="How often it was returned. / 退回次数。")
    key_person: bool = strawberry.field(description="重点帮教对象。 / Key person.")
    planned_release: date | None = strawberry.field(description="Planned release. / 预计释放日。")
    released: date | None = strawberry.field(description="Release. / 释放日。")
    term_end: date | None = strawberry.field(description="First day after the term. / 帮教期止。")
    flags: list[str] = strawberry.field(description="What is remarkable about its events. / 标记。")


@strawberry.type(description="A case in a page. / 列表项。")
class CaseEdge:
    cursor: str = strawberry.field(description="Place in the list. / 游标。")
    node: CaseItem = strawberry.field(description="The case. / 案件。")


@strawberry.type(description="A page of cases. / 案件分页。")
class CaseConnection:
    total_count: int = strawberry.field(description="Cases in the whole list. / 总数。")
    edges: list[CaseEdge] = strawberry.field(description="This page. / 本页。")
    page_info: PageInfo = strawberry.field(description="Where it ends. / 分页信息。")


@strawberry.type(description="Something an office has to do. / 待办。")
class Task:
    id: strawberry.ID = strawberry.field(description="Id of the task. / 标识。")
    case: strawberry.ID = strawberry.field(description="Case. / 案件编号。")
    person: strawberry.ID = strawberry.field(description="Id of the person, as in `persons`. / 人员标识。")
    step: str = strawberry.field(description="What is to be done. / 事项。")
    rule: str = strawberry.field(description="Rule it follows. / 规则。")
    office: str | None = strawberry.field(description="Who has to do it. / 责任单位。")
    due: date = strawberry.field(description="Due. / 期限。")
    light: Light = strawberry.field(description="How it stands today. / 今日状态。")
    assumed: bool = strawberry.field(description="Holidays of a year in it are not announced yet. / 节假日未公布。")


@strawberry.type(description="A task in a page. / 列表项。")
class TaskEdge:
    cursor: str = strawberry.field(description="Place in the list. / 游标。")
    node: Task = strawberry.field(description="The task. / 待办。")


@strawberry.type(description="A page of tasks, by due day. / 待办分页。")
class TaskConnection:
    edges: list[TaskEdge] = strawberry.field(description="This page. / 本页。")
    page_info: PageInfo = strawberry.field(description="Where it ends. / 分页信息。")


@strawberry.type(description="A pointer to something that happened and concerns you. / 变更通知。")
class Change:
    position: str = strawberry.field(description="Place in the feed; ask for what comes after it. / 位置。")
    kind: str = strawberry.field(description="What happened. / 类别。")
    case: str | None = strawberry.field(description="Case, as you cite it. / 案件编号。")
    office: str | None = strawberry.field(description="Office it concerns. / 相关单位。")
    happened_at: datetime = strawberry.field(description="When. / 时间。")


@strawberry.type(description="What came after a place. / 变更流。")
class ChangePage:
    changes: list[Change] = strawberry.field(description="In order; each once. / 变更。")
    position: str = strawberry.field(description="Ask for what comes after it. / 下次起点。")


@strawberry.input(description="Which cases. / 案件条件。")
class CaseFilter:
    region: str | None = strawberry.field(default=None, description="Region prefix. / 行政区划代码前缀。")
    states: list[str] | None = strawberry.field(default=None, description="States. / 状态。")
    ended: bool | None = strawberry.field(default=None, description="Over or not. / 是否办结。")
    key_person: bool | None = strawberry.field(default=None, description="重点帮教对象。 / Key persons.")
    office: str | None = strawberry.field(default=None, description="Accountable office. / 责任单位。")
    joint: bool | None = strawberry.field(default=None, description="Also where you only help. / 含共同帮教。")


@strawberry.input(description="Which tasks. / 待办条件。")
class TaskFilter:
    region: str | None = strawberry.field(default=None, description="Region prefix. / 行政区划代码前缀。")
    steps: list[str] | None = strawberry.field(default=None, description="Steps. / 事项。")
    office: str | None = strawberry.field(default=None, description="Office. / 责任单位。")
    due_until: date | None = strawberry.field(default=None, description="Due by then. / 截止日期。")
    lights: list[Light] | None = strawberry.field(default=None, description="Lights. / 状态。")


HAPPENED = (datetime | None, "When it happened; default: now. / 发生时间。")
RECORDED = (datetime | None, "When it was written down; default: now. / 登记时间。")
_TYPES: Mapping[InputKind, Any] = {
    InputKind.TEXT: str,
    InputKind.WORDS: str,
    InputKind.DATE: date,
    InputKind.INT: int,
    InputKind.BOOL: bool,
    InputKind.OFFICE: str,
}


def verb_inputs(verb: CaseVerb) -> dict[str, tuple[Any, str]]:
    """Inputs of a verb as the graph declares them, without `person` or `case`."""
    inputs = {item.name: (_type(verb, item), f"{item.en} / {item.zh}") for item in verb.inputs}
    return {**inputs, "happenedAt": HAPPENED, "recordedAt": RECORDED}


def _type(verb: CaseVerb, item: Input) -> Any:
    if item.kind is InputKind.ENUM:
        name = f"{verb.name[0].upper()}{verb.name[1:]}{item.name[0].upper()}{item.name[1:]}Code"
        values: Any = Enum(name, {value: value for value in item.values})  # type: ignore[misc]  # names are data
        kind: Any = strawberry.enum(values, description=f"{item.en} / {item.zh}")
    else:
        kind = _TYPES[item.kind]
    return kind | None if item.optional else kind
