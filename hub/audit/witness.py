"""A witness: cosigns a log's checkpoint only if it continues the last one that it cosigned.

Source: C2SP tlog-witness v1 and tlog-cosignature v1. All state lies in a directory of the witness's own: `witness.pem`
and `witness.vkey`, `trusted.vkeys` (keys of the logs it knows, one a line), `logs/` with the last cosigned checkpoint
of each origin, `evidence/` with signed requests that it refused because they do not continue it.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hub.audit.merkle import verify_consistency
from hub.audit.note import (
    COSIGNER,
    KEY_BYTES,
    Checkpoint,
    Note,
    NoteError,
    Signer,
    VerifierKey,
    decode,
    parse_size,
)
from hub.audit.signing import open_signer, replace_file
from hub.clock import Clock
from hub.errors import KeyMaterialError, StartupError

MAX_PROOF = 63
MAX_BODY_BYTES = 128 * 1024
MAX_EVIDENCE = 100
SIZE_TYPE = "text/x.tlog.size"


class WitnessError(StartupError):
    code = "WITNESS_INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status, media type and body of an HTTP answer."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=utf-8"


class Refused(Exception):
    def __init__(self, status: int, text: str, media_type: str = "text/plain; charset=utf-8") -> None:
        super().__init__(text)
        self.reply = Reply(status=status, body=f"{text}\n".encode(), media_type=media_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


class Witness:
    """Answers `add-checkpoint`. Not for several threads; `open_witness` keeps other processes out."""

    def __init__(self, directory: Path, signer: Signer, trusted: Sequence[VerifierKey], clock: Clock) -> None:
        self._directory = directory
        self._signer = signer
        self._trusted = trusted
        self._clock = clock

    @property
    def key(self) -> VerifierKey:
        return self._signer.key

    def add_checkpoint(self, body: bytes) -> Reply:
        """Cosign, durable before the answer is returned, or refuse with the status that the protocol names."""
        try:
            return self._add(read_request(body), body)
        except Refused as refused:
            return refused.reply

    def _add(self, request: Request, body: bytes) -> Reply:
        checkpoint = request.checkpoint
        keys = [key for key in self._trusted if key.name == checkpoint.origin]
        if not keys:
            raise Refused(404, "unknown log")
        signatures = [one for one in request.note.signatures for key in keys if one.is_by(key)]
        if not any(request.note.is_signed_by(key) for key in keys):
            raise Refused(403, "not signed by a key that is trusted for this log")
        if request.old > checkpoint.size:
            raise Refused(400, "old size is larger than the checkpoint's")
        last = read_cosigned(self._directory, checkpoint.origin)
        size = last.size if last else 0
        if request.old != size:
            raise Refused(409, str(size), SIZE_TYPE)
        if last is not None:
            self._check_continues(last, request, body)
        elif request.proof:
            raise Refused(422, "a proof from size zero is empty")
        cosignature = self._signer.cosign(request.note.text, int(self._clock.now().timestamp()))
        kept = Note(text=request.note.text, signatures=(*signatures, cosignature))
        replace_file(_file(self._directory, checkpoint.origin), bytes(kept))
        return Reply(status=200, body=str(cosignature).encode())

    def _check_continues(self, last: Checkpoint, request: Request, body: bytes) -> None:
        new = request.checkpoint
        if last.size == new.size and last.root != new.root:
            self._keep_evidence(body)
            raise Refused(409, str(last.size), SIZE_TYPE)
        if not verify_consistency(old=last.size, size=new.size, old_root=last.root, root=new.root, proof=request.proof):
            self._keep_evidence(body)
            raise Refused(422, "the consistency proof does not hold")

    def _keep_evidence(self, body: bytes) -> None:
        folder = self._directory / "evidence"
        folder.mkdir(exist_ok=True, mode=0o700)
        if len(list(folder.iterdir())) < MAX_EVIDENCE:
            replace_file(folder / f"{sha256(body).hexdigest()}.request", body)


def read_request(body: bytes) -> Request:
    """Raises Refused (400)."""
    head, blank, raw = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        word, _, size = first.partition(" ")
        if not blank or word != "old" or len(lines) > MAX_PROOF or len(body) > MAX_BODY_BYTES:
            raise NoteError("not a request")
        proof = tuple(map(decode, lines))
        if any(len(one) != KEY_BYTES for one in proof):
            raise NoteError("not a hash")
        note = Note.parse(raw)
        return Request(old=parse_size(size), proof=proof, note=note, checkpoint=Checkpoint.parse(note.text))
    except (NoteError, UnicodeDecodeError) as exc:
        raise Refused(400, "not an add-checkpoint request") from exc


@contextmanager
def open_witness(
    directory: Path, *, name: str | None = None, trust: Sequence[VerifierKey] = (), clock: Clock
) -> Iterator[Witness]:
    """The witness of `directory`, made if there is none; `trust` is added to the logs it knows.

    Raises:
        WitnessError: another process runs it, or a kept file is damaged. KeyMaterialError: its key is unusable.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "logs").mkdir(exist_ok=True, mode=0o700)
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise WitnessError("another process runs this witness", file=str(directory)) from exc
        known = read_trusted(directory)
        trusted = list(dict.fromkeys([*known, *trust]))
        if trusted != list(known):
            replace_file(directory / "trusted.vkeys", "".join(f"{key}\n" for key in trusted).encode())
        kept = _kept_name(directory)
        signer = open_signer(directory / "witness.pem", name=kept or name, algorithm=COSIGNER, create=True)
        yield Witness(directory, signer, trusted, clock)
    finally:
        os.close(lock)


def _kept_name(directory: Path) -> str | None:
    path = directory / "witness.vkey"
    return read_witness_key(directory).name if path.exists() else None


def read_witness_key(directory: Path) -> VerifierKey:
    """Raises WitnessError."""
    try:
        return VerifierKey.parse((directory / "witness.vkey").read_text("utf-8"))
    except (OSError, NoteError, UnicodeDecodeError) as exc:
        raise WitnessError("no witness was made here", file=str(directory)) from exc


def read_trusted(directory: Path) -> tuple[VerifierKey, ...]:
    """Keys of the logs that the witness knows."""
    path = directory / "trusted.vkeys"
    try:
        return tuple(map(VerifierKey.parse, path.read_text("utf-8").split())) if path.exists() else ()
    except NoteError as exc:
        raise WitnessError("holds what is no key", file=str(path)) from exc


def read_cosigned(directory: Path, origin: str) -> Checkpoint | None:
    """The last checkpoint of `origin` that the witness of `directory` cosigned, its cosignature verified.

    Raises:
        WitnessError: the file is damaged: a witness that lost its memory must not cosign.
    """
    path = _file(directory, origin)
    if not path.exists():
        return None
    try:
        note = Note.parse(path.read_bytes())
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != origin or not note.is_signed_by(read_witness_key(directory)):
            raise NoteError("not cosigned")
    except (NoteError, KeyMaterialError) as exc:
        raise WitnessError("is not a checkpoint that this witness cosigned", file=str(path)) from exc
    return checkpoint


def _file(directory: Path, origin: str) -> Path:
    return directory / "logs" / f"{sha256(origin.encode()).hexdigest()[:32]}.note"
