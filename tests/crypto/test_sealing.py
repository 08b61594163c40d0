import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.envelope import Envelope, Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.errors import SealedValueError

RING = KeyRing(keys={"seal:justice": {1: bytes(range(32))}, "seal:tax": {1: bytes(range(1, 33))}})
PLACE = Place(agency="justice", table="person", column="name", row="7")
TEXT = st.text(max_size=50).filter(lambda text: "\ud800" not in text)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_what_is_sealed_opens_in_its_place(text):
    assert Opener(RING).open(PLACE, Sealer(RING).seal(PLACE, text)) == text


@given(
    change=st.sampled_from(
        [{"agency": "tax"}, {"table": "link"}, {"column": "alias"}, {"row": "8"}, {"schema_version": 2}]
    )
)
def test_a_moved_value_does_not_open(change):
    sealed = Sealer(RING).seal(PLACE, "李四")
    with pytest.raises(SealedValueError):
        Opener(RING).open(replace(PLACE, **change), sealed)


@given(data=st.data())
def test_any_flipped_bit_is_refused(data):
    sealed = bytearray(Sealer(RING).seal(PLACE, "36070019900101001X"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(SealedValueError):
        Opener(RING).open(PLACE, bytes(sealed))


@given(raw=st.binary(max_size=80))
def test_noise_is_refused(raw):
    with pytest.raises(SealedValueError):
        Opener(RING).open(PLACE, raw)


def test_parts_of_a_place_cannot_run_into_each_other():
    one = Place(agency="a", table="bc", column="d", row="e").associated_data()
    assert one != Place(agency="ab", table="c", column="d", row="e").associated_data()


def test_envelope_vector():
    """Our own vector for version 1: suite 01, key version 00000001, nonce, then ciphertext and tag."""
    nonce = bytes(range(12))
    sealed = AESGCM(RING.keys["seal:justice"][1]).encrypt(nonce, "李四".encode(), PLACE.associated_data())
    raw = Envelope(suite=1, key_version=1, nonce=nonce, ciphertext=sealed).encode()
    assert raw[:17].hex() == "0100000001000102030405060708090a0b"
    assert Opener(RING).open(PLACE, raw) == "李四"


def test_the_same_value_seals_differently_each_time():
    assert len({Sealer(RING).seal(PLACE, "x") for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("key", "nonce", "plain", "aad", "expected"),
    [
        pytest.param("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b", id="test case 13"),
        pytest.param(
            "00" * 32,
            "00" * 12,
            "00" * 16,
            "",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
            id="test case 14",
        ),
    ],
)
def test_aes_256_gcm_published_vectors(key, nonce, plain, aad, expected, monkeypatch):
    """McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, through our own sealer."""
    monkeypatch.setattr(os, "urandom", lambda n: bytes.fromhex(nonce)[:n])
    monkeypatch.setattr(Place, "associated_data", lambda _self: bytes.fromhex(aad))
    sealer = Sealer(KeyRing(keys={"seal:justice": {1: bytes.fromhex(key)}}))
    sealed = sealer.seal(PLACE, bytes.fromhex(plain).decode())
    assert sealed[17:].hex() == expected
