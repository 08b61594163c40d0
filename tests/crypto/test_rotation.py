import asyncio
import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from hub.auth.principal import Principal
from hub.bootstrap.build import build_hub
from hub.bootstrap.keeping import build_keeping
from hub.connectors.quarantine import value_place
from hub.connectors.tables import quarantine
from hub.crypto import rotation as rotation_module
from hub.crypto.keyring import KeyState
from hub.crypto.suites import SM4_GCM
from hub.domain.identity_number import IdentityNumber
from hub.errors import KeysInUseError
from hub.identity.index import Inquiry
from hub.identity.tables import link, name_token, person, person_name, person_salt
from hub.rules import read_rules
from hub.settings import load_settings
from hub.store.migration import migrate
from tests.conftest import FULL
from tests.crypto.world import Register, command, key, name, number, record, register, settle

FAILPOINTS = re.findall(
    r'failpoint\("((?:rotation|import)\.[a-z]+)"\)',
    "".join(
        (Path(__file__).parent.parent.parent / "hub" / path).read_text()
        for path in ("crypto/rotation.py", "crypto/rekeying.py", "identity/importer.py")
    ),
)
ROTATION = [point for point in FAILPOINTS if point.startswith("rotation.")]
IMPORT = [point for point in FAILPOINTS if point.startswith("import.")]
PASSAGES = {"rotation.batch": 12, "rotation.committed": 12, "import.batch": 5, "import.committed": 5}
"""How often a run passes a point with small batches; the others once."""
KILLS = 50
MEMBERS = 100
PEOPLE = 120
OFFICER = Principal(
    agency="justice", role="judicial-office", officer="1", client="c", regions=("36",), purposes=frozenset(),
    cases=None, token_id="t", expires_at=0,
)  # fmt: skip
INQUIRY = Inquiry(principal=OFFICER, purpose="HANDOVER")


async def whole(hub, members: int) -> None:
    """Every member is there once, found by number and by name, with its key; nothing is unreadable or doubled."""
    numbers = [IdentityNumber.parse(number(order)) for order in range(members)]
    ids: dict[int, str] = {}
    for start in range(0, members, 500):
        found = await hub.index.find(INQUIRY, numbers[start : start + 500])
        for order in range(start, min(start + 500, members)):
            known = found[number(order)].member
            assert known.keys["justice"] == (key(order),)
            ids[order] = known.member_id
    assert len(set(ids.values())) == members
    for order in range(0, members, 97):
        matches = await hub.index.search(name(order), first=32)
        assert any(match.likeness == "exact" and match.name == name(order) for match in matches)
    async with hub.store.read() as connection:
        for table in (person, link, person_salt):
            rows = (await connection.execute(select(table.c.person_id))).scalars().all()
            assert Counter(rows) == Counter(ids.values())
        names = (await connection.execute(select(person_name.c.person_id, person_name.c.kind))).all()
        assert len(names) == 2 * members
        tokens = (await connection.execute(select(name_token.c.person_id, name_token.c.token))).all()
    expected = {(ids[order], token) for order in range(members) for token in tokens_of(hub, order)}
    assert set(map(tuple, tokens)) == expected


def tokens_of(hub, order: int) -> frozenset[int]:
    names = hub.importer._names
    return names.of(name(order)) | names.of(f"绰号第{order}号")


async def test_rotation_moves_everything_and_the_old_keys_may_rest_and_go(tmp_path):
    hub = await settle(tmp_path, 200)
    hub.quarantine.report(agency="tax", record="r", coordinate="TaxRecord.name", value="misfit", reason="bad")
    await hub.quarantine.flush()
    keeping = build_keeping(hub.settings)
    try:
        total = await keeping.rotation.total()
        seen: list[int] = []
        moved = await keeping.rekeying.rotate(grace_s=0, progress=seen.append)
        assert moved == total == 200 * 5 + 1
        assert seen[-1] >= total  # a row whose key holds its blind index may be met again behind where it was
        assert {version for _, _, version in await keeping.rotation.versions()} == {2}
        await whole(hub, 200)  # the hub that runs has taken the keys over
        before = keeping.keys.facts()
        assert await keeping.rekeying.retire() == sum(purpose.startswith(("seal:", "index:")) for purpose in before)
        assert await keeping.rekeying.destroy() > 0
        await whole(hub, 200)
        async with hub.store.read() as connection:
            row = (await connection.execute(select(quarantine))).one()
        assert keeping.secrets.opener.open(value_place(row.report_id), row.value_sealed) == "misfit"
        after = keeping.keys.facts()
        assert {after[p][1].state for p in ("pairwise", "pseudonym", "erased")} == {KeyState.ACTIVE}
        assert all(after[p][1].state is KeyState.DESTROYED for p in after if p.startswith(("seal:", "index:")))
    finally:
        await keeping.close()
        await hub.close()


