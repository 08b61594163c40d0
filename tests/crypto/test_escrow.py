"""The restore drill of docs/keys.md: the KEK and the keys are gone, the database and the escrow are there."""

import asyncio
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.crypto.escrow import make_escrow, restore
from hub.crypto.keyring import KeyState
from hub.crypto.keystore import KeyStore
from hub.crypto.providers import FileKeyProvider
from hub.errors import KeyMaterialError
from tests.crypto.test_rotation import whole
from tests.crypto.world import command, settle

NAMES = frozenset({"seal:tax:3", "index:name"})


def made(folder) -> KeyStore:
    store = KeyStore(folder, FileKeyProvider(b"1" * 32))
    store.ensure(NAMES)
    store.publish(NAMES)
    store.activate(NAMES)
    store.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED)
    return store


@settings(max_examples=10, deadline=None)
@given(data=st.data(), shares=st.integers(2, 6))
def test_any_m_of_n_shares_restore_all_keys_and_fewer_none(tmp_path_factory, data, shares):
    needed = data.draw(st.integers(2, shares))
    store = made(tmp_path_factory.mktemp("keys"))
    escrow, words = make_escrow(store, needed=needed, shares=shares)
    chosen = data.draw(st.permutations(words))
    empty = KeyStore(tmp_path_factory.mktemp("new"), FileKeyProvider(b"2" * 32))
    with pytest.raises(KeyMaterialError, match="too few"):
        restore(empty, escrow, chosen[: needed - 1])
    assert restore(empty, escrow, chosen[:needed]) == 4
    assert empty.ring(retired=True).keys == store.ring(retired=True).keys
    assert empty.facts() == store.facts()


@pytest.mark.parametrize(("needed", "shares"), [(1, 3), (4, 3), (2, 17), (0, 0)])
def test_shares_that_protect_nothing_or_cannot_be_are_refused(tmp_path, needed, shares):
    with pytest.raises(KeyMaterialError, match="needs 2 <="):
        make_escrow(made(tmp_path), needed=needed, shares=shares)


def test_altered_words_files_and_shares_of_another_escrow_are_refused(tmp_path):
    store = made(tmp_path / "keys")
    escrow, words = make_escrow(store, needed=2, shares=3)
    _, others = make_escrow(store, needed=2, shares=3)
    empty = KeyStore(tmp_path / "new", FileKeyProvider(b"2" * 32))
    altered = " ".join(["academic", *words[0].split()[1:-1], "academic"])
    held = json.loads(escrow)
    for file, given_words in (
        (escrow, [altered, words[1]]),
        (escrow, [words[0], others[1]]),
        (escrow, others[:2]),
        (b"{", words[:2]),
        (json.dumps({**held, "keys": "AAAA"}).encode(), words[:2]),
        (escrow[:200], words[:2]),
    ):
        with pytest.raises(KeyMaterialError):
            restore(empty, file, given_words)
    assert not (tmp_path / "new" / "keys.json").exists()
    for line in words:
        assert line.encode() not in escrow


def test_keys_are_not_restored_over_others(tmp_path):
    store = made(tmp_path)
    escrow, words = make_escrow(store, needed=2, shares=3)
    with pytest.raises(KeyMaterialError, match="empty directory"):
        restore(store, escrow, words[:2])


def test_the_drill_a_hub_without_its_keys_reads_everything_again(tmp_path):
    old, new, out = tmp_path / "old", tmp_path / "new", tmp_path / "escrow"

    async def prepare() -> None:
        await (await settle(old, 50)).close()

    async def check() -> None:
        hub = await settle(new, 0)
        try:
            await whole(hub, 50)
        finally:
            await hub.close()

    asyncio.run(prepare())
    written = command(old, "keys", "escrow", "--out", str(out), "--shares", "5", "--needed", "3")
    assert written.returncode == 0, written.stderr
    assert sorted(path.name for path in out.iterdir()) == ["keys.escrow", *(f"share-0{n}.txt" for n in range(1, 6))]
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.iterdir())
    (new / "hub").mkdir(parents=True)
    shutil.copy(old / "hub" / "hub.db", new / "hub" / "hub.db")
    shutil.rmtree(old)  # the disk with the keys is gone
    given = [part for n in (5, 1, 3) for part in ("--share", str(out / f"share-0{n}.txt"))]
    few = command(new, "keys", "restore", str(out / "keys.escrow"), *given[:4])
    assert few.returncode == 3
    restored = command(new, "keys", "restore", str(out / "keys.escrow"), *given)
    assert restored.returncode == 0, restored.stderr
    asyncio.run(check())
    assert command(new, "keys", "restore", str(out / "keys.escrow"), *given).returncode == 3
