"""Types of who is who: open questions about records, why a record is a person's, and the command that decides."""

from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry

from hub.identity.reviews import Choice
from hub.schema.structure import PageInfo, PersonLookup
from hub.schema.verb import Verb

strawberry.enum(
    Choice, name="IdentityChoice", description="Whether a record is this person's, or two persons are one. / 认定结论。"
)


@strawberry.enum(description="What is asked. / 疑问类别。")
class IdentityQuestion(Enum):
    LINK = "LINK"
    CONTEST = "CONTEST"
    MERGE = "MERGE"


@strawberry.enum(description="Where a question stands after a decision. / 认定状态。")
class IdentityReviewState(Enum):
    WAITS_FOR_SECOND = "WAITS_FOR_SECOND"
    DECIDED = "DECIDED"


@strawberry.type(description="How far two records agree in one field; never the values. / 字段一致程度。")
class IdentityEvidence:
    field: str = strawberry.field(description="number, name, birth, sex, place or phone. / 比对项。")
    level: str = strawberry.field(description="Level of agreement. / 一致程度。")


@strawberry.type(description="An open question: is this record that person's? / 身份疑问。")
class IdentityReview:
    id: strawberry.ID = strawberry.field(description="Name it when you decide. / 标识。")
    kind: IdentityQuestion = strawberry.field(description="What is asked. / 疑问类别。")
    person: strawberry.ID = strawberry.field(description="The person. / 人员标识。")
    other_person: strawberry.ID | None = strawberry.field(description="Of a merge, the other. / 另一人员标识。")
    agency: str = strawberry.field(description="Whose record. / 记录所属部门。")
    record: str = strawberry.field(description="Opaque name of the record. / 记录（不透明）。")
    weight: float | None = strawberry.field(
        description="Match weight in bits; null: of levels that you may not see. / 匹配权重（比特）。"
    )
    model: str = strawberry.field(description="Version of the match weights. / 权重版本。")
    evidence: list[IdentityEvidence] = strawberry.field(description="By field. / 逐项依据。")
    reasons: list[str] = strawberry.field(
        description="Rules that stood against joining; also empty if you may not see them. / 阻止自动关联的规则。"
    )
    high_impact: bool = strawberry.field(description="Whether two officers must decide alike. / 是否须双人认定。")
    opened_at: datetime = strawberry.field(description="Asked. / 提出时间。")
    due_at: datetime = strawberry.field(description="To be decided by then. / 期限。")
    overdue: bool = strawberry.field(description="Open after its time. / 是否逾期。")
    first_by: str | None = strawberry.field(description="Who decided first where two must. / 首位认定人。")


@strawberry.type(description="A question in a list. / 列表项。")
class IdentityReviewEdge:
    cursor: str = strawberry.field(description="Its place in the list. / 游标。")
    node: IdentityReview = strawberry.field(description="The question. / 疑问。")


@strawberry.type(description="A page of questions, the most urgent first. / 身份疑问分页。")
class IdentityReviewConnection:
    edges: list[IdentityReviewEdge] = strawberry.field(description="This page. / 本页。")
    page_info: PageInfo = strawberry.field(description="Where it ends. / 分页信息。")


@strawberry.type(description="A record that is this person's, and why. / 关联记录及依据。")
class IdentityLink:
    agency: str = strawberry.field(description="Whose record. / 记录所属部门。")
    record: str = strawberry.field(description="Opaque name of the record. / 记录（不透明）。")
    method: str | None = strawberry.field(
        description="own-key, number, weights, order, review, merge; null: you may not see it. / 关联方式。"
    )
    weight: float | None = strawberry.field(
        description="Match weight in bits; null: none, or of levels that you may not see. / 匹配权重（比特）。"
    )
    model: str | None = strawberry.field(description="Version of the match weights. / 权重版本。")
    evidence: list[IdentityEvidence] = strawberry.field(description="By field. / 逐项依据。")
    author: str | None = strawberry.field(description="An officer, or the hub itself. / 作出者。")
    linked_at: datetime = strawberry.field(description="Since when. / 关联时间。")


