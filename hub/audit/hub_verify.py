#!/usr/bin/env python3
"""Verify a copy of hub's audit log, without hub: Python's standard library and the `openssl` command (3.0 or newer).

    python3 hub_verify.py DIRECTORY [--trust KEY] [--witness DIR] [--json]

DIRECTORY holds `log.bin`, `head.json`, `checkpoints.jsonl` and perhaps `index.jsonl` (docs/audit-log.md describes
them). KEY is the log's verifier key, or a file with it; get it from the log's operator on another way than this copy.
DIR is the directory of a witness, or a copy of it. An evidence package, with `proofs.jsonl` and `checkpoint.note`, is
verified entry by entry, up to its checkpoint.

Exit 0: the log is whole. 1: it is not. 3: no witness vouches for it, although --trust asks who does. 2: used wrongly.
"""

import argparse
import base64
import concurrent.futures
import datetime
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from itertools import repeat

HEADER = struct.Struct(">BBHIQQ24s")
RETENTION = 14
SIGNATURES = 64  # checked side by side
KINDS = (
    "operation refusals startup auditor-read subject-report export console-view login logout policy "
    "keys approval finding-review retention legal-hold statutory command erasure sweep identity"
).split()
TEXTS = {"agency": 40, "officer": 128, "role": 40, "purpose": 40, "outcome": 8, "code": 40}
EFFECTS = ("full", "masked", "predicate", "sealed", "denied")
SPKI = bytes.fromhex(
    "302a300506032b6570032100"
)  # RFC 8410: SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes


class Bad(Exception):
    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq


