"""The tree of the log in the store: tiles as C2SP tlog-tiles lays them out, and the proofs made from them.

A tile of level l holds 256 nodes of height 8 l. Level 0 is kept when full; its unfinished rest is the leaf hashes of
the entries themselves. Tiles follow the log: whoever needs them calls `catch_up`, in whatever process.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.merkle import (
    HASH_BYTES,
    Node,
    Range,
    add_leaf,
    consistency_ranges,
    inclusion_ranges,
    perfect_nodes,
    proof_of,
    root_of,
    split_frontier,
)
from hub.audit.tables import audit_entry, audit_follower, audit_head, audit_tile
from hub.errors import StoreError
from hub.store.engine import Store

WIDTH = 256
SHIFT = 8
TILES_A_TURN = 16  # so that a turn does not keep writers of the log waiting


class Tree:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self) -> tuple[int, int, bytes]:
        """Number of entries, time of the last in microseconds, root.

        Raises:
            StoreError: the database does not answer, or the head is missing or damaged.
        """
        async with self._store.read() as connection:
            row = (
                await connection.execute(select(audit_head.c.seq, audit_head.c.time_us, audit_head.c.frontier))
            ).one_or_none()
        if row is None:
            raise StoreError("the log has lost its head")
        try:
            return row.seq, row.time_us, root_of(split_frontier(row.frontier, row.seq))
        except ValueError as exc:
            raise StoreError("the head of the log is damaged") from exc

    async def catch_up(self) -> None:
        """Make the tiles that the log has filled since the last time."""
        while await self._turn():
            pass

    async def _turn(self) -> bool:
        async with self._store.read() as connection:
            done = await connection.scalar(select(audit_follower.c.seq).where(audit_follower.c.name == "tiles"))
            last = await connection.scalar(select(audit_head.c.seq))
        if done is None or last is None or last // WIDTH <= done // WIDTH:
            return False
        async with self._store.write() as connection:
            follower = select(audit_follower.c.seq).where(audit_follower.c.name == "tiles").with_for_update()
            first = (await connection.scalar(follower) or 0) // WIDTH
            end = min(last // WIDTH, first + TILES_A_TURN)
            for index in range(first, end):
                leaves = await _leaves(connection, index * WIDTH, (index + 1) * WIDTH)
                if len(leaves) != WIDTH:
                    raise StoreError("entries are missing under a tile")
                await _put(connection, 0, index, b"".join(leaves))
                await _climb(connection, index, _root(leaves))
            moved = update(audit_follower).where(audit_follower.c.name == "tiles").values(seq=end * WIDTH)
            await connection.execute(moved)
        return True

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that leaf `index` (from 0) is in the tree of `size`.

        Raises:
            ValueError: there is no such leaf. StoreError: the database does not answer.
        """
        return await self._proof(inclusion_ranges(index, size))

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree of `old` leaves is a beginning of that of `size`.

        Raises:
            ValueError: it cannot be. StoreError: the database does not answer.
        """
        return await self._proof(consistency_ranges(old, size))

    async def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return (await self._proof([(0, size)]))[0] if size else root_of([])

    async def tiles(self, level: int, size: int, first: int = 0) -> list[tuple[int, bytes]]:
        """Number and hashes of the tiles of `level` of the tree of `size`, from number `first`; the last may be part.

        Cost: the tiles are read whole; ask page by page with `first` where the log is large.
        """
        total = size >> (SHIFT * level)
        found = []
        for index in range(first, -(-total // WIDTH)):
            width = min(WIDTH, total - index * WIDTH)
            ends = [Node(SHIFT * level, index * WIDTH + at) for at in range(width)]
            nodes = await self._nodes(ends)
            found.append((index, b"".join(nodes[node] for node in ends)))
        return found

    async def _proof(self, ranges: Sequence[Range]) -> list[bytes]:
        await self.catch_up()
        wanted = {node for leaves in ranges for node in perfect_nodes(leaves)}
        return proof_of(ranges, await self._nodes(wanted))

    async def _nodes(self, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Hashes of perfect subtrees, from the tile each lies in."""
        places = {node: _place(node) for node in wanted}
        async with self._store.read() as connection:
            held = await _tiles(connection, {(level, index) for level, index, _, _ in places.values()})
            found: dict[Node, bytes] = {}
            for node, (level, index, start, end) in places.items():
                tile = held.get((level, index), b"")
                hashes = [tile[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(start, end)]
                if level == 0 and not tile:
                    hashes = await _leaves(connection, index * WIDTH + start, index * WIDTH + end)
                if len(hashes) != end - start or not all(hashes):
                    raise StoreError("the tree has a gap")
                found[node] = _root(hashes)
        return found


def _place(node: Node) -> tuple[int, int, int, int]:
    """Level and number of the tile of a node, and the hashes in it that are its leaves."""
    level, above = divmod(node.height, SHIFT)
    start = node.number << above
    index, within = divmod(start, WIDTH)
    return level, index, within, within + (1 << above)


def _root(hashes: Sequence[bytes]) -> bytes:
    frontier: list[bytes] = []
    for size, leaf in enumerate(hashes):
        add_leaf(frontier, size, leaf)
    return root_of(frontier)


async def _leaves(connection: AsyncConnection, start: int, end: int) -> list[bytes]:
    statement = (
        select(audit_entry.c.leaf)
        .where(audit_entry.c.seq > start, audit_entry.c.seq <= end)
        .order_by(audit_entry.c.seq)
    )
    return [bytes(row.leaf) for row in await connection.execute(statement)]


async def _tiles(connection: AsyncConnection, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    chosen = [and_(audit_tile.c.level == level, audit_tile.c["index"] == index) for level, index in places]
    if not chosen:
        return {}
    rows = await connection.execute(
        select(audit_tile.c.level, audit_tile.c["index"], audit_tile.c.hashes).where(or_(*chosen))
    )
    return {(level, index): bytes(hashes) for level, index, hashes in rows}


async def _put(connection: AsyncConnection, level: int, index: int, hashes: bytes) -> None:
    await connection.execute(insert(audit_tile).values(level=level, index=index, hashes=hashes))


async def _climb(connection: AsyncConnection, index: int, node: bytes) -> None:
    """Enter the root of a full tile into the tile above it, and so on upwards."""
    level = 0
    while True:
        level += 1
        index, at = divmod(index, WIDTH)
        if at == 0:
            await _put(connection, level, index, node)
            return
        held = (await _tiles(connection, [(level, index)])).get((level, index), b"")
        if len(held) != at * HASH_BYTES:
            raise StoreError("the tree has a gap")
        held += node
        place = and_(audit_tile.c.level == level, audit_tile.c["index"] == index)
        await connection.execute(update(audit_tile).where(place).values(hashes=held))
        if at != WIDTH - 1:
            return
        node = _root([held[start : start + HASH_BYTES] for start in range(0, len(held), HASH_BYTES)])