async def test_rotation_brings_everything_to_another_suite(tmp_path):
    hub = await settle(tmp_path, 60)
    keeping = build_keeping(hub.settings.model_copy(update={"crypto_suite": "sm"}))
    again = None
    try:
        await keeping.rekeying.rotate(grace_s=0)
        async with hub.store.read() as connection:
            firsts = {row[0][0] for row in await connection.execute(select(person.c.number_sealed))}
        assert firsts == {SM4_GCM.byte}
        await whole(hub, 60)
        await keeping.rekeying.retire()
        again = await settle(tmp_path, 0, crypto_suite="sm")
        await whole(again, 60)
    finally:
        for one in filter(None, (keeping, hub, again)):
            await one.close()


async def test_rotation_works_on_both_databases(store_url, tmp_path):
    hub = await settle(tmp_path, 120, database_url=store_url)
    keeping = build_keeping(hub.settings)
    try:
        assert await keeping.rekeying.rotate(grace_s=0) == 120 * 5
        assert {version for _, _, version in await keeping.rotation.versions()} == {2}
        await whole(hub, 120)
    finally:
        await keeping.close()
        await hub.close()


async def test_reads_and_imports_go_on_during_rotation(tmp_path, monkeypatch):
    monkeypatch.setattr(rotation_module, "BATCH", 40)
    hub = await settle(tmp_path, PEOPLE)
    keeping = build_keeping(hub.settings)
    failed, reads, done = [], 0, False

    async def reading() -> None:
        nonlocal reads
        while not done:
            order = random.randrange(PEOPLE)
            found = await hub.index.find(INQUIRY, [IdentityNumber.parse(number(order))])
            if number(order) not in found or found[number(order)].member.keys["justice"] != (key(order),):
                failed.append(("number", order))
            if not any(match.name == name(order) for match in await hub.index.search(name(order), first=32)):
                failed.append(("name", order))
            reads += 1

    async def importing_again() -> None:
        while not done:
            await hub.importer.run(register(PEOPLE))
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(reading()), asyncio.create_task(importing_again())]
    try:
        for _ in range(2):
            await keeping.rekeying.rotate(grace_s=0.2)
        done = True
        await asyncio.gather(*tasks)
        assert not failed
        assert reads > 5
        await whole(hub, PEOPLE)
        assert {version for _, _, version in await keeping.rotation.versions()} == {3}
    finally:
        done = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await keeping.close()
        await hub.close()


async def test_a_row_that_changed_meanwhile_is_left_as_it_is_now(tmp_path):
    hub = await settle(tmp_path, 5)
    keeping = build_keeping(hub.settings)
    try:
        keeping.keys.publish(frozenset(p for p in keeping.keys.facts() if p.startswith("seal:")))
        keeping.keys.activate(frozenset(keeping.keys.facts()))
        (column,) = [one for one in keeping.rotation._columns if one.kept.table is person]
        page = await column.page(None)
        moving = keeping.rotation._resealing.moving(column.kept, page)
        ids = [key[0] for key, _, _ in page]
        async with hub.store.write() as connection:
            await connection.execute(
                update(person).where(person.c.person_id == ids[0]).values(number_sealed=b"changed")
            )
            await connection.execute(delete(person).where(person.c.person_id == ids[1]))
        assert await keeping.rotation._write(column, moving) == 3
        async with hub.store.read() as connection:
            now = {row.person_id: row.number_sealed for row in await connection.execute(select(person))}
        assert now[ids[0]] == b"changed"
        assert ids[1] not in now
    finally:
        await keeping.close()
        await hub.close()


async def test_a_key_that_is_needed_cannot_be_retired(tmp_path, monkeypatch):
    hub = await settle(tmp_path, 5)
    keeping = build_keeping(hub.settings)
    try:
        everything = frozenset(keeping.keys.facts())
        keeping.keys.publish(everything)
        keeping.keys.activate(everything)
        with pytest.raises(KeysInUseError, match="values stand under"):
            await keeping.rekeying.retire()
        keeping.keys.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED)
        with pytest.raises(KeysInUseError, match="values stand under"):
            await keeping.rekeying.destroy()
        await keeping.rekeying.rotate(grace_s=0)  # moves what was left under retired keys too
        assert await keeping.rekeying.destroy()
    finally:
        await keeping.close()
        await hub.close()