class Tree:
    """Merkle tree of RFC 9162, section 2.1, by the roots of its perfect subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self.parts: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        left = self.size
        while left % 2:
            leaf = hashlib.sha256(b"\x01" + self.parts.pop() + leaf).digest()
            left //= 2
        self.parts.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.parts:
            return hashlib.sha256(b"").digest()
        node = self.parts[-1]
        for part in self.parts[-2::-1]:
            node = hashlib.sha256(b"\x01" + part + node).digest()
        return node


class Key:
    """A verifier key of C2SP signed-note: name+id+base64(algorithm, 32 bytes). 1 is a log's, 4 a cosigner's."""

    def __init__(self, text: str) -> None:
        self.name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        self.algorithm, self.public = raw[0], raw[1:]
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if self.key_id.hex() != key_id or len(self.public) != 32 or self.algorithm not in (1, 4):
            raise ValueError("not a verifier key")

    def verifies(self, signature: bytes, text: bytes) -> bool:
        if self.algorithm == 4:
            text = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text
            signature = signature[8:]
        return len(signature) == 64 and openssl_verifies(self.public, signature, text)


def openssl_verifies(public: bytes, signature: bytes, text: bytes) -> bool:
    """One process a signature: the command takes no more than one at a time."""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("key", "signature", "text")]
        for name, content in zip(names, (SPKI + public, signature, text), strict=True):
            with open(name, "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", names[0], "-rawin"]
        done = subprocess.run([*command, "-sigfile", names[1], "-in", names[2]], capture_output=True, check=False)
    return done.returncode == 0


class Note:
    """A signed checkpoint. Raises ValueError if it is none."""

    def __init__(self, raw: bytes) -> None:
        text, blank, tail = raw.rpartition(b"\n\n")
        self.text = text + b"\n"
        lines = self.text.decode().split("\n")
        self.origin, size, self.root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        if (
            not blank
            or not size.isdigit()
            or str(int(size)) != size
            or len(self.root) != 32
            or not tail.endswith(b"\n")
        ):
            raise ValueError("not a checkpoint")
        self.size = int(size)
        self.signatures = []
        for line in tail.decode().splitlines():
            dash, name, encoded = line.split(" ")
            if dash != "—":
                raise ValueError("not a signature")
            self.signatures.append((name, base64.b64decode(encoded, validate=True)))

    def is_signed_by(self, key: Key) -> bool:
        own = [raw[4:] for name, raw in self.signatures if name == key.name and raw[:4] == key.key_id]
        return bool(own) and all(key.verifies(raw, self.text) for raw in own)


def read_text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_checkpoints(directory: str, size: int, key: Key | None) -> tuple[dict[int, list[tuple[bytes, str]]], int]:
    """What roots the log must have, by size; and how far the trusted key signed."""
    wanted: dict[int, list[tuple[bytes, str]]] = {}
    last, origin = 0, key.name if key else None
    lines = read_text(os.path.join(directory, "checkpoints.jsonl")).splitlines()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(lines), SIGNATURES):
            for said, note, signed in pool.map(read_checkpoint, lines[start : start + SIGNATURES], repeat(key)):
                if note is None:
                    raise Bad(last + 1, "a checkpoint is not readable")
                origin = origin or note.origin
                if note.size != said or note.origin != origin:
                    raise Bad(last + 1, "a checkpoint is of another log or size")
                if not signed:
                    raise Bad(last + 1, "a checkpoint is not signed by the trusted key")
                if note.size > size:
                    raise Bad(size + 1, "log is shorter than its checkpoint")
                wanted.setdefault(note.size, []).append((note.root, "log does not meet its checkpoint"))
                last = note.size
    return wanted, last if key else 0


def read_checkpoint(line: str, key: Key | None) -> tuple[int, Note | None, bool]:
    """The size that stands beside a checkpoint, the checkpoint if it can be read, and whether `key` signed it."""
    try:
        said = json.loads(line)
        note, size = Note(said["note"].encode()), said["size"]
    except (ValueError, KeyError, IndexError, UnicodeError):
        return 0, None, False
    return size, note, key is None or note.is_signed_by(key)


def trusted_key(trust: str | None, witness: str | None) -> Key | None:
    if trust:
        return Key(read_text(trust) if os.path.exists(trust) else trust)
    path = os.path.join(witness, "trusted.vkeys") if witness else ""
    known = read_text(path).split() if path and os.path.exists(path) else []
    return Key(known[0]) if len(known) == 1 else None


def read_witness(directory: str, origin: str) -> Note | None:
    """The last checkpoint that the witness cosigned. Raises ValueError if its directory is damaged."""
    name = hashlib.sha256(origin.encode()).hexdigest()[:32]
    path = os.path.join(directory, "logs", f"{name}.note")
    if not os.path.exists(path):
        return None
    note = Note(read_text(path).encode())
    if note.origin != origin or not note.is_signed_by(Key(read_text(os.path.join(directory, "witness.vkey")))):
        raise ValueError("the witness's checkpoint is not cosigned by it")
    return note


class Walk:
    def __init__(self, wanted: dict[int, list[tuple[bytes, str]]]) -> None:
        self.wanted = wanted
        self.tree = Tree()
        self.time = self.proven = 0
        self.removed: list[int] = []
        self.announced: list[tuple[int, int]] = []

    def entry(self, leaf: bytes, header: bytes, body: bytes) -> None:
        version, kind, zero, length, seq, time, _ = HEADER.unpack(header)
        self.expect(seq)
        if hashlib.sha256(b"\x00" + header + body).digest() != leaf or (version, zero, length) != (1, 0, len(body)):
            raise Bad(seq, "entry was altered")
        if kind == RETENTION:
            try:
                note = json.loads(body)["note"]
                self.announced.append((int(note["first"]), int(note["last"])))
            except (ValueError, KeyError, TypeError):
                raise Bad(seq, "entry is not readable") from None
        self.add(leaf, seq, time)

    def gone(self, leaf: bytes, seq: int, time: int) -> None:
        self.expect(seq)
        self.removed.append(seq)
        self.add(leaf, seq, time)

    def expect(self, seq: int) -> None:
        if seq != self.tree.size + 1:
            raise Bad(self.tree.size + 1, "entry is missing")

    def add(self, leaf: bytes, seq: int, time: int) -> None:
        if time < self.time:
            raise Bad(seq, "time goes back")
        self.time = time
        self.tree.add(leaf)
        if seq in self.wanted:
            self.meet(seq)

    def meet(self, size: int) -> None:
        root = self.tree.root()
        for expected, reason in self.wanted[size]:
            if root != expected:
                raise Bad(self.proven + 1, reason)
        self.proven = size

    def check_removed(self) -> None:
        spans = sorted(self.announced)
        for seq in self.removed:
            if not any(first <= seq <= last for first, last in spans):
                raise Bad(seq, "entry has lost its body")


def read_records(path: str, walk: Walk) -> None:
    with open(path, "rb", buffering=1 << 20) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)  # the system reads ahead
        read = file.read
        while tag := read(1):
            leaf = read(32)
            if tag == b"R":
                place = read(16)
                if len(place) != 16:
                    raise Bad(walk.tree.size + 1, "entry is missing")
                walk.gone(leaf, *struct.unpack(">QQ", place))
                continue
            header = read(HEADER.size)
            if tag != b"E" or len(header) != HEADER.size:
                raise Bad(walk.tree.size + 1, "entry is not readable")
            walk.entry(leaf, header, read(HEADER.unpack(header)[3]))


def read_bodies(path: str):  # type: ignore[no-untyped-def]
    """Number, time, kind and body of each entry that still has one."""
    with open(path, "rb", buffering=1 << 20) as file:
        while tag := file.read(1):
            file.read(32)
            if tag == b"R":
                file.read(16)
                continue
            _, kind, _, length, seq, time, _ = HEADER.unpack(file.read(HEADER.size))
            yield seq, time, kind, file.read(length)


def pattern_number(pattern: list[list[str]]) -> int:
    text = json.dumps(pattern, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def check_index(directory: str) -> None:
    """Compare the index with what the entries say."""
    path = os.path.join(directory, "index.jsonl")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        head = json.loads(file.readline())
        known = {int(number): {tuple(one) for one in pairs} for number, pairs in head["patterns"].items()}
        for seq, time, kind, body in read_bodies(os.path.join(directory, "log.bin")):
            if seq > head["upTo"]:
                break
            line = file.readline()
            if not line or json.loads(line) != index_line(seq, time, kind, body, known):
                raise Bad(seq, "index differs from the entry")
        if file.readline():
            raise Bad(head["upTo"] + 1, "index differs from the entry")


def index_line(seq: int, time: int, kind: int, body: bytes, known: dict[int, set[tuple[str, ...]]]) -> object:
    said = json.loads(body)
    numbers = [pattern_number(pattern) for pattern in said["patterns"]]
    for number, pattern in zip(numbers, said["patterns"], strict=True):
        lists = zip(EFFECTS, pattern[: len(EFFECTS)], strict=True)  # behind them may stand the facts
        if known.get(number, set()) != {(effect, name) for effect, names in lists for name in names}:
            raise Bad(seq, "index differs from the entry")
    persons = {item[0][:64]: numbers[item[1]] for item in reversed(said["persons"])}
    return {
        "seq": seq,
        "time": time,
        "kind": kind,
        "count": len(persons),
        "texts": [(said.get(name) or "")[:width] for name, width in TEXTS.items()],
        "persons": sorted([person, number] for person, number in persons.items()),
        "cases": sorted({case[:100] for case in said["case"]}),
        "patterns": sorted(set(numbers)),
    }


def root_by(leaf: bytes, index: int, size: int, hashes: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3.2."""
    last, node = size - 1, leaf
    for one in hashes:
        if last == 0:
            raise ValueError("proof is too long")
        if index & 1 or index == last:
            node = hashlib.sha256(b"\x01" + one + node).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + one).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise ValueError("proof is too short")
    return node


