"""Against the examples of C2SP and of Go's sumdb/note."""

import contextlib
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.note import COSIGNER, Checkpoint, Note, NoteError, Signer, VerifierKey, parse_size, signed
from tests.audit.parts import signer

# From the tests of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# From C2SP tlog-cosignature; the key is derived from nothing: only its form and id are tested.
CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_a_published_note_verifies_with_its_published_key():
    key = VerifierKey.parse(PETER)
    note = Note.parse(NOTE.encode())
    assert str(key) == PETER
    assert bytes(note) == NOTE.encode()
    assert note.is_signed_by(key)
    assert not Note(text=note.text + b"x\n", signatures=note.signatures).is_signed_by(key)


def test_a_published_checkpoint_is_read_and_written_alike():
    found = Checkpoint.parse(CHECKPOINT.encode())
    assert (found.origin, found.size, found.text) == ("example.com/behind-the-sofa", 20852163, CHECKPOINT.encode())
    assert Checkpoint.parse(CHECKPOINT.encode() + b"extension\n").root == found.root


def test_a_cosignature_covers_time_and_text():
    witness = Signer("w.test", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32), COSIGNER)
    text = CHECKPOINT.encode()
    one = witness.cosign(text, 1679315147)
    message = b"cosignature/v1\ntime 1679315147\n" + text
    Ed25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key().verify(one.raw[8:], message)
    assert int.from_bytes(one.raw[:8], "big") == 1679315147
    assert witness.key.verifies(one.raw, text)
    assert not witness.key.verifies((1679315148).to_bytes(8, "big") + one.raw[8:], text)
    assert not witness.key.verifies(one.raw, text + b"x")
    assert not witness.key.verifies(one.raw[1:], text)


def test_a_wrong_signature_beside_a_right_one_is_refused():
    note = signed(Checkpoint.parse(CHECKPOINT.encode()), [signer()])
    (good,) = note.signatures
    bad = signer().sign(b"other\n")
    assert note.is_signed_by(signer().key)
    assert not Note(text=note.text, signatures=(good, bad)).is_signed_by(signer().key)
    assert not note.is_signed_by(signer(2).key)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno dash\n",
        b"te\x01xt\n\n" + str(signer().sign(b"")).encode(),
        b"text\n\n" + str(signer().sign(b"")).encode().rstrip(b"\n"),
        b"t\xff\n\n" + str(signer().sign(b"")).encode(),
        b"text\n\n" + str(signer().sign(b"")).encode() * 33,
        b"text\n\n" + "— a+b AAAAAAAA\n".encode(),
        b"text\n\n" + "— a AAAA\n".encode(),
        b"text\n\n" + "— a AAAAAAA=x\n".encode(),
        b"x" * 70_000 + b"\n\n" + str(signer().sign(b"")).encode(),
    ],
)
def test_what_is_no_note_is_refused(raw):
    with pytest.raises(NoteError):
        Note.parse(raw)


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", PETER.replace("c74f", "c74e"), "a b" + PETER[12:]])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@pytest.mark.parametrize("text", ["", "o\n1\n", "o\n01\n" + CHECKPOINT.split("\n")[2] + "\n", "o\n1\nAAAA\n", "\n1\nAAAA\n", "o\n-1\nAAAA\n", CHECKPOINT[:-1], CHECKPOINT + "\n"])  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(NoteError):
        Checkpoint.parse(text.encode())


@given(st.integers(0, 1 << 62))
def test_sizes_are_read_as_they_are_written(size):
    assert parse_size(str(size)) == size
    for wrong in (f"0{size}", f"+{size}", f" {size}", f"{size} ", f"{size}.0"):
        with pytest.raises(NoteError):
            parse_size(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_an_error(raw):
    with contextlib.suppress(NoteError):
        assert bytes(Note.parse(raw)) == raw


@given(st.binary(min_size=32, max_size=32))
def test_a_key_survives_its_text(seed):
    key = Signer("n.test/a", Ed25519PrivateKey.from_private_bytes(seed)).key
    assert VerifierKey.parse(str(key)) == key
    assert b64encode(b"\x01" + key.public).decode() in str(key)
