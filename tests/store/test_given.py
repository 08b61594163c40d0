from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, insert, select, update

from hub.store.given import given

METADATA = MetaData()
thing = Table(
    "given_thing",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger),
    Column("body", LargeBinary),
    Column("other", LargeBinary),
)
ROWS = [
    ("甲", 1, 2**62, b"\x00\xff", b"one"),
    ("甲", 2**40, None, b"", None),
    ('"quoted"', -1, -(2**62), None, bytes(range(256))),
]


async def test_many_rows_arrive_as_they_were_given(store):
    async with store.write() as connection:
        await connection.run_sync(METADATA.create_all)
    rows = given(store.dialect, {column.name: column.type for column in thing.columns})
    arriving = store.driver.prepare(insert(thing).from_select(list(thing.c.keys()), select(rows.rows)))
    changing = store.driver.prepare(
        update(thing)
        .where(thing.c.name == rows.rows.c.name, thing.c.place == rows.rows.c.place)
        .values(body=rows.rows.c.body, other=rows.rows.c.other, number=rows.rows.c.number)
    )
    async with store.write() as connection:
        await connection.exec_driver_sql(arriving.text, tuple(arriving.arguments(rows.arguments(ROWS))))
    assert await stored(store) == sorted(ROWS, key=lambda row: row[:2])
    fresh = [(name, place, 7, b"new" * place if 0 < place < 9 else None, b"x") for name, place, *_ in ROWS[:2]]
    async with store.write() as connection:
        await connection.exec_driver_sql(changing.text, tuple(changing.arguments(rows.arguments(fresh))))
    assert await stored(store) == sorted([*fresh, ROWS[2]], key=lambda row: row[:2])


async def stored(store) -> list[tuple]:
    async with store.read() as connection:
        return sorted((tuple(row) for row in await connection.execute(select(thing))), key=lambda row: row[:2])
