"""A simulated agency whose system is a SQL database: SQLite in its own folder, or PostgreSQL by URL.

Fault switches, for tests: write `{"fault": NAME}` to `faults.json` in the agency's folder. The main table is renamed and
a view of its name takes its place: `down` (a view over nothing), `slow` (half a second), `hang` (never), `lie` (wrong
types and codes), `huge` (values of a megabyte), `none` (back to normal). The system answers by rewriting the file with
`"applied": NAME`.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import URL, Column, Connection, Index, Integer, MetaData, Table, Text, event, insert, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.demo.agencies.process import (
    Arguments,
    count_aloud,
    die_with_parent,
    is_complete,
    mark_complete,
    parse_arguments,
    say_ready,
    until_signal,
)
from hub.demo.population import Someone, World, people

Rows = dict[str, list[dict[str, Any]]]
BATCH = 500


def run_sql_system(
    agency: str,
    *,
    main: str,
    key: str,
    number: str,
    tables: dict[str, tuple[str, ...]],
    integers: frozenset[str],
    rows: Callable[[World, Someone], Rows | None],
    lists: dict[str, dict[str, str]] | None = None,
) -> None:
    """Make the database if it is not there, say ready, stay and watch for fault switches."""
    die_with_parent()
    arguments = parse_arguments(agency)
    url = arguments.database_url or f"sqlite:///{(arguments.directory / (agency + '.db')).resolve()}"
    driver = "sqlite+aiosqlite" if make_url(url).get_backend_name() == "sqlite" else "postgresql+asyncpg"
    address = make_url(url).set(drivername=driver)
    metadata = MetaData()
    built = {name: _table(metadata, name, columns, key, integers, main) for name, columns in tables.items()}
    Index(f"ix_{main}_{number}".lower(), built[main].c[number])
    dictionary = Table("DM_ZD", metadata, *(Column(name, Text) for name in ("DMLB", "DM", "MC"))) if lists else None

    def make(connection: Connection) -> None:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        _fill(connection, arguments, built, rows)
        if dictionary is not None:
            words = [
                {"DMLB": lb, "DM": dm, "MC": mc} for lb, items in (lists or {}).items() for dm, mc in items.items()
            ]
            connection.execute(insert(dictionary), words)

    asyncio.run(_live(arguments, agency, address, make, main, tables[main], key))


async def _live(
    arguments: Arguments,
    agency: str,
    address: URL,
    make: Callable[[Connection], None],
    main: str,
    columns: tuple[str, ...],
    key: str,
) -> None:
    """Fill the database once, say ready, then stay for the fault switches."""
    engine = create_async_engine(address)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _quick)
    if not is_complete(arguments):
        async with engine.begin() as connection:
            await connection.run_sync(make)
        mark_complete(arguments)
    say_ready(agency, kind="sql", url=address.render_as_string(hide_password=False))
    await _watch(arguments, engine, main, columns, key)


def _table(
    metadata: MetaData, name: str, columns: tuple[str, ...], key: str, integers: frozenset[str], main: str
) -> Table:
    table = Table(
        name,
        metadata,
        *(Column(column, Integer if {column, f"{name}.{column}"} & integers else Text) for column in columns),
    )
    Index(f"ix_{name}_{key}".lower(), table.c[key], unique=name == main)
    return table


def _fill(
    connection: Connection,
    arguments: Arguments,
    tables: dict[str, Table],
    rows: Callable[[World, Someone], Rows | None],
) -> None:
    step = count_aloud(arguments.world.total)

    def made() -> Iterator[Rows]:
        for person in people(arguments.world):
            step()
            held = rows(arguments.world, person)
            if held is not None:
                yield held

    stream = made()
    while batch := list(islice(stream, BATCH)):
        for name, table in tables.items():
            values = [row for held in batch for row in held[name]]
            if values:
                connection.execute(insert(table), values)


async def _watch(arguments: Arguments, engine: AsyncEngine, main: str, columns: tuple[str, ...], key: str) -> None:
    path = arguments.directory / "faults.json"
    applied = "none"

    async def watch() -> None:
        nonlocal applied
        while True:
            await asyncio.sleep(0.05)
            try:
                wanted = json.loads(path.read_text()).get("fault", "none") if path.exists() else "none"
            except ValueError:
                continue
            if wanted != applied:
                async with engine.begin() as connection:
                    await connection.run_sync(_apply, main, columns, key, applied, wanted)
                applied = wanted
                path.write_text(json.dumps({"fault": wanted, "applied": wanted}))

    task = asyncio.create_task(watch())
    await until_signal()
    task.cancel()
    if applied != "none":
        async with engine.begin() as connection:
            await connection.run_sync(_apply, main, columns, key, applied, "none")
    await engine.dispose()


def _apply(connection: Connection, main: str, columns: tuple[str, ...], key: str, before: str, wanted: str) -> None:
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    real, name = quote(f"{main}_real"), quote(main)
    if before != "none":
        connection.execute(text(f"DROP VIEW {name}"))
        connection.execute(text(f"ALTER TABLE {real} RENAME TO {name}"))
    if wanted != "none":
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {real}"))
        body = _fault(dialect.name, wanted, [quote(column) for column in columns], quote(key))
        connection.execute(text(f"CREATE VIEW {name} AS {body} FROM {real}"))


def _fault(dialect: str, wanted: str, columns: list[str], key: str) -> str:
    """The SELECT list of the view that stands in for the main table."""
    listed = ", ".join(columns)
    if wanted == "down":
        return f"SELECT {', '.join(column for column in columns if column == key)}"
    if wanted == "lie":
        return "SELECT " + ", ".join(
            c if c == key or "SFZH" in c or "gmsfhm" in c else f"'?? {{}}' AS {c}" for c in columns
        )
    if wanted == "huge":
        blob = "hex(zeroblob(1000000))" if dialect == "sqlite" else "repeat('x', 2000000)"
        return "SELECT " + ", ".join(
            c if c == key or "SFZH" in c or "gmsfhm" in c else f"{blob} AS {c}" for c in columns
        )
    rounds = 4_000_000 if wanted == "slow" else 10_000_000_000
    if dialect == "sqlite":
        wait = f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rounds}) SELECT count(*) FROM n)"
    else:
        wait = f"(SELECT count(*)::int FROM pg_sleep({0.5 if wanted == 'slow' else 3600}))"
    others = [f"{c}" for c in columns if c != columns[-1]]
    return f"SELECT {', '.join(others)}, {columns[-1]} || substr('', 1, {wait}) AS {columns[-1]}" if listed else ""


def _quick(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
