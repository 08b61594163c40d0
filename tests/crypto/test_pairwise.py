from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.blind_index import BlindIndex
from hub.crypto.pairwise import SUBJECT_KIND, PairwiseIds, Pseudonyms, subject_of
from hub.crypto.suites import Digest

IDS = PairwiseIds(bytes(range(32)))
SM = PairwiseIds(bytes(range(32)), Digest.SM3)
EITHER = st.sampled_from([IDS, SM])
PAYLOAD = st.text("0123456789abcdefX", min_size=1, max_size=32)


@given(ids=EITHER, payload=PAYLOAD, agency=st.sampled_from(["tax", "police"]))
def test_an_id_opens_for_its_agency_only(ids, payload, agency):
    sealed = ids.seal(agency, "m", payload)
    assert ids.open(agency, sealed) == ("m", payload)
    assert ids.open("bank", sealed) is None
    assert {IDS: SM, SM: IDS}[ids].open(agency, sealed) is None


@given(ids=EITHER, one=PAYLOAD, two=PAYLOAD)
def test_ids_tell_neither_length_nor_equality_across_agencies(ids, one, two):
    assert len(ids.seal("tax", "m", one)) == len(ids.seal("tax", "r", two))
    assert ids.seal("tax", "m", one) != ids.seal("police", "m", one)
    assert ids.seal("tax", "m", one) == ids.seal("tax", "m", one)
    assert (ids.seal("tax", "m", one) == ids.seal("tax", "m", two)) is (one == two)


@given(ids=EITHER, text=st.text(max_size=120) | st.binary(max_size=90).map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_noise_is_no_id(ids, text):
    assert ids.open("tax", text) is None


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


@given(value=st.text(max_size=30), bits=st.integers(1, 64))
def test_a_blind_index_stays_within_its_bits(value, bits):
    assert 0 <= BlindIndex(key=b"k" * 32, field="f", bits=bits).of(value) < 2**bits


def test_the_two_keys_of_the_cipher_are_independent(monkeypatch):
    used = []
    monkeypatch.setattr("hub.crypto.pairwise.AESSIV", used.append)
    PairwiseIds(bytes(range(32)))
    (key,) = used
    assert len(key) == 64
    assert key[:32] != key[32:]
    assert bytes(range(32)) not in (key[:32], key[32:])


def test_only_an_id_of_its_own_kind_and_agency_names_the_person_concerned():
    ids = IDS
    assert subject_of(ids, "subject", ids.seal("subject", SUBJECT_KIND, "36")) == "36"
    assert subject_of(ids, "tax", ids.seal("subject", SUBJECT_KIND, "36")) is None
    assert subject_of(ids, "subject", ids.seal("subject", "m", "36")) is None
    assert subject_of(ids, "subject", "nonsense") is None
