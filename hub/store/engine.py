"""The hub's own database: SQLite under the data directory, or PostgreSQL by URL; the same Core statements on both."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url, select
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hub.errors import StoreError
from hub.store.reader import PRAGMAS, Reader, open_reader

POOL_WAIT_S = 30.0
GIVE_BACK_WITHIN_S = 1.0
"""How long a cancelled task waits until the connection that it was getting is given back."""
_GIVING_BACK: set[asyncio.Task[None]] = set()
_BROKEN = (DBAPIError, PoolTimeoutError, OSError)


class Store:
    """Reads run in AUTOCOMMIT, writes in one transaction each. `driver` is for the read path and the audit log."""

    def __init__(self, engine: AsyncEngine, driver: Reader) -> None:
        self.engine = engine
        self.driver = driver
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading.

        Raises:
            StoreError: the database does not answer.
        """
        try:
            async with _connected(self._reader) as connection:
                yield connection
        except _BROKEN as exc:
            raise StoreError("database does not answer") from exc

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block.

        Raises:
            StoreError: the database does not answer or refuses.
        """
        try:
            async with _connected(self.engine) as connection, connection.begin():
                yield connection
        except _BROKEN as exc:
            raise StoreError("database does not answer") from exc

    @asynccontextmanager
    async def write_much(self) -> AsyncIterator[AsyncConnection]:
        """As `write`, for one of many large transactions of this process: SQLite keeps 64 MiB of pages between them."""
        async with self.write() as connection:
            if self.dialect == "sqlite":
                await connection.exec_driver_sql("PRAGMA cache_size=-65536")
            yield connection

    async def settle(self) -> None:
        """Let what was deleted leave the write-ahead log too (SQLite; PostgreSQL reuses its log by itself)."""
        if self.dialect == "sqlite":
            async with self.read() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def ping(self) -> bool:
        try:
            async with self._reader.connect() as connection:
                await connection.execute(select(1))
        except (SQLAlchemyError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.driver.close()
        await self.engine.dispose()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that finds its way back to the pool also when the task is cancelled while it gets one.

    Cancelled inside SQLAlchemy's checkout, a connection would be left to the garbage collector.
    """
    connection = engine.connect()
    opening = asyncio.ensure_future(connection.start())
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        giving_back = asyncio.create_task(_give_back(connection, opening))
        _GIVING_BACK.add(giving_back)
        giving_back.add_done_callback(_GIVING_BACK.discard)
        await asyncio.wait({giving_back}, timeout=GIVE_BACK_WITHIN_S)  # so that it is done before the loop ends
        raise
    try:
        yield connection
    finally:
        await asyncio.shield(asyncio.create_task(connection.close()))


async def _give_back(connection: AsyncConnection, opening: asyncio.Future[Any]) -> None:
    try:
        await opening
    except (*_BROKEN, asyncio.CancelledError):
        return
    await connection.close()


def open_store(url: str, *, readers: int = 8, create: bool = True, wait_s: float = POOL_WAIT_S) -> Store:
    """The database at `url`; connects only when first used. A SQLite file is created with mode 0600.

    `readers` is how many connections the read path may keep; `wait_s` how long anyone waits for one of the others.

    Raises:
        StoreError: there is no such file and `create` is false.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        assert parsed.database is not None
        path = Path(parsed.database)
        if not create and not path.is_file():
            raise StoreError("there is no database here; run `hub migrate`")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        engine = create_async_engine(parsed, pool_size=8, max_overflow=0, pool_timeout=wait_s)
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    else:
        engine = create_async_engine(parsed, pool_size=8, max_overflow=4, pool_timeout=wait_s)
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return Store(engine, open_reader(url, size=readers))


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """A connection that the server has closed is not given out, nor the others of its time.

    The driver knows it without asking; a ping would be three round trips before each transaction.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError("the server has closed it")


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transaction by itself; `begin` below does
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    """Writers queue at once instead of failing when a read transaction is upgraded."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
