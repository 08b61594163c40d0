"""Rotation's way to one sealed column in the store: its pages, and the change of a page by compare-and-set."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    Executable,
    LargeBinary,
    Select,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.crypto.kept import Kept, Tokens
from hub.crypto.resealing import Key, Line, Moving
from hub.store.engine import Store
from hub.store.given import Given, given
from hub.store.reader import Prepared


class KeptColumn:
    """One sealed column in one store; pages of at most `batch` rows, in order of the primary key."""

    def __init__(self, store: Store, kept: Kept, batch: int) -> None:
        self.kept = kept
        self._store = store
        self._batch = batch
        self._names = [one.name for one in kept.key]
        self._bound = self._names if kept.tokens is None else self._names[:1]
        prepare = store.driver.prepare
        self._first = prepare(_page(kept).limit(batch))
        self._next = prepare(_page(kept, after=True).limit(batch))
        self._held = prepare(_held(kept, self._bound))
        new = {name: kept.table.c[name].type for name in (kept.column, *kept.derived)}
        self._fresh = given(store.dialect, {**new, **{f"key_{one.name}": one.type for one in kept.key}})
        self._change = prepare(_change(kept, self._fresh))
        self._tokens = None if kept.tokens is None else _TokenTable(store, kept.tokens)

    async def page(self, after: Key | None) -> list[Line]:
        """The next rows after a key; where tokens are made, no person's rows are torn apart if that can be."""
        statement = self._first if after is None else self._next
        rows = await self._store.driver.rows(statement, _named("after", self._names, after or ()))
        width = len(self._names)
        page = [(tuple(row[:width]), row[width], row[width + 1] or b"") for row in rows]
        if self._tokens is not None and len(page) == self._batch:
            last = page[-1][0][0]
            return [line for line in page if line[0][0] != last] or page  # the last person may go on
        return page

    async def write(self, connection: AsyncConnection, moving: Moving) -> int:
        """Change what is still as it was read, under locks in order of the key; how many values.

        A person of whom a row has changed, or come, or gone, is left whole to the next pass: the tokens would not be
        theirs.
        """
        keys = list(moving.old)
        bounds = {**_named("from", self._bound, keys[0]), **_named("to", self._bound, keys[-1])}
        now = {tuple(row[:-1]): row[-1] for row in await _run(connection, self._held, bounds)}
        changed = {key for key, old in moving.old.items() if now.get(key) != old}
        if self._tokens is not None:
            left = {key[0] for key in changed} | {key[0] for key in now if key not in moving.old}
            changed.update(key for key in moving.old if key[0] in left)
            await self._tokens.change(connection, {who: made for who, made in moving.tokens.items() if who not in left})
        fresh = [(*values, *key) for key, values in moving.fresh.items() if key not in changed]
        if fresh:
            await _run(connection, self._change, self._fresh.arguments(fresh))
        return len(fresh)


class _TokenTable:
    """The tokens of many persons, replaced by two statements."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._sqlite = store.dialect == "sqlite"
        table, person, token = tokens.table, tokens.person, tokens.token
        if self._sqlite:
            persons = func.json_each(bindparam("persons", type_=Text)).table_valued("key", "value", name="bearer")
            each = func.json_each(persons.c.value).table_valued("value", name="borne")
            source = select(persons.c.key, each.c.value).select_from(persons.join(each, true()))
            named = func.json_each(bindparam("persons", type_=Text)).table_valued("key", name="named")
            gone = delete(table).where(person.in_(select(named.c.key)))
        else:
            self._given = given(store.dialect, {person.name: person.type, token.name: token.type})
            source = select(self._given.rows)
            gone = delete(table).where(person == any_(bindparam("persons", type_=ARRAY(person.type))))
        self._gone = store.driver.prepare(gone)
        self._there = store.driver.prepare(insert(table).from_select([person.name, token.name], source))

    async def change(self, connection: AsyncConnection, tokens: Mapping[Any, Sequence[int]]) -> None:
        if self._sqlite:
            persons = {"persons": orjson.dumps(tokens).decode()}
            await _run(connection, self._gone, persons)
            await _run(connection, self._there, persons)
            return
        await _run(connection, self._gone, {"persons": list(tokens)})
        if rows := [(person, token) for person, made in tokens.items() for token in made]:
            await _run(connection, self._there, self._given.arguments(rows))


async def _run(connection: AsyncConnection, prepared: Prepared, arguments: Mapping[str, Any]) -> Any:
    return await connection.exec_driver_sql(prepared.text, tuple(prepared.arguments(arguments)))


def _page(kept: Kept, *, after: bool = False) -> Select[Any]:
    """Key, sealed value and salt, in order of the key."""
    bound = [bindparam(f"after_{one.name}", type_=one.type) for one in kept.key]
    if kept.salts is None:
        query = select(*kept.key, kept.sealed, literal(None, LargeBinary))
    else:
        (owner,) = kept.salts.primary_key.columns
        owned = kept.table.c[owner.name]
        query = select(*kept.key, kept.sealed, kept.salts.c.salt).join_from(kept.table, kept.salts, owner == owned)
        if after and owned.name == kept.key[0].name:
            query = query.where(owner >= bound[0])  # says so to a plan that reads salts in their order
    query = query.where(kept.sealed.is_not(None)).order_by(*kept.key)
    return query.where(tuple_(*kept.key) > tuple_(*bound)) if after else query


def _held(kept: Kept, names: Sequence[str]) -> Select[Any]:
    """Key and sealed value of the rows between two keys, or their first columns, locked in order of the key."""
    columns = [kept.table.c[name] for name in names]
    first, last = ([bindparam(f"{kind}_{one.name}", type_=one.type) for one in columns] for kind in ("from", "to"))
    between = (tuple_(*columns) >= tuple_(*first), tuple_(*columns) <= tuple_(*last))
    query = select(*kept.key, kept.sealed).where(kept.sealed.is_not(None), *between)
    return query.order_by(*kept.key).with_for_update()


def _change(kept: Kept, fresh: Given) -> Executable:
    same = (one == fresh.rows.c[f"key_{one.name}"] for one in kept.key)
    return update(kept.table).where(*same).values({name: fresh.rows.c[name] for name in (kept.column, *kept.derived)})


def _named(kind: str, names: Sequence[str], values: Sequence[Any]) -> Mapping[str, Any]:
    return {f"{kind}_{name}": value for name, value in zip(names, values, strict=False)}
