"""The proof that the log is as it was written. `hub_verify.py` is the same for whoever has no hub, written apart.

Verification hashes headers and bodies and never parses a body, but those of retention entries, which say what was
removed. What lies behind the last checkpoint is held by the head alone, for at most a minute.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from hub.audit.counting import counts_agree
from hub.audit.indexing import index_of, pattern_rows
from hub.audit.kinds import NUMBERS, Kind
from hub.audit.leaf import HEADER, VERSION
from hub.audit.merkle import add_leaf, join_frontier, root_of
from hub.audit.note import Checkpoint, Note, NoteError, VerifierKey
from hub.audit.package import indexed_rows
from hub.audit.reader import pages
from hub.audit.tables import audit_checkpoint, audit_follower, audit_head, audit_pattern
from hub.audit.witness import read_cosigned, read_trusted
from hub.store.engine import Store

RETENTION = NUMBERS[Kind.RETENTION]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found. `first_bad` is the number of the first entry that is not proven to be as it was written.

    `witnessed`: a witness cosigned a checkpoint of this log and the log continues it. `signed`: number of entries under
    the last checkpoint that verifies with the trusted key.
    """

    ok: bool
    entries: int
    root: str
    first_bad: int | None = None
    reason: str | None = None
    witnessed: bool = False
    signed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the one who verifies brings along, from outside the database's reach.

    `key`: of the log. `witness`: directory of a witness. Both empty: the log is only checked against itself.
    """

    key: VerifierKey | None = None
    witness: Path | None = None

    def log_key(self) -> VerifierKey | None:
        """The log's key: the given one, or the only one that the witness knows."""
        if self.key is None and self.witness is not None:
            known = read_trusted(self.witness)
            return known[0] if len(known) == 1 else None
        return self.key


class BadLogError(Exception):
    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


