"""Commands above cases as the graph declares them."""

from datetime import date
from typing import Any

import strawberry

from hub.schema.oversight import Base, CorrectionOutcome, CorrectionReceipt, SupervisionReceipt, WebhookReceipt
from hub.schema.verb import Verb

_CASE = (strawberry.ID, "The case. / 案件编号。")
_WORDS = "1 to 2,000 characters. / 内容。"
_ORDER: dict[str, Any] = {
    "receipt_name": "order",
    "receipt_type": SupervisionReceipt,
    "receipt_description": "The order as it stands. / 督办单。",
    "about_case": True,
}
_CORRECTION: dict[str, Any] = {
    "receipt_name": "correction",
    "receipt_type": CorrectionReceipt,
    "receipt_description": "The request as it stands. / 核改请求。",
}
_BASE: dict[str, Any] = {
    "receipt_name": "base",
    "receipt_type": Base,
    "receipt_description": "The base as it stands. / 基地。",
}
_WEBHOOK: dict[str, Any] = {
    "receipt_name": "webhook",
    "receipt_type": WebhookReceipt,
    "receipt_description": "The webhook as it stands. / 推送端点。",
}
_ENDPOINT = (strawberry.ID, "Id of the webhook. / 推送端点标识。")
_BASE_CODE = (str, "Code of the base. / 基地编号。")
OVERSIGHT = (
    Verb(
        name="issueSupervisionOrder",
        description="Order, as a higher office, that a late task be done. / 下发督办单。",
        inputs={
            "case": _CASE,
            "step": (str, "Step of a task that is red. / 事项。"),
            "text": (str, _WORDS),
            "due": (date | None, "To be replied to by then; default: in 7 days. / 期限。"),
        },
        **_ORDER,
    ),
    Verb(
        name="replySupervisionOrder",
        description="Reply to a supervision order. / 回复督办单。",
        inputs={
            "case": _CASE,
            "order": (strawberry.ID, "Id of the order. / 督办单标识。"),
            "text": (str, _WORDS),
        },
        **_ORDER,
    ),
    Verb(
        name="requestCorrection",
        description="Ask the agency that owns a fact to correct it. / 请求核改。",
        inputs={
            "case": _CASE,
            "coordinate": (str, "The fact, as Type.field. / 字段坐标。"),
            "reason": (str, _WORDS),
        },
        about_case=True,
        **_CORRECTION,
    ),
    Verb(
        name="answerCorrection",
        description="Answer, as the owner, a request for correction. / 答复核改请求。",
        inputs={
            "correction": (strawberry.ID, "Id of the request. / 请求标识。"),
            "outcome": (CorrectionOutcome, "What was found. / 结论。"),
            "text": (str, _WORDS),
        },
        **_CORRECTION,
    ),
    Verb(
        name="registerBase",
        description="Register a base of transitional placement, or change it. / 登记安置基地。",
        inputs={
            "base": _BASE_CODE,
            "name": (str, "Name. / 名称。"),
            "region": (str, "Region. / 行政区划。"),
            "capacity": (int, "Places. / 容量。"),
            "certifiedUntil": (date | None, "First day without certificate. / 认证截止日。"),
        },
        **_BASE,
    ),
    Verb(
        name="waitForBase",
        description="Put the person on the waiting list of a base. / 候补登记。",
        inputs={"case": _CASE, "base": _BASE_CODE},
        about_case=True,
        **_BASE,
    ),
    Verb(
        name="registerWebhook",
        description="Have your agency told of events at a URL. / 登记推送端点。",
        inputs={
            "url": (str, "https URL on a host that the operator allows. / 地址。"),
            "kinds": (list[str] | None, "Kinds, as prefixes; default: all. / 类别前缀。"),
        },
        **_WEBHOOK,
    ),
    Verb(
        name="enableWebhook",
        description="Let a webhook that was stopped go on where it stopped. / 恢复推送。",
        inputs={"webhook": _ENDPOINT},
        **_WEBHOOK,
    ),
    Verb(
        name="replayWebhook",
        description="Send again what came after a place in the feed. / 重发。",
        inputs={"webhook": _ENDPOINT, "after": (str, "Place in the feed. / 位置。")},
        **_WEBHOOK,
    ),
)
