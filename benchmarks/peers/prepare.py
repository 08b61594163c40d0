"""Makes the peers' database ready for the hub; running it again does only what is missing.

    python -m benchmarks.peers.prepare [--fresh]

Six sealed columns with their views, the hub's own store with 100,000 members, keys and endpoints.
"""

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from benchmarks.peers.members import import_members, tidy
from benchmarks.peers.parts import STORE, bench_rules, bench_settings, database_url
from benchmarks.peers.sealed_tables import SCHEMA, build_sealed, build_views, check_mapped
from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.bootstrap.secrets import build_key_ring
from hub.clock import today
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.rules import Rules
from hub.settings import Settings
from hub.store.migration import migrate

VERSION = "3"  # of what is sealed and imported; another one makes it anew


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fresh", action="store_true", help="make everything anew, the audit log of earlier runs too")
    asyncio.run(prepare(fresh=options.parse_args().fresh))


async def prepare(*, fresh: bool = False) -> None:
    settings, rules = bench_settings(), bench_rules()
    async with _connected(database_url("hub")) as source:
        if fresh:
            await source.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await source.execute(f"DROP DATABASE IF EXISTS {STORE} WITH (FORCE)")
            shutil.rmtree(
                settings.hub_dir / "keys", ignore_errors=True
            )  # of what was just dropped, whatever their format
        await _make_store(source)
        ring = build_key_ring(settings, rules.catalogue)
        write_endpoints(settings, rules)
        hub = build_hub(settings, rules=rules)
        try:
            await migrate(hub.store)
            async with _connected(database_url(STORE)) as store:
                await _seal(source, hub, Sealer(ring), Opener(ring))
                await _import(source, store, hub)
        finally:
            await hub.close()
    async with _connected(database_url(STORE)) as store:
        await tidy(store)  # with nothing else connected, whose snapshot would keep rows from being seen by all


def write_endpoints(settings: Settings, rules: Rules) -> Path:
    """`agencies.toml`: every agency lives in the peers' one database."""
    url = json.dumps(database_url("hub", "postgresql+asyncpg"))
    path = settings.hub_dir / "agencies.toml"
    path.write_text("".join(f"[agencies.{agency}]\nurl = {url}\n" for agency in rules.mappings), "utf-8")
    return path


async def _seal(source: asyncpg.Connection, hub: Hub, sealer: Sealer, opener: Opener) -> None:
    started = time.monotonic()
    stamp = hub.pseudonyms.of("bench", f"{VERSION}/sealed/{await _fingerprint(source)}")
    if stamp in await _stamps(source):
        print("sealed columns: there already", flush=True)
    else:
        sealed = await build_sealed(source, sealer, hub.clock.now())
        await _stamp(source, stamp)
        print(f"sealed columns: {sealed} values sealed in {time.monotonic() - started:.1f} s", flush=True)
    await build_views(source)
    opened = await check_mapped(source, hub.rules.mappings, opener)
    print(f"views: made; {opened} sealed values opened where the mappings say they stand", flush=True)


async def _import(source: asyncpg.Connection, store: asyncpg.Connection, hub: Hub) -> None:
    """Stamped in the store as well, by the number of its members: somebody may have dropped that database alone."""
    started = time.monotonic()
    stamp = hub.pseudonyms.of("bench", f"{VERSION}/members/{await _fingerprint(source)}")
    wanted = await source.fetchval("SELECT count(*) FROM police.hukou")
    if stamp in await _stamps(source) and await store.fetchval("SELECT count(*) FROM person") == wanted:
        print(f"members: {wanted} there already", flush=True)
        return
    members = await import_members(source, store, hub.importer, hub.clock.now(), today(hub.clock))
    await _stamp(source, stamp)
    print(f"members: {members} imported in {time.monotonic() - started:.1f} s", flush=True)


async def _make_store(source: asyncpg.Connection) -> None:
    if await source.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", STORE) is None:
        await source.execute(f"CREATE DATABASE {STORE}")
        print(f"database {STORE}: made", flush=True)


async def _fingerprint(source: asyncpg.Connection) -> str:
    """Changes when the peers' data does; the keyed stamp over it changes when the keys do."""
    row = await source.fetchrow("SELECT count(*), sum(hashtextextended(resident_id || name, 0)) FROM police.hukou")
    return f"{row[0]}/{row[1]}"


async def _stamps(source: asyncpg.Connection) -> set[str]:
    if await source.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.stamp") is None:
        return set()
    return {row[0] for row in await source.fetch(f"SELECT digest FROM {SCHEMA}.stamp")}


async def _stamp(source: asyncpg.Connection, digest: str) -> None:
    await source.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.stamp (digest text PRIMARY KEY)")
    await source.execute(f"INSERT INTO {SCHEMA}.stamp VALUES ($1) ON CONFLICT DO NOTHING", digest)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
