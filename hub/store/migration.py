"""Bringing the hub's database to the schema this program needs, and telling whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hub.store.engine import Store

_HERE = Path(__file__).parent.parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


async def migrate(store: Store, target: str = "head") -> None:
    """Upgrade to `target`; does nothing if it is there already."""
    async with store.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), target))


async def is_current(store: Store) -> bool:
    """Whether the database stands at the newest revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    async with store.read() as connection:
        now = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    return now == head
