from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.envelope import Envelope, Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.crypto.suites import SUITES, expand
from hub.errors import KeyMaterialError, SealedValueError

KEYS = {f"seal:{agency}:{cls}": {1: bytes([n] * 32), 2: bytes([n + 9] * 32)}
        for n, (agency, cls) in enumerate((a, c) for a in ("justice", "tax") for c in (2, 3, 4))}  # fmt: skip
RINGS = [KeyRing(keys=KEYS, suite=suite) for suite in SUITES.values()]
RING = st.sampled_from(RINGS)
PLACE = Place(agency="justice", table="person", column="name", row="7")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SALT = st.sampled_from([b"", b"s" * 32])
MOVES = st.sampled_from(
    [{"agency": "tax"}, {"table": "link"}, {"column": "alias"}, {"row": "8"}, {"schema_version": 2}]
)


@given(ring=RING, text=TEXT, salt=SALT, sensitivity=st.sampled_from([2, 3, 4]))
def test_what_is_sealed_opens_in_its_place(ring, text, salt, sensitivity):
    place = replace(PLACE, sensitivity=sensitivity)
    sealed = Sealer(ring).seal(place, text, salt)
    assert sealed[:5] == bytes((ring.suite.byte, sensitivity, 0, 0, 2))
    assert Opener(ring).open(place, sealed, salt) == text


@given(ring=RING, change=MOVES, salt=SALT, text=TEXT)
def test_a_moved_value_does_not_open(ring, change, salt, text):
    sealed = Sealer(ring).seal(PLACE, text, salt)
    with pytest.raises(SealedValueError):
        Opener(ring).open(replace(PLACE, **change), sealed, salt)


@given(ring=RING, text=TEXT, salt=SALT, change=st.sampled_from(["suite", "class", "version", "unknown version"]))
def test_under_another_suite_class_or_version_it_does_not_open(ring, text, salt, change):
    sealed = bytearray(Sealer(ring).seal(PLACE, text, salt))
    if change == "suite":
        sealed[0] = 0x11 + (sealed[0] - 0x11 + 1) % 3
    elif change == "class":
        sealed[1] = 2
    else:
        sealed[4] = {"version": 1, "unknown version": 3}[change]
    with pytest.raises(SealedValueError):
        Opener(ring).open(PLACE, bytes(sealed), salt)


@given(ring=RING, text=TEXT, salt=st.binary(min_size=1, max_size=32), other=st.binary(max_size=32))
def test_without_the_persons_salt_a_value_does_not_open(ring, text, salt, other):
    sealed = Sealer(ring).seal(PLACE, text, salt)
    if salt != other:
        with pytest.raises(SealedValueError):
            Opener(ring).open(PLACE, sealed, other)


@given(data=st.data(), ring=RING, salt=SALT)
def test_any_flipped_bit_is_refused(data, ring, salt):
    sealed = bytearray(Sealer(ring).seal(PLACE, "36070019900101001X", salt))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    for opening in (
        lambda raw: Opener(ring).open(PLACE, raw, salt),
        lambda raw: Opener(ring).open_many([(PLACE, raw)], salt),
        lambda raw: Opener(ring).at("justice", "person", "name")("7", raw),
        lambda raw: Opener(ring).of_persons("justice", "person", "name")("7", raw, salt),
    ):
        with pytest.raises(SealedValueError):
            opening(bytes(sealed))


@given(ring=RING, raw=st.binary(max_size=80), known=st.booleans())
def test_noise_is_refused(ring, raw, known):
    if known:
        raw = bytes((ring.suite.byte, 3, 0, 0, 1)) + raw
    for opening in (
        lambda: Opener(ring).open(PLACE, raw),
        lambda: Opener(ring).at("justice", "person", "name")("7", raw),
        lambda: Opener(ring).of_persons("justice", "person", "name")("7", raw, b"s"),
    ):
        with pytest.raises(SealedValueError):
            opening()


@given(ring=RING, texts=st.lists(TEXT, max_size=8), salt=SALT)
def test_many_are_sealed_and_opened_as_each_alone(ring, texts, salt):
    places = [replace(PLACE, row=str(n), sensitivity=2 + n % 3) for n in range(len(texts))]
    sealed = Sealer(ring).seal_many(list(zip(places, texts, strict=True)), salt)
    assert Opener(ring).open_many(list(zip(places, sealed, strict=True)), salt) == texts
    assert [Opener(ring).open(place, raw, salt) for place, raw in zip(places, sealed, strict=True)] == texts


@given(ring=RING, text=TEXT)
def test_an_opener_of_a_column_opens_what_was_sealed_there(ring, text):
    assert Opener(ring).at("justice", "person", "name")(7, Sealer(ring).seal(PLACE, text)) == text
    sealed = Sealer(ring).seal(PLACE, text, b"s")
    assert Opener(ring).of_persons("justice", "person", "name")(7, sealed, b"s") == text


def test_every_suite_opens_whatever_suite_a_deployment_seals_with():
    for one in RINGS:
        for other in RINGS:
            assert Opener(other).open(PLACE, Sealer(one).seal(PLACE, "李四", b"s"), b"s") == "李四"


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
@given(key=st.binary(min_size=32, max_size=32), salt=SALT)
def test_the_key_of_a_person_is_one_block_of_hkdf(suite, key, salt):
    info = b"hub seal " + bytes((suite.byte,)) + salt
    made = expand(suite.digest, key, info, suite.key_bytes)
    nonce = b"n" * 12
    assert suite.of(key, salt).decrypt(nonce, suite.cipher(made).encrypt(nonce, b"x", b"a"), b"a") == b"x"


def test_parts_of_a_place_cannot_run_into_each_other():
    one = Place(agency="a", table="bc", column="d", row="e").associated_data()
    assert one != Place(agency="ab", table="c", column="d", row="e").associated_data()


@given(raw=st.binary(max_size=60))
def test_an_envelope_is_what_it_was_taken_apart_from(raw):
    try:
        envelope = Envelope.decode(raw)
    except SealedValueError:
        return
    assert envelope.encode() == raw


def test_the_same_value_seals_differently_each_time():
    for ring in RINGS:
        assert len({Sealer(ring).seal(PLACE, "x") for _ in range(20)}) == 20


def test_without_a_key_of_its_agency_and_class_nothing_is_sealed():
    with pytest.raises(KeyMaterialError, match="seal:police:3"):
        Sealer(RINGS[0]).seal(replace(PLACE, agency="police"), "x")
