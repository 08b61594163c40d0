"""The key that signs checkpoints: an Ed25519 key in a file of its own, with its public half beside it."""

import os
import stat
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hub.audit.note import LOG, NoteError, Signer, VerifierKey
from hub.errors import KeyMaterialError


def open_signer(path: Path, *, name: str | None = None, algorithm: int = LOG, create: bool) -> Signer:
    """The key in the PEM file `path`; with `create` it is made if missing, mode 0600, and its vkey written beside it.

    `name`: of the log (its origin) or the witness; by default made from the public key.

    Raises:
        KeyMaterialError: the file is missing, may be read by others, or holds no Ed25519 key; the name is not one.
    """
    if not path.exists():
        if not create:
            raise KeyMaterialError("is missing; `hub migrate` makes it", file=path.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(path, _new_key())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyMaterialError("may be read by others; set mode 0600", file=path.name)
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise KeyMaterialError("holds no key", file=path.name) from exc
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyMaterialError("holds no Ed25519 key", file=path.name)
    print_ = sha256(private.public_key().public_bytes_raw()).hexdigest()[:12]
    try:
        signer = Signer(name or f"hub.local/audit/{print_}", private, algorithm)
    except NoteError as exc:
        raise KeyMaterialError("is not a name for a key", file=path.name) from exc
    if create:
        replace_file(path.with_suffix(".vkey"), f"{signer.key}\n".encode())
    return signer


def read_key(text: str) -> VerifierKey:
    """A verifier key, given as itself or as a file that holds it.

    Raises:
        KeyMaterialError: it is neither.
    """
    try:
        held = Path(text).read_text("utf-8") if "+" not in text or Path(text).is_file() else text
        return VerifierKey.parse(held)
    except (NoteError, OSError, UnicodeDecodeError) as exc:
        raise KeyMaterialError("is no verifier key and no file with one", name=text[:60]) from exc


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write atomically and durably: the old content or the new one, also after a power cut."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_once(path: Path, content: bytes) -> None:
    """Of several processes that make the key, the first one's stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    sync_folder(path.parent)
