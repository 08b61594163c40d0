"""The life of data keys: a version is published, made active, and everything is moved to it; then the old one rests.

A rotation that was begun stands in `rotation.json` beside the keys until it is done; running again goes on with it.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from hub.crypto.keyring import KeyFacts, KeyState, sealing_purpose
from hub.crypto.keystore import KeyStore
from hub.crypto.providers import write_private
from hub.crypto.rotation import Rotation
from hub.errors import KeysInUseError
from hub.failpoints import failpoint

MARK = "rotation.json"
GRACE_S = 6.0
"""Longer than any request: a look-up that was begun before a key was published has ended when the first row moves."""
_MOVED = ("seal:", "index:")


class Rekeying:
    """`elsewhere`: agencies whose own systems hold values sealed under their keys, which the hub cannot move."""

    def __init__(self, keys: KeyStore, rotation: Rotation, *, elsewhere: frozenset[str] = frozenset()) -> None:
        self._keys = keys
        self._rotation = rotation
        self._elsewhere = elsewhere
        self._mark = keys.directory / MARK

    @property
    def unfinished(self) -> bool:
        return self._mark.exists()

    async def rotate(self, *, grace_s: float = GRACE_S, progress: Callable[[int], None] = lambda _seen: None) -> int:
        """Begin a rotation, or go on with one; returns how many values were moved.

        Raises:
            KeysInUseError: another process rotates.
        """
        with self._alone():
            if not self._mark.exists():
                begun = {purpose: _active(facts) for purpose, facts in self._keys.facts().items() if _moves(purpose)}
                write_private(self._mark, json.dumps(begun, sort_keys=True).encode())
                failpoint("rotation.begun")
            begun = json.loads(self._mark.read_bytes())
            now = {purpose: _active(facts) for purpose, facts in self._keys.facts().items()}
            waiting = frozenset(purpose for purpose, version in begun.items() if now[purpose] == version)
            if waiting:
                self._keys.publish(waiting)
                failpoint("rotation.published")
                await asyncio.sleep(grace_s)
                self._keys.activate(waiting)
                failpoint("rotation.activated")
            moved = await self._rotation.run(progress)
            failpoint("rotation.moved")
            self._mark.unlink()
            return moved

    async def retire(self) -> int:
        """Let decrypt-only versions rest, once nothing stands under them. How many.

        Keys under which agencies hold values in their own systems stay decrypt-only.

        Raises:
            KeysInUseError: a rotation is unfinished, or a value still stands under such a version.
        """
        with self._alone():
            await self._unused(KeyState.DECRYPT_ONLY)
            return self._keys.move(KeyState.DECRYPT_ONLY, KeyState.RETIRED, self._ours)

    async def destroy(self) -> int:
        """Destroy the material of retired versions for good. How many.

        Raises:
            KeysInUseError: a rotation is unfinished, or a value still stands under such a version.
        """
        with self._alone():
            await self._unused(KeyState.RETIRED)
            return self._keys.move(KeyState.RETIRED, KeyState.DESTROYED, _moves)

    async def _unused(self, state: KeyState) -> None:
        if self.unfinished:
            raise KeysInUseError("a rotation is unfinished; run `hub keys rotate`")
        facts = self._keys.facts()
        for (agency, sensitivity, version), count in sorted((await self._rotation.versions()).items()):
            known = facts.get(sealing_purpose(agency, sensitivity), {}).get(version)
            if known is not None and known.state is state:
                raise KeysInUseError(f"{count} values stand under {agency} class {sensitivity} version {version}")

    def _ours(self, purpose: str) -> bool:
        return _moves(purpose) and not any(purpose.startswith(f"seal:{agency}:") for agency in self._elsewhere)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._keys.directory / ".rotating", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise KeysInUseError("another process changes the keys") from exc
            yield
        finally:
            os.close(descriptor)


def _moves(purpose: str) -> bool:
    """Ids and pseudonyms are names that others keep: their keys stay."""
    return purpose.startswith(_MOVED)


def _active(facts: Mapping[int, KeyFacts]) -> int:
    return max(version for version, known in facts.items() if known.state is KeyState.ACTIVE)