def verify_evidence(directory: str, trust: str | None, witness: str | None) -> dict[str, object]:
    """Every entry of an evidence package leads to the root of its signed checkpoint."""
    count, seq, key, seen = 0, 0, trusted_key(trust, witness), None
    with open(os.path.join(directory, "checkpoint.note"), "rb") as file:
        note = Note(file.read())
    said = {"ok": False, "entries": 0, "root": note.root.hex(), "firstBad": None, "reason": None, "witnessed": False}
    try:
        if key and not note.is_signed_by(key):
            raise Bad(0, "checkpoint is not signed by the trusted key")
        seen = read_witness(witness, key.name) if witness and key else None
        with (
            open(os.path.join(directory, "proofs.jsonl"), encoding="utf-8") as proofs,
            open(os.path.join(directory, "entries.jsonl"), encoding="utf-8") as entries,
        ):
            for one, shown in zip(map(json.loads, proofs), map(json.loads, entries), strict=True):
                seq, count = one["index"] + 1, count + 1
                check_proof(seq, one, shown, note)
    except Bad as bad:
        return {**said, "firstBad": bad.seq, "reason": str(bad), "entries": count}
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return {**said, "firstBad": seq, "reason": f"proof cannot be read: {error}", "entries": count}
    return {
        **said,
        "ok": True,
        "entries": count,
        "witnessed": bool(seen and seen.size == note.size and seen.root == note.root),
    }


