"""The statutory query: case, legal basis, second officer; once, in time, noted and told to owners."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.clock import FixedClock
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.identity_number import IdentityNumber
from hub.errors import AuditUnavailableError
from hub.gateway.statutory import StatutoryBasis, StatutoryDesk, StatutoryQuery, StatutoryRefusedError
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import CaseReference, References
from hub.identity.vault import Vault
from hub.identity.vault_tables import vault_notice
from tests.identity.test_index import KEYS, NUMBERS, RING, Justice, find, number, officer, record
from tests.identity.test_index import NAMES as NAME_INDEXES

PURPOSE = "HANDOVER"
ASKER = officer()
APPROVER = replace(ASKER, officer="2")
CASE = "J1"


@pytest.fixture
async def desk(store, clock):
    vault = Vault(sealer=Sealer(RING), opener=Opener(RING), numbers=NUMBERS, keys=KEYS, clock=clock)
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
        policy_digest="digest",
        clock=clock,
    )


def query(sequence: int = 1, case: str = CASE) -> StatutoryQuery:
    return StatutoryQuery(
        number=IdentityNumber.parse(number(sequence)), case=case, basis=StatutoryBasis.CRIMINAL_PROCEDURE_286
    )


async def ask(desk, who=ASKER, **given):
    return await desk.ask(who, PURPOSE, query(**given), "r1")


async def approve(desk, query_id, who=APPROVER):
    await desk.approve(who, PURPOSE, query_id, "r2")


async def answer(desk, query_id, who=ASKER):
    return await desk.answer(who, PURPOSE, query_id, "r3")


async def entries(store):
    return [line async for line in dump(store)]


async def refused(awaitable) -> None:
    with pytest.raises(StatutoryRefusedError):
        await awaitable


async def test_asked_approved_and_given_once(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    (held,) = await answer(desk, query_id)
    assert (held.agency, held.key) == ("justice", "young")
    await refused(answer(desk, query_id))


async def test_every_step_is_an_entry_of_its_own_kind_without_a_value(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    await answer(desk, query_id)
    await refused(answer(desk, query_id))
    found = await entries(store)
    assert {entry["kind"] for entry in found} == {"statutory"}
    assert [(entry["operation"], entry["officer"], entry["outcome"]) for entry in found] == [
        ("statutoryQuery.ask", "1", "OK"),
        ("statutoryQuery.approve", "2", "OK"),
        ("statutoryQuery.answer", "1", "OK"),
        ("statutoryQuery.answer", "1", "DENIED"),
    ]
    assert [entry["persons"][0]["full"] for entry in found] == [[], [], ["VaultedRecord.content"], []]
    assert len({entry["persons"][0]["person"] for entry in found}) == 1
    assert number(1) not in str(found)
    assert {tuple(entry["case"]) for entry in found} == {(CASE,)}


async def test_the_owner_of_a_given_record_is_told(desk, store):
    query_id = await ask(desk)
    await approve(desk, query_id)
    (held,) = await answer(desk, query_id)
    async with store.read() as connection:
        (notice,) = (await connection.execute(select(vault_notice))).mappings()
    assert (notice["agency"], notice["record_id"], notice["query_id"]) == ("justice", held.record_id, query_id)


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


async def test_without_approval_or_for_another_officer_there_is_no_answer(desk):
    query_id = await ask(desk)
    await refused(answer(desk, query_id))
    await approve(desk, query_id)
    await refused(answer(desk, query_id, APPROVER))
    await refused(approve(desk, query_id))
    await refused(answer(desk, "no such query"))
    assert await answer(desk, query_id)


async def test_approval_and_answer_have_their_time(desk, clock: FixedClock):
    query_id = await ask(desk)
    clock.advance(timedelta(hours=25).total_seconds())
    await refused(approve(desk, query_id))
    query_id = await ask(desk)
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
