import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyFacts, KeyRing, KeyState, MemoryUses
from hub.crypto.keystore import FileUses, KeyStore, open_key_ring
from hub.crypto.opener import Opener
from hub.crypto.providers import FileKeyProvider, open_file_provider
from hub.crypto.sealing import Sealer
from hub.crypto.suites import AES_256_GCM, SM4_GCM, Digest
from hub.errors import KeyExhaustedError, KeyMaterialError, SealedValueError

PLACE = Place(agency="tax", table="t", column="c", row="1")
TAX = frozenset({"seal:tax:3"})
PROVIDER = FileKeyProvider(bytes(range(32)))


def test_keys_are_made_once_and_opened_again(tmp_path):
    first = open_key_ring(tmp_path, frozenset({"a", "b"}), create=True)
    assert open_key_ring(tmp_path, frozenset({"a", "b"}), create=False).keys == first.keys
    assert first.current("a")[1] != first.current("b")[1]


def test_without_a_key_file_production_does_not_start(tmp_path):
    with pytest.raises(KeyMaterialError, match=r"kek.bin: is missing"):
        open_key_ring(tmp_path, frozenset({"a"}), create=False)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        pytest.param(lambda d: (d / "kek.bin").chmod(0o644), "mode 0600", id="readable by others"),
        pytest.param(lambda d: (d / "kek.bin").write_bytes(b"short"), "32 bytes", id="wrong length"),
        pytest.param(lambda d: (d / "kek.bin").write_bytes(bytes(32)), "does not unwrap", id="another KEK"),
        pytest.param(lambda d: (d / "keys.json").write_text("{"), "is damaged", id="damaged"),
        pytest.param(lambda d: (d / "keys.json").write_text('{"a": {"1": "x"}}'), "is damaged", id="earlier format"),
        pytest.param(lambda d: (d / "keys.json").write_text('{"format": 3, "keys": {}}'), "another format", id="later"),
        pytest.param(lambda d: (d / "keys.json").chmod(0o644), "mode 0600", id="keys readable by others"),
    ],
)
def test_wrong_key_material_refuses_to_start(tmp_path, damage, text):
    open_key_ring(tmp_path, frozenset({"a"}), create=True)
    damage(tmp_path)
    with pytest.raises(KeyMaterialError, match=text):
        open_key_ring(tmp_path, frozenset({"a"}), create=False)


def test_a_wrapped_key_put_in_anothers_place_does_not_unwrap(tmp_path):
    open_key_ring(tmp_path, frozenset({"a", "b"}), create=True)
    path = tmp_path / "keys.json"
    held = json.loads(path.read_text())
    held["keys"]["a"], held["keys"]["b"] = held["keys"]["b"], held["keys"]["a"]
    path.write_text(json.dumps(held))
    with pytest.raises(KeyMaterialError, match="does not unwrap"):
        open_key_ring(tmp_path, frozenset({"a"}), create=False)


@pytest.mark.parametrize("suite", [AES_256_GCM, SM4_GCM], ids=lambda suite: suite.name)
def test_a_passphrase_seals_the_kek_and_only_it_opens_it(tmp_path, suite):
    ring = open_key_ring(
        tmp_path,
        TAX,
        create=True,
        suite=suite,
        provider=open_file_provider(tmp_path, suite, create=True, passphrase=b"one"),
    )
    again = open_file_provider(tmp_path, suite, create=False, passphrase=b"one")
    assert open_key_ring(tmp_path, TAX, create=False, provider=again).keys == ring.keys
    assert not (tmp_path / "kek.bin").exists()
    assert json.loads((tmp_path / "kek.json").read_text())["kdf"] == ("pbkdf2-sm3" if suite is SM4_GCM else "argon2id")
    with pytest.raises(KeyMaterialError, match="does not unwrap"):
        open_file_provider(tmp_path, suite, create=False, passphrase=b"two")


@given(raw=st.binary(max_size=80))
def test_noise_does_not_unwrap(raw):
    with pytest.raises(KeyMaterialError):
        PROVIDER.unwrap("a/1", raw)


@given(context=st.text(st.characters(exclude_categories=["Cs"]), max_size=20), key=st.binary(min_size=32, max_size=32))
def test_what_is_wrapped_unwraps_in_its_context(context, key):
    assert PROVIDER.unwrap(context, PROVIDER.wrap(context, key)) == key
    with pytest.raises(KeyMaterialError):
        PROVIDER.unwrap(context + "x", PROVIDER.wrap(context, key))


def rotated(tmp_path) -> tuple[KeyStore, KeyRing, bytes]:
    """A store whose first version is decrypt-only, the ring of a process that began before, a value of then."""
    store = KeyStore(tmp_path, PROVIDER)
    store.ensure(TAX)
    ring = store.ring()
    old = Sealer(ring).seal(PLACE, "old")
    store.publish(TAX)
    store.activate(TAX)
    return store, ring, old


def test_a_running_process_takes_over_a_new_version(tmp_path):
    store, ring, old = rotated(tmp_path)
    opener, sealer = Opener(ring), Sealer(ring)
    at = opener.at("tax", "t", "c")
    assert at("1", old) == "old"
    fresh = Sealer(store.ring()).seal(PLACE, "new")
    assert fresh[2:5] == b"\x00\x00\x02"
    assert at("1", fresh) == opener.open(PLACE, fresh) == "new"
    assert sealer.seal(PLACE, "x")[2:5] == b"\x00\x00\x02"
    assert at("1", old) == "old"


