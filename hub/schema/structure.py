"""The part of the graph that is not an agency's data: ids, provenance, sources, conflicts, access, pages, the viewer.

Resolvers of these types read attributes of the gateway's own values; nothing here fetches.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import strawberry

from hub.auth.decision import DenialCode, Effect
from hub.connectors.base import SourceState


@strawberry.interface(
    description="Anything with an id of its own. Ids differ for every agency. / 有标识的对象；各机构所见标识不同。"
)
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, stable for one agency. / 不透明标识，对同一机构稳定。")


strawberry.enum(SourceState, description="How an agency took part in an answer. / 来源机构应答状态。")
strawberry.enum(Effect, name="AccessEffect", description="What a field is given as. / 字段的提供方式。")
strawberry.enum(DenialCode, description="Why a field is withheld. / 字段不予提供的原因。")


@strawberry.type(description="Where a record comes from. / 数据来源。")
class Provenance:
    agency: str = strawberry.field(description="Agency that said so. / 提供部门。")
    record: str = strawberry.field(description="Opaque name of the source record. / 来源记录（不透明）。")
    as_of: datetime = strawberry.field(description="State of the source. / 数据时点。")
    received_at: datetime = strawberry.field(description="When the hub received it. / 接收时间。")
    stale: bool = strawberry.field(description="Whether it is only the last that was known. / 是否为最近已知值。")


@strawberry.type(description="Where the value of one merged field comes from. / 合并字段的来源。")
class FieldProvenance(Provenance):
    field: str = strawberry.field(description="Field of Person. / 字段名。")
    verified_by: list[str] = strawberry.field(
        description="Other agencies that say the same; empty where you see it masked. / 佐证部门。"
    )


@strawberry.type(description="How an agency took part in this person's view. / 来源机构应答情况。")
class SourceStatus:
    agency: str = strawberry.field(description="Agency asked. / 被查询部门。")
    state: SourceState = strawberry.field(name="status", description="How it answered. / 应答状态。")
    as_of: datetime | None = strawberry.field(description="State of its data. / 数据时点。")
    latency_ms: int = strawberry.field(description="Time it took, in milliseconds. / 用时（毫秒）。")
    quarantined: int = strawberry.field(
        description="Values withheld because they did not fit the agency's mapping. / 因不合规而隔离的值数。"
    )


@strawberry.type(description="One agency's word on a field on which agencies disagree. / 冲突字段的一个取值。")
class ConflictValue:
    agency: str = strawberry.field(description="Agency that said so. / 提供部门。")
    value: str = strawberry.field(description="Its value, as you may see it. / 取值（按权限）。")
    record: str = strawberry.field(description="Opaque name of the source record. / 来源记录（不透明）。")
    as_of: datetime = strawberry.field(description="State of the source. / 数据时点。")
    received_at: datetime = strawberry.field(description="When the hub received it. / 接收时间。")
    verified_by: list[str] = strawberry.field(
        description="Other agencies that say the same; empty where you see it masked. / 佐证部门。"
    )
    chosen: bool = strawberry.field(description="Whether this value stands in the field. / 是否采用。")


@strawberry.type(description="Agencies disagree on a merged field. / 部门间数据冲突。")
class Conflict:
    coordinate: str = strawberry.field(description="The field, as Type.field. / 字段坐标。")
    values: list[ConflictValue] = strawberry.field(description="In order of trust. / 按可信顺序。")


@strawberry.type(description="What you may see of one field of this person, for this purpose. / 字段访问权限。")
class FieldAccess:
    coordinate: str = strawberry.field(description="The field, as Type.field. / 字段坐标。")
    effect: Effect = strawberry.field(description="What it is given as. / 提供方式。")
    code: DenialCode | None = strawberry.field(description="Why it is withheld. / 不予提供的原因。")
    remedy: str | None = strawberry.field(description="What would open it. / 如何取得。")


class AccessCondition(StrEnum):
    """A condition that an asker can meet."""

    CASE = "CASE"
    CONSENT = "CONSENT"
    APPROVAL = "APPROVAL"


strawberry.enum(AccessCondition, description="A condition that you can meet. / 可以满足的条件。")


@strawberry.type(description="Why a field is given or withheld. / 字段权限说明。")
class AccessExplanation:
    coordinate: str = strawberry.field(description="The field, as you named it. / 字段坐标。")
    effect: Effect = strawberry.field(description="What it is given as. / 提供方式。")
    code: DenialCode | None = strawberry.field(description="Why it is withheld. / 不予提供的原因。")
    policies: list[str] = strawberry.field(
        description="Ids of the rules that give it, or would. / 据以提供或可据以提供的规则编号。"
    )
    basis: list[str] = strawberry.field(description="Their legal basis. / 规则的法律依据。")
    explanation: str = strawberry.field(description="In words. / 文字说明。")
    missing: list[AccessCondition] = strawberry.field(description="Conditions to meet. / 尚需满足的条件。")
    remedy: str | None = strawberry.field(description="What would open it. / 如何取得。")


@strawberry.type(description="How many distinct persons you may read in an hour. / 每小时可查询人数。")
class Quota:
    limit: int = strawberry.field(description="Persons an hour. / 每小时人数上限。")
    used: int = strawberry.field(description="Look-ups counted in the last hour. / 最近一小时已计人数。")
    resets_at: datetime | None = strawberry.field(
        description="When the oldest one stops counting. / 最早一人不再计入的时间。"
    )


class ExecutedElsewhereError(TypeError):
    """A declared field was called as a resolver: queries run in the engine (`schema.roots`), which calls none."""


@strawberry.type(description="An answer that the hub computed, without the record. / 是否类结论。")
class Predicate:
    holds: bool = strawberry.field(description="Whether it holds. / 是否成立。")
    basis: str = strawberry.field(description="What decided it, as a code. / 依据代码。")
    as_of: datetime | None = strawberry.field(description="Oldest state of the sources. / 数据时点。")
    valid_until: date = strawberry.field(description="Good for a decision up to this day. / 结论有效期至。")
    proof: str = strawberry.field(
        description="Signed by the hub for you (compact JWS), to be kept instead of the record. / 签名证明。"
    )


@strawberry.type(description="A place in a list. / 分页信息。")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow. / 是否还有下一页。")
    end_cursor: str | None = strawberry.field(description="Pass it as `after` for the next page. / 末尾游标。")


def _quota() -> Quota:
    raise ExecutedElsewhereError


def _access(
    type: Annotated[str | None, strawberry.argument(description="Fields of this type only. / 仅此类型。")] = None,
) -> list[FieldAccess]:
    raise ExecutedElsewhereError


@strawberry.type(description="Who you are to the hub. / 当前请求者。")
class Viewer:
    agency: str = strawberry.field(description="Your agency. / 所属部门。")
    role: str = strawberry.field(description="Your role. / 角色。")
    officer: str = strawberry.field(description="The officer the token was issued for. / 经办人。")
    on_behalf_of: str | None = strawberry.field(description="Whom this officer stands in for. / 被代理人。")
    client: str = strawberry.field(description="The client that carries the request. / 客户端。")
    regions: list[str] = strawberry.field(description="Region prefixes, GB/T 2260. / 辖区代码前缀。")
    purposes: list[str] = strawberry.field(description="Purposes your token allows. / 可用用途。")
    expires_at: datetime = strawberry.field(description="When the token ends. / 令牌到期时间。")

    quota: Quota = strawberry.field(resolver=_quota, description="Your quota of persons. / 查询人数配额。")
    access: list[FieldAccess] = strawberry.field(
        resolver=_access,
        description="The most you may see, for the request's purpose or for all of yours. / 最大可见范围。",
    )


@strawberry.input(one_of=True, description="Names one person in one of three ways. / 以三种方式之一指定人员。")
class PersonLookup:
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Opaque id from an earlier answer. / 先前返回的标识。"
    )
    identity_number: str | None = strawberry.field(
        default=strawberry.UNSET, description="Citizen identity number, 15 or 18 characters. / 公民身份号码。"
    )
    case_number: str | None = strawberry.field(
        default=strawberry.UNSET, description="A case assigned to your agency. / 分派给本部门的案件编号。"
    )
