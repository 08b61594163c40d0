"""Signed notes, checkpoints and cosignatures. Source: C2SP signed-note, tlog-checkpoint, tlog-cosignature v1."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LOG = 1
COSIGNER = 4
MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 32
KEY_BYTES = 32
ID_BYTES = 4
SIGNATURE_BYTES = 64
TIME_BYTES = 8
MAX_SIZE = 1 << 62


class NoteError(ValueError):
    """Bytes that are not a note, a checkpoint or a key of this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with its name. `algorithm`: `LOG` or `COSIGNER`."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        """As a vkey: name, id in hex, and algorithm and key in base64."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.algorithm]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteError."""
        name, plus, rest = text.strip().partition("+")
        key_id, second, encoded = rest.partition("+")
        raw = decode(encoded)
        if not plus or not second or not is_key_name(name) or len(raw) != 1 + KEY_BYTES:
            raise NoteError("not a verifier key")
        key = cls(name=name, algorithm=raw[0], public=raw[1:])
        if key.algorithm not in (LOG, COSIGNER) or key.key_id.hex() != key_id:
            raise NoteError("a verifier key whose id or algorithm is wrong")
        return key

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """`signature`: without key id; of a cosigner with its time in front."""
        if self.algorithm == COSIGNER:
            if len(signature) != TIME_BYTES + SIGNATURE_BYTES:
                return False
            text = cosigned_text(int.from_bytes(signature[:TIME_BYTES], "big"), text)
            signature = signature[TIME_BYTES:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    name: str
    key_id: bytes
    raw: bytes

    def __str__(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.raw).decode()}\n"

    def is_by(self, key: VerifierKey) -> bool:
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`text` ends in a newline."""

    text: bytes
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return self.text + b"\n" + "".join(map(str, self.signatures)).encode()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises NoteError."""
        if len(raw) > MAX_NOTE_BYTES or any(byte < 32 and byte != 10 for byte in raw):
            raise NoteError("too large, or control characters")
        text, blank, tail = raw.rpartition(b"\n\n")
        try:
            text.decode()
            lines = tail.decode().split("\n")
        except UnicodeDecodeError as exc:
            raise NoteError("not UTF-8") from exc
        if not blank or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
            raise NoteError("no text, or no or too many signatures")
        return cls(text=text + b"\n", signatures=tuple(map(parse_signature, lines)))

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Whether there is a signature of `key`, and every one that claims to be is good."""
        claimed = [one for one in self.signatures if one.is_by(key)]
        return bool(claimed) and all(key.verifies(one.raw, self.text) for one in claimed)


def parse_signature(line: str) -> Signature:
    """Raises NoteError."""
    dash, name, encoded, *more = [*line.split(" "), "", ""][:4]
    raw = decode(encoded)
    if dash != "—" or not is_key_name(name) or any(more) or len(raw) <= ID_BYTES:
        raise NoteError("not a signature line")
    return Signature(name=name, key_id=raw[:ID_BYTES], raw=raw[ID_BYTES:])


def is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def decode(encoded: str) -> bytes:
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError as exc:
        raise NoteError("not base64") from exc
    if b64encode(raw).decode() != encoded:
        raise NoteError("not canonical base64")
    return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself: so many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Of a note's text; extension lines are allowed. Raises NoteError."""
        try:
            origin, size, root, *more = text.decode().split("\n")
        except ValueError as exc:
            raise NoteError("not a checkpoint") from exc
        decoded = decode(root)
        number = parse_size(size)
        if not origin or len(decoded) != KEY_BYTES or not more or more.pop() or not all(more):
            raise NoteError("not a checkpoint")
        return cls(origin=origin, size=number, root=decoded)


def parse_size(text: str) -> int:
    """A number of leaves in decimal without leading zeroes. Raises NoteError."""
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 19:
        raise NoteError("not a size")
    number = int(text)
    if number > MAX_SIZE:
        raise NoteError("not a size")
    return number


def cosigned_text(time_s: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time_s + text


class Signer:
    """A private key with its name; signs as a log or as a cosigner."""

    def __init__(self, name: str, private: Ed25519PrivateKey, algorithm: int = LOG) -> None:
        if not is_key_name(name):
            raise NoteError("not a name for a key")
        self._private = private
        self.key = VerifierKey(name=name, algorithm=algorithm, public=private.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> Signature:
        raw = self._private.sign(text)
        return Signature(name=self.key.name, key_id=self.key.key_id, raw=raw)

    def cosign(self, text: bytes, time_s: int) -> Signature:
        raw = time_s.to_bytes(TIME_BYTES, "big") + self._private.sign(cosigned_text(time_s, text))
        return Signature(name=self.key.name, key_id=self.key.key_id, raw=raw)


def signed(checkpoint: Checkpoint, signers: Sequence[Signer]) -> Note:
    text = checkpoint.text
    return Note(text=text, signatures=tuple(signer.sign(text) for signer in signers))
