"""Builds what a worker does: order of events, webhooks, supervision."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.entry import Draft, Kind, Outcome, Pattern
from hub.bootstrap.desk import build_case_store
from hub.bootstrap.parts import Hub
from hub.bootstrap.secrets import build_key_ring
from hub.casework.notices import Notice
from hub.casework.reach import AGENCY_OF, reference
from hub.casework.supervision import Supervision
from hub.clock import microseconds
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.domain.agencies import JUSTICE
from hub.events.deliverer import Deliverer
from hub.events.outbox import Sequencer, put
from hub.events.webhooks import Webhooks

NOTHING = Pattern()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The parts of a worker; every method of them may be called by many workers at once."""

    sequencer: Sequencer
    deliverer: Deliverer
    supervision: Supervision
    webhooks: Webhooks


def build_work(hub: Hub) -> Work:
    ring = build_key_ring(hub.settings, hub.rules.catalogue)
    hosts = frozenset(hub.settings.webhook_hosts)
    webhooks = Webhooks(hub.store, Sealer(ring), Opener(ring), hub.clock, hosts=hosts)

    async def tell(connection: AsyncConnection, person_id: str, notice: Notice) -> None:
        role = notice.office.partition("/")[0]
        await put(
            connection,
            person_key=hub.pseudonyms.of("member", person_id),
            recipient=AGENCY_OF.get(role, JUSTICE),
            office=notice.office,
            kind=notice.kind,
            body={**notice.body, "case": reference(str(notice.body["case"]), role)},
            entry_id="",
            happened_us=microseconds(hub.clock.now()),
        )

    async def record(person_id: str, event: str) -> str:
        """The audit entry of something that the hub does by itself, before it is done."""
        draft = Draft(
            kind=Kind.COMMAND,
            request_id="supervision",
            agency="hub",
            operation=event,
            persons=((hub.pseudonyms.of("member", person_id), NOTHING),),
            policy_digest=hub.rules.judge.policy_digest,
            outcome=Outcome.OK,
        )
        return (await hub.log.append(draft)).entry_id

    return Work(
        sequencer=Sequencer(hub.store),
        deliverer=Deliverer(hub.store, webhooks, hub.clock, source=hub.settings.base_url),
        supervision=Supervision(hub.store, build_case_store(), tell, hub.clock, record=record),
        webhooks=webhooks,
    )
