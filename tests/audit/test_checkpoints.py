import asyncio
import subprocess
import sys

import aiohttp
import pytest
from sqlalchemy import func, select, update

from hub.audit.checkpoints import LogBrokenError
from hub.audit.leaf import leaf_hash, pack_header
from hub.audit.merkle import root_of, verify_consistency, verify_inclusion
from hub.audit.note import Checkpoint, Note
from hub.audit.tables import audit_checkpoint, audit_entry, audit_head, audit_tile
from hub.audit.tiles import TileFiles, tile_path, write_bundles
from hub.audit.tree import WIDTH
from hub.audit.witness import open_witness
from hub.audit.witnessing import WitnessAt, WitnessSilentError, read_witnesses
from hub.errors import SettingsError
from tests.audit.parts import ORIGIN, InProcess, ledger, signer
from tests.audit.test_merkle import frontier_of
from tests.journeys.conftest import free_port


async def leaves(store) -> list[bytes]:
    async with store.read() as connection:
        rows = await connection.execute(select(audit_entry.c.leaf).order_by(audit_entry.c.seq))
        return [bytes(row.leaf) for row in rows]


async def test_a_checkpoint_signs_the_root_over_all_entries(store, clock):
    one = ledger(store, clock)
    await one.write(300)
    made = await one.checkpoints.make(force=True)
    assert made.checkpoint == Checkpoint(origin=ORIGIN, size=300, root=root_of(frontier_of(await leaves(store))))
    assert made.note.is_signed_by(signer().key)
    assert await one.checkpoints.latest() == made


async def test_the_leaf_is_header_and_body(store, clock):
    one = ledger(store, clock)
    receipt = await one.log.append(__import__("tests.audit.parts", fromlist=["draft"]).draft(3))
    row = await one.queries.by_id(receipt.entry_id)
    header = pack_header(kind=1, length=len(row.body), seq=1, time_us=row.time_us, entry_id=receipt.entry_id)
    assert len(header) == 48
    assert leaf_hash(header, row.body) == row.leaf


async def test_checkpoints_fall_due_by_time_and_by_entries(store, clock, monkeypatch):
    one = ledger(store, clock)
    assert await one.checkpoints.make() is None  # an empty log
    await one.write(1)
    assert (await one.checkpoints.make()).checkpoint.size == 1
    await one.write(1)
    assert (await one.checkpoints.make()).checkpoint.size == 1
    clock.advance(60)
    assert (await one.checkpoints.make()).checkpoint.size == 2
    clock.advance(600)
    assert (await one.checkpoints.make()).checkpoint.size == 2  # nothing new to sign
    monkeypatch.setattr("hub.audit.checkpoints.EVERY_ENTRIES", 10)
    await one.write(10)
    assert (await one.checkpoints.make()).checkpoint.size == 12
    clock.advance(-86_400)
    await one.write(1)
    assert (await one.checkpoints.make()).checkpoint.size == 13  # a clock set back does not stop them


async def test_proofs_from_tiles_hold_for_every_size(store, clock):
    one = ledger(store, clock)
    await one.write(2 * WIDTH + 40)
    all_leaves, tree = await leaves(store), one.checkpoints.tree
    size = len(all_leaves)
    root = root_of(frontier_of(all_leaves))
    assert await tree.root(size) == root
    for index in (0, 1, 255, 256, 300, 511, 512, size - 1):
        proof = await tree.inclusion(index, size)
        assert verify_inclusion(index=index, size=size, leaf=all_leaves[index], proof=proof, root=root)
    for old in (1, 2, 255, 256, 257, 400, 512, 513, size - 1, size):
        proof = await tree.consistency(old, size)
        old_root = root_of(frontier_of(all_leaves[:old]))
        assert await tree.root(old) == old_root
        assert verify_consistency(old=old, size=size, old_root=old_root, root=root, proof=proof)
    async with store.read() as connection:
        levels = (await connection.execute(select(audit_tile.c.level, func.length(audit_tile.c.hashes)))).all()
    assert sorted(levels) == [(0, 8192), (0, 8192), (1, 64)]


async def test_levels_above_fill_when_the_tiles_below_are_full(store, clock, monkeypatch):
    """With tiles of two hashes the tree is many levels high after a few entries."""
    for name, value in (("WIDTH", 2), ("SHIFT", 1)):
        monkeypatch.setattr(f"hub.audit.tree.{name}", value)
    one = ledger(store, clock)
    for size in range(1, 20):
        await one.write(1)
        all_leaves = await leaves(store)
        root = root_of(frontier_of(all_leaves))
        assert await one.checkpoints.tree.root(size) == root
        for index in range(size):
            proof = await one.checkpoints.tree.inclusion(index, size)
            assert verify_inclusion(index=index, size=size, leaf=all_leaves[index], proof=proof, root=root)


async def test_two_processes_make_one_checkpoint_of_a_size(store, store_url, clock, opened):
    one, two = ledger(store, clock), ledger(opened(store_url), clock)
    await one.write(5)
    made = await asyncio.gather(one.checkpoints.make(force=True), two.checkpoints.make(force=True))
    assert {each.checkpoint.size for each in made} == {5}
    async with store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(audit_checkpoint)) == 1


async def test_a_changed_log_is_not_signed_again(store, clock):
    one = ledger(store, clock)
    await one.write(20)
    await one.checkpoints.make(force=True)
    await one.write(5)
    async with store.write() as connection:
        await connection.execute(update(audit_entry).where(audit_entry.c.seq == 3).values(leaf=b"\1" * 32))
    with pytest.raises(LogBrokenError):
        await one.checkpoints.make(force=True)


