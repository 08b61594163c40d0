"""Reading at the driver's speed: SQLAlchemy builds a statement once, the driver runs it as prepared text.

SQLAlchemy's own execution costs several times what PostgreSQL needs for an indexed look-up (measured; see
docs/performance.md). Writes, migrations and everything that is not on the read path stay with SQLAlchemy.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
from sqlalchemy import URL, Dialect, Executable, make_url
from sqlalchemy.dialects import postgresql, sqlite

from hub.errors import StoreError

SQLITE_STEP = 64
_BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # an audit entry must be on disk before its answer leaves
    "busy_timeout": "5000",
    "temp_store": "MEMORY",
    "secure_delete": "ON",
    "wal_autocheckpoint": "8000",  # pages: a large transaction need not wait for those before it to be put in place
}
_POSTGRESQL: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
_SQLITE: Dialect = sqlite.dialect()


class TooLargeError(StoreError):
    """An answer is larger than its reader may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Text for one driver. `names` are its parameters in order; `defaults` those that the statement itself brings."""

    text: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        return [given[name] if name in given else self.defaults[name] for name in self.names]


class Reader(Protocol):
    """Runs prepared statements, each in its own implicit transaction, on a small pool of connections."""

    @property
    def sqlite(self) -> bool: ...

    def prepare(self, statement: Executable) -> Prepared: ...

    async def rows(
        self, prepared: Prepared, given: Mapping[str, Any], *, max_bytes: int = 0
    ) -> Sequence[Sequence[Any]]:
        """All rows, in order. `max_bytes` (SQLite only; 0: no bound) limits the text and bytes in them.

        Raises:
            StoreError: the database does not answer. TooLargeError: more than `max_bytes`.
        """
        ...

    async def change(self, prepared: Prepared, given: Mapping[str, Any]) -> int:
        """Run one statement that changes rows, durable on return; how many it changed (PostgreSQL only)."""
        ...

    async def transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run `work` in an exclusive transaction, in a thread; durable on return (SQLite only)."""
        ...

    async def close(self) -> None: ...


def open_reader(url: str, *, size: int) -> Reader:
    """A reader of the database at an SQLAlchemy `url` with an async driver; connects when first used."""
    parsed = make_url(url)
    return SqliteReader(parsed, size) if parsed.get_backend_name() == "sqlite" else PostgresReader(parsed, size)


def _prepare(statement: Executable, dialect: Dialect) -> Prepared:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every executable compiles
    names = tuple(compiled.positiontup or ())
    return Prepared(text=str(compiled), names=names, defaults=dict(compiled.params))