def check_proof(seq: int, one: dict[str, object], shown: dict[str, object], note: Note) -> None:
    leaf, hashes = base64.b64decode(str(one["leaf"])), [base64.b64decode(text) for text in one["hashes"]]  # type: ignore[attr-defined]
    if root_by(leaf, seq - 1, note.size, hashes) != note.root:
        raise Bad(seq, "proof does not lead to the checkpoint")
    if "header" not in one:
        return
    header, body = base64.b64decode(str(one["header"])), base64.b64decode(str(one["body"]))
    if hashlib.sha256(b"\0" + header + body).digest() != leaf:
        raise Bad(seq, "entry is not the one that was proven")
    said, fields = json.loads(body), HEADER.unpack(header)
    patterns = [dict(zip((*EFFECTS, "facts"), pattern, strict=False)) for pattern in said.pop("patterns")]
    said["persons"] = [{"person": person, **patterns[number]} for person, number in said["persons"]]
    for name, value in said.items():
        if shown.get(name) != value and (name != "note" or value):
            raise Bad(seq, "entries.jsonl says something else than was proven")
    moment = datetime.datetime.fromisoformat(str(shown["time"]).replace("Z", "+00:00"))
    time = (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)
    told = (KINDS.index(str(shown["kind"])) + 1, shown["seq"], time, str(shown["id"]).encode())
    if told != (fields[1], fields[4], fields[5], fields[6].rstrip(b"\0")) or fields[4] != seq:
        raise Bad(seq, "entries.jsonl names another entry than was proven")


def verify(directory: str, trust: str | None, witness: str | None) -> dict[str, object]:
    walk = Walk({})
    witnessed = False
    try:
        head = json.loads(read_text(os.path.join(directory, "head.json")))
        if "size" not in head:
            raise Bad(1, "the head of the log is missing")
        size, key = head["size"], trusted_key(trust, witness)
        wanted, _ = read_checkpoints(directory, size, key)
        seen = read_witness(witness, key.name) if witness and key else None
        if seen:
            if seen.size > size:
                raise Bad(size + 1, "log is shorter than what the witness saw")
            wanted.setdefault(seen.size, []).append((seen.root, "log is not the one that the witness saw"))
            witnessed = True
        walk.wanted = wanted
        if 0 in wanted:
            walk.meet(0)
        read_records(os.path.join(directory, "log.bin"), walk)
        if walk.tree.size != size or b"".join(walk.tree.parts).hex() != head["frontier"]:
            raise Bad(min(walk.tree.size, size) + 1, "log does not end where its head says")
        walk.check_removed()
        check_index(directory)
    except Bad as bad:
        return said_of(walk, ok=False, first=bad.seq, reason=str(bad))
    return said_of(walk, ok=True, witnessed=witnessed)


def said_of(
    walk: Walk, *, ok: bool, first: int | None = None, reason: str | None = None, witnessed: bool = False
) -> dict[str, object]:
    root = walk.tree.root().hex()
    said = {"ok": ok, "entries": walk.tree.size, "root": root, "firstBad": first, "reason": reason}
    return {**said, "witnessed": witnessed}


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify a copy of hub's audit log.")
    parser.add_argument("directory")
    parser.add_argument("--trust", metavar="KEY", help="the log's verifier key, or a file with it")
    parser.add_argument("--witness", metavar="DIR", help="a witness's directory")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    try:
        evidence = os.path.exists(os.path.join(given.directory, "proofs.jsonl"))
        found = (verify_evidence if evidence else verify)(given.directory, given.trust, given.witness)
    except (OSError, ValueError, KeyError) as error:
        print(f"error CANNOT_VERIFY: {error}", file=sys.stderr)
        return 3
    asked = bool(given.trust or given.witness)
    if found["ok"] and asked and not found["witnessed"]:
        found["reason"] = "unwitnessed"
    shown = " ".join(f"{name}={value}" for name, value in found.items() if value is not None)
    print(json.dumps(found) if given.json else shown)
    return (3 if asked and not found["witnessed"] else 0) if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
