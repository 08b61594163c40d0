"""Key-encryption keys: a part that wraps data keys and keeps its own key to itself. Here the one of a file.

The context (purpose and version of the wrapped key) is authenticated, so that a wrapped key put in another's place does
not unwrap. Providers over PKCS#11 and Vault are modules of their own (`pkcs11_provider`, `vault_provider`).
"""

import json
import os
import stat
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from hub.crypto.suites import AES_256_GCM, NONCE_BYTES, SM4_GCM, SUITES, TAG_BYTES, Cipher, Digest, Suite, expand
from hub.errors import KeyMaterialError

KEK_BYTES = 32
KEK_FILE = "kek.bin"
SEALED_KEK_FILE = "kek.json"
ARGON_PASSES, ARGON_KIB, ARGON_LANES = 3, 65_536, 4  # RFC 9106, section 4, second recommendation
PBKDF2_ROUNDS = 600_000
_WRAPPING = b"hub wrap "


class KeyProvider(Protocol):
    """Wraps and unwraps data keys of 32 bytes."""

    @property
    def name(self) -> str:
        """What stands in messages: where the key-encryption key is."""
        ...

    def wrap(self, context: str, key: bytes) -> bytes: ...

    def unwrap(self, context: str, wrapped: bytes) -> bytes:
        """The key that was wrapped for exactly this context.

        Raises:
            KeyMaterialError: altered, wrapped for another context or by another key, or no answer.
        """
        ...


class FileKeyProvider:
    """A key in memory, from a file. New keys are wrapped with the cipher of `suite`."""

    def __init__(self, kek: bytes, suite: Suite = AES_256_GCM, *, name: str = KEK_FILE) -> None:
        self._kek = kek
        self._suite = SM4_GCM if suite.digest is Digest.SM3 else AES_256_GCM
        self.name = name

    def wrap(self, context: str, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = _wrapping(self._suite, self._kek).encrypt(nonce, key, context.encode())
        return bytes((self._suite.byte,)) + nonce + sealed

    def unwrap(self, context: str, wrapped: bytes) -> bytes:
        suite = SUITES.get(wrapped[0]) if len(wrapped) > NONCE_BYTES + TAG_BYTES else None
        if suite is None:
            raise KeyMaterialError("is damaged", name=context)
        body = 1 + NONCE_BYTES
        try:
            return _wrapping(suite, self._kek).decrypt(wrapped[1:body], wrapped[body:], context.encode())
        except InvalidTag as exc:
            raise KeyMaterialError(f"does not unwrap under the KEK of {self.name}", name=context) from exc


def open_file_provider(
    directory: Path, suite: Suite, *, create: bool, passphrase: bytes | None = None
) -> FileKeyProvider:
    """The provider over `kek.json` (with a passphrase) or `kek.bin` (32 random bytes, mode 0600) of a key directory.

    Raises:
        KeyMaterialError: a file is missing, readable by others or damaged; the passphrase is wrong.
    """
    if passphrase is not None:
        path = directory / SEALED_KEK_FILE
        return FileKeyProvider(_with_passphrase(path, passphrase, suite, create=create), suite, name=path.name)
    return FileKeyProvider(_plain(directory / KEK_FILE, create=create), suite)


def _plain(path: Path, *, create: bool) -> bytes:
    if _missing(path, create=create):
        write_private(path, os.urandom(KEK_BYTES))
    kek = read_private(path)
    if len(kek) != KEK_BYTES:
        raise KeyMaterialError(f"must hold {KEK_BYTES} bytes", file=path.name)
    return kek


def _with_passphrase(path: Path, passphrase: bytes, suite: Suite, *, create: bool) -> bytes:
    if _missing(path, create=create):
        kdf = "pbkdf2-sm3" if suite.digest is Digest.SM3 else "argon2id"
        salt = os.urandom(16)
        outer = FileKeyProvider(_stretch(kdf, passphrase, salt), suite)
        held = {"kdf": kdf, "salt": b64encode(salt).decode()}
        held["kek"] = b64encode(outer.wrap("kek", os.urandom(KEK_BYTES))).decode()
        write_private(path, json.dumps(held, indent=1, sort_keys=True).encode())
    try:
        held = json.loads(read_private(path))
        kdf, salt, wrapped = held["kdf"], b64decode(held["salt"]), b64decode(held["kek"])
    except (ValueError, KeyError, TypeError) as exc:
        raise KeyMaterialError("is damaged", file=path.name) from exc
    return FileKeyProvider(_stretch(kdf, passphrase, salt), suite, name="the passphrase").unwrap("kek", wrapped)


def _stretch(kdf: str, passphrase: bytes, salt: bytes) -> bytes:
    if kdf == "argon2id":
        return Argon2id(
            salt=salt, length=KEK_BYTES, iterations=ARGON_PASSES, lanes=ARGON_LANES, memory_cost=ARGON_KIB
        ).derive(passphrase)
    if kdf == "pbkdf2-sm3":
        return PBKDF2HMAC(algorithm=SM3(), length=KEK_BYTES, salt=salt, iterations=PBKDF2_ROUNDS).derive(passphrase)
    raise KeyMaterialError("unknown way of stretching a passphrase", file=SEALED_KEK_FILE)


def _wrapping(suite: Suite, kek: bytes) -> Cipher:
    return suite.cipher(expand(suite.digest, kek, _WRAPPING + bytes((suite.byte,)), suite.key_bytes))


def _missing(path: Path, *, create: bool) -> bool:
    if path.exists():
        return False
    if not create:
        raise KeyMaterialError("is missing", file=path.name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return True


def read_private(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyMaterialError("may be read by others; set mode 0600", file=path.name)
    return path.read_bytes()


def write_private(path: Path, content: bytes) -> None:
    """Atomically and durably, mode 0600 from birth."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
