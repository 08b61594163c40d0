from datetime import date

import pytest

from hub.audit.reader import dump
from hub.audit.refusals import RefusalSummary
from hub.bootstrap.build import build_hub
from hub.bootstrap.front import lifespan
from hub.bootstrap.keeping import kept_everywhere
from hub.bootstrap.secrets import build_key_ring, build_secrets
from hub.demo.agencies.civil_affairs import write_drop
from hub.demo.agencies.process import Arguments
from hub.demo.population import World
from hub.errors import StoreError
from hub.settings import load_settings
from hub.store.metadata import METADATA
from hub.store.migration import migrate

WORLD = World(seed=5, members=20, today=date(2026, 11, 24))


@pytest.fixture
def settings(tmp_path):
    drop = write_drop(Arguments(directory=tmp_path / "civil-affairs", world=WORLD, port=0, database_url=None))
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "agencies.toml").write_text(f'[agencies.civil-affairs]\npath = "{drop.parent}"\n')
    return load_settings(data_dir=tmp_path, demo=True)


async def test_a_file_drop_begins_to_load_when_the_server_starts(settings):
    hub = build_hub(settings)
    await migrate(hub.store)
    source = hub.sources["civil-affairs"].connector
    async with lifespan(hub, RefusalSummary(hub.log)):
        assert source._loading is not None or source._drop is not None
        assert [line async for line in dump(hub.store)]  # the start stands in the log
    assert source._loading is None


async def test_a_database_that_is_behind_does_not_start(settings):
    hub = build_hub(settings)
    with pytest.raises(StoreError, match="hub migrate"):
        async with lifespan(hub, RefusalSummary(hub.log)):
            pass
    await hub.close()


def test_no_sealed_column_is_forgotten_when_keys_are_rotated(settings):
    secrets = build_secrets(build_key_ring(settings))
    sealed = {
        (table.name, column.name)
        for table in METADATA.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    kept = [(each.table.name, each.column) for each in kept_everywhere(secrets)]
    assert sealed == set(kept)
    assert len(kept) == len(set(kept))
