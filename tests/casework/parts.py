"""Parts of a desk over one store: the shipped rules, real seals, a log, and a few officers."""

from dataclasses import dataclass
from typing import Any

from hub.audit.log import AuditLog
from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.bootstrap.desk import below, owners
from hub.casework.commands import Call, Subject
from hub.casework.consents import ConsentDesk
from hub.casework.emergency import EmergencyDesk
from hub.casework.reviews import AccessLists
from hub.casework.runner import Done, Runner
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.crypto.sealing import Sealer
from hub.events.places import Places
from hub.gateway.survivorship import read_survivorship
from hub.identity.approvals import Approvals
from tests.auth.parts import catalogue, judge, purposes

RING = KeyRing(keys={"seal:hub:3": {1: bytes(32)}})
PLACES = Places(PairwiseIds(b"p" * 32))
NAMES = Pseudonyms(b"p" * 32)
NUMBER = "360702199001011234"
COORDINATES = ["Person.name", "JusticeRecord.riskClass"]


@dataclass
class Desk:
    runner: Runner
    lists: AccessLists
    approvals: Approvals
    log: AuditLog
    clock: Any
    store: Any


def open_desk(store, clock) -> Desk:
    log = AuditLog(store, clock)
    told = owners(catalogue(), read_survivorship(catalogue()))
    by_agency: dict[str, frozenset[str]] = {}
    for role in purposes().roles.values():
        by_agency[role.agency] = by_agency.get(role.agency, frozenset()) | role.purposes
    runner = Runner(
        [
            *EmergencyDesk(judge(), told, below(catalogue(), read_survivorship(catalogue()))).commands(),
            *ConsentDesk(by_agency).commands(),
        ],
        store=store,
        log=log,
        rules=judge(),
        sealer=Sealer(RING),
        names=NAMES,
        clock=clock,
    )
    lists = AccessLists(store, Opener(RING), judge(), clock)
    return Desk(runner, lists, Approvals(store.driver, NAMES.of, clock), log, clock, store)


def officer(number="2001", role="judicial-office", agency="justice", regions=("360702",), client="c") -> Principal:
    return Principal(
        agency=agency, role=role, officer=number, client=client, regions=regions,
        purposes=frozenset(purposes().roles[role].purposes), cases=None, token_id="t", expires_at=0,
    )  # fmt: skip


ASKER = officer()
SECOND = officer("2002")
COUNTY = officer("3001", "county-office", regions=("3607",))
AUDITOR = officer("9001", "auditor", "audit", ("36",))


def subject(number: str = NUMBER, member: str | None = "m1", **facts: bool) -> Subject:
    return Subject(key=NAMES.of("number", number), member=member, number=number, facts=Facts(**facts))


def call(name: str, given: dict, who=ASKER, *, id: str = "1", purpose="HANDOVER", about: Subject | None = None) -> Call:
    return Call(
        name=name, mutation_id=id, given=given, principal=who, purpose=purpose, request_id="r", subject=about
    )  # fmt: skip


def asking(*, who=ASKER, id="ask", minutes=30, coordinates=COORDINATES, reason="urgent: at the door", about=None):
    given = {"person": {"identityNumber": NUMBER}, "reason": reason, "minutes": minutes, "coordinates": coordinates}
    return call("requestEmergencyAccess", given, who, id=id, about=about or subject())


def deciding(request: str, who=SECOND, *, id="decide", decision="APPROVE", reason="seen the paper", purpose="HANDOVER"):
    given = {"request": request, "decision": decision, "reason": reason}
    return call("approveAccess", given, who, id=id, purpose=purpose)


def reviewing(request: str, who=AUDITOR, *, id="review", purpose="AUDIT", finding="JUSTIFIED"):
    given = {"request": request, "finding": finding, "note": "all in order"}
    return call("closeAccessReview", given, who, id=id, purpose=purpose)


def code(done: Done) -> str | None:
    return done.problem and done.problem["code"]


async def asked(desk: Desk, **more: Any) -> str:
    done = await desk.runner.run(asking(**more))
    assert done.receipt is not None, done.problem
    return done.receipt["id"]


async def approved(desk: Desk, **more: Any) -> str:
    request = await asked(desk, **more)
    assert (await desk.runner.run(deciding(request))).receipt["state"] == "ACTIVE"
    return request


async def standing(desk: Desk, who=ASKER, purpose="HANDOVER", number=NUMBER) -> frozenset[str]:
    return (await desk.approvals.standing(who, purpose)).of(member="", number=number).coordinates
