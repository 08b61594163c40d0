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

from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    insert,
    make_url,
    text,
)

from hub.demo.agencies.process import (
    Arguments,
    die_with_parent,
    is_complete,
    mark_complete,
    parse_arguments,
    say_ready,
    show_progress,
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
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _quick)
    metadata = MetaData()
    built = {name: _table(metadata, name, columns, key, integers, main) for name, columns in tables.items()}
    Index(f"ix_{main}_{number}".lower(), built[main].c[number])
    dictionary = Table("DM_ZD", metadata, Column("DMLB", Text), Column("DM", Text), Column("MC", Text))
    if not is_complete(arguments):
        metadata.drop_all(engine)
        metadata.create_all(engine)
        _fill(engine, arguments, agency, built, rows)
        words = [{"DMLB": lb, "DM": dm, "MC": mc} for lb, items in (lists or {}).items() for dm, mc in items.items()]
        if words:
            with engine.begin() as connection:
                connection.execute(insert(dictionary), words)
        mark_complete(arguments)
    public = make_url(url)
    driver = "sqlite+aiosqlite" if engine.dialect.name == "sqlite" else "postgresql+asyncpg"
    say_ready(agency, kind="sql", url=public.set(drivername=driver).render_as_string(hide_password=False))
    asyncio.run(_watch(arguments, engine, main, tables[main], key))


def _table(
    metadata: MetaData, name: str, columns: tuple[str, ...], key: str, integers: frozenset[str], main: str
) -> Table:
    table = Table(name, metadata, *(Column(column, Integer if column in integers else Text) for column in columns))
    Index(f"ix_{name}_{key}".lower(), table.c[key], unique=name == main)
    return table


def _fill(
    engine: Engine,
    arguments: Arguments,
    agency: str,
    tables: dict[str, Table],
    rows: Callable[[World, Someone], Rows | None],
) -> None:
    progress, step = show_progress(agency, arguments.world.total)

    def made() -> Iterator[Rows]:
        for person in people(arguments.world):
            step()
            held = rows(arguments.world, person)
            if held is not None:
                yield held

    stream = made()
    with progress, engine.begin() as connection:
        while batch := list(islice(stream, BATCH)):
            for name, table in tables.items():
                values = [row for held in batch for row in held[name]]
                if values:
                    connection.execute(insert(table), values)


async def _watch(arguments: Arguments, engine: Engine, main: str, columns: tuple[str, ...], key: str) -> None:
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
                _apply(engine, main, columns, key, applied, wanted)
                applied = wanted
                path.write_text(json.dumps({"fault": wanted, "applied": wanted}))

    task = asyncio.create_task(watch())
    await until_signal()
    task.cancel()
    if applied != "none":
        _apply(engine, main, columns, key, applied, "none")
    engine.dispose()


def _apply(engine: Engine, main: str, columns: tuple[str, ...], key: str, before: str, wanted: str) -> None:
    quote = engine.dialect.identifier_preparer.quote
    real, name = quote(f"{main}_real"), quote(main)
    with engine.begin() as connection:
        if before != "none":
            connection.execute(text(f"DROP VIEW {name}"))
            connection.execute(text(f"ALTER TABLE {real} RENAME TO {name}"))
        if wanted != "none":
            connection.execute(text(f"ALTER TABLE {name} RENAME TO {real}"))
            body = _fault(engine.dialect.name, wanted, [quote(column) for column in columns], quote(key))
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
        wait = f"(SELECT count(*) FROM pg_sleep({0.5 if wanted == 'slow' else 3600}))"
    others = [f"{c}" for c in columns if c != columns[-1]]
    return f"SELECT {', '.join(others)}, {columns[-1]} || substr('', 1, {wait}) AS {columns[-1]}" if listed else ""


def _quick(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
