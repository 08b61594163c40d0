"""Proof steps for a reader: the last result is the root, whatever the tree and the leaf."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from hub.audit.merkle import add_leaf, inclusion_ranges, root_of, verify_inclusion
from hub.auditing.steps import proof_steps

LEAVES = [sha256(bytes([number])).digest() for number in range(70)]


def root(leaves):
    frontier: list[bytes] = []
    for size, leaf in enumerate(leaves):
        add_leaf(frontier, size, leaf)
    return root_of(frontier)


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_the_steps_lead_to_the_root(place):
    size, index = place
    hashes = [root(LEAVES[start:end]) for start, end in inclusion_ranges(index, size)]
    expected = root(LEAVES[:size])
    assert verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=hashes, root=expected)
    steps = proof_steps(index=index, size=size, leaf=LEAVES[index], hashes=hashes)
    assert len(steps) == len(hashes)
    assert (steps[-1].result if steps else LEAVES[index]) == expected
