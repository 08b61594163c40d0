"""The statutory query: case, legal basis, second officer; once, in time, noted and told to owners."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.auth.principal import Principal
from hub.clock import FixedClock
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.identity_number import IdentityNumber
from hub.errors import AuditUnavailableError, RateLimitedError
from hub.events.outbox import Feed, Sequencer
from hub.events.tables import outbox
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import Asker
from hub.gateway.statutory import Refused, StatutoryDesk, StatutoryQuery, StatutoryRefusedError
from hub.gateway.statutory_queries import StatutoryBasis
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import CaseReference, References
from hub.identity.vault import Vault
from hub.identity.vault_tables import vault_notice
from tests.auth.parts import judge
from tests.identity.test_index import KEYS, NUMBERS, RING, Justice, Record, find, number, officer, record
from tests.identity.test_index import NAMES as NAME_INDEXES

PURPOSE = "HANDOVER"
ASKER = officer()
APPROVER = replace(ASKER, officer="2")
CASE = "J1"


@pytest.fixture
def vault(clock):
    return Vault(sealer=Sealer(RING), opener=Opener(RING), numbers=NUMBERS, keys=KEYS, clock=clock)


@pytest.fixture
async def desk(store, vault, clock):
    index = PersonIndex(
        reader=store.driver, opener=Opener(RING), sealer=Sealer(RING), numbers=NUMBERS, clock=clock, natural=["police"]
    )
    importer = Importer(
        store=store,
        sealer=Sealer(RING),
        opener=Opener(RING),
        numbers=NUMBERS,
        keys=KEYS,
        names=NAME_INDEXES,
        erased=Pseudonyms(b"d" * 32),
        vault=vault,
        clock=clock,
    )
    await importer.run(Justice([record("young", 1, vaulted="1"), record("k2", 2)]))
    member = await find(index, 2)
    await References(store, clock).put_cases(
        [CaseReference(case_id=CASE, person_id=member, agency="justice", region="360702001")]
    )
    return StatutoryDesk(
        store=store,
        vault=vault,
        people=index,
        log=AuditLog(store, clock),
        sealer=Sealer(RING),
        opener=Opener(RING),
        pseudonyms=Pseudonyms(b"p" * 32),
        quota=PersonQuota(limit=100, clock=clock),
        clock=clock,
    )


def query(sequence: int = 1, case: str | None = CASE, basis=StatutoryBasis.CRIMINAL_PROCEDURE_286) -> StatutoryQuery:
    return StatutoryQuery(number=IdentityNumber.parse(number(sequence)), case=case, basis=basis)


def asker(who: Principal, purpose: str = PURPOSE) -> Asker:
    return Asker(principal=who, purpose=purpose, cases=(), judge=judge())


async def ask(desk, who=ASKER, mutation="m1", purpose=PURPOSE, **given):
    return (await desk.ask(asker(who, purpose), query(**given), "r1", mutation)).query_id


async def approve(desk, query_id, who=APPROVER, purpose=PURPOSE):
    return await desk.approve(asker(who, purpose), query_id, "r2")


async def answer(desk, query_id, who=ASKER, purpose=PURPOSE):
    return await desk.answer(asker(who, purpose), query_id, "r3")


async def entries(store):
    return [line async for line in dump(store)]


async def refused(awaitable, why: Refused | None = None) -> None:
    with pytest.raises(StatutoryRefusedError) as found:
        await awaitable
    assert why in (None, found.value.refused)


async def test_asked_approved_and_given_for_an_hour(desk, clock):
    query_id = await ask(desk)
    await approve(desk, query_id)
    for _ in range(2):
        (held,) = await answer(desk, query_id)
        assert (held.agency, held.key) == ("justice", "young")
    clock.advance(timedelta(hours=1, seconds=1).total_seconds())
    await refused(answer(desk, query_id))


async def test_a_law_opens_the_records_of_its_own_kind_only(desk, store, vault):
    penalty = Record("p1", {"index.number": number(1), "cause": "drug use"})
    async with store.write() as connection:
        await vault.keep(connection, "police", [penalty])
    for mutation, basis, owner in (
        ("a", StatutoryBasis.CRIMINAL_PROCEDURE_286, "justice"),
        ("b", StatutoryBasis.PUBLIC_SECURITY_136, "police"),
    ):
        query_id = await ask(desk, mutation=mutation, basis=basis)
        await approve(desk, query_id)
        assert [each.agency for each in await answer(desk, query_id)] == [owner]


async def test_the_same_command_again_is_the_same_query(desk, store):
    query_id = await ask(desk)
    assert await ask(desk) == query_id
    assert await ask(desk, mutation="m2") != query_id
    await refused(ask(desk, sequence=7), Refused.IDEMPOTENCY_CONFLICT)
    first = await approve(desk, query_id)
    assert await approve(desk, query_id) == first
    assert [entry["outcome"] for entry in await entries(store)] == ["OK", "OK", "DENIED", "OK"]


async def test_every_step_is_an_entry_of_its_own_kind_without_a_value(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    await answer(desk, query_id)
    await refused(answer(desk, query_id, APPROVER))
    found = await entries(store)
    assert {entry["kind"] for entry in found} == {"statutory"}
    assert [(entry["operation"], entry["officer"], entry["outcome"]) for entry in found] == [
        ("statutoryQuery.ask", "1", "OK"),
        ("statutoryQuery.approve", "2", "OK"),
        ("statutoryQuery.answer", "1", "OK"),
        ("statutoryQuery.answer", "2", "DENIED"),
    ]
    assert [entry["persons"][0]["full"] for entry in found] == [[], [], ["VaultedRecord.content"], []]
    assert len({entry["persons"][0]["person"] for entry in found}) == 1
    assert number(1) not in str(found)
    assert {tuple(entry["case"]) for entry in found} == {(CASE,)}
    assert [entry["policies"] for entry in found] == [
        ["commands.statutoryQuery.officer"],
        ["commands.approveStatutoryQuery.own-agency"],
        ["vault.FG17/detail.judicial-office.full"],
        [],
    ]


async def test_the_owner_of_a_given_record_is_told(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    (held,) = await answer(desk, query_id)
    async with store.read() as connection:
        (notice,) = (await connection.execute(select(vault_notice))).mappings()
        (event,) = (await connection.execute(select(outbox))).mappings()
    assert (notice["agency"], notice["record_id"], notice["query_id"]) == ("justice", held.record_id, query_id)
    assert (event["recipient"], event["kind"]) == ("justice", "statutory.read")
    assert event["person_key"] not in str(await entries(store))
    (told,) = await desk.queries.notices("justice")
    assert (told.officer, told.role, told.basis) == ("1", "judicial-office", StatutoryBasis.CRIMINAL_PROCEDURE_286)
    assert await desk.queries.notices("police") == []


async def test_an_owner_s_event_stands_in_the_feed_of_no_office(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    await answer(desk, query_id)
    await Sequencer(store).run()
    assert await Feed(store).after(0, recipient="justice", regions=("36",), first=10) == ()


async def test_for_a_person_without_record_all_is_the_same_but_the_answer(desk, store):
    query_id = await ask(desk, sequence=7)
    await approve(desk, query_id)
    assert await answer(desk, query_id) == ()
    assert [entry["outcome"] for entry in await entries(store)] == ["OK"] * 3


@pytest.mark.parametrize(
    "who",
    [
        replace(ASKER, role="prison"),
        replace(ASKER, role="auditor"),
        replace(ASKER, purposes=frozenset()),
        replace(ASKER, regions=("3601",)),  # the case is of another region
        replace(ASKER, agency="police", role="police-station"),  # and of another agency
        replace(ASKER, cases=frozenset({"other"})),  # the token is bound to another case
    ],
    ids=["prison", "auditor", "purpose", "region", "agency", "token"],
)
async def test_who_may_not_ask_is_refused_and_noted(desk, store, who):
    await refused(ask(desk, who))
    (entry,) = await entries(store)
    assert (entry["kind"], entry["outcome"], entry["code"]) == ("statutory", "DENIED", "FORBIDDEN")


async def test_a_case_that_is_not_open_carries_no_query(desk, store, clock):
    await refused(ask(desk, case="none"))
    query_id = await ask(desk)
    await approve(desk, query_id)
    closed = CaseReference(case_id=CASE, person_id="0" * 32, agency="justice", region="360702001", open=False)
    await References(store, clock).put_cases([closed])
    await refused(answer(desk, query_id))


@pytest.mark.parametrize(
    "who",
    [ASKER, replace(APPROVER, role="prison"), replace(APPROVER, agency="police", role="police-station")],
    ids=["oneself", "role", "agency"],
)
async def test_the_approver_is_another_officer_of_the_agency_with_the_right(desk, who):
    query_id = await ask(desk)
    await refused(approve(desk, query_id, who))
    await refused(answer(desk, query_id))


async def test_an_officer_otherwise_written_is_the_same_officer(desk):
    query_id = await ask(desk, replace(ASKER, officer="ann"))
    await refused(approve(desk, query_id, replace(ASKER, officer="Ann")), Refused.SAME_OFFICER)


async def test_without_approval_or_for_another_officer_there_is_no_answer(desk):
    query_id = await ask(desk)
    await refused(answer(desk, query_id))
    await approve(desk, query_id)
    await refused(answer(desk, query_id, APPROVER))
    await refused(answer(desk, query_id, replace(ASKER, role="county-office")))
    await refused(answer(desk, query_id, purpose="PICKUP"))
    await refused(approve(desk, query_id, replace(ASKER, officer="3")), Refused.ALREADY_DECIDED)
    await refused(answer(desk, "no such query"))
    await refused(approve(desk, "no such query"), Refused.NOT_FOUND)
    assert await answer(desk, query_id)


async def test_approval_and_answer_have_their_time(desk, clock: FixedClock):
    query_id = await ask(desk)
    clock.advance(timedelta(hours=25).total_seconds())
    await refused(approve(desk, query_id), Refused.EXPIRED)
    query_id = await ask(desk, mutation="m2")
    await approve(desk, query_id)
    clock.advance(timedelta(hours=2).total_seconds())
    await refused(answer(desk, query_id))


async def test_without_a_log_nothing_is_given(desk, monkeypatch):
    query_id = await ask(desk)
    await approve(desk, query_id)

    async def unavailable(_draft):
        raise AuditUnavailableError("no log")

    monkeypatch.setattr(desk._log, "append", unavailable)
    with pytest.raises(AuditUnavailableError):
        await answer(desk, query_id)


SUBJECT = Principal(
    agency="subject",
    role="data-subject",
    officer="6701",
    client="c",
    regions=(),
    purposes=frozenset({"SUBJECT_ACCESS"}),
    cases=None,
    token_id="t",
    expires_at=0,
    subject=number(1),
)
DECIDER = replace(APPROVER, role="approver", officer="6801", purposes=frozenset({"SUPERVISION"}))


async def test_the_person_concerned_sees_what_is_held_about_oneself_once_approved(desk):
    own = await ask(desk, SUBJECT, case=None, purpose="SUBJECT_ACCESS")
    await refused(answer(desk, own, SUBJECT, "SUBJECT_ACCESS"))
    await refused(approve(desk, own), Refused.NOT_FOUND)
    waiting = await desk.queries.mine(DECIDER, of_agency=True, of_subjects=True)
    assert [each.query_id for each in waiting] == [own]
    await approve(desk, own, DECIDER, "SUPERVISION")
    (held,) = await answer(desk, own, SUBJECT, "SUBJECT_ACCESS")
    assert held.key == "young"


async def test_a_case_that_the_person_concerned_names_changes_nothing(desk):
    own = await ask(desk, SUBJECT, case="somebody's", purpose="SUBJECT_ACCESS")
    assert await ask(desk, SUBJECT, case=None, purpose="SUBJECT_ACCESS") == own
    await approve(desk, own, DECIDER, "SUPERVISION")
    assert await answer(desk, own, SUBJECT, "SUBJECT_ACCESS")


async def test_the_person_concerned_asks_about_nobody_else(desk):
    await refused(ask(desk, SUBJECT, sequence=2, case=None, purpose="SUBJECT_ACCESS"))
    await refused(ask(desk, replace(SUBJECT, subject=None), case=None, purpose="SUBJECT_ACCESS"))
    await refused(ask(desk, case=None))  # an officer without a case


async def test_questions_about_sealed_records_count_against_the_quota(desk, clock):
    desk._quota = PersonQuota(limit=1, clock=clock)
    await ask(desk)
    with pytest.raises(RateLimitedError):
        await ask(desk, mutation="m2", sequence=9)


OF_ASKER = replace(ASKER, officer="3", on_behalf_of=ASKER.officer)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ASKER, OF_ASKER),
        (OF_ASKER, ASKER),
        (OF_ASKER, replace(ASKER, officer="3")),
        (ASKER, replace(ASKER, on_behalf_of="2")),
        (OF_ASKER, replace(OF_ASKER, officer="4")),
    ],
    ids=["for the asker", "whom it was asked for", "the deputy itself", "the asker for another", "two for one"],
)
async def test_nobody_approves_their_own_query_by_acting_for_another(desk, store, first, second):
    query_id = await ask(desk, first)
    await refused(approve(desk, query_id, second), Refused.SAME_OFFICER)
    *_, refusal = await entries(store)
    assert (refusal["officer"], refusal.get("onBehalfOf")) == (second.officer, second.on_behalf_of)


async def test_a_query_asked_for_another_is_answered_to_the_deputy_as_such_alone(desk):
    query_id = await ask(desk, OF_ASKER)
    await approve(desk, query_id)
    for other in (ASKER, replace(ASKER, officer="3"), replace(OF_ASKER, officer="4")):
        await refused(answer(desk, query_id, other))
    assert await answer(desk, query_id, OF_ASKER)
