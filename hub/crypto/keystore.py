"""How data keys are kept: `keys.json` in the key directory, each version wrapped by the key provider.

Every change is made under a lock, in one atomic replacement of the file; running processes see it by its time stamp.
The counters of uses stand beside it in `uses.json`.
"""

import fcntl
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hub.crypto.envelope import MAX_VERSION
from hub.crypto.keyring import BLOCK, KEY_BYTES, MAX_USES, OPENS, KeyFacts, KeyRing, KeyState, check_uses
from hub.crypto.providers import KeyProvider, open_file_provider, read_private, write_private
from hub.crypto.suites import AES_256_GCM, Digest, Suite
from hub.errors import KeyMaterialError

KEYS_FILE = "keys.json"
USES_FILE = "uses.json"
LOCK_FILE = ".lock"


class HeldKey(msgspec.Struct, frozen=True, kw_only=True):
    """One version as it stands in the file. `wrapped` is base64, None once it is destroyed."""

    wrapped: str | None
    state: KeyState
    digest: Digest = Digest.SHA_256
    bits: int = 16


class Held(msgspec.Struct, kw_only=True):
    """The file. Versions are text because JSON has no other names."""

    format: int = 2
    keys: dict[str, dict[str, HeldKey]]


class FileUses:
    """Counters of all processes, in a file beside the keys."""

    def __init__(self, directory: Path, limit: int = MAX_USES) -> None:
        self._directory = directory
        self._limit = limit

    def reserve(self, purpose: str, version: int, count: int) -> None:
        with locked(self._directory):
            counted = self.read()
            name = f"{purpose}/{version}"
            uses = counted.get(name, 0) + count
            check_uses(purpose, version, uses, self._limit)
            counted[name] = uses
            write_private(self._directory / USES_FILE, json.dumps(counted, sort_keys=True).encode())

    def read(self) -> dict[str, int]:
        path = self._directory / USES_FILE
        if not path.exists():
            return {}
        try:
            counted: dict[str, int] = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except msgspec.DecodeError as exc:
            raise KeyMaterialError("is damaged", file=USES_FILE) from exc
        return counted


