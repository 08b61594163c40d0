import asyncio
import gc
import stat
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import event, func, insert, select

from hub.audit.tables import audit_head
from hub.errors import StoreError
from hub.store.engine import open_store

WHOLE_POOL = {"sqlite": 8, "postgresql": 12}
ROW = {"one": 2, "seq": 0, "time_us": 0, "frontier": b""}


async def test_a_failed_write_leaves_nothing(store):
    with pytest.raises(RuntimeError):
        async with store.write() as connection:
            await connection.execute(insert(audit_head).values(**ROW))
            raise RuntimeError
    async with store.read() as connection:
        assert await connection.scalar(select(func.count()).where(audit_head.c.one == 2)) == 0


async def test_database_file_is_private(tmp_path, opened):
    opened(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    assert stat.S_IMODE((tmp_path / "x.db").stat().st_mode) == 0o600


def test_a_file_that_is_not_there_is_not_made_for_reading(tmp_path):
    with pytest.raises(StoreError):
        open_store(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'x.db'}", create=False)
    assert not (tmp_path / "data").exists()


async def test_sqlite_syncs_every_commit(tmp_path, opened):
    store = opened(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with store.read() as connection:
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"


async def test_a_database_that_is_not_there_is_a_store_error(opened):
    store = opened("postgresql+asyncpg://nobody@127.0.0.1:9/none")
    assert not await store.ping()
    with pytest.raises(StoreError):
        async with store.read():
            pass


async def test_a_pool_that_has_no_connection_left_is_a_store_error(store_url):
    store = open_store(store_url, wait_s=0.05)
    try:
        async with AsyncExitStack() as held:
            for _ in range(8 if store.dialect == "sqlite" else 12):
                await held.enter_async_context(store.read())
            for way in (store.read, store.write):
                with pytest.raises(StoreError):
                    async with way():
                        pass
            assert not await store.ping()
        assert await store.ping()
    finally:
        await store.close()


@pytest.mark.parametrize("turns", range(30))
async def test_whoever_is_cancelled_while_it_gets_a_connection_gives_it_back(store, turns):
    """Cancelled after so many turns of the loop, wherever that is; the pool has all of its connections again."""

    async def read():
        async with store.read() as connection:
            await connection.scalar(select(func.count()).select_from(audit_head))

    given_out = []
    event.listen(store.engine.sync_engine.pool, "checkout", lambda *_: given_out.append(1))
    event.listen(store.engine.sync_engine.pool, "checkin", lambda *_: given_out.pop())
    event.listen(store.engine.sync_engine.pool, "soft_invalidate", lambda *_: given_out.append("lost"))
    task = asyncio.create_task(read())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (given_out, store.engine.pool.checkedout()) == ([], 0)


async def test_whoever_is_cancelled_twice_while_the_pool_is_full_gives_it_back(store):
    """A deadline and a caller who goes away, say; what it was waiting for comes afterwards."""
    lost = []
    event.listen(store.engine.sync_engine.pool, "soft_invalidate", lambda *_: lost.append(1))
    event.listen(store.engine.sync_engine.pool, "detach", lambda *_: lost.append(1))

    async def read():
        async with store.read() as connection:
            await connection.scalar(select(1))

    async with AsyncExitStack() as held:
        while store.engine.pool.checkedout() < WHOLE_POOL[store.dialect]:
            await held.enter_async_context(store.read())
        task = asyncio.create_task(read())
        for _ in range(2):
            await asyncio.sleep(0.05)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60):
        while store.engine.pool.checkedout():
            await asyncio.sleep(0.01)
    gc.collect()
    assert not lost
    await read()


async def test_connections_that_the_server_has_closed_are_not_given_out(postgres_url, opened):
    """A database that was started again costs nobody a command, although none asks it first whether it is there."""
    store, other = opened(postgres_url), opened(postgres_url)
    async with AsyncExitStack() as held:
        for _ in range(3):
            await held.enter_async_context(store.read())
    async with other.read() as connection:
        mine = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar()
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        await connection.exec_driver_sql(f"{ended}{mine}")
    await asyncio.sleep(0.2)  # until the driver has read the server's farewell
    for way in (store.write, store.read, store.write):
        async with way() as connection:
            assert (await connection.execute(select(1))).scalar() == 1
