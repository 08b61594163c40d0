from collections.abc import AsyncIterator

import pytest

from hub.bootstrap.parts import Hub
from hub.store.migration import migrate
from tests.connectors.replica.parts import CIVIL, POLICE, Agencies


@pytest.fixture
def agencies(tmp_path) -> Agencies:
    return Agencies(tmp_path)


@pytest.fixture
async def hub(agencies, store_url, clock) -> AsyncIterator[Hub]:
    """A hub that has copied both agencies once, on SQLite and on PostgreSQL."""
    made = agencies.hub(store_url, clock)
    await migrate(made.store)
    for agency in (POLICE, CIVIL):
        assert (await made.copier.copy(agency, anyway=True)).trouble == ""
    clock.advance(60)
    try:
        yield made
    finally:
        await made.close()