def test_a_pending_version_opens_and_seals_nothing(tmp_path):
    store = KeyStore(tmp_path, PROVIDER)
    store.ensure(TAX)
    store.publish(TAX)
    store.publish(TAX)
    assert {v: f.state for v, f in store.facts()["seal:tax:3"].items()} == {1: KeyState.ACTIVE, 2: KeyState.PENDING}
    assert Sealer(store.ring()).seal(PLACE, "x")[2:5] == b"\x00\x00\x01"


@pytest.mark.parametrize("last", [KeyState.RETIRED, KeyState.DESTROYED])
def test_under_a_retired_or_destroyed_key_nothing_opens_any_more(tmp_path, last):
    store, ring, old = rotated(tmp_path)
    opener = Opener(ring)
    at = opener.at("tax", "t", "c")
    assert at("1", old) == opener.open(PLACE, old) == "old"
    assert store.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED) == 1
    assert Opener(store.ring(retired=True)).open(PLACE, old) == "old"
    if last is KeyState.DESTROYED:
        assert store.move(KeyState.RETIRED, KeyState.DESTROYED) == 1
        assert store.read().keys["seal:tax:3"]["1"].wrapped is None
        with pytest.raises(SealedValueError):
            Opener(store.ring(retired=True)).open(PLACE, old)
    ring.refresh()
    for opening in (lambda: at("1", old), lambda: opener.open(PLACE, old)):
        with pytest.raises(SealedValueError, match="unknown key version"):
            opening()


def test_an_active_key_alone_cannot_be_retired(tmp_path):
    store, _, _ = rotated(tmp_path)
    store.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED)
    assert store.facts()["seal:tax:3"][2].state is KeyState.ACTIVE
    store.move(KeyState.RETIRED, KeyState.DESTROYED)
    assert Sealer(store.ring()).seal(PLACE, "x")


@given(limit=st.integers(1, 40), block=st.integers(1, 10))
def test_a_key_refuses_before_its_limit_of_uses(limit, block):
    uses = MemoryUses(limit)
    sealer = Sealer(KeyRing(keys={"seal:tax:3": {1: bytes(32)}}, uses=uses, block=block))
    sealed = 0
    with pytest.raises(KeyExhaustedError):
        while True:
            sealer.seal(PLACE, "x")
            sealed += 1
    assert sealed == limit // block * block
    assert uses.counted.get(("seal:tax:3", 1), 0) <= limit


def test_uses_of_all_processes_count_together_and_a_new_version_begins_anew(tmp_path, monkeypatch):
    store = KeyStore(tmp_path, PROVIDER)
    store.ensure(TAX)
    store.uses = FileUses(tmp_path, limit=3 * 8192)
    for _ in range(3):  # three processes that seal one value each
        Sealer(store.ring()).seal(PLACE, "x")
    assert store.uses.read() == {"seal:tax:3/1": 3 * 8192}
    with pytest.raises(KeyExhaustedError, match="rotate"):
        Sealer(store.ring()).seal(PLACE, "x")
    assert store.uses.read() == {"seal:tax:3/1": 3 * 8192}
    store.publish(TAX)
    store.activate(TAX)
    assert Sealer(store.ring()).seal(PLACE, "x")


def test_keys_and_counters_are_the_operators_alone(tmp_path):
    rotated(tmp_path)
    for name in ("keys.json", "uses.json", ".lock"):
        assert os.stat(tmp_path / name).st_mode & 0o077 == 0


def test_the_digest_of_a_key_is_the_one_it_was_made_with(tmp_path):
    KeyStore(tmp_path, PROVIDER, AES_256_GCM, bits=9).ensure(frozenset({"index:name"}))
    store = KeyStore(tmp_path, PROVIDER, SM4_GCM, bits=11)
    store.publish(frozenset({"index:name"}))
    assert store.facts()["index:name"] == {
        1: KeyFacts(state=KeyState.ACTIVE, digest=Digest.SHA_256, bits=9),
        2: KeyFacts(state=KeyState.PENDING, digest=Digest.SM3, bits=11),
    }


@settings(max_examples=25)
@given(
    steps=st.lists(st.sampled_from(["publish", "activate", "retire", "destroy"]), max_size=12),
)
def test_whatever_is_done_one_version_is_active_and_states_only_go_forward(tmp_path_factory, steps):
    store = KeyStore(tmp_path_factory.mktemp("keys"), PROVIDER)
    store.ensure(TAX)
    order = list(KeyState)
    before = store.facts()["seal:tax:3"]
    for step in steps:
        {
            "publish": lambda: store.publish(TAX),
            "activate": lambda: store.activate(TAX),
            "retire": lambda: store.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED),
            "destroy": lambda: store.move(KeyState.RETIRED, KeyState.DESTROYED),
        }[step]()
        after = store.facts()["seal:tax:3"]
        assert [facts.state for facts in after.values()].count(KeyState.ACTIVE) == 1
        assert all(order.index(after[v].state) >= order.index(facts.state) for v, facts in before.items())
        before = after
