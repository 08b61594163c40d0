"""Against RFC 9162 and an implementation by others (pymerkle)."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as oracle_consistency
from pymerkle import verify_inclusion as oracle_inclusion

from hub.audit.merkle import (
    Node,
    add_leaf,
    consistency_ranges,
    inclusion_ranges,
    join_frontier,
    perfect_nodes,
    proof_of,
    root_of,
    split_frontier,
    verify_consistency,
    verify_inclusion,
)
from tests.conftest import FULL

# The eight leaves and roots that certificate-transparency implementations test with.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = """6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328""".split()


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def frontier_of(leaves) -> list[bytes]:
    frontier: list[bytes] = []
    for size, one in enumerate(leaves):
        add_leaf(frontier, size, one)
    return frontier


def nodes_of(leaves) -> dict[Node, bytes]:
    """All perfect subtrees, each made from its leaves."""
    found, height = {}, 0
    while len(leaves) >> height:
        for number in range(len(leaves) >> height):
            found[Node(height, number)] = root_of(frontier_of(leaves[number << height : (number + 1) << height]))
        height += 1
    return found


def test_an_empty_tree_has_the_hash_of_no_bytes():
    assert root_of([]) == sha256().digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size):
    assert root_of(frontier_of([leaf(data) for data in LEAVES[:size]])).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
        (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
    ],
)  # fmt: skip
def test_inclusion_proofs_are_the_published_ones(index, size, proof):
    leaves = [leaf(data) for data in LEAVES[:size]]
    assert [one.hex() for one in proof_of(inclusion_ranges(index, size), nodes_of(leaves))] == proof


def oracle(data) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for one in data:
        tree.append_entry(one)
    return tree


SIZES = st.integers(1, 300 if FULL else 70)
MANY = settings(max_examples=600 if FULL else 60, deadline=None, derandomize=True)


@MANY
@given(SIZES, st.data())
def test_proofs_are_those_of_another_implementation(size, draw):
    data = [number.to_bytes(4, "big") for number in range(size)]
    leaves, other = [leaf(one) for one in data], oracle(data)
    nodes, root = nodes_of(leaves), root_of(frontier_of(leaves))
    assert root == other.get_root()
    index = draw.draw(st.integers(0, size - 1))
    path = proof_of(inclusion_ranges(index, size), nodes)
    theirs = other.prove_inclusion(index + 1, size)
    oracle_inclusion(leaves[index], root, theirs)
    assert path == list(theirs.path)[1:]
    assert verify_inclusion(index=index, size=size, leaf=leaves[index], proof=path, root=root)
    old = draw.draw(st.integers(1, size))
    old_root = root_of(frontier_of(leaves[:old]))
    grown = proof_of(consistency_ranges(old, size), nodes)
    oracle_consistency(old_root, root, other.prove_consistency(old, size))
    assert verify_consistency(old=old, size=size, old_root=old_root, root=root, proof=grown)


@MANY
@given(SIZES, st.data())
def test_no_changed_proof_holds(size, draw):
    leaves = [leaf(bytes([number % 256, number // 256])) for number in range(size)]
    nodes, root = nodes_of(leaves), root_of(frontier_of(leaves))
    index, old = draw.draw(st.integers(0, size - 1)), draw.draw(st.integers(1, size))
    path = proof_of(inclusion_ranges(index, size), nodes)
    grown = proof_of(consistency_ranges(old, size), nodes)
    old_root = root_of(frontier_of(leaves[:old]))
    at = draw.draw(st.integers(0, 255))

    def flipped(hashes):
        many = bytearray(b"".join(hashes))
        many[at % len(many)] ^= 1 << at % 8
        return [bytes(many[start : start + 32]) for start in range(0, len(many), 32)]

    given = {"index": index, "size": size, "leaf": leaves[index], "root": root}
    assert not verify_inclusion(**given, proof=[*path, root])
    if path:
        assert not verify_inclusion(**given, proof=flipped(path))
        assert not verify_inclusion(**given, proof=path[:-1])
        assert not verify_inclusion(**{**given, "index": (index + 1) % size}, proof=path)
    known = {"old": old, "size": size, "old_root": old_root, "root": root}
    assert not verify_consistency(**known, proof=[*grown, root])
    assert not verify_consistency(**{**known, "old_root": flipped([old_root])[0]}, proof=grown)
    if grown:
        assert not verify_consistency(**known, proof=flipped(grown))
        assert not verify_consistency(**known, proof=grown[:-1])


def test_what_cannot_be_proven_is_refused():
    for index, size in ((0, 0), (5, 5), (-1, 3)):
        with pytest.raises(ValueError):
            inclusion_ranges(index, size)
        assert not verify_inclusion(index=index, size=size, leaf=b"", proof=[], root=root_of([]))
    for old, size in ((4, 3), (-1, 3)):
        with pytest.raises(ValueError):
            consistency_ranges(old, size)
        assert not verify_consistency(old=old, size=size, old_root=b"", root=b"", proof=[])


@given(st.integers(0, 200))
def test_a_frontier_survives_the_store(size):
    frontier = frontier_of([leaf(bytes([number])) for number in range(size)])
    assert split_frontier(join_frontier(frontier), size) == frontier
    with pytest.raises(ValueError):
        split_frontier(join_frontier(frontier) + b"x", size)
    assert perfect_nodes((0, size)) == perfect_nodes((0, size))