@dataclass(slots=True)
class Walk:
    """The state of a verification: how far it is, and the roots that it must meet."""

    wanted: Mapping[int, Sequence[tuple[bytes, str]]]
    size: int = 0
    time_us: int = 0
    proven: int = 0
    frontier: list[bytes] = field(default_factory=list)
    removed: list[tuple[int, int]] = field(default_factory=list)
    announced: list[tuple[int, int]] = field(default_factory=list)

    def page(self, rows: Sequence[Sequence[Any]], last: int) -> bool:
        """Take the rows up to number `last`; whether there are more to take. Raises BadLogError."""
        for row in rows:
            if row[0] > last:
                return False
            self._take(row)
        return self.size < last

    def _take(self, row: Sequence[Any]) -> None:
        seq, entry_id, at_us, kind, leaf, body = row
        size = self.size
        if seq != size + 1:
            raise BadLogError(size + 1, "entry is missing")
        if body is None:
            self._note_removed(seq)
        else:
            try:
                header = HEADER.pack(VERSION, kind, 0, len(body), seq, at_us, entry_id.encode())
            except (ValueError, struct.error):
                raise BadLogError(seq, "entry is not readable") from None
            if sha256(b"\x00" + header + body).digest() != leaf:
                raise BadLogError(seq, "entry was altered")
            if kind == RETENTION:
                self._note_announced(seq, body)
        if at_us < self.time_us:
            raise BadLogError(seq, "time goes back")
        self.time_us = at_us
        add_leaf(self.frontier, size, leaf)
        self.size = seq
        if seq in self.wanted:
            self.meet(seq)

    def meet(self, size: int) -> None:
        root = root_of(self.frontier)
        for expected, reason in self.wanted[size]:
            if root != expected:
                raise BadLogError(self.proven + 1, reason)
        self.proven = size

    def _note_removed(self, seq: int) -> None:
        if self.removed and self.removed[-1][1] == seq - 1:
            self.removed[-1] = (self.removed[-1][0], seq)
        else:
            self.removed.append((seq, seq))

    def _note_announced(self, seq: int, body: bytes) -> None:
        try:
            note = orjson.loads(body)["note"]
            self.announced.append((int(note["first"]), int(note["last"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise BadLogError(seq, "entry is not readable") from None

    def check_removed(self) -> None:
        """Every entry without a body must lie in a segment whose removal stands in the log."""
        for first, last in self.removed:
            at = first
            for start, end in sorted(self.announced):
                if start <= at <= end:
                    at = end + 1
            if at <= last:
                raise BadLogError(at, "entry has lost its body")


async def verify(store: Store, trust: Trust | None = None) -> Verdict:
    """Walk the whole log up to the head as it was at the start. Cost: about two hashes an entry.

    With no `trust` a log that was rewritten as a whole passes: only a key and a witness outside find that.

    Raises:
        StoreError: the database does not answer. WitnessError: the witness's directory is damaged.
    """
    trust = trust or Trust()
    # In this order: what is read first was true of a log that can only have grown when the head is read.
    key = trust.log_key()
    seen = read_cosigned(trust.witness, key.name) if trust.witness is not None and key is not None else None
    stored = select(audit_checkpoint.c.size, audit_checkpoint.c.note).order_by(audit_checkpoint.c.size)
    async with store.read() as connection:
        notes = (await connection.execute(stored)).all()
        head = (await connection.execute(select(audit_head.c.seq, audit_head.c.frontier))).one_or_none()
    walk = Walk(wanted={})
    signed = 0
    try:
        if head is None:
            raise BadLogError(1, "the head of the log is missing")
        wanted, signed = _checkpoints(notes, head.seq, key)
        if seen is not None:
            _add_seen(wanted, head.seq, seen)
        walk.wanted = wanted
        if 0 in wanted:
            walk.meet(0)
        async for page in pages(store):
            if not walk.page(page, head.seq):
                break
        if walk.size != head.seq or join_frontier(walk.frontier) != head.frontier:
            raise BadLogError(min(walk.size, head.seq) + 1, "log does not end where its head says")
        walk.check_removed()
    except BadLogError as bad:
        root = root_of(walk.frontier).hex()
        return Verdict(ok=False, entries=walk.size, root=root, first_bad=bad.seq, reason=bad.reason)
    return Verdict(
        ok=True, entries=walk.size, root=root_of(walk.frontier).hex(), witnessed=seen is not None, signed=signed
    )


def _checkpoints(
    notes: Sequence[Any], size: int, key: VerifierKey | None
) -> tuple[dict[int, list[tuple[bytes, str]]], int]:
    """The roots that stored checkpoints claim, by size; and the largest size signed by `key`. Raises BadLogError."""
    wanted: dict[int, list[tuple[bytes, str]]] = {}
    origin: str | None = key.name if key else None
    last = 0
    for stated, raw in notes:
        try:
            note = Note.parse(raw.encode())
            checkpoint = Checkpoint.parse(note.text)
        except NoteError:
            raise BadLogError(last + 1, "a checkpoint is not readable") from None
        origin = origin or checkpoint.origin
        if checkpoint.size != stated or checkpoint.origin != origin:
            raise BadLogError(last + 1, "a checkpoint is of another log or size")
        if key is not None and not note.is_signed_by(key):
            raise BadLogError(last + 1, "a checkpoint is not signed by the trusted key")
        if checkpoint.size > size:
            raise BadLogError(size + 1, "log is shorter than its checkpoint")
        wanted.setdefault(checkpoint.size, []).append((checkpoint.root, "log does not meet its checkpoint"))
        last = checkpoint.size
    return wanted, last if key is not None else 0


def _add_seen(wanted: dict[int, list[tuple[bytes, str]]], size: int, seen: Checkpoint) -> None:
    """Add what the witness saw to what the log must meet. Raises BadLogError."""
    if seen.size > size:
        raise BadLogError(size + 1, "log is shorter than what the witness saw")
    wanted.setdefault(seen.size, []).append((seen.root, "log is not the one that the witness saw"))


async def verify_all(store: Store, trust: Trust | None = None) -> Verdict:
    """`verify`, and if the log holds, `verify_index`.

    Raises:
        StoreError: the database does not answer. WitnessError: the witness's directory is damaged.
    """
    found = await verify(store, trust)
    wrong = await verify_index(store) if found.ok else None
    if wrong is None:
        return found
    return replace(found, ok=False, first_bad=wrong[0], reason=wrong[1], witnessed=False)


async def verify_index(store: Store) -> tuple[int, str] | None:
    """The number of the first entry that the index does not hold as the entry says it, and what is wrong; None if all
    are right. Parses every body: run it after `verify`.

    Raises:
        StoreError: the database does not answer.
    """
    async with store.read() as connection:
        last = await connection.scalar(select(audit_follower.c.seq).where(audit_follower.c.name == "index")) or 0
        patterns: dict[int, set[tuple[str, str]]] = {}
        for coordinate, decision, number in await connection.execute(select(audit_pattern)):
            patterns.setdefault(number, set()).add((decision, coordinate))
    held = indexed_rows(store, last)
    async for page in pages(store):
        for seq, _, time_us, kind, _, body in page:
            if seq > last:
                break
            if body is None:
                continue
            found = await anext(held, None)
            if found is None or not _is_indexed(found, seq, time_us, kind, body, patterns):
                return seq, "index differs from the entry"
    if await anext(held, None) is not None:
        return last + 1, "index differs from the entry"
    async with store.read() as connection:
        return None if await counts_agree(connection) else (last + 1, "counts differ from the index")


def _is_indexed(
    found: Mapping[str, Any],
    seq: int,
    time_us: int,
    kind: int,
    body: bytes,
    patterns: Mapping[int, set[tuple[str, str]]],
) -> bool:
    made = index_of(body)
    for number, pattern in made.patterns.items():
        if patterns.get(number, set()) != {
            (row["decision"], row["coordinate"]) for row in pattern_rows(number, pattern)
        }:
            return False
    return dict(found) == {
        "seq": seq,
        "time": time_us,
        "kind": kind,
        "count": len(made.persons),
        "texts": list(made.texts),
        "persons": sorted([person, number] for person, number in made.persons.items()),
        "cases": sorted(made.cases),
        "patterns": sorted(made.patterns),
    }
