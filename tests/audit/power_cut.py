"""A file layer below the log that loses what was not fsynced, and a writer of the log that runs on it.

Writes stay in this process's memory until SQLite syncs the file, so that a SIGKILL drops them as a power cut does. As a
disk may, the layer lets some of them through early and out of order. With `nosync` it answers a sync and does nothing.

    python -m tests.audit.power_cut DATABASE NAME CLIENTS SEED sync|nosync

prints `ID REQUEST` for each entry that the log said is durable.
"""

import asyncio
import os
import random
import sys
import types

import apsw

import hub.store.reader
from hub.audit.entry import Draft, Outcome
from hub.audit.log import AuditLog
from hub.clock import SystemClock
from hub.store.engine import open_store

BLOCK = 512


class LossyFile(apsw.VFSFile):
    def __init__(self, layer: "LossyLayer", name, flags):
        super().__init__("", name, flags)
        self._layer = layer
        self._blocks: dict[int, bytes] = {}  # not synced
        self._size = super().xFileSize()

    def xWrite(self, data, offset):
        data = bytes(data)
        self._size = max(self._size, offset + len(data))
        first, last = offset // BLOCK, (offset + len(data) - 1) // BLOCK
        for number in range(first, last + 1):
            block = bytearray(self._block(number))
            start, end = max(offset, number * BLOCK), min(offset + len(data), (number + 1) * BLOCK)
            block[start - number * BLOCK : end - number * BLOCK] = data[start - offset : end - offset]
            self._blocks[number] = bytes(block)
        if self._layer.random.random() < 0.2:  # a disk writes what it likes before it is told to
            self._flush(random_subset=True)

    def xRead(self, amount, offset):
        end = min(offset + amount, max(self._size, super().xFileSize()))
        if end <= offset:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        whole = b"".join(self._block(number) for number in range(first, last + 1))
        return whole[offset - first * BLOCK : end - first * BLOCK]

    def _block(self, number):
        kept = self._blocks.get(number)
        if kept is None:
            kept = super().xRead(BLOCK, number * BLOCK)
        return kept.ljust(BLOCK, b"\0")

    def xFileSize(self):
        return max(self._size, super().xFileSize()) if self._blocks else super().xFileSize()

    def xTruncate(self, size):
        self._blocks = {number: block for number, block in self._blocks.items() if number * BLOCK < size}
        self._size = size
        super().xTruncate(size)

    def xSync(self, flags):
        if self._layer.syncs:
            self._flush()
            super().xSync(flags)

    def _flush(self, *, random_subset=False):
        for number in list(self._blocks):
            if random_subset and self._layer.random.random() < 0.5:
                continue
            block = self._blocks.pop(number)
            super().xWrite(block[: max(0, min(BLOCK, self._size - number * BLOCK))] or block, number * BLOCK)


class LossyLayer(apsw.VFS):
    def __init__(self, seed: int, *, syncs: bool) -> None:
        super().__init__("lossy", "")
        self.random = random.Random(seed)
        self.syncs = syncs

    def xOpen(self, name, flags):
        return LossyFile(self, name, flags)


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