class KeyStore:
    """The keys of one directory. `bits` gives the length of blind indexes made under new keys."""

    def __init__(self, directory: Path, provider: KeyProvider, suite: Suite = AES_256_GCM, *, bits: int = 16) -> None:
        self.directory = directory
        self.provider = provider
        self._suite = suite
        self._bits = bits
        self.uses = FileUses(directory)

    def ring(self, *, retired: bool = False) -> KeyRing:
        """All keys that open, unwrapped; with `retired` those too that rest. The ring follows later changes."""
        stamp, held = self._stamped()
        ring = KeyRing(
            keys=self._opened(held, retired), facts=_facts(held), suite=self._suite, uses=self.uses, block=BLOCK
        )
        seen = [stamp]
        path = str(self.directory / KEYS_FILE)  # looked at before each value that is sealed

        def again(of: KeyRing) -> bool:
            if _stamp(path) == seen[0]:
                return False
            seen[0], now = self._stamped()
            of.keys, of.facts = self._opened(now, retired), _facts(now)
            of.generation += 1
            return True

        ring.again = again
        return ring

    def facts(self) -> Mapping[str, Mapping[int, KeyFacts]]:
        return _facts(self.read())

    def ensure(self, purposes: frozenset[str]) -> None:
        """Make an active first version of every purpose that has none."""

        def make(held: Held) -> None:
            for purpose in sorted(purposes - held.keys.keys()):
                held.keys[purpose] = {"1": self._new(purpose, 1, KeyState.ACTIVE)}

        if not (self.directory / KEYS_FILE).exists() or purposes - self.read().keys.keys():
            self.change(make)

    def publish(self, purposes: frozenset[str]) -> None:
        """Give each purpose a pending version, unless it has one already."""

        def make(held: Held) -> None:
            for purpose in sorted(purposes):
                versions = held.keys.setdefault(purpose, {})
                if not any(key.state is KeyState.PENDING for key in versions.values()):
                    version = max(map(int, versions), default=0) + 1
                    if version > MAX_VERSION:
                        raise KeyMaterialError("has no further version", name=purpose)
                    versions[str(version)] = self._new(purpose, version, KeyState.PENDING)

        self.change(make)

    def activate(self, purposes: frozenset[str]) -> None:
        """Make pending versions active, and what was active decrypt-only."""

        def make(held: Held) -> None:
            for purpose in purposes:
                versions = held.keys[purpose]
                if any(key.state is KeyState.PENDING for key in versions.values()):
                    after = {KeyState.PENDING: KeyState.ACTIVE, KeyState.ACTIVE: KeyState.DECRYPT_ONLY}
                    for version, key in versions.items():
                        versions[version] = msgspec.structs.replace(key, state=after.get(key.state, key.state))

        self.change(make)

    def move(self, before: KeyState, after: KeyState, only: Callable[[str], bool] = lambda _purpose: True) -> int:
        """Put every version in state `before` into `after`; destroyed ones lose their material. How many moved."""
        moved = 0

        def make(held: Held) -> None:
            nonlocal moved
            for purpose, versions in held.keys.items():
                for version, key in versions.items():
                    if key.state is before and only(purpose):
                        wrapped = None if after is KeyState.DESTROYED else key.wrapped
                        versions[version] = msgspec.structs.replace(key, state=after, wrapped=wrapped)
                        moved += 1

        self.change(make)
        return moved

    def change(self, make: Callable[[Held], None]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.directory):
            held = self.read() if (self.directory / KEYS_FILE).exists() else Held(keys={})
            make(held)
            raw = msgspec.json.format(msgspec.json.encode(held, order="sorted"), indent=1)
            write_private(self.directory / KEYS_FILE, raw)

    def read(self) -> Held:
        path = self.directory / KEYS_FILE
        if not path.exists():
            raise KeyMaterialError("is missing", file=path.name)
        try:
            held = msgspec.json.decode(read_private(path), type=Held)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise KeyMaterialError("is damaged, or of an earlier format", file=path.name) from exc
        if held.format != 2:
            raise KeyMaterialError("is of another format", file=path.name)
        return held

    def put(self, purpose: str, version: int, material: bytes, facts: KeyFacts) -> None:
        """Add a version whose material comes from elsewhere (an escrow)."""
        wrapped = b64encode(self.provider.wrap(f"{purpose}/{version}", material)).decode()

        def make(held: Held) -> None:
            held.keys.setdefault(purpose, {})[str(version)] = HeldKey(
                wrapped=wrapped, state=facts.state, digest=facts.digest, bits=facts.bits
            )

        self.change(make)

    def _new(self, purpose: str, version: int, state: KeyState) -> HeldKey:
        wrapped = self.provider.wrap(f"{purpose}/{version}", os.urandom(KEY_BYTES))
        return HeldKey(wrapped=b64encode(wrapped).decode(), state=state, digest=self._suite.digest, bits=self._bits)

    def _stamped(self) -> tuple[Any, Held]:
        """The file with its time stamp; read again if it was replaced meanwhile."""
        path = str(self.directory / KEYS_FILE)
        while True:
            before = _stamp(path)
            held = self.read()
            if _stamp(path) == before:
                return before, held

    def _opened(self, held: Held, retired: bool) -> dict[str, dict[int, bytes]]:
        wanted = OPENS | {KeyState.RETIRED} if retired else OPENS
        return {
            purpose: {
                int(version): self._unwrap(purpose, version, key.wrapped)
                for version, key in versions.items()
                if key.state in wanted and key.wrapped is not None
            }
            for purpose, versions in held.keys.items()
        }

    def _unwrap(self, purpose: str, version: str, wrapped: str) -> bytes:
        try:
            raw = b64decode(wrapped, validate=True)
        except ValueError as exc:
            raise KeyMaterialError("is damaged", file=KEYS_FILE, name=purpose) from exc
        return self.provider.unwrap(f"{purpose}/{version}", raw)


def open_key_ring(
    directory: Path,
    purposes: frozenset[str],
    *,
    create: bool,
    provider: KeyProvider | None = None,
    suite: Suite = AES_256_GCM,
    bits: int = 16,
) -> KeyRing:
    """Unwrap the keys of `directory`; with `create`, make what is missing (development and demo).

    Raises:
        KeyMaterialError: a file is missing, readable by others, damaged, or wrapped under another KEK.
    """
    provider = provider or open_file_provider(directory, suite, create=create)
    store = KeyStore(directory, provider, suite, bits=bits)
    if create:
        store.ensure(purposes)
    ring = store.ring()
    missing = purposes - ring.keys.keys()
    if missing:
        raise KeyMaterialError("no such key", file=KEYS_FILE, name=min(missing))
    return ring


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One writer of the directory at a time, over all processes."""
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError as exc:
        raise KeyMaterialError("is missing", file=KEYS_FILE) from exc
    return found.st_mtime_ns, found.st_ino, found.st_size


def _facts(held: Held) -> dict[str, dict[int, KeyFacts]]:
    return {
        purpose: {
            int(version): KeyFacts(state=key.state, digest=key.digest, bits=key.bits)
            for version, key in versions.items()
        }
        for purpose, versions in held.keys.items()
    }
