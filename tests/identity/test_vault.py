"""Records sealed by law: in the vault and nowhere else, whatever was there before."""

import json
import sqlite3

import pytest
from sqlalchemy import select

from hub.crypto.blind_index import BlindIndex
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.identity_number import IdentityNumber
from hub.identity.importer import Importer
from hub.identity.index import PersonIndex
from hub.identity.references import CaseReference, References
from hub.identity.tables import case_reference, consent, findings, jurisdiction, link, person
from hub.identity.vault import Vault
from hub.identity.vault_tables import vault_record
from tests.identity.test_index import KEYS, NUMBERS, RING, Justice, Record, find, number, record
from tests.identity.test_index import NAMES as NAME_INDEXES

VAULT_NUMBERS = BlindIndex(key=b"v" * 32, field="vaultNumber", bits=3)
VAULT_KEYS = BlindIndex(key=b"w" * 32, field="vaultKey", bits=3)


@pytest.fixture
def vault(clock):
    return Vault(sealer=Sealer(RING), opener=Opener(RING), numbers=VAULT_NUMBERS, keys=VAULT_KEYS, clock=clock)


@pytest.fixture
def importer(store, vault, clock):
    return Importer(
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


@pytest.fixture
def index(store, clock):
    return PersonIndex(
        reader=store.driver,
        opener=Opener(RING),
        sealer=Sealer(RING),
        numbers=NUMBERS,
        clock=clock,
        natural=["police", "tax"],
    )


async def vaulted(store, vault, sequence: int):
    async with store.write() as connection:
        return await vault.find(connection, IdentityNumber.parse(number(sequence)))


async def rows_of(store, table) -> int:
    async with store.read() as connection:
        return len((await connection.execute(select(table))).all())


async def test_a_sealed_record_is_found_in_the_vault_alone(store, importer, vault, index):
    report = await importer.run(Justice([record("k1", 1, vaulted="1"), record("k2", 2)]))
    assert report.members == 1
    assert await find(index, 1) is None
    assert await find(index, 2)
    for table in (person, link, jurisdiction):
        assert await rows_of(store, table) == 1
    (held,) = await vaulted(store, vault, 1)
    assert (held.agency, held.key, held.values["index.number"]) == ("justice", "k1", number(1))
    assert await vaulted(store, vault, 2) == ()


async def test_candidates_of_the_blind_index_are_opened_and_compared(store, importer, vault):
    await importer.run(Justice([record(f"k{n}", n, vaulted="1") for n in range(1, 41)]))
    for n in range(1, 41):
        assert [held.key for held in await vaulted(store, vault, n)] == [f"k{n}"]
    assert await vaulted(store, vault, 99) == ()


async def test_importing_again_keeps_one_record_a_key(store, importer, vault):
    for _ in range(3):
        await importer.run(Justice([record("k1", 1, vaulted="1"), record("k2", 2, vaulted="1")]))
    assert await rows_of(store, vault_record) == 2


async def rows_at_rest(store) -> list[tuple]:
    async with store.read() as connection:
        return [tuple(row) for row in await connection.execute(select(vault_record).order_by(vault_record.c.record_id))]


async def test_importing_what_has_not_changed_writes_nothing(store, importer, vault, clock):
    """Notices to owners name a record by its id: it is the same one as long as its owner holds it."""
    records = [record("k1", 1, vaulted="1"), record("k2", 2, vaulted="1")]
    await importer.run(Justice(records))
    before = await rows_at_rest(store)
    clock.advance(86_400)
    turned = [Record(one.key, dict(reversed(one.values.items()))) for one in records]
    await importer.run(Justice([*turned, turned[0]]))
    assert await rows_at_rest(store) == before


async def test_a_sealed_record_that_changed_keeps_its_id_and_when_it_came(store, importer, vault, clock):
    await importer.run(Justice([record("k1", 1, vaulted="1", called="old")]))
    (old,) = await vaulted(store, vault, 1)
    assert old.imported_at == clock.now()
    assert old.imported_at.tzinfo is not None
    clock.advance(86_400)
    await importer.run(Justice([record("k1", 2, vaulted="1", called="new")]))
    assert await vaulted(store, vault, 1) == ()
    (new,) = await vaulted(store, vault, 2)
    assert (new.record_id, new.imported_at) == (old.record_id, old.imported_at)
    assert new.values["index.called"] == "new"


async def test_of_one_key_told_twice_the_last_is_kept(store, importer, vault):
    twice = Penalties(*(Record("p1", {"index.number": number(1), "cause": cause}) for cause in ("first", "last")))
    for _ in range(2):
        await importer.keep_vaulted("police", twice)
        (held,) = await vaulted(store, vault, 1)
        assert held.values["cause"] == "last"


async def test_a_member_whose_record_is_sealed_later_leaves_no_trace(store, importer, vault, index, clock):
    await importer.run(Justice([record("k1", 1), record("k2", None)]))
    references = References(store, clock)
    for sequence in (1,):
        member = await find(index, sequence)
        await references.put_cases([CaseReference(case_id="C1", person_id=member, agency="tax", region="360702")])
        await references.give_consent(member, "tax", "TAX_RELIEF")
    await importer.run(Justice([record("k1", 1, vaulted="1"), record("k2", None, vaulted="1")]))
    for table in (person, link, jurisdiction, findings, case_reference, consent):
        assert await rows_of(store, table) == 0
    assert len(await vaulted(store, vault, 1)) == 1


async def test_sealing_a_record_touches_no_member_whose_key_has_the_same_blind_index(store, importer):
    members = [record(f"k{n}", n) for n in range(1, 41)]
    sealed = [record(f"s{n}", n, vaulted="1") for n in range(41, 81)]
    assert {KEYS.of(one.key) for one in members} & {KEYS.of(one.key) for one in sealed}
    await importer.run(Justice(members))
    async with store.read() as connection:
        before = set(await connection.scalars(select(person.c.person_id)))
    await importer.run(Justice(sealed))
    async with store.read() as connection:
        assert set(await connection.scalars(select(person.c.person_id))) == before


async def test_a_record_whose_seal_is_lifted_is_a_member_again(store, importer, vault, index):
    await importer.run(Justice([record("k1", 1, vaulted="1")]))
    await importer.run(Justice([record("k1", 1)]))
    assert await find(index, 1)
    assert await rows_of(store, vault_record) == 0


async def test_a_sealed_record_casts_no_doubt_on_the_open_one_of_the_same_person(store, importer, vault, index):
    """A juvenile record, and years later an adult one, under one number: the view must not change by the first."""
    report = await importer.run(Justice([record("young", 5, vaulted="1"), record("grown", 5)]))
    assert report.ambiguous == 0
    assert await find(index, 5)
    assert [held.key for held in await vaulted(store, vault, 5)] == ["young"]


async def test_records_of_public_security_are_kept_beside_those_of_justice(store, importer, vault):
    await importer.run(Justice([record("k1", 1, vaulted="1")]))
    penalty = Record("k1", {"index.number": number(1), "kind": "drug use", "decidedOn": "2026-02-03"})
    async with store.write() as connection:
        await vault.keep(connection, "police", [penalty])
    held = await vaulted(store, vault, 1)
    assert {one.agency for one in held} == {"justice", "police"}
    assert {one.values.get("kind") for one in held} == {None, "drug use"}


async def test_nothing_of_a_sealed_record_can_be_read_at_rest(store, importer):
    if store.dialect != "sqlite":
        async with store.read() as connection:
            await importer.run(Justice([record("k-sealed", 1, vaulted="1")]))
            (row,) = (await connection.execute(select(vault_record))).mappings()
            text = json.dumps({name: str(value) for name, value in row.items()})
    else:
        await importer.run(Justice([record("k-sealed", 1, vaulted="1")]))
        with sqlite3.connect(store.engine.url.database) as database:
            text = "\n".join(map(repr, database.execute("SELECT * FROM vault_record")))
    assert number(1) not in text
    assert "k-sealed" not in text


class Penalties:
    """A register of punishments, all of them sealed by law."""

    def __init__(self, *records: Record) -> None:
        self.records = records

    async def scan_vaulted(self, *, batch):
        for start in range(0, len(self.records), batch):
            yield self.records[start : start + batch]


async def test_punishments_of_the_police_go_into_the_vault_and_nowhere_else(store, importer, vault, index):
    await importer.run(Justice([record("k1", 1)]))
    before = [await rows_of(store, table) for table in (person, link, jurisdiction, findings)]
    made = Penalties(
        Record("p1", {"index.number": number(1), "cause": "drug use"}),
        Record("p2", {"index.number": number(2), "cause": "gambling"}),
        Record("p3", {"cause": "gambling"}),
    )
    for _ in range(2):
        assert await importer.keep_vaulted("police", made) == 3
    assert await rows_of(store, vault_record) == 3
    assert [await rows_of(store, table) for table in (person, link, jurisdiction, findings)] == before
    assert await find(index, 2) is None
    (held,) = await vaulted(store, vault, 2)
    assert (held.agency, held.key, held.values["cause"]) == ("police", "p2", "gambling")
