"""A log that was touched does not verify, however it was touched; one that was not does. By both verifiers.

Whoever does it may write the whole database; the clever ones make every hash, head and index right again. Some even
have the log's key. Bounded to a few positions; `make test-all` tries a hundred of each kind.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from hub.audit import tables
from hub.audit.checkpoints import Checkpoints
from hub.audit.hub_verify import verify as verify_alone
from hub.audit.indexing import Indexer
from hub.audit.leaf import leaf_hash, pack_header
from hub.audit.merkle import add_leaf, join_frontier, root_of
from hub.audit.note import Checkpoint, signed
from hub.audit.package import write_package
from hub.audit.segments import RetentionError, Segments
from hub.audit.verifier import Trust, verify_all
from hub.audit.witness import open_witness
from tests.audit.parts import ORIGIN, InProcess, key_file, ledger, signer
from tests.conftest import FULL

LAST = 130
CHECKPOINTS = (40, 90, LAST)
ENTRY, HEAD, CHECKPOINT = tables.audit_entry, tables.audit_head, tables.audit_checkpoint
TABLES = (
    ENTRY,
    HEAD,
    CHECKPOINT,
    tables.audit_index,
    tables.audit_index_person,
    tables.audit_index_case,
    tables.audit_index_pattern,
    tables.audit_pattern,
    tables.audit_hour,
    tables.audit_officer_day,
    tables.audit_follower,
)


class Forger:
    """Has all tables as lists of rows, changes them at will, and puts them back."""

    def __init__(self, kept):
        self.rows = {table: [dict(row) for row in rows] for table, rows in kept.items()}

    @property
    def entries(self):
        return self.rows[ENTRY]

    def rehash(self):
        """Make numbers, times, leaf hashes and head consistent; what the index says is left to be filled again."""
        frontier, time_us = [], 0
        for size, row in enumerate(self.entries):
            row["seq"], row["time_us"] = size + 1, max(time_us, row["time_us"])
            time_us = row["time_us"]
            header = pack_header(
                kind=row["kind"], length=len(row["body"]), seq=row["seq"], time_us=time_us, entry_id=row["entry_id"]
            )
            row["leaf"] = leaf_hash(header, row["body"])
            add_leaf(frontier, size, row["leaf"])
        (head,) = self.rows[HEAD]
        head.update(seq=len(self.entries), time_us=time_us, frontier=join_frontier(frontier))
        self.drop_index()

    def drop_index(self):
        for table in TABLES[3:10]:
            self.rows[table] = []
        for row in self.rows[tables.audit_follower]:
            row["seq"] = 0

    def sign(self, by):
        """Sign every checkpoint anew over the entries as they are now."""
        kept = []
        for row in self.rows[CHECKPOINT]:
            if row["size"] <= len(self.entries):
                frontier = []
                for size, entry in enumerate(self.entries[: row["size"]]):
                    add_leaf(frontier, size, entry["leaf"])
                checkpoint = Checkpoint(origin=ORIGIN, size=row["size"], root=root_of(frontier))
                kept.append({**row, "note": bytes(signed(checkpoint, [by])).decode()})
        self.rows[CHECKPOINT] = kept

    def changed(self, body: bytes) -> bytes:
        return body.replace(b'"outcome":"', b'"outcome":"X')


def flip_body(forger, at):
    body = bytearray(forger.entries[at]["body"])
    body[at % len(body)] ^= 1 << at % 8
    forger.entries[at]["body"] = bytes(body)


def flip_leaf(forger, at):
    leaf = bytearray(forger.entries[at]["leaf"])
    leaf[at % 32] ^= 1 << at % 8
    forger.entries[at]["leaf"] = bytes(leaf)


def flip_id(forger, at):
    name = forger.entries[at]["entry_id"]
    forger.entries[at]["entry_id"] = ("A" if name[0] != "A" else "B") + name[1:]


def flip_kind(forger, at):
    forger.entries[at]["kind"] += 1


def drop(forger, at):
    del forger.entries[at]


def drop_and_close_the_gap(forger, at):
    del forger.entries[at]
    forger.rehash()


def swap(forger, at):
    one, two = forger.entries[at], forger.entries[(at + 1) % LAST]
    one["body"], two["body"] = two["body"], one["body"]


def swap_and_rehash(forger, at):
    swap(forger, at)
    forger.rehash()


def put_in(forger, at):
    forger.entries.insert(at, {**forger.entries[at], "entry_id": "F" * 24, "body": b'{"case":[]}'})
    forger.entries[at]["body"] = forger.changed(forger.entries[at + 1]["body"])
    forger.rehash()


def duplicate(forger, at):
    forger.entries.insert(at, {**forger.entries[at], "entry_id": "D" * 24})
    forger.rehash()


def renumber(forger, at):
    forger.entries[at]["seq"] = 1000 + at


def exchange_numbers(forger, at):
    one, two = forger.entries[at], forger.entries[(at + 1) % LAST]
    one["seq"], two["seq"] = two["seq"], one["seq"]


def retime(forger, at):
    forger.entries[at]["time_us"] += 1


def retime_and_rehash(forger, at):
    forger.entries[at]["time_us"] += 1
    forger.rehash()


def rewrite(forger, at):
    forger.entries[at]["body"] = forger.changed(forger.entries[at]["body"])
    forger.rehash()


def truncate(forger, at):
    """Back to an older checkpoint, or to the middle between two, without leaving a trace."""
    del forger.entries[at:]
    forger.rows[CHECKPOINT] = [row for row in forger.rows[CHECKPOINT] if row["size"] <= at]
    forger.rehash()


def cut_behind_the_head(forger, at):
    del forger.entries[at:]


def fork_with_the_real_key(forger, at):
    rewrite(forger, at)
    forger.sign(signer())


def sign_with_another_key(forger, at):
    if at % 2:
        rewrite(forger, at)
    forger.sign(signer(2))


def lose_a_body(forger, at):
    forger.entries[at]["body"] = None
    forger.drop_index()


def edit_index_row(forger, at):
    (row,) = [row for row in forger.rows[tables.audit_index] if row["seq"] == at + 1]
    row["officer"] = "officer:nobody"


def drop_from_index(forger, at):
    forger.rows[tables.audit_index] = [row for row in forger.rows[tables.audit_index] if row["seq"] != at + 1]


def hide_a_person(forger, at):
    rows = forger.rows[tables.audit_index_person]
    del rows[at % len(rows)]


def invent_an_access(forger, at):
    rows = forger.rows[tables.audit_index_person]
    rows.append({**rows[at % len(rows)], "person": "p-innocent"})


def edit_a_pattern(forger, at):
    rows = forger.rows[tables.audit_pattern]
    rows[at % len(rows)]["coordinate"] = "Person.other"


def edit_checkpoint_size(forger, at):
    row = forger.rows[CHECKPOINT][at % 3]
    row["size"] += 200 + at


KINDS = [
    flip_body,
    flip_leaf,
    flip_id,
    flip_kind,
    drop,
    drop_and_close_the_gap,
    swap,
    swap_and_rehash,
    put_in,
    duplicate,
    renumber,
    exchange_numbers,
    retime,
    retime_and_rehash,
    rewrite,
    truncate,
    cut_behind_the_head,
    fork_with_the_real_key,
    sign_with_another_key,
    lose_a_body,
    edit_index_row,
    drop_from_index,
    hide_a_person,
    invent_an_access,
    edit_a_pattern,
    edit_checkpoint_size,
]
POSITIONS = range(0, LAST) if FULL else (0, 64, LAST - 1)


async def read_all(store):
    async with store.read() as connection:
        return {table: (await connection.execute(select(table))).mappings().all() for table in TABLES}


async def write_all(store, rows):
    async with store.write() as connection:
        for table in TABLES:
            await connection.execute(delete(table))
            if rows[table]:
                await connection.execute(insert(table), [dict(row) for row in rows[table]])


@pytest.fixture
async def written(store, clock, tmp_path):
    """A log with entries, three checkpoints, all cosigned, and a full index; the trust that an auditor brings."""
    with open_witness(tmp_path / "w", name="w.test", trust=[signer().key], clock=clock) as witness:
        one = ledger(store, clock, witnesses=[InProcess(witness)])
        done = 0
        for size in CHECKPOINTS:
            await one.write(size - done, done, clock)
            assert (await one.checkpoints.make(force=True)).witnesses == 1
            done = size
    await Indexer(store).catch_up()
    return one, Trust(key=signer().key, witness=tmp_path / "w")


async def both(store, trust, folder):
    """What both verifiers say; they must say the same."""
    found = await verify_all(store, trust)
    await write_package(store, folder)
    key = str(trust.key) if trust.key else None
    alone = verify_alone(str(folder), key, str(trust.witness) if trust.witness else None)
    said = {"ok": found.ok, "entries": found.entries, "root": found.root, "firstBad": found.first_bad}
    said |= {"reason": found.reason, "witnessed": found.witnessed}
    assert said == alone
    return found


async def test_a_log_that_nobody_touched_verifies(written, store, tmp_path, clock):
    one, trust = written
    found = await both(store, trust, tmp_path / "p")
    assert (found.ok, found.entries, found.witnessed, found.signed) == (True, LAST, True, LAST)
    await one.write(50, LAST, clock)  # also with entries behind the last checkpoint
    found = await both(store, trust, tmp_path / "p")
    assert (found.ok, found.entries, found.signed) == (True, LAST + 50, LAST)
    assert (await both(store, Trust(), tmp_path / "p")).ok


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_whatever_is_touched_is_found(written, store, tmp_path, kind):
    _, trust = written
    kept = await read_all(store)
    for at in POSITIONS:
        forger = Forger(kept)
        kind(forger, at)
        await write_all(store, forger.rows)
        if kind in (fork_with_the_real_key, truncate, sign_with_another_key):
            await _fill(store)
        found = await both(store, trust, tmp_path / "p")
        assert not found.ok, f"{kind.__name__} at {at}"
        assert found.first_bad is not None
    await write_all(store, kept)
    assert (await both(store, trust, tmp_path / "p")).ok


async def _fill(store):
    """As a clever forger does; an entry of his that cannot be indexed stays out."""
    await Indexer(store).catch_up()


@pytest.mark.parametrize("size", [*CHECKPOINTS[:2], 5, 60, 129])
async def test_an_old_backup_is_found_by_the_witness_alone(store, clock, tmp_path, size):
    """The backup is a true state of the log, with its own signatures: nothing in it is wrong but that it is old."""
    with open_witness(tmp_path / "w", name="w.test", trust=[signer().key], clock=clock) as witness:
        one = ledger(store, clock, witnesses=[InProcess(witness)])
        await one.write(size, 0, clock)
        await one.checkpoints.make(force=True)
        backup = await read_all(store)
        await one.write(LAST - size, size, clock)
        await one.checkpoints.make(force=True)
    await write_all(store, backup)
    alone = await both(store, Trust(key=signer().key), tmp_path / "p")
    assert (alone.ok, alone.witnessed) == (True, False)
    found = await both(store, Trust(key=signer().key, witness=tmp_path / "w"), tmp_path / "p")
    assert (found.ok, found.reason) == (False, "log is shorter than what the witness saw")


async def test_the_first_entry_that_is_wrong_is_named(written, store, tmp_path):
    _, trust = written
    async with store.write() as connection:
        await connection.execute(update(ENTRY).where(ENTRY.c.seq == 57).values(body=b"{}"))
    found = await both(store, trust, tmp_path / "p")
    assert (found.first_bad, found.reason, found.entries) == (57, "entry was altered", 56)


async def test_without_a_head_nothing_verifies(written, store, tmp_path):
    _, trust = written
    async with store.write() as connection:
        await connection.execute(delete(HEAD))
    assert (await both(store, trust, tmp_path / "p")).reason == "the head of the log is missing"


async def removed(written, store, clock):
    one, _ = written
    segments = Segments(store, one.log, one.checkpoints, clock, segment=32)
    await segments.seal()
    clock.advance(400 * 86_400)
    return one, segments


async def test_a_removed_segment_leaves_its_hashes_and_every_proof(written, store, clock, tmp_path):
    one, segments = await removed(written, store, clock)
    _, trust = written
    before = await one.queries.proof((await one.queries.by_id(await _id(store, 10))).entry_id)
    await segments.hold(33, "case 7")
    gone = await segments.remove(older_than_days=200)
    assert [(each.first, each.last) for each in gone] == [(1, 32), (65, 96), (97, 128)]
    found = await both(store, trust, tmp_path / "p")
    assert (found.ok, found.reason) == (True, None)
    await one.checkpoints.make(force=True)
    after = await one.queries.proof(before.entry.entry_id)
    assert after.entry.leaf == before.entry.leaf
    assert after.entry.body is None
    assert [each.hold for each in await segments.all()] == [None, "case 7", None, None]
    assert await segments.remove(older_than_days=200) == []
    await segments.hold(33, None)
    assert len(await segments.remove(older_than_days=200)) == 1
    assert (await both(store, trust, tmp_path / "p")).ok


async def _id(store, seq):
    async with store.read() as connection:
        return await connection.scalar(select(ENTRY.c.entry_id).where(ENTRY.c.seq == seq))


async def test_what_the_law_keeps_is_not_removed(written, store, clock):
    _, segments = await removed(written, store, clock)
    with pytest.raises(RetentionError):
        await segments.remove(older_than_days=100)
    assert await segments.remove(older_than_days=500) == []
    with pytest.raises(RetentionError):
        await segments.hold(2, "no segment begins here")


async def test_a_body_beyond_the_removed_segment_is_missed(written, store, clock, tmp_path):
    _, segments = await removed(written, store, clock)
    _, trust = written
    await segments.remove(older_than_days=200)
    async with store.write() as connection:
        await connection.execute(update(ENTRY).where(ENTRY.c.seq == 129).values(body=None))
    found = await both(store, trust, tmp_path / "p")
    assert (found.first_bad, found.reason) == (129, "entry has lost its body")


async def test_the_verifier_runs_where_there_is_no_hub(written, store, tmp_path):
    """As an auditor runs it: the copied file, isolated from this environment's packages."""
    one, trust = written
    await write_package(store, tmp_path / "p", one.checkpoints.key)
    key = key_file(tmp_path)

    def run(*arguments):
        command = [sys.executable, "-I", "-S", str(tmp_path / "p" / "hub_verify.py"), str(tmp_path / "p"), "--json"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    assert run()[0] == 0
    code, said = run("--trust", str(key), "--witness", str(trust.witness))
    assert (code, said["ok"], said["witnessed"], said["entries"]) == (0, True, True, LAST)
    code, said = run("--trust", str(key))
    assert (code, said["reason"]) == (3, "unwitnessed")
    code, said = run("--trust", str(signer(2).key))
    assert (code, said["reason"]) == (1, "a checkpoint is not signed by the trusted key")
    assert run("--trust", "nonsense")[0] == 3
    spec = importlib.util.find_spec("hub.audit.hub_verify")
    imported = [
        line.split()[1].split(".")[0]
        for line in Path(spec.origin).read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]
    assert set(imported) <= sys.stdlib_module_names


async def test_checkpoints_of_another_log_are_not_taken_for_ours(written, store, clock, tmp_path):
    _, trust = written
    other = Checkpoints(store, signer(1, "other.test/log"), clock)
    async with store.read() as connection:
        row = (await connection.execute(select(CHECKPOINT).where(CHECKPOINT.c.size == 40))).mappings().one()
    root = await other.tree.root(40)
    note = bytes(
        signed(Checkpoint(origin="other.test/log", size=40, root=root), [signer(1, "other.test/log")])
    ).decode()
    async with store.write() as connection:
        await connection.execute(update(CHECKPOINT).where(CHECKPOINT.c.size == row["size"]).values(note=note))
    assert (await both(store, trust, tmp_path / "p")).reason == "a checkpoint is of another log or size"
