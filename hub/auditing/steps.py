"""An inclusion proof step by step: which hash stands on which side, and what comes of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofStep:
    """`result` = SHA-256(0x01 || left || right); `sibling` is on the left if `left`."""

    sibling: bytes
    left: bool
    result: bytes


def proof_steps(*, index: int, size: int, leaf: bytes, hashes: Sequence[bytes]) -> list[ProofStep]:
    """Source: RFC 9162, section 2.1.3.2. The last result is the root if the proof is right."""
    last, node = size - 1, leaf
    steps: list[ProofStep] = []
    for sibling in hashes:
        left = bool(index & 1) or index == last
        node = sha256(b"\x01" + (sibling + node if left else node + sibling)).digest()
        steps.append(ProofStep(sibling=sibling, left=left, result=node))
        while left and index and not index & 1:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    return steps
