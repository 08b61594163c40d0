"""Reading at the driver's speed, on SQLite and on PostgreSQL alike."""

import asyncio
import time

import pytest
from sqlalchemy import Integer, Text, bindparam, cast, literal, select

from hub.errors import StoreError
from hub.store.reader import Prepared, TooLargeError, open_reader

LONG = {
    True: "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    False: "SELECT pg_sleep(60)",
}


def plain(text: str) -> Prepared:
    return Prepared(text=text, names=(), defaults={})


@pytest.fixture
async def reader(store_url):
    one = open_reader(store_url, size=2)
    yield one
    await one.close()


def number(value: int):
    return select(cast(literal(value), Integer))


async def test_a_prepared_statement_takes_what_is_given_and_brings_the_rest(reader):
    prepared = reader.prepare(select(cast(bindparam("a", type_=Integer), Integer), cast(literal("x"), Text)))
    assert [tuple(row) for row in await reader.rows(prepared, {"a": 3})] == [(3, "x")]
    assert [tuple(row) for row in await reader.rows(prepared, {"a": 4})] == [(4, "x")]


async def test_one_parameter_may_stand_in_several_places(reader):
    given = bindparam("a", type_=Integer)
    prepared = reader.prepare(select(cast(given, Integer) + cast(given, Integer)))
    assert (await reader.rows(prepared, {"a": 21}))[0][0] == 42


async def test_more_readers_than_connections_wait_for_their_turn(reader):
    prepared = [reader.prepare(number(n)) for n in range(20)]
    answers = await asyncio.gather(*(reader.rows(one, {}) for one in prepared))
    assert [rows[0][0] for rows in answers] == list(range(20))


async def running(store, text: str) -> int:
    """Statements of this text that the server is running."""
    async with store.read() as connection:
        found = await connection.exec_driver_sql(
            f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '{text}'"
        )
        return found.scalar() or 0


async def test_cancelling_interrupts_the_statement(reader, store_url, opened):
    task = asyncio.create_task(reader.rows(plain(LONG[reader.sqlite]), {}))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await reader.rows(reader.prepare(number(1)), {}))[0][0] == 1
    while not reader.sqlite and await running(opened(store_url), LONG[False]):
        await asyncio.sleep(0.05)
    assert time.monotonic() - started < 10  # left alone, it would go on for a minute, or for ever


async def test_a_statement_that_fails_leaves_its_connection_usable(reader):
    for _ in range(5):  # more often than there are connections
        with pytest.raises(StoreError):
            await reader.rows(plain("SELECT nothing FROM nowhere"), {})
    assert (await reader.rows(reader.prepare(number(1)), {}))[0][0] == 1


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_broken_connection_is_replaced(reader, store_url, opened):
    store = opened(store_url)
    kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'hub'"
    idle = await reader.rows(plain("SELECT pg_backend_pid()"), {})
    async with store.read() as connection:
        assert (await connection.exec_driver_sql(kill)).scalar() == 1
    await asyncio.sleep(0.1)  # until the driver has heard of it
    again = await reader.rows(plain("SELECT pg_backend_pid()"), {})
    assert again[0][0] != idle[0][0]
    task = asyncio.create_task(reader.rows(plain("SELECT pg_sleep(60)"), {}))
    await asyncio.sleep(0.3)
    async with store.read() as connection:
        assert (await connection.exec_driver_sql(kill)).scalar() == 1
    with pytest.raises(StoreError):
        await task
    assert await reader.rows(plain("SELECT pg_backend_pid()"), {})


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_rows_of_arrays_of_rows_are_read_on_a_fresh_connection(reader):
    (row,) = await reader.rows(plain("SELECT ARRAY(SELECT ROW(n, 'x'::text) FROM generate_series(1, 2) n)"), {})
    assert [tuple(cells) for cells in row[0]] == [(1, "x"), (2, "x")]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_an_answer_beyond_its_bytes_is_too_large(reader):
    text = plain(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000) SELECT '1234567890' FROM n"
    )
    assert len(await reader.rows(text, {}, max_bytes=10_000)) == 1_000
    with pytest.raises(TooLargeError):
        await reader.rows(text, {}, max_bytes=9_999)
    assert len(await reader.rows(text, {})) == 1_000


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_an_endless_answer_is_too_large_before_it_fills_the_memory(reader):
    text = plain("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT hex(zeroblob(500)) FROM n")
    with pytest.raises(TooLargeError):
        await reader.rows(text, {}, max_bytes=1_000_000)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_sqlite_reader_writes_nothing(reader):
    with pytest.raises(StoreError):
        await reader.rows(plain("CREATE TABLE t (a integer)"), {})


@pytest.mark.parametrize(
    "url", ["postgresql+asyncpg://nobody@127.0.0.1:9/none", "sqlite+aiosqlite:////nowhere/at/all.db"]
)
async def test_a_database_that_is_not_there_is_a_store_error(url):
    reader = open_reader(url, size=1)
    for _ in range(3):  # a failure gives its place back
        with pytest.raises(StoreError):
            await reader.rows(plain("SELECT 1"), {})
    await reader.close()
