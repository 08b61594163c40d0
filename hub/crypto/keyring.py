"""The opened keys of a hub, by purpose and version, and what each version may still be used for.

Purposes are separate keys, never derived from one another: `seal:<agency>:<class>`, `index:<field>`, `pairwise`,
`pseudonym`. How they are kept is another module's business (`keystore`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hub.crypto.suites import AES_256_GCM, Digest, Suite
from hub.errors import KeyExhaustedError, KeyMaterialError

KEY_BYTES = 32
MAX_USES = 2**32 - 1
"""Values that one data key may seal with random nonces of 96 bits. Source: NIST SP 800-38D, section 8.3."""
BLOCK = 8192  # uses reserved at once: one write of the counter for so many values


class KeyState(StrEnum):
    PENDING = "pending"  # published, so that every process opens it before the first one seals under it
    ACTIVE = "active"
    DECRYPT_ONLY = "decrypt-only"
    RETIRED = "retired"  # kept wrapped, used for nothing
    DESTROYED = "destroyed"


OPENS = frozenset({KeyState.PENDING, KeyState.ACTIVE, KeyState.DECRYPT_ONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What is known of one version besides its material. `bits`: length of a blind index under it."""

    state: KeyState
    digest: Digest = Digest.SHA_256
    bits: int = 16


class Uses(Protocol):
    """Counts what data keys have sealed, over all processes."""

    def reserve(self, purpose: str, version: int, count: int) -> None:
        """Count `count` further uses.

        Raises:
            KeyExhaustedError: there would be more than the limit; nothing was counted.
        """
        ...


class MemoryUses:
    """Counters of this process alone."""

    def __init__(self, limit: int = MAX_USES) -> None:
        self._limit = limit
        self.counted: dict[tuple[str, int], int] = {}

    def reserve(self, purpose: str, version: int, count: int) -> None:
        used = self.counted.get((purpose, version), 0) + count
        check_uses(purpose, version, used, self._limit)
        self.counted[purpose, version] = used


def check_uses(purpose: str, version: int, uses: int, limit: int) -> None:
    if uses > limit:
        raise KeyExhaustedError(f"{purpose} version {version} has sealed as much as it may; run `hub keys rotate`")


@dataclass(slots=True, kw_only=True)
class KeyRing:
    """`facts` tells nothing of a version that is simply in use. `generation` counts the times keys were read anew."""

    keys: Mapping[str, Mapping[int, bytes]]
    facts: Mapping[str, Mapping[int, KeyFacts]] = field(default_factory=dict)
    suite: Suite = AES_256_GCM
    uses: Uses = field(default_factory=MemoryUses)
    block: int = 1
    again: Callable[["KeyRing"], bool] | None = None
    generation: int = 0

    def refresh(self) -> bool:
        """Take over what another process changed in the keys; whether anything was. Cost unchanged: one stat."""
        return self.again is not None and self.again(self)

    def current(self, purpose: str) -> tuple[int, bytes]:
        """The version that new values are made under.

        Raises:
            KeyMaterialError: there is none.
        """
        versions = self.keys.get(purpose, {})
        active = [version for version in versions if self.known(purpose, version).state is KeyState.ACTIVE]
        if not active:
            raise KeyMaterialError("no such key", name=purpose)
        newest = max(active)
        return newest, versions[newest]

    def known(self, purpose: str, version: int) -> KeyFacts:
        held = self.facts.get(purpose, {}).get(version)
        return held or KeyFacts(state=KeyState.ACTIVE, digest=self.suite.digest)


def sealing_purpose(agency: str, sensitivity: int) -> str:
    return f"seal:{agency}:{sensitivity}"