async def test_a_shortened_log_is_not_signed_again(store, clock):
    one = ledger(store, clock)
    await one.write(10)
    async with store.read() as connection:
        head = (await connection.execute(select(audit_head))).mappings().one()
    await one.write(5)
    await one.checkpoints.make(force=True)
    async with store.write() as connection:
        await connection.execute(audit_entry.delete().where(audit_entry.c.seq > 10))
        await connection.execute(update(audit_head).values(dict(head)))
    with pytest.raises(LogBrokenError):
        await one.checkpoints.make(force=True)


async def test_another_key_does_not_go_on_signing(store, clock):
    one = ledger(store, clock)
    await one.write(3)
    await one.checkpoints.make(force=True)
    with pytest.raises(LogBrokenError):
        await ledger(store, clock, signer=signer(2)).checkpoints.latest()


async def test_witnesses_cosign_and_one_that_is_away_is_asked_again(store, clock, tmp_path):
    class Away:
        key = signer(9, "away.test").key

        async def cosign(self, *_):
            raise WitnessSilentError("it is not reached")

    with open_witness(tmp_path / "w", name="w.test", trust=[signer().key], clock=clock) as witness:
        one = ledger(store, clock, witnesses=[InProcess(witness), Away()])
        await one.write(5)
        assert (await one.checkpoints.make(force=True)).witnesses == 1
        await one.write(5)
        made = await one.checkpoints.make(force=True)
        assert made.witnesses == 1
        assert made.note.is_signed_by(witness.key)
        assert made.note.is_signed_by(signer().key)
        assert (await one.queries.status()).witnessed == 10


@pytest.fixture
def served(tmp_path, clock):
    """A witness as a process of its own."""
    port = free_port()
    (tmp_path / "log.vkey").write_text(str(signer().key))
    command = [sys.executable, "-m", "hub.cli.main", "witness", "--data", str(tmp_path / "w"), "--port", str(port)]
    command += ["--log", str(tmp_path / "log.vkey"), "--name", "w.test"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        key = process.stdout.readline().strip()
        yield f"{key} http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


async def test_the_log_asks_a_witness_that_is_another_process(store, clock, served):
    (witness,) = read_witnesses((served,))
    one = ledger(store, clock, witnesses=[witness])
    await one.write(7)
    for _ in range(100):
        made = await one.checkpoints.make(force=True)
        if made.witnesses:
            break
        await asyncio.sleep(0.2)
    assert made.note.is_signed_by(witness.key)
    await one.write(7)
    again = ledger(store, clock, witnesses=read_witnesses((served,)))  # knows no size: learns it from the 409
    assert (await again.checkpoints.make(force=True)).witnesses == 1


async def test_the_witness_answers_as_the_protocol_says(served):
    key, _, url = served.partition(" ")
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                async with session.get(f"{url}/key") as answer:
                    assert await answer.text() == f"{key}\n"
                    break
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)
        async with session.get(f"{url}/add-checkpoint") as answer:
            assert answer.status == 405
        for body, status in ((b"x", 400), (b"x" * 200_000, 413)):
            async with session.post(f"{url}/add-checkpoint", data=body) as answer:
                assert answer.status == status


@pytest.mark.parametrize("text", ["", "http://x", f"{signer().key} http://x", f"{signer().key}"])
def test_a_witness_that_is_not_named_as_it_must_be_refuses_to_start(text):
    with pytest.raises(SettingsError):
        read_witnesses((text,))


async def test_a_witness_that_signs_with_another_key_is_not_believed(store, clock, tmp_path):
    with open_witness(tmp_path / "w", name="w.test", trust=[signer().key], clock=clock) as witness:
        at = WitnessAt(key=signer(9, "w.test").key, url="http://unused")
        one = ledger(store, clock)
        await one.write(3)
        made = await one.checkpoints.make(force=True)
        from tests.audit.parts import request

        body = witness.add_checkpoint(request(0, [], made.note)).body
        with pytest.raises(WitnessSilentError):
            at._signature(made.note, body)


def test_tiles_lie_where_the_specification_says():
    assert tile_path("0", 1234067, 256) == "tile/0/x001/x234/067"
    assert tile_path("1", 0, 17) == "tile/1/000.p/17"
    assert tile_path("entries", 1000, 256) == "tile/entries/x001/000"


async def test_tiles_alone_give_the_root_of_the_checkpoint(store, clock, tmp_path):
    """As a public tool reads them: from files, by the specification, checked against the signed root."""
    one = ledger(store, clock, files=TileFiles(tmp_path))
    await one.write(100)
    await one.checkpoints.make(force=True)
    await one.write(2 * WIDTH)
    await one.checkpoints.make(force=True)
    note = Note.parse((tmp_path / "checkpoint").read_bytes())
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.size == 100 + 2 * WIDTH
    assert not (tmp_path / "tile/0/000.p").exists()  # full by now
    hashes = b"".join((tmp_path / "tile/0" / name).read_bytes() for name in ("000", "001", "002.p/100"))
    cut = [hashes[start : start + 32] for start in range(0, len(hashes), 32)]
    assert root_of(frontier_of(cut)) == checkpoint.root
    upper = (tmp_path / "tile/1/000.p/2").read_bytes()
    assert [upper[:32], upper[32:]] == [root_of(frontier_of(cut[:256])), root_of(frontier_of(cut[256:512]))]
    assert await write_bundles(store, tmp_path, checkpoint.size) == 0
    bundle = (tmp_path / "tile/entries/002.p/100").read_bytes()
    at = 0
    for number in range(100):
        length = int.from_bytes(bundle[at : at + 2], "big")
        assert leaf_hash(bundle[at + 2 : at + 2 + length], b"") == cut[512 + number]
        at += 2 + length
    assert at == len(bundle)
