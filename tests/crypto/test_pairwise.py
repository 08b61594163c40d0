import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import open_key_ring
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.errors import KeyMaterialError

IDS = PairwiseIds(bytes(range(32)))
PAYLOAD = st.text("0123456789abcdefX", min_size=1, max_size=32)


@given(payload=PAYLOAD, agency=st.sampled_from(["tax", "police"]))
def test_an_id_opens_for_its_agency_only(payload, agency):
    sealed = IDS.seal(agency, "m", payload)
    assert IDS.open(agency, sealed) == ("m", payload)
    assert IDS.open("bank", sealed) is None


@given(one=PAYLOAD, two=PAYLOAD)
def test_ids_tell_neither_length_nor_equality_across_agencies(one, two):
    assert len(IDS.seal("tax", "m", one)) == len(IDS.seal("tax", "r", two))
    assert IDS.seal("tax", "m", one) != IDS.seal("police", "m", one)
    assert IDS.seal("tax", "m", one) == IDS.seal("tax", "m", one)


@given(text=st.text(max_size=120))
def test_noise_is_no_id(text):
    assert IDS.open("tax", text) is None


def test_aes_siv_published_vector():
    """RFC 5297, appendix A.1: the primitive under the ids."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    sealed = AESSIV(key).encrypt(
        bytes.fromhex("112233445566778899aabbccddee"),
        [bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")],
    )
    assert sealed.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


def test_kinds_of_pseudonyms_never_meet():
    assert Pseudonyms(b"k").of("a", "bc") != Pseudonyms(b"k").of("ab", "c")


def test_key_wrap_published_vector():
    """RFC 3394, section 4.6: 256 bits of key data with a 256-bit KEK."""
    kek = bytes.fromhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
    wrapped = bytes.fromhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
    expected = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F".lower()
    assert aes_key_unwrap(kek, wrapped).hex() == expected


@given(value=st.text(max_size=30), bits=st.integers(1, 64))
def test_a_blind_index_stays_within_its_bits(value, bits):
    assert 0 <= BlindIndex(key=b"k" * 32, field="f", bits=bits).of(value) < 2**bits


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
    ],
)
def test_wrong_key_material_refuses_to_start(tmp_path, damage, text):
    open_key_ring(tmp_path, frozenset({"a"}), create=True)
    damage(tmp_path)
    with pytest.raises(KeyMaterialError, match=text):
        open_key_ring(tmp_path, frozenset({"a"}), create=False)


def test_the_two_keys_of_the_cipher_are_independent(monkeypatch):
    used = []
    monkeypatch.setattr("hub.crypto.pairwise.AESSIV", used.append)
    PairwiseIds(bytes(range(32)))
    (key,) = used
    assert len(key) == 64
    assert key[:32] != key[32:]
    assert bytes(range(32)) not in (key[:32], key[32:])
