"""Writing the log's rows and its head together, or neither: one statement on PostgreSQL, one transaction on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Insert,
    LargeBinary,
    SmallInteger,
    String,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
    update,
)

from hub.audit.tables import audit_entry, audit_head
from hub.errors import StoreError
from hub.store.reader import Reader

MAX_ATTEMPTS = 200  # times that another process may be faster before this one gives up
Result = TypeVar("Result")


class Head(NamedTuple):
    """Where the log ends."""

    seq: int
    time_us: int
    frontier: bytes


class Row(NamedTuple):
    seq: int
    entry_id: str
    time_us: int
    kind: int
    leaf: bytes
    body: bytes


class Rows(NamedTuple):
    """Rows to append, and the head after them."""

    rows: Sequence[Row]
    head: Head


class Appender(Protocol):
    async def append(self, build: Callable[[Head], tuple[Rows, Result]]) -> Result:
        """Append what `build` makes of the head, durable on return; `build` may be called several times.

        Raises:
            StoreError: nothing is known to be appended.
        """
        ...


def open_appender(driver: Reader) -> Appender:
    return _SqliteAppender(driver) if driver.sqlite else _PostgresAppender(driver)


class _PostgresAppender:
    """Keeps the head it left; the statement moves the head from exactly there, or changes nothing."""

    def __init__(self, driver: Reader) -> None:
        self._driver = driver
        self._append = driver.prepare(_append_statement())
        self._read = driver.prepare(select(audit_head.c.seq, audit_head.c.time_us, audit_head.c.frontier))
        self._head: Head | None = None

    async def append(self, build: Callable[[Head], tuple[Rows, Result]]) -> Result:
        for _ in range(MAX_ATTEMPTS):
            before = self._head or await self._current()
            made, result = build(before)
            self._head = None  # until it is known to be where we put it
            columns = list(zip(*made.rows, strict=True))
            given: dict[str, Any] = {
                **{f"new_{name}": value for name, value in made.head._asdict().items()},
                "old_seq": before.seq,
                "old_frontier": before.frontier,
                **{f"{name}s": list(values) for name, values in zip(Row._fields, columns, strict=True)},
            }
            if await self._driver.change(self._append, given):
                self._head = made.head
                return result
        raise StoreError("other writers of the log leave no gap")

    async def _current(self) -> Head:
        rows = await self._driver.rows(self._read, {})
        if not rows:
            raise StoreError("the log has lost its head")
        return Head(*rows[0])


def _append_statement() -> Insert:
    moved = (
        update(audit_head)
        .where(
            audit_head.c.seq == bindparam("old_seq", type_=BigInteger),
            audit_head.c.frontier == bindparam("old_frontier", type_=LargeBinary),
        )
        .values(
            seq=bindparam("new_seq", type_=BigInteger),
            time_us=bindparam("new_time_us", type_=BigInteger),
            frontier=bindparam("new_frontier", type_=LargeBinary),
        )
        .returning(audit_head.c.seq)
        .cte("moved")
    )
    types: dict[str, Any] = {
        "seq": BigInteger,
        "entry_id": String,
        "time_us": BigInteger,
        "kind": SmallInteger,
        "leaf": LargeBinary,
        "body": LargeBinary,
    }
    arrays: list[Any] = [bindparam(f"{name}s", type_=ARRAY(types[name])) for name in Row._fields]
    given = (
        func.unnest(*arrays)
        .table_valued(*(column(name, types[name]) for name in Row._fields), name="given")
        .render_derived()
    )
    source = select(*(given.c[name] for name in Row._fields)).where(
        select(literal_column("1")).select_from(moved).exists()
    )
    return insert(audit_entry).from_select(list(Row._fields), source)


class _SqliteAppender:
    def __init__(self, driver: Reader) -> None:
        self._driver = driver
        self._head = driver.prepare(select(audit_head.c.seq, audit_head.c.time_us, audit_head.c.frontier)).text
        self._insert = driver.prepare(insert(audit_entry)).text
        self._move = driver.prepare(
            update(audit_head).values(seq=bindparam("a"), time_us=bindparam("b"), frontier=bindparam("c"))
        ).text

    async def append(self, build: Callable[[Head], tuple[Rows, Result]]) -> Result:
        results: list[Result] = []

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(self._head).fetchone()
            if found is None:
                raise StoreError("the log has lost its head")
            made, result = build(Head(*found))
            connection.executemany(self._insert, made.rows)
            connection.execute(self._move, made.head)
            results.append(result)

        await self._driver.transaction(work)
        return results[0]
