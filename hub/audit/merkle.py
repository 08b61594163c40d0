"""Merkle trees over leaf hashes: roots, proofs and their verification, with no store and no clock.

A *node* (height h, number i) is the root of the leaves [i * 2^h, (i + 1) * 2^h). The *frontier* of a tree of n leaves
is the roots of its perfect subtrees from the largest, one per set bit of n: all that is needed to append and to tell
the root. Hashes and proofs are those of RFC 9162, section 2.1.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32


class Node(NamedTuple):
    height: int
    number: int


Range = tuple[int, int]
"""Leaves from the first to before the last."""


def hash_children(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def add_leaf(frontier: list[bytes], size: int, leaf: bytes) -> None:
    """Append to the tree of `size` leaves whose frontier is given. Cost: one hash on average."""
    node = leaf
    while size & 1:
        node = sha256(b"\x01" + frontier.pop() + node).digest()
        size >>= 1
    frontier.append(node)


def root_of(frontier: Sequence[bytes]) -> bytes:
    """The root; of an empty tree the hash of no bytes."""
    if not frontier:
        return sha256().digest()
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = hash_children(left, node)
    return node


def join_frontier(frontier: Sequence[bytes]) -> bytes:
    return b"".join(frontier)


def split_frontier(joined: bytes, size: int) -> list[bytes]:
    """Raises ValueError unless `joined` can be the frontier of a tree of `size` leaves."""
    if len(joined) != HASH_BYTES * size.bit_count():
        raise ValueError("not the frontier of a tree of this size")
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def perfect_nodes(leaves: Range) -> list[Node]:
    """The perfect subtrees that make up a subtree of a tree, from the left."""
    start, end = leaves
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return nodes


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose roots prove the leaf `index` (from 0), from the leaf up. Source: RFC 9162, section 2.1.3.1.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    start, end = 0, size
    path: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The subtrees whose roots prove that the tree of `old` leaves is a beginning. Source: RFC 9162, section 2.1.4.1.

    Raises:
        ValueError: `old` is larger than `size`, or negative.
    """
    if not 0 <= old <= size:
        raise ValueError("no such older tree")
    if old in (0, size):
        return []
    start, end = 0, size
    whole = True  # the older tree is known from its own root
    path: list[Range] = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
            whole = False
    if not whole:
        path.append((start, end))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size` (>= 2)."""
    return 1 << (size - 1).bit_length() - 1


def proof_of(ranges: Sequence[Range], nodes: Mapping[Node, bytes]) -> list[bytes]:
    """The roots of `ranges`; `nodes` holds every perfect subtree of them."""
    return [root_of([nodes[node] for node in perfect_nodes(leaves)]) for leaves in ranges]


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Source: RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    path, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if path & 1 or path == last:
            node = hash_children(sibling, node)
            while not path & 1 and path:
                path, last = path >> 1, last >> 1
        else:
            node = hash_children(node, sibling)
        path, last = path >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(*, old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `size` leaves begins with that of `old`. Source: RFC 9162, section 2.1.4.2."""
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return size > 0 and not proof and old_root == sha256().digest()
    if not 0 < old < size:
        return False
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    return bool(hashes) and _climb(old - 1, size - 1, hashes) == (old_root, root)


def _climb(path: int, last: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while path & 1:
        path, last = path >> 1, last >> 1
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if path & 1 or path == last:
            older, newer = hash_children(sibling, older), hash_children(sibling, newer)
            while not path & 1 and path:
                path, last = path >> 1, last >> 1
        else:
            newer = hash_children(newer, sibling)
        path, last = path >> 1, last >> 1
    return (older, newer) if last == 0 else None
