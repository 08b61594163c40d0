"""Commands of an agency about its own webhooks. The secret is in no receipt; the list of webhooks shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.casework.commands import Command, ProblemCode, Refusal, Work
from hub.errors import WebhookError
from hub.events.places import Places
from hub.events.webhooks import Webhooks


class WebhookDesk:
    def __init__(self, webhooks: Webhooks, places: Places) -> None:
        self._webhooks = webhooks
        self._places = places

    def commands(self) -> Sequence[Command]:
        handlers = {
            "registerWebhook": self._register,
            "enableWebhook": self._enable,
            "replayWebhook": self._replay,
        }
        return tuple(Command(name=name, handler=handler) for name, handler in handlers.items())

    async def _register(self, work: Work) -> Mapping[str, Any]:
        given, principal = work.call.given, work.call.principal
        kinds = [str(kind) for kind in given.get("kinds") or ()]
        if len(kinds) > 20 or not all(kind.replace(".", "").replace("_", "").isalnum() for kind in kinds):
            raise Refusal(ProblemCode.INVALID_INPUT, "Up to 20 kinds, as case. or deadline.red.", field="kinds")
        if not principal.regions:
            raise Refusal(ProblemCode.FORBIDDEN, "Your token is for no region.")
        try:
            webhook_id, _ = await self._webhooks.add(
                work.connection, principal.agency, str(given["url"]), kinds, regions=principal.regions
            )
        except WebhookError as error:
            text = "A webhook goes to an https URL on a host that the operator allows."
            raise Refusal(ProblemCode.INVALID_INPUT, text, field="url") from error
        return {"id": webhook_id, "count": 0}

    async def _enable(self, work: Work) -> Mapping[str, Any]:
        webhook_id, agency = str(work.call.given["webhook"]), work.call.principal.agency
        if not await self._webhooks.enable_in(work.connection, webhook_id, agency=agency):
            raise Refusal(ProblemCode.NOT_FOUND, "Your agency has no such webhook.", field="webhook")
        return {"id": webhook_id, "count": 0}

    async def _replay(self, work: Work) -> Mapping[str, Any]:
        webhook_id, agency = str(work.call.given["webhook"]), work.call.principal.agency
        after = self._places.open(agency, str(work.call.given["after"]))
        if after is None:
            raise Refusal(ProblemCode.INVALID_INPUT, "This place does not belong to your feed.", field="after")
        if agency not in {each.agency for each in await self._webhooks.endpoints_in(work.connection, webhook_id)}:
            raise Refusal(ProblemCode.NOT_FOUND, "Your agency has no such webhook.", field="webhook")
        count = await self._webhooks.replay_in(work.connection, webhook_id, agency=agency, after=after)
        return {"id": webhook_id, "count": count}
