"""A file layer below the log that loses what was not fsynced, and a writer of the log that runs on it.

SQLite's files stand for the page cache that all processes see; beside each lies `FILE.disk`, what the disk holds. A
write marks its blocks in `FILE.dirty`; a sync copies to the disk what any process has written, as fsync does. As a disk
may, the layer also copies some blocks early and out of order. `cut_power` puts the disk in place of the cache. With
`nosync` a sync is answered and does nothing.

    python -m tests.audit.power_cut DATABASE NAME CLIENTS SEED sync|nosync

prints `ID REQUEST` for each entry that the log said is durable.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import shutil
import sys
import types
from array import array
from pathlib import Path

import apsw

import hub.store.reader
from hub.audit.entry import Draft, Outcome
from hub.audit.log import AuditLog
from hub.clock import SystemClock
from hub.store.engine import open_store

BLOCK = 512
SUFFIXES = ("", "-wal")


class LossyFile(apsw.VFSFile):
    def __init__(self, layer: "LossyLayer", name, flags):
        super().__init__("", name, flags)
        self._layer = layer
        path = name if isinstance(name, str) else name.filename()
        # Never closed: closing any descriptor of a file drops the locks that SQLite holds on it.
        self._cache = os.open(path, os.O_RDONLY)
        self._disk = os.open(f"{path}.disk", os.O_RDWR | os.O_CREAT)
        self._dirty = os.open(f"{path}.dirty", os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        numbers = range(offset // BLOCK, (offset + len(data) - 1) // BLOCK + 1)
        with self._locked():
            os.write(self._dirty, array("q", numbers).tobytes())
            if self._layer.random.random() < 0.2:  # a disk writes what it likes before it is told to
                self._copy([number for number in numbers if self._layer.random.random() < 0.5])

    def xSync(self, flags):
        if not self._layer.syncs:
            return
        with self._locked():
            numbers = array("q")
            numbers.frombytes(os.pread(self._dirty, os.fstat(self._dirty).st_size, 0))
            self._copy(sorted(set(numbers)))
            size = os.fstat(self._cache).st_size
            if os.fstat(self._disk).st_size > size:
                os.truncate(self._disk, size)
            os.truncate(self._dirty, 0)

    def _copy(self, numbers):
        for number in numbers:
            os.pwrite(self._disk, os.pread(self._cache, BLOCK, number * BLOCK), number * BLOCK)

    @contextlib.contextmanager
    def _locked(self):
        fcntl.flock(self._dirty, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._dirty, fcntl.LOCK_UN)


class LossyLayer(apsw.VFS):
    def __init__(self, seed: int, *, syncs: bool) -> None:
        super().__init__("lossy", "")
        self.random = random.Random(seed)
        self.syncs = syncs

    def xOpen(self, name, flags):
        return LossyFile(self, name, flags)


def prepare(database: Path) -> None:
    """Before the power is on: all that is there is on the disk."""
    for suffix in SUFFIXES:
        path = Path(f"{database}{suffix}")
        for extra in (".disk", ".dirty"):
            Path(f"{path}{extra}").unlink(missing_ok=True)
        if path.exists():
            shutil.copyfile(path, f"{path}.disk")


def cut_power(database: Path) -> None:
    """Only what is on the disk is left. Nobody may have the database open."""
    for suffix in SUFFIXES:
        path = Path(f"{database}{suffix}")
        path.unlink(missing_ok=True)
        if Path(f"{path}.disk").exists():
            Path(f"{path}.disk").rename(path)
    Path(f"{database}-shm").unlink(missing_ok=True)


def install(layer: LossyLayer) -> None:
    """From here on the log's own connection runs on the layer."""
    hub.store.reader.sqlite3 = types.SimpleNamespace(
        connect=lambda path, **_: apsw.Connection(path, vfs="lossy"), Error=apsw.Error, Connection=apsw.Connection
    )


async def client(log: AuditLog, name: str) -> None:
    number = 0
    while True:
        number += 1
        request = f"{name}-{number}"
        receipt = await log.append(Draft(request_id=request, outcome=Outcome.OK))
        os.write(1, f"{receipt.entry_id} {request}\n".encode())


async def main(database: str, name: str, clients: int) -> None:
    log = AuditLog(open_store(f"sqlite+aiosqlite:///{database}"), SystemClock())
    await asyncio.gather(*(client(log, f"{name}.{number}") for number in range(clients)))


if __name__ == "__main__":
    path, process, count, seed, mode = sys.argv[1:]
    install(layer := LossyLayer(int(seed), syncs=mode == "sync"))
    asyncio.run(main(path, process, int(count)))
