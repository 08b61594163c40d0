"""Asking witnesses to cosign a checkpoint, as C2SP tlog-witness says."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from hub.audit.note import COSIGNER, Note, NoteError, Signature, VerifierKey, parse_signature, parse_size
from hub.errors import SettingsError

ASK_S = 5.0
MAX_ANSWER_BYTES = 64 * 1024
Proof = Callable[[int], Awaitable[list[bytes]]]
"""The consistency proof from a size to that of the checkpoint."""


class WitnessSilentError(Exception):
    """A witness did not cosign: not reached, refused, or answered what is no cosignature of its."""


class WitnessSeen(Protocol):
    @property
    def key(self) -> VerifierKey: ...

    async def cosign(self, note: Note, size: int, proof: Proof) -> Signature:
        """Raises WitnessSilentError."""
        ...


@dataclass(slots=True, kw_only=True)
class WitnessAt:
    """A witness over HTTP. `old` is the size it cosigned last, as far as this process knows."""

    key: VerifierKey
    url: str
    old: int = 0

    async def cosign(self, note: Note, size: int, proof: Proof) -> Signature:
        """A cosignature that verifies; asks a second time if the witness knows another size.

        Raises:
            WitnessSilentError: there is none. A witness whose size is beyond ours has seen another log than this.
        """
        status, body = await self._ask(note, min(self.old, size), proof)
        if status == 409:
            try:
                known = parse_size(body.decode("ascii").strip())
            except (NoteError, UnicodeDecodeError) as exc:
                raise WitnessSilentError("it answers no size") from exc
            if known > size:
                raise WitnessSilentError(f"it has cosigned {known} entries, this log has {size}")
            status, body = await self._ask(note, known, proof)
        if status != 200:
            raise WitnessSilentError(f"it refuses with {status}")
        self.old = size
        return self._signature(note, body)

    async def _ask(self, note: Note, old: int, proof: Proof) -> tuple[int, bytes]:
        hashes = await proof(old) if old else []
        lines = [f"old {old}", *(b64encode(one).decode() for one in hashes), "", ""]
        data = "\n".join(lines).encode() + bytes(note)
        timeout = aiohttp.ClientTimeout(total=ASK_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(f"{self.url}/add-checkpoint", data=data, allow_redirects=False) as answer,
            ):
                return answer.status, await answer.content.read(MAX_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise WitnessSilentError("it is not reached") from exc

    def _signature(self, note: Note, body: bytes) -> Signature:
        try:
            offered = [parse_signature(line) for line in body.decode().splitlines()]
        except (NoteError, UnicodeDecodeError) as exc:
            raise WitnessSilentError("it answers no signature") from exc
        for one in offered:
            if one.is_by(self.key) and self.key.verifies(one.raw, note.text):
                return one
        raise WitnessSilentError("it answers no signature of its key")


def read_witnesses(settings: tuple[str, ...]) -> tuple[WitnessAt, ...]:
    """Each `VKEY URL`.

    Raises:
        SettingsError: one is not of this form.
    """
    found = []
    for line in settings:
        key_text, _, url = line.strip().partition(" ")
        parts = urlsplit(url.strip())
        try:
            key = VerifierKey.parse(key_text)
        except NoteError as exc:
            raise SettingsError("each witness is a verifier key, a space and a URL", name="HUB_WITNESSES") from exc
        if key.algorithm != COSIGNER or parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError("each witness is a verifier key, a space and a URL", name="HUB_WITNESSES")
        found.append(WitnessAt(key=key, url=url.strip().rstrip("/")))
    return tuple(found)