class PostgresReader:
    def __init__(self, url: URL, size: int) -> None:
        self._options = _asyncpg_options(url)
        self._idle: deque[Any] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._size = size
        self._open = 0
        self.sqlite = False

    def prepare(self, statement: Executable) -> Prepared:
        return _prepare(statement, _POSTGRESQL)

    async def rows(
        self, prepared: Prepared, given: Mapping[str, Any], *, max_bytes: int = 0
    ) -> Sequence[Sequence[Any]]:
        arguments = prepared.arguments(given)
        connection = await self._take()
        try:
            rows: Sequence[Sequence[Any]] = await connection.fetch(prepared.text, *arguments)
            return rows
        except _BROKEN as exc:
            raise StoreError("database does not answer") from exc
        finally:
            self._give_back(connection)

    async def change(self, prepared: Prepared, given: Mapping[str, Any]) -> int:
        arguments = prepared.arguments(given)
        connection = await self._take()
        try:
            tag: str = await connection.execute(prepared.text, *arguments)
            return int(tag.rpartition(" ")[2])
        except _BROKEN as exc:
            raise StoreError("database does not answer") from exc
        finally:
            self._give_back(connection)

    async def transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        raise TypeError("PostgreSQL changes by statement")

    async def _take(self) -> Any:
        """A connection for this task alone: an idle one, a new one, or the next that is given back."""
        while True:
            while self._idle:
                connection = self._idle.pop()  # last in, first out: few connections stay hot
                if not connection.is_closed():
                    return connection
                self._open -= 1
            if self._open < self._size:
                return await self._connect()
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn was ours already: pass it on
                raise

    async def _connect(self) -> Any:
        self._open += 1
        try:
            connection = await asyncpg.connect(**self._options)
            # Learns the type of arrays of rows: the driver cannot look it up while it decodes a row that holds one.
            await connection.fetch("SELECT ARRAY[ROW(1)]")
            return connection
        except BaseException as exc:
            self._open -= 1
            self._wake()
            if isinstance(exc, _BROKEN):
                raise StoreError("database does not answer") from exc
            raise

    def _give_back(self, connection: Any) -> None:
        self._idle.append(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def close(self) -> None:
        while self._idle:
            self._open -= 1
            await self._idle.pop().close(timeout=2)


def _asyncpg_options(url: URL) -> dict[str, Any]:
    query = {name: value for name, value in url.query.items() if name in ("host", "port")}
    named = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
        **query,
    }
    # The plans of our statements do not depend on their parameters; planning them anew each time would cost more than
    # running them.
    settings = {"plan_cache_mode": "force_generic_plan", "jit": "off", "application_name": "hub"}
    kept = {name: value for name, value in named.items() if value is not None}
    return {**kept, "server_settings": settings, "statement_cache_size": 512, "timeout": 5}


class SqliteReader:
    """sqlite3 in a few threads of its own: one hop a statement."""

    def __init__(self, url: URL, size: int) -> None:
        self._path = url.database or ":memory:"
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._writer: sqlite3.Connection | None = None
        self._idle: deque[sqlite3.Connection] = deque()
        self._places = asyncio.Semaphore(size)
        self.sqlite = True

    def prepare(self, statement: Executable) -> Prepared:
        return _prepare(statement, _SQLITE)

    async def rows(
        self, prepared: Prepared, given: Mapping[str, Any], *, max_bytes: int = 0
    ) -> Sequence[Sequence[Any]]:
        async with self._places:
            try:
                connection = self._idle.pop() if self._idle else self._connect()
            except sqlite3.Error as exc:
                raise StoreError("database does not answer") from exc
            running = asyncio.get_running_loop().run_in_executor(
                self._threads, _run, connection, prepared.text, prepared.arguments(given), max_bytes
            )
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                connection.interrupt()  # else its thread would go on
                await asyncio.wait([running])
                running.exception()
                raise
            except sqlite3.Error as exc:
                raise StoreError("database does not answer") from exc
            finally:
                self._idle.append(connection)

    async def change(self, prepared: Prepared, given: Mapping[str, Any]) -> int:
        raise TypeError("SQLite changes by transaction")

    async def transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.shield(loop.run_in_executor(self._writing, self._exclusively, work))
        except sqlite3.Error as exc:
            raise StoreError("database does not answer") from exc

    def _exclusively(self, work: Callable[[sqlite3.Connection], None]) -> None:
        if self._writer is None:
            self._writer = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            for name, value in PRAGMAS.items():
                self._writer.execute(f"PRAGMA {name}={value}")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            work(self._writer)
            self._writer.execute("COMMIT")
        finally:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute("PRAGMA busy_timeout=5000")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA query_only=ON")
        return connection

    async def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._writing.shutdown(wait=True)
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        while self._idle:
            self._idle.pop().close()


def _run(connection: sqlite3.Connection, text: str, arguments: list[Any], max_bytes: int) -> list[Any]:
    cursor = connection.execute(text, arguments)
    try:
        if not max_bytes:
            return cursor.fetchall()
        rows: list[Any] = []
        size = 0
        while step := cursor.fetchmany(SQLITE_STEP):
            size += sum(len(value) for row in step for value in row if isinstance(value, str | bytes))
            if size > max_bytes:
                raise TooLargeError("answer is too large")
            rows += step
        return rows
    finally:
        cursor.close()
