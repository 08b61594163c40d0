"""The command by which officers decide whether a record is a person's (`decideIdentity`).

Who may is asked of the rules with the facts of the question's person; that two officers must decide alike where
somebody else's record may come to a person is held by `identity.reviews`, whatever the rules say.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.casework.case_store import moment
from hub.casework.commands import Command, ProblemCode, Refusal, Work
from hub.clock import CHINA
from hub.identity.links import LinkError, NoSuchQuestionError, SameOfficerError
from hub.identity.reviews import Choice

MAX_REASON = 500


class Deciding(Protocol):
    async def decide_in(
        self,
        connection: AsyncConnection,
        review_id: str,
        *,
        by: str,
        on_behalf_of: str | None = None,
        choice: Choice,
        reason: str,
        until: datetime | None = None,
    ) -> bool: ...


class IdentityDesk:
    def __init__(self, reviews: Deciding) -> None:
        self._reviews = reviews

    def commands(self) -> Sequence[Command]:
        return (Command(name="decideIdentity", handler=self.decide),)

    async def decide(self, work: Work) -> Mapping[str, Any]:
        given = work.call.given
        review_id, reason = str(given["review"]), str(given["reason"])
        if not 5 <= len(reason.strip()) <= MAX_REASON:
            raise Refusal(ProblemCode.INVALID_INPUT, f"From 5 to {MAX_REASON} characters.", field="reason")
        try:
            done = await self._reviews.decide_in(
                work.connection,
                review_id,
                by=work.call.principal.officer,
                on_behalf_of=work.call.principal.on_behalf_of,
                choice=Choice(given["choice"]),
                reason=reason,
                until=_end(work),
            )
        except NoSuchQuestionError as error:
            raise Refusal(ProblemCode.ALREADY_DECIDED, "This question is decided.", field="review") from error
        except SameOfficerError as error:
            raise Refusal(ProblemCode.SAME_OFFICER, "Another officer must decide as well.") from error
        except LinkError as error:
            raise Refusal(ProblemCode.INVALID_INPUT, "This cannot be decided so.") from error
        return {"id": review_id, "choice": given["choice"], "state": "DECIDED" if done else "WAITS_FOR_SECOND"}


def _end(work: Work) -> datetime | None:
    """The first moment at which the decision holds no more."""
    text = work.call.given.get("until")
    if text is None:
        return None
    end = datetime.fromisoformat(text).replace(tzinfo=CHINA)
    if end <= moment(work.now_us) or end > moment(work.now_us) + timedelta(days=3_660):
        raise Refusal(ProblemCode.INVALID_INPUT, "A day to come, within ten years.", field="until")
    return end
