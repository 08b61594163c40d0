"""The protocol of C2SP tlog-witness: what is cosigned, and every refusal by its status."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audit.merkle import consistency_ranges, proof_of, root_of
from hub.audit.note import Checkpoint, Note, NoteError, Signer, parse_signature, signed
from hub.audit.witness import WitnessError, open_witness, read_cosigned, read_request
from tests.audit.parts import ORIGIN, request, signer
from tests.audit.test_merkle import frontier_of, leaf, nodes_of

LEAVES = [leaf(bytes([number])) for number in range(40)]
FORKED = [*LEAVES[:10], *(leaf(bytes([number, 1])) for number in range(10, 40))]


def note(size: int, leaves=LEAVES, by=None, origin=ORIGIN) -> Note:
    return signed(Checkpoint(origin=origin, size=size, root=root_of(frontier_of(leaves[:size]))), [by or signer()])


def proof(old: int, size: int, leaves=LEAVES) -> list[bytes]:
    return proof_of(consistency_ranges(old, size), nodes_of(leaves[:size]))


@pytest.fixture
def witness(tmp_path, clock):
    with open_witness(tmp_path / "w", name="w.test", trust=[signer().key], clock=clock) as one:
        yield one


def ask(witness, old, size, leaves=LEAVES, **parts):
    return witness.add_checkpoint(request(old, proof(old, size, leaves) if old else [], note(size, leaves, **parts)))


def test_a_log_that_grows_is_cosigned_each_time(witness, tmp_path, clock):
    old = 0
    for size in (5, 6, 6, 17, 40):
        reply = ask(witness, old, size)
        assert reply.status == 200
        one = parse_signature(reply.body.decode().rstrip("\n"))
        assert one.is_by(witness.key)
        assert witness.key.verifies(one.raw, note(size).text)
        assert int.from_bytes(one.raw[:8], "big") == int(clock.now().timestamp())
        assert read_cosigned(tmp_path / "w", ORIGIN) == Checkpoint.parse(note(size).text)
        old = size


def test_an_unknown_log_is_404(witness):
    other = signer(name="other.test/log")
    assert ask(witness, 0, 3, by=other, origin="other.test/log").status == 404


def test_another_key_under_the_origin_is_403(witness):
    assert ask(witness, 0, 3, by=signer(2)).status == 403


def test_a_stale_or_forgotten_size_is_409_with_the_size(witness):
    ask(witness, 0, 20)
    for old in (0, 10):
        reply = ask(witness, old, 30)
        assert (reply.status, reply.body, reply.media_type) == (409, b"20\n", "text/x.tlog.size")


def test_a_rolled_back_log_is_refused(witness):
    ask(witness, 0, 20)
    assert ask(witness, 10, 15).status == 409
    assert witness.add_checkpoint(request(20, [], note(15))).status == 400


def test_a_fork_of_the_same_size_is_409_and_kept_as_evidence(witness, tmp_path):
    ask(witness, 0, 20)
    reply = witness.add_checkpoint(request(20, [], note(20, FORKED)))
    assert reply.status == 409
    assert len(list((tmp_path / "w" / "evidence").iterdir())) == 1
    assert read_cosigned(tmp_path / "w", ORIGIN).root == Checkpoint.parse(note(20).text).root


def test_a_fork_that_grew_is_422_and_kept_as_evidence(witness, tmp_path):
    ask(witness, 0, 20)
    assert ask(witness, 20, 30, FORKED).status == 422
    assert ask(witness, 20, 30).status == 200
    assert len(list((tmp_path / "w" / "evidence").iterdir())) == 1


def test_a_proof_where_none_belongs_is_422(witness):
    assert witness.add_checkpoint(request(0, proof(3, 7), note(7))).status == 422
    ask(witness, 0, 7)
    assert witness.add_checkpoint(request(7, proof(3, 7), note(7))).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n\n",
        b"old 00\n\n" + bytes(note(3)),
        b"new 0\n\n" + bytes(note(3)),
        b"old 0\nAAAA\n\n" + bytes(note(3)),
        request(5, [b"\0" * 32] * 64, note(7)),
        b"old 0\n\n" + bytes(note(3)).replace(b"\n3\n", b"\n03\n"),
    ],
)
def test_what_is_no_request_is_400(witness, body):
    assert witness.add_checkpoint(body).status == 400


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_refusal(body):
    from hub.audit.witness import Refused

    try:
        read_request(body)
    except Refused as refused:
        assert refused.reply.status == 400  # noqa: PT017


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.booleans()), max_size=12))
def test_whatever_is_asked_the_cosigned_trees_are_one(tmp_path_factory, asks):
    """However a dishonest log asks, no two cosigned checkpoints contradict each other and none is smaller than before."""
    from hub.clock import SystemClock

    folder = tmp_path_factory.mktemp("w")
    with open_witness(folder, name="w.test", trust=[signer().key], clock=SystemClock()) as witness:
        last, forked = 0, None
        for size, fork, honest in asks:
            leaves = FORKED if fork else LEAVES
            old = last if honest else size // 2
            if old > size:
                continue
            if ask(witness, old, size, leaves).status == 200:
                assert size >= last
                if size > 10:
                    assert forked in (None, fork)
                    forked = fork
                last = size


def test_two_processes_do_not_share_a_witness(witness, tmp_path, clock):
    with pytest.raises(WitnessError), open_witness(tmp_path / "w", clock=clock):
        pass


def test_a_witness_remembers_over_a_restart(tmp_path, clock):
    folder = tmp_path / "w"
    with open_witness(folder, name="w.test", trust=[signer().key], clock=clock) as first:
        key = first.key
        ask(first, 0, 20)
    with open_witness(folder, clock=clock) as again:
        assert again.key == key
        assert ask(again, 0, 30).body == b"20\n"
        assert ask(again, 20, 30).status == 200


def test_a_damaged_memory_is_no_memory_and_cosigns_nothing(tmp_path, clock):
    folder = tmp_path / "w"
    with open_witness(folder, name="w.test", trust=[signer().key], clock=clock) as witness:
        ask(witness, 0, 20)
        (kept,) = (folder / "logs").iterdir()
        kept.write_bytes(bytes(note(10)))  # signed by the log, not by the witness
        with pytest.raises(WitnessError):
            ask(witness, 10, 30)


KILLED = """
import sys
from pathlib import Path
from tests.audit.test_witness import ask, note, LEAVES
from hub.audit.witness import open_witness
from hub.clock import SystemClock
import hub.audit.signing as signing, os, signal
real = os.fsync
calls = 0
def counting(fd):
    global calls
    real(fd)
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
with open_witness(Path(sys.argv[1]), clock=SystemClock()) as witness:
    os.fsync = counting
    reply = ask(witness, 5, 20)
    print(reply.status)
"""


@pytest.mark.parametrize("point", [1, 2])
def test_a_witness_killed_in_the_middle_has_the_old_state_or_the_new(tmp_path, clock, point):
    folder = tmp_path / "w"
    with open_witness(folder, name="w.test", trust=[signer().key], clock=clock) as witness:
        ask(witness, 0, 5)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(point)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    with open_witness(folder, clock=clock) as witness:
        size = read_cosigned(folder, ORIGIN).size
        assert size == (5 if point == 1 else 20)
        assert ask(witness, size, 30).status == 200


def test_a_name_with_a_blank_is_no_name():
    with pytest.raises(NoteError):
        Signer("a b", Ed25519PrivateKey.generate())
