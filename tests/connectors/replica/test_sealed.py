"""Copies at rest: nothing readable in any file, nothing opens where it was moved to, erased for good, moved to new keys."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import select, update

from benchmarks.at_rest import forms
from hub.bootstrap.keeping import build_keeping
from hub.connectors.base import SourceState
from hub.connectors.replica.ports import COLUMNS, key_place, version_place
from hub.connectors.replica.tables import replica_salt, replica_subject, replica_version
from hub.crypto import rotation as rotation_module
from hub.domain.identity_number import IdentityNumber
from hub.errors import SealedValueError
from hub.store.migration import migrate
from tests.connectors.replica.parts import CIVIL, POLICE, Agencies, ask, rules
from tests.crypto.test_rotation import INQUIRY
from tests.crypto.world import Register, command, record
from tests.journeys.test_at_rest import files

SEEDED = 1_000
COPIES = (replica_subject, replica_salt, replica_version)


@pytest.fixture
async def keeping(hub):
    made = build_keeping(hub.settings, rules=rules())
    yield made
    await made.close()


async def answers(hub, agencies):
    """All that the copies answer, by agency and key."""
    given = {agency: (await ask(hub, agency, *agencies.keys(agency))).records for agency in (POLICE, CIVIL)}
    return {(agency, key): one.values for agency, records in given.items() for key, one in records.items()}


async def rows_of(hub, table):
    async with hub.store.read() as connection:
        return list((await connection.execute(select(table))).all())


def seeded(agencies) -> list[str]:
    """Values that the agencies know of persons, as they write them."""
    values = set()
    for (name,) in agencies.look("SELECT name FROM sqlite_master WHERE type = 'table'"):
        values |= {str(item) for row in agencies.look(f"SELECT * FROM {name}") for item in row if item}
    for path in agencies.drop.glob("*.csv"):
        lines = path.read_text("gb18030").splitlines()[1:]
        values |= {item for line in lines for item in line.split(",")}
    return sorted(value for value in values if len(value.encode()) >= 9)


async def test_no_value_of_a_copy_stands_in_any_file_of_the_hub(tmp_path, clock):
    agencies = Agencies(tmp_path)
    hub = agencies.hub("", clock)
    await migrate(hub.store)
    values = seeded(agencies)
    try:
        for agency in (POLICE, CIVIL):
            await hub.copier.copy(agency, anyway=True)
        agencies.change("UPDATE rk_ryxx SET xm = '欧阳改名', hjdz = '更正路一号', gxsj = '20261124120000'")
        agencies.change("DELETE FROM rk_ryxx WHERE rybh IN (SELECT rybh FROM rk_ryxx LIMIT 2)")
        await hub.copier.copy(POLICE, anyway=True, whole=True)
        assert await answers(hub, agencies)
        assert command(tmp_path, "keys", "rotate", "--grace", "0").returncode == 0
        contents = {path.name: path.read_bytes() for path in files(tmp_path / "hub")}
    finally:
        await hub.close()
    assert {"hub.db", "hub.db-wal"} <= contents.keys()
    chosen = (values[:: max(1, len(values) // SEEDED)])[:SEEDED]
    assert len(chosen) > 300
    searched = [*chosen, "欧阳改名", "更正路一号"]
    hits = [(name, item) for item in searched for form in forms(item) for name, raw in contents.items() if form in raw]
    assert hits == []


MOVES = {
    "to another person": lambda rows: (rows[POLICE][0], "personal_sealed", rows[POLICE][1], "personal_sealed"),
    "to another class": lambda rows: (rows[POLICE][0], "personal_sealed", rows[POLICE][0], "sensitive_sealed"),
    "to another agency": lambda rows: (rows[CIVIL][0], "personal_sealed", rows[POLICE][0], "personal_sealed"),
}


@pytest.mark.parametrize("move", MOVES)
async def test_a_value_that_was_moved_is_withheld_and_counted(hub, agencies, move):
    rows = {
        agency: [row for row in await rows_of(hub, replica_version) if row.agency == agency]
        for agency in (POLICE, CIVIL)
    }
    source, taken, target, put = MOVES[move](rows)
    keys = agencies.keys(POLICE)
    before = await ask(hub, POLICE, *keys)
    assert all(one.quarantined == 0 for one in before.records.values())
    mine = (replica_version.c.subject_id == target.subject_id, replica_version.c.agency == target.agency)
    async with hub.store.write() as connection:
        await connection.execute(update(replica_version).where(*mine).values({put: getattr(source, taken)}))
    after = await ask(hub, POLICE, *keys)
    assert after.state is SourceState.OK
    (key,) = [key for key, one in after.records.items() if one.quarantined]
    values, old = after.records[key].values, before.records[key].values
    assert values != old
    assert all(less(one, other) for one, other in zip(values, old, strict=True))


def less(value, whole) -> bool:
    """Whether a value is `whole`, or what is left of it where something is withheld."""
    if value == whole or not value:
        return True
    listed = isinstance(value, list) and isinstance(whole, list) and len(value) == len(whole)
    return listed and all(less(one, other) for one, other in zip(value, whole, strict=True))


async def test_no_value_opens_in_any_place_but_its_own(hub, agencies, keeping):
    opener = keeping.secrets.opener
    salts = {row.subject_id: row.salt for row in await rows_of(hub, replica_salt)}
    versions = (await rows_of(hub, replica_version))[::5]
    places = {
        version_place(row.agency, row.subject_id, row.version, key): row
        for row in versions
        for key, column in COLUMNS.items()
        if getattr(row, column)
    }
    opened = refused = 0
    for place, row in places.items():
        for other in (*places, version_place(row.agency, row.subject_id, row.version + 1, place.sensitivity)):
            sealed = getattr(row, place.column)
            try:
                opener.open(other, sealed, salts[row.subject_id])
                opened += 1
                assert other == place
            except SealedValueError:
                refused += 1
    assert (opened, refused) == (len(places), len(places) ** 2)


async def test_an_erased_persons_copies_are_gone_for_good_and_not_made_again(hub, agencies, keeping):
    key = next(key for key in agencies.keys(POLICE) if key in agencies.keys(CIVIL))
    await hub.importer.run(Register([record(1, number=key)]))
    found = await hub.index.find(INQUIRY, [IdentityNumber.parse(key)])
    before = await answers(hub, agencies)
    salts = {row.subject_id: row.salt for row in await rows_of(hub, replica_salt)}
    backup = {row.subject_id: row for row in await rows_of(hub, replica_version)}
    keys = {row.subject_id: row for row in await rows_of(hub, replica_subject)}
    for officer in ("1001", "1002"):
        await keeping.eraser.approve(found[key].member.member_id, officer, "asked for by the person")
    left = {(of, other): values for (of, other), values in before.items() if other != key}
    assert len(left) == len(before) - 2
    assert await answers(hub, agencies) == left
    gone = salts.keys() - {row.subject_id for row in await rows_of(hub, replica_salt)}
    assert len(gone) == 2
    for subject_id in gone:
        place = version_place(backup[subject_id].agency, subject_id, backup[subject_id].version, 2)
        opened = keeping.secrets.opener.open(place, backup[subject_id].personal_sealed, salts[subject_id])
        assert opened  # what the salt alone keeps, and there is no salt any more
        with pytest.raises(SealedValueError):
            keeping.secrets.opener.open(place, backup[subject_id].personal_sealed)
        with pytest.raises(SealedValueError):
            keeping.secrets.opener.open(key_place(backup[subject_id].agency, subject_id), keys[subject_id].key_sealed)
    for table in COPIES:
        assert not gone & {row.subject_id for row in await rows_of(hub, table)}
    agencies.change("UPDATE rk_ryxx SET xm = '改名', gxsj = '20261124120000'")
    for agency in (POLICE, CIVIL):
        for whole in (False, True):
            assert (await hub.copier.copy(agency, anyway=True, whole=whole)).trouble == ""
    assert (await answers(hub, agencies)).keys() == left.keys()


async def test_new_keys_are_taken_over_and_the_old_ones_may_go(hub, agencies, keeping, monkeypatch):
    monkeypatch.setattr(rotation_module, "BATCH", 20)
    before, failed, done = await answers(hub, agencies), 0, False
    statements = len(await rows_of(hub, replica_version))

    async def reading() -> int:
        nonlocal failed
        reads = 0
        while not done:
            failed += await answers(hub, agencies) != before
            reads += 1
        return reads

    reader = asyncio.create_task(reading())
    moved = await keeping.rekeying.rotate(grace_s=0)
    done = True
    assert await reader
    assert failed == 0
    assert moved >= statements + len(before)
    assert {version for _, _, version in await keeping.rotation.versions()} == {2}
    await keeping.rekeying.retire()
    await keeping.rekeying.destroy()
    assert await answers(hub, agencies) == before
    for agency in (POLICE, CIVIL):
        assert (await hub.copier.copy(agency, anyway=True, whole=True)).added == 0
    assert len(await rows_of(hub, replica_subject)) == len(before)


@pytest.mark.parametrize("failpoint", ["rotation.batch:2", "rotation.committed:3"])
async def test_a_rotation_that_is_killed_over_copies_is_made_good_by_the_next(tmp_path, clock, failpoint):
    agencies = Agencies(tmp_path)
    hub = agencies.hub("", clock)
    await migrate(hub.store)
    for agency in (POLICE, CIVIL):
        await hub.copier.copy(agency, anyway=True)
    before = await answers(hub, agencies)
    await hub.close()
    killed = command(tmp_path, "keys", "rotate", "--grace", "0", failpoint=failpoint)
    assert killed.returncode == -9, killed.stderr
    again = command(tmp_path, "keys", "rotate", "--grace", "0")
    assert again.returncode == 0, again.stderr
    hub = agencies.hub("", clock)
    try:
        assert await answers(hub, agencies) == before
        assert (await hub.copier.copy(POLICE, anyway=True, whole=True)).added == 0
    finally:
        await hub.close()
    with sqlite3.connect(tmp_path / "hub" / "hub.db") as database:
        (subjects,) = database.execute("SELECT count(*) FROM replica_subject").fetchone()
    database.close()
    assert subjects == len(before)