@strawberry.type(description="A step of the ledger of links. / 关联变更。")
class IdentityChange:
    id: strawberry.ID = strawberry.field(description="The change; its steps share it. / 变更标识。")
    kind: str = strawberry.field(description="LINK, UNLINK, MOVE, MERGE or UNMERGE. / 类别。")
    agency: str = strawberry.field(description="Whose record. / 记录所属部门。")
    record: str = strawberry.field(description="Opaque name of the record. / 记录（不透明）。")
    joined: bool = strawberry.field(description="Came to this person; else went. / 是否归入此人。")
    author: str = strawberry.field(description="An officer, or the hub itself. / 作出者。")
    at: datetime = strawberry.field(description="When. / 时间。")
    undoes: strawberry.ID | None = strawberry.field(description="The change that it undid. / 撤销的变更。")


@strawberry.type(description="An item that was stated falsely. / 不实项（三假人员）。")
class FalseIdentityItem:
    item: str = strawberry.field(description="Which. / 项目。")
    level: str = strawberry.field(description="How the household register differs. / 与户籍登记的差异程度。")
    agency: str = strawberry.field(description="Whose register. / 登记部门。")
    found_at: datetime = strawberry.field(description="When. / 发现时间。")


@strawberry.type(description="Why the records of a person are this person's. / 身份关联说明。")
class IdentityExplanation:
    person: strawberry.ID = strawberry.field(description="The person. / 人员标识。")
    links: list[IdentityLink] = strawberry.field(description="Records that are linked now. / 现有关联。")
    changes: list[IdentityChange] = strawberry.field(description="Latest first, at most 50. / 变更历史。")
    false_items: list[FalseIdentityItem] = strawberry.field(description="What was stated falsely. / 不实项。")


@strawberry.type(description="A question as it stands after a decision. / 认定回执。")
class IdentityReviewReceipt:
    id: strawberry.ID = strawberry.field(description="The question. / 疑问标识。")
    choice: Choice = strawberry.field(description="What you decided. / 认定结论。")
    state: IdentityReviewState = strawberry.field(description="Whether it is carried out. / 状态。")


class AskedElsewhereError(TypeError):
    """A declared field was called as a resolver: queries run in the engine, which calls none."""


def identity_fields() -> dict[str, Any]:
    """The root fields about who is who, by name; `schema.identity_roots` answers them."""

    async def reviews(overdue: bool | None = False, first: int | None = 20, after: str | None = None) -> Any:
        raise AskedElsewhereError

    async def explained(person: PersonLookup) -> Any:
        raise AskedElsewhereError

    declared: dict[str, tuple[Any, Any, str]] = {
        "identityReviews": (
            reviews,
            IdentityReviewConnection,
            "Open questions of identity in your jurisdiction, the most urgent first. / 辖区待认定的身份疑问。",
        ),
        "explainIdentity": (explained, IdentityExplanation, "Why records are this person's. / 身份关联说明。"),
    }
    return {
        name: strawberry.field(name=name, resolver=resolver, graphql_type=result | None, description=text)
        for name, (resolver, result, text) in declared.items()
    }


IDENTITY = (
    Verb(
        name="decideIdentity",
        description="Decide whether a record is a person's; it holds against imports and models. / 认定身份。",
        inputs={
            "review": (strawberry.ID, "Id of the question. / 疑问标识。"),
            "choice": (Choice, "Same or other. / 认定结论。"),
            "reason": (str, "Why, 5 to 500 characters. / 理由。"),
            "until": (date | None, "First day on which it holds no more; default: for good. / 失效日。"),
        },
        receipt_name="review",
        receipt_type=IdentityReviewReceipt,
        receipt_description="The question as it stands. / 疑问。",
        about_review=True,
    ),
)
