"""Builds what a worker does: order of events, webhooks, supervision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.kinds import Kind
from hub.auth.principal import Principal
from hub.bootstrap.desk import build_case_store
from hub.bootstrap.parts import Hub
from hub.bootstrap.secrets import build_key_ring
from hub.bootstrap.transport import Publishing, build_publisher
from hub.casework.case_store import CaseStore
from hub.casework.notices import Notice
from hub.casework.reach import AGENCY_OF, reference
from hub.casework.supervision import Supervision, Tell
from hub.casework.sweeps import Sweeps
from hub.casework.watch_reader import read_watchers
from hub.clock import microseconds
from hub.connectors.rows import layout_of
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.domain.agencies import HUB, JUSTICE
from hub.events.deliverer import Deliverer
from hub.events.outbox import Sequencer, put
from hub.events.places import Places
from hub.events.webhooks import Webhooks
from hub.identity.index import Inquiry

NOTHING = Pattern()
SWEEP = "HANDOVER"
"""Purpose of what the hub looks for by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The parts of a worker; every method of them may be called by many workers at once."""

    sequencer: Sequencer
    deliverer: Deliverer
    supervision: Supervision
    sweeps: Sweeps
    webhooks: Webhooks
    publisher: Publishing | None

    async def close(self) -> None:
        await self.deliverer.close()
        if self.publisher is not None:
            await self.publisher.close()


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

    cases = build_case_store()
    return Work(
        sequencer=Sequencer(hub.store),
        deliverer=Deliverer(hub.store, webhooks, Places(hub.ids), hub.clock, source=hub.settings.base_url),
        supervision=Supervision(hub.store, cases, tell, hub.clock, record=record),
        sweeps=_sweeps(hub, cases, tell),
        webhooks=webhooks,
        publisher=build_publisher(hub.settings, hub.store),
    )


def _sweeps(hub: Hub, cases: CaseStore, tell: Tell) -> Sweeps:
    watches = read_watchers(hub.rules.catalogue, cases.workflow)
    itself = Principal(
        agency=HUB,
        role="worker",
        officer="hub",
        client="hub",
        regions=("0",),
        purposes=frozenset(),
        cases=None,
        token_id="",
        expires_at=0,
    )

    async def keys(persons: Sequence[str]) -> Mapping[str, Mapping[str, Sequence[str]]]:
        found = await hub.index.members(Inquiry(principal=itself, purpose=SWEEP, consent=False), persons)
        return {person: known.member.keys for person, known in found.items()}

    async def note(agency: str, persons: Sequence[str], coordinates: frozenset[str]) -> str:
        pattern = Pattern(predicate=tuple(sorted(coordinates)))
        draft = Draft(
            kind=Kind.SWEEP,
            request_id="sweep",
            agency=HUB,
            purpose=SWEEP,
            operation=agency,
            persons=tuple((hub.pseudonyms.of("member", person), pattern) for person in persons),
            policy_digest=hub.rules.judge.policy_digest,
            outcome=Outcome.OK,
        )
        return (await hub.log.append(draft)).entry_id

    return Sweeps(
        hub.store,
        cases,
        watches,
        sources=hub.sources,
        layouts={each.agency: layout_of(hub.rules.catalogue, each.record, each.coordinates) for each in watches},
        keys=keys,
        note=note,
        tell=tell,
        names=hub.pseudonyms,
        clock=hub.clock,
    )
