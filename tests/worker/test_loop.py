"""Duties go on whatever one of them meets: also a pool that others hold for a while."""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import func, select

from hub.events.outbox import Sequencer, put
from hub.events.tables import outbox
from hub.store.engine import open_store
from hub.store.migration import migrate
from hub.worker.loop import Duty, run


async def test_a_worker_outlives_a_pool_that_has_no_connection_left(store_url):
    store = open_store(store_url, wait_s=0.05)
    stop = asyncio.Event()
    work = None
    try:
        await migrate(store)
        async with store.write() as connection:
            await put(
                connection,
                person_key="p",
                recipient="justice",
                office=None,
                kind="case.VISITED",
                body={},
                entry_id="e",
                happened_us=0,
            )
        failures = []

        async def sequence():
            try:
                return await Sequencer(store).run()
            except Exception as error:
                failures.append(error)
                raise

        async with AsyncExitStack() as held:
            for _ in range(8 if store.dialect == "sqlite" else 12):
                await held.enter_async_context(store.read())
            work = asyncio.create_task(run((Duty(name="sequence", work=sequence, pause_s=0.01),), stop))
            async with asyncio.timeout(60):
                while not failures:
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            while not await placed(store):
                await asyncio.sleep(0.01)
        assert not work.done()
    finally:
        stop.set()
        if work is not None:
            await work
        await store.close()


async def placed(store):
    async with store.read() as connection:
        return await connection.scalar(select(func.count()).where(outbox.c.position.is_not(None)))