async def test_keys_of_agencies_that_hold_sealed_values_themselves_stay(tmp_path):
    hub = await settle(tmp_path, 5)
    keeping = build_keeping(hub.settings)
    keeping.rekeying._elsewhere = frozenset({"tax"})
    try:
        await keeping.rekeying.rotate(grace_s=0)
        await keeping.rekeying.retire()
        states = {purpose: facts[1].state for purpose, facts in keeping.keys.facts().items()}
        assert {states[f"seal:tax:{n}"] for n in (2, 3, 4)} == {KeyState.DECRYPT_ONLY}
        assert states["seal:hub:3"] is KeyState.RETIRED
    finally:
        await keeping.close()
        await hub.close()


async def test_a_second_rotation_at_once_is_refused(tmp_path):
    hub = await settle(tmp_path, 5)
    one, two = build_keeping(hub.settings), build_keeping(hub.settings)
    try:
        running = asyncio.create_task(one.rekeying.rotate(grace_s=0.5))
        await asyncio.sleep(0.1)
        with pytest.raises(KeysInUseError, match="another process"):
            await two.rekeying.rotate(grace_s=0)
        await running
    finally:
        await one.close()
        await two.close()
        await hub.close()


def passages(point: str) -> list[int]:
    """At which passages of a point the process is killed: twice, or fifty times in full."""
    most, each = PASSAGES.get(point, 1), KILLS if FULL else 2
    step = 1 if FULL else max(1, most // 2)
    return [1 + turn * step % most for turn in range(each)]


def test_points_where_a_rotation_may_be_killed_are_named():
    assert set(ROTATION) >= {"rotation.begun", "rotation.published", "rotation.activated", "rotation.batch",
                             "rotation.committed", "rotation.moved"}  # fmt: skip
    assert set(IMPORT) == {"import.batch", "import.committed", "import.marking"}


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(rotation_module, "BATCH", 40)
    monkeypatch.setattr("hub.identity.importer.BATCH", 20)


def in_child(work, failpoint: str = "") -> int:
    """Run the coroutine that `work` makes in a forked process, which dies at `failpoint`; its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            if failpoint:
                os.environ["HUB_FAILPOINT"] = failpoint
            asyncio.run(work())
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("point", ROTATION)
def test_a_rotation_killed_anywhere_is_finished_by_the_next_run(tmp_path, small_batches, point):
    """One directory through all kills: each leaves a hub that reads everything, the next run goes on."""
    settings = load_settings(data_dir=tmp_path, demo=True)
    rules = read_rules(settings)

    async def prepared() -> None:
        await (await settle(tmp_path, MEMBERS)).close()

    async def rotating() -> None:
        keeping = build_keeping(settings, rules=rules)
        await keeping.rekeying.rotate(grace_s=0)
        await keeping.close()

    async def looked_at(check) -> None:
        hub = build_hub(settings, rules=rules)
        try:
            await check(hub)
        finally:
            await hub.close()

    asyncio.run(prepared())
    for passage in passages(point):
        assert in_child(rotating, f"{point}:{passage}") == -9, (point, passage)
        asyncio.run(looked_at(whole_found))
        assert in_child(rotating) == 0
        asyncio.run(looked_at(lambda hub: whole(hub, MEMBERS)))
        assert not (tmp_path / "hub" / "keys" / "rotation.json").exists()


async def whole_found(hub) -> None:
    """Between two runs every member is found, under whichever key its row stands."""
    for start in range(0, MEMBERS, 500):
        numbers = [IdentityNumber.parse(number(order)) for order in range(start, min(start + 500, MEMBERS))]
        assert len(await hub.index.find(INQUIRY, numbers)) == len(numbers)
    for order in range(0, MEMBERS, 131):
        assert any(match.name == name(order) for match in await hub.index.search(name(order), first=32))


@pytest.mark.parametrize("point", IMPORT)
def test_an_import_killed_anywhere_is_finished_by_the_next_run(tmp_path, small_batches, point):
    settings = load_settings(data_dir=tmp_path, demo=True)
    rules = read_rules(settings)
    for turn, passage in enumerate(passages(point)):
        own = load_settings(data_dir=tmp_path / f"{turn}", demo=True)

        async def run(own=own, *, members: int = MEMBERS, check: bool = False) -> None:
            hub = build_hub(own, rules=rules)
            try:
                await migrate(hub.store)
                if members:
                    await hub.importer.run(register(members))
                if check:
                    await whole(hub, MEMBERS)
            finally:
                await hub.close()

        assert in_child(run, f"{point}:{passage}") == -9
        assert in_child(run) == 0
        asyncio.run(run(members=0, check=True))


async def test_an_import_in_the_middle_of_a_rotation_leaves_nobody_unmarked(tmp_path):
    hub = await settle(tmp_path, 0)
    keeping = build_keeping(hub.settings)
    try:
        await hub.importer.run(Register([record(1)]))
        everything = frozenset(p for p in keeping.keys.facts() if p.startswith(("seal:", "index:")))
        keeping.keys.publish(everything)
        keeping.keys.activate(everything)
        twin = record(2, number=number(1))
        await hub.importer.run(Register([twin]))  # stands under the new key; the first still under the old one
        assert not await hub.index.find(INQUIRY, [IdentityNumber.parse(number(1))])
    finally:
        await keeping.close()
        await hub.close()


def test_status_tells_states_and_uses_and_no_key(tmp_path):
    asyncio.run(settled(tmp_path))
    done = command(tmp_path, "keys", "rotate", "--grace", "0")
    assert done.stdout == "25 values moved\n"
    assert "values: 25 of 25" in done.stderr
    shown = command(tmp_path, "keys", "status").stdout
    assert re.search(r"^seal:hub:3 +1 decrypt-only (sha256|sm3) +8192$", shown, re.MULTILINE)
    assert re.search(r"^seal:hub:3 +2 active +(sha256|sm3) +\d+$", shown, re.MULTILINE)
    entries = command(tmp_path, "audit", "dump").stdout
    assert '"kind":"keys"' in entries
    assert '"requestId":"keys-rotate"' in entries


async def settled(directory: Path) -> None:
    await (await settle(directory, 5)).close()


def test_without_a_database_nothing_is_rotated(tmp_path):
    found = command(tmp_path, "keys", "rotate")
    assert found.returncode == 3
    assert "KEYS_INVALID" in found.stderr


async def test_a_rate_is_kept(tmp_path, clock):
    hub = await settle(tmp_path, 30)
    keeping = build_keeping(hub.settings, rate=1_000, clock=clock)
    slept = []

    async def sleeping(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    try:
        before = asyncio.sleep
        asyncio.sleep = sleeping
        await keeping.rekeying.rotate(grace_s=0)
    finally:
        asyncio.sleep = before
        await keeping.close()
        await hub.close()
    assert sum(slept) == pytest.approx(30 * 5 / 1_000)


async def test_a_person_to_whom_a_name_came_meanwhile_is_left_whole_to_the_next_pass(store_url, tmp_path):
    hub = await settle(tmp_path, 5, database_url=store_url)
    keeping = build_keeping(hub.settings)
    try:
        everything = frozenset(p for p in keeping.keys.facts() if p.startswith(("seal:", "index:")))
        keeping.keys.publish(everything)
        keeping.keys.activate(everything)
        (column,) = [one for one in keeping.rotation._columns if one.kept.table is person_name]
        page = await column.page(None)
        moving = keeping.rotation._resealing.moving(column.kept, page)
        last = page[-1][0][0]
        places = {"person_id": last, "kind": "zz"}
        async with hub.store.write() as connection:
            salt = await connection.scalar(select(person_salt.c.salt).where(person_salt.c.person_id == last))
            sealed = keeping.secrets.sealer.seal(column.kept.place(places), "欧阳新名", salt)
            await connection.execute(insert(person_name).values(**places, name_sealed=sealed))
            before = await tokens_now(connection, last)
        assert await keeping.rotation._write(column, moving) == 2 * 4
        async with hub.store.read() as connection:
            assert await tokens_now(connection, last) == before
        await keeping.rekeying.rotate(grace_s=0)
        async with hub.store.read() as connection:
            assert await tokens_now(connection, last) >= keeping.secrets.names.of("欧阳新名")
    finally:
        await keeping.close()
        await hub.close()


async def tokens_now(connection, person_id: str) -> set[int]:
    return set(await connection.scalars(select(name_token.c.token).where(name_token.c.person_id == person_id)))
