"""Published vectors of every primitive in use, through our own functions."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.blind_index import BlindIndex, bits_for
from hub.crypto.suites import AES_256_GCM, AES_256_GCM_SIV, SM4_GCM, SUITES, Digest, expand, extract, keyed_hash

GCM_16 = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)


@pytest.mark.parametrize(
    ("suite", "key", "nonce", "plain", "aad", "expected"),
    [
        pytest.param(
            AES_256_GCM, "00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b", id="GCM test case 13"
        ),
        pytest.param(
            AES_256_GCM,
            "00" * 32,
            "00" * 12,
            "00" * 16,
            "",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
            id="GCM test case 14",
        ),
        pytest.param(
            AES_256_GCM,
            "feffe9928665731c6d6a8f9467308308" * 2,
            "cafebabefacedbaddecaf888",
            GCM_16,
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b",
            id="GCM test case 16",
        ),
        pytest.param(
            AES_256_GCM_SIV,
            "01" + "00" * 31,
            "03" + "00" * 11,
            "",
            "",
            "07f5f4169bbf55a8400cd47ea6fd400f",
            id="RFC 8452 C.2, empty",
        ),
        pytest.param(
            AES_256_GCM_SIV,
            "01" + "00" * 31,
            "03" + "00" * 11,
            "01" + "00" * 7,
            "",
            "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28",
            id="RFC 8452 C.2, 8 bytes",
        ),
        pytest.param(
            SM4_GCM,
            "0123456789abcdeffedcba9876543210",
            "00001234567800000000abcd",
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
            "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
            "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
            "83de3541e4c2b58177e065a9bf7b62ec",
            id="RFC 8998 A.1",
        ),
    ],
)
def test_published_vectors_of_the_ciphers(suite, key, nonce, plain, aad, expected):
    cipher = suite.cipher(bytes.fromhex(key))
    nonce, plain, aad = bytes.fromhex(nonce), bytes.fromhex(plain), bytes.fromhex(aad)
    assert cipher.encrypt(nonce, plain, aad).hex() == expected
    assert cipher.decrypt(nonce, bytes.fromhex(expected), aad) == plain


@given(
    suite=st.sampled_from(list(SUITES.values())),
    plain=st.binary(max_size=40),
    aad=st.binary(max_size=20),
    data=st.data(),
)
def test_what_was_altered_does_not_decrypt(suite, plain, aad, data):
    cipher = suite.of(bytes(32))
    sealed = bytearray(cipher.encrypt(bytes(12), plain, aad))
    assert cipher.decrypt(bytes(12), bytes(sealed), aad) == plain
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidTag):
        cipher.decrypt(bytes(12), bytes(sealed), aad)


@pytest.mark.parametrize(
    ("digest", "key", "message", "expected"),
    [
        pytest.param(
            Digest.SHA_256,
            "0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            id="RFC 4231, 1",
        ),
        pytest.param(
            Digest.SHA_256,
            b"Jefe".hex(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            id="RFC 4231, 2",
        ),
        pytest.param(
            Digest.SM3,
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2,
            "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
            id="GM/T 0042 D.3, 1",
        ),
        pytest.param(
            Digest.SM3,
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425",
            b"\xcd" * 50,
            "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae",
            id="GM/T 0042 D.3, 2",
        ),
        pytest.param(
            Digest.SM3,
            "0b" * 32,
            b"Hi There",
            "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e",
            id="GM/T 0042 D.3, 3",
        ),
    ],
)
def test_published_vectors_of_the_keyed_hash(digest, key, message, expected):
    assert keyed_hash(digest, bytes.fromhex(key), message).hex() == expected


def test_hkdf_published_vectors():
    """RFC 5869, appendix A.1 and A.2."""
    key = extract(Digest.SHA_256, bytes(range(13)), b"\x0b" * 22)
    assert key.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert expand(Digest.SHA_256, key, bytes(range(0xF0, 0xFA)), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    key = extract(Digest.SHA_256, bytes(range(0x60, 0xB0)), bytes(range(0x50)))
    assert expand(Digest.SHA_256, key, bytes(range(0xB0, 0x100)), 82).hex() == (
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
        "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    )


@given(key=st.binary(min_size=32, max_size=32), info=st.binary(max_size=60), length=st.integers(1, 200))
def test_expanding_is_the_librarys(key, info, length):
    assert expand(Digest.SHA_256, key, info, length) == HKDFExpand(SHA256(), length, info).derive(key)


@given(key=st.binary(min_size=32, max_size=32), one=st.binary(max_size=32), two=st.binary(max_size=32))
def test_keys_of_suites_and_persons_differ(key, one, two):
    derived = {expand(suite.digest, key, b"hub seal " + bytes((suite.byte,)) + salt, 32)
               for suite in SUITES.values() for salt in {one, two}}  # fmt: skip
    assert len(derived) == 3 * len({one, two})
    assert key not in derived


def test_sm3_published_vectors():
    """GB/T 32905-2016, appendix A, by way of HMAC: the hash alone is not used."""
    from cryptography.hazmat.primitives.hashes import SM3, Hash

    for text, expected in (
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ):
        running = Hash(SM3())
        running.update(text)
        assert running.finalize().hex() == expected
    key, text = b"k" * 32, b"abc"
    inner, outer = Hash(SM3()), Hash(SM3())
    inner.update(bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")) + text)
    outer.update(bytes(byte ^ 0x5C for byte in key.ljust(64, b"\0")) + inner.finalize())
    assert keyed_hash(Digest.SM3, key, text) == outer.finalize()


@given(value=st.text(max_size=30), bits=st.integers(1, 63), digest=st.sampled_from(list(Digest)))
def test_a_blind_index_stays_within_its_bits(value, bits, digest):
    assert 0 <= BlindIndex(key=b"k" * 32, field="f", bits=bits, digest=digest).of(value) < 2**bits


@given(rows=st.integers(100, 2_000_000_000))
def test_a_blind_index_names_several_candidates_and_not_too_many(rows):
    """SECURITY section 4: sqrt(X) < 2^N < X / 2."""
    assert rows**0.5 < 2 ** bits_for(rows) < rows / 2


def test_the_province_has_sixteen_bits():
    assert bits_for(172_000) == 16
