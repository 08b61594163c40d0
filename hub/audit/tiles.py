"""The log's tiles as files, laid out as C2SP tlog-tiles says, so that public tools read them.

`checkpoint` and `tile/LEVEL/NUMBER[.p/WIDTH]`; with entries also `tile/entries/NUMBER[.p/WIDTH]`. An entry bundle is
written only if every entry of it fits its length of two bytes and none was removed.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import select

from hub.audit.leaf import pack_header
from hub.audit.merkle import HASH_BYTES
from hub.audit.note import Checkpoint, Note
from hub.audit.signing import replace_file
from hub.audit.tables import audit_entry
from hub.audit.tree import SHIFT, WIDTH, Tree
from hub.store.engine import Store

MAX_BUNDLED = 0xFFFF


def tile_path(level: str, index: int, width: int) -> str:
    """Source: C2SP tlog-tiles. For example `tile/0/x001/x234/067` or `tile/1/000.p/17`."""
    parts = [f"{index % 1000:03}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(parts)}" + ("" if width == WIDTH else f".p/{width}")


class TileFiles:
    """Keeps a directory up to date with the log, checkpoint by checkpoint; full tiles are written once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._full: dict[int, int] = {}

    async def publish(self, tree: Tree, note: Note) -> None:
        """Write the tiles of a checkpoint, then the checkpoint.

        Raises:
            OSError: the directory cannot be written. StoreError: the database does not answer.
        """
        await tree.catch_up()
        size = Checkpoint.parse(note.text).size
        level = 0
        while size >> (SHIFT * level):
            await self._level(tree, level, size)
            level += 1
        replace_file(self._directory / "checkpoint", bytes(note))

    async def _level(self, tree: Tree, level: int, size: int) -> None:
        total = size >> (SHIFT * level)
        first = self._full.get(level, 0)
        while first * WIDTH < total:
            end = min(total, (first + 1) * WIDTH)
            ((index, hashes),) = await tree.tiles(level, end << (SHIFT * level), first)
            path = self._directory / tile_path(str(level), index, len(hashes) // HASH_BYTES)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, hashes)
                if len(hashes) == WIDTH * HASH_BYTES:  # its parts are no longer needed
                    shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
            first += 1
        self._full[level] = total // WIDTH


async def write_bundles(store: Store, directory: Path, size: int) -> int:
    """Write the entry bundles of a tree of `size`; how many could not be, because an entry is too long or removed."""
    left_out = 0
    async for index, bundle, width in _bundles(store, size):
        if bundle is None:
            left_out += 1
            continue
        path = directory / tile_path("entries", index, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, bundle)
    return left_out


async def _bundles(store: Store, size: int) -> AsyncIterator[tuple[int, bytes | None, int]]:
    columns = [audit_entry.c[name] for name in ("seq", "entry_id", "time_us", "kind", "body")]
    for index in range(-(-size // WIDTH)):
        end = min(size, (index + 1) * WIDTH)
        statement = select(*columns).where(audit_entry.c.seq > index * WIDTH, audit_entry.c.seq <= end)
        async with store.read() as connection:
            rows = (await connection.execute(statement.order_by(audit_entry.c.seq))).all()
        bundle: bytes | None = b""
        for seq, entry_id, time_us, kind, body in rows:
            if body is None or bundle is None:
                bundle = None
                break
            header = pack_header(kind=kind, length=len(body), seq=seq, time_us=time_us, entry_id=entry_id)
            length = len(header) + len(body)
            bundle = None if length > MAX_BUNDLED else bundle + length.to_bytes(2, "big") + header + body
        yield index, bundle, end - index * WIDTH
