"""The hub's keys: a key-encryption key from a file of its own, and data keys wrapped under it.

Layout of a key directory: `kek.bin` (32 random bytes, mode 0600; in production on another volume than the database) and
`keys.json` (wrapped data keys by purpose and version, RFC 3394 key wrap). Purposes are separate keys, never derived
from one another: sealing per owner agency, blind index per field, pairwise ids, pseudonyms.
"""

import json
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from hub.errors import KeyMaterialError

KEY_BYTES = 32
KEK_FILE = "kek.bin"
KEYS_FILE = "keys.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Opened keys by purpose (`seal:justice`, `index:identityNumber`, `pairwise`, `pseudonym`) and version."""

    keys: Mapping[str, Mapping[int, bytes]]

    def current(self, purpose: str) -> tuple[int, bytes]:
        """The newest version of a purpose's key."""
        versions = self.keys.get(purpose)
        if not versions:
            raise KeyMaterialError("no such key", name=purpose)
        newest = max(versions)
        return newest, versions[newest]


def open_key_ring(directory: Path, purposes: frozenset[str], *, create: bool) -> KeyRing:
    """Unwrap the keys of `directory`; with `create`, make what is missing (development and demo).

    Raises:
        KeyMaterialError: a file is missing, readable by others, damaged, or wrapped under another KEK.
    """
    kek = _read_kek(directory / KEK_FILE, create=create)
    wrapped = _read_wrapped(directory / KEYS_FILE, create=create)
    missing = purposes - wrapped.keys()
    if missing and not create:
        raise KeyMaterialError("no such key", file=KEYS_FILE, name=min(missing))
    for purpose in sorted(missing):
        wrapped[purpose] = {"1": b64encode(aes_key_wrap(kek, os.urandom(KEY_BYTES))).decode()}
    if missing:
        _write_private(directory / KEYS_FILE, json.dumps(wrapped, indent=1, sort_keys=True).encode())
    return KeyRing(keys={purpose: _unwrap(kek, purpose, versions) for purpose, versions in wrapped.items()})


def _unwrap(kek: bytes, purpose: str, versions: Mapping[str, str]) -> dict[int, bytes]:
    try:
        return {int(version): aes_key_unwrap(kek, b64decode(text)) for version, text in versions.items()}
    except (InvalidUnwrap, ValueError) as exc:
        raise KeyMaterialError("does not unwrap under this KEK", file=KEYS_FILE, name=purpose) from exc


def _read_kek(path: Path, *, create: bool) -> bytes:
    if not path.exists():
        if not create:
            raise KeyMaterialError("is missing", file=path.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(path, os.urandom(KEY_BYTES))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyMaterialError("may be read by others; set mode 0600", file=path.name)
    kek = path.read_bytes()
    if len(kek) != KEY_BYTES:
        raise KeyMaterialError(f"must hold {KEY_BYTES} bytes", file=path.name)
    return kek


def _read_wrapped(path: Path, *, create: bool) -> dict[str, dict[str, str]]:
    if not path.exists():
        if not create:
            raise KeyMaterialError("is missing", file=path.name)
        return {}
    try:
        data: dict[str, dict[str, str]] = json.loads(path.read_bytes())
    except ValueError as exc:
        raise KeyMaterialError("is damaged", file=path.name) from exc
    return data


def _write_private(path: Path, content: bytes) -> None:
    """Atomically, mode 0600 from birth."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
