from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, null, select

import hub.audit.tables
import hub.auditing.tables
import hub.casework.case_tables
import hub.casework.oversight_tables
import hub.casework.tables
import hub.connectors.replica.tables
import hub.connectors.tables
import hub.events.tables
import hub.gateway.quota_tables
import hub.identity.tables
import hub.identity.vault_tables
from hub.errors import StoreError
from hub.store.metadata import METADATA
from hub.store.migration import _config, is_current, migrate

OWNERS = (
    hub.audit.tables,
    hub.auditing.tables,
    hub.casework.case_tables,
    hub.casework.oversight_tables,
    hub.casework.tables,
    hub.connectors.replica.tables,
    hub.connectors.tables,
    hub.events.tables,
    hub.gateway.quota_tables,
    hub.identity.tables,
    hub.identity.vault_tables,
)


async def test_migrated_database_has_exactly_the_tables_that_rooms_declare(store):
    async with store.read() as connection:
        found = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), METADATA))
    assert OWNERS
    assert found == []


async def test_migrating_twice_changes_nothing(store):
    await migrate(store)
    assert await is_current(store)


async def test_an_empty_database_is_not_current(store_url, opened):
    assert not await is_current(opened(store_url))


async def test_the_signed_log_does_not_go_back_to_a_chain(store):
    with pytest.raises(StoreError, match="signed over the tree"):
        async with store.write() as connection:
            await connection.run_sync(lambda sync: command.downgrade(_config(sync), "0004"))
    assert await is_current(store)


async def test_a_link_from_before_records_had_names_survives_the_upgrade_and_the_way_back(store):
    link = hub.identity.tables.link
    old = {"person_id": "p", "agency": "justice", "key_index": 7, "key_sealed": b"s", "method": "own-key"}
    async with store.write() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), "0011"))
        await connection.execute(insert(link).values(**old, linked_at=datetime.now(UTC), record=null()))
    await migrate(store)
    async with store.read() as connection:
        rows = (await connection.execute(select(link.c.record, link.c.key_index))).all()
    assert [tuple(row) for row in rows] == [("", 7)]
