"""What a room tells rotation of the sealed columns that it keeps: where values stand, and what is made from them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Table

from hub.crypto.envelope import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Numbers by which persons are found, in a `table` of (person, token), made from all plaintexts of each person.

    `of`: plaintexts of each of many persons → numbers of each, in order.
    """

    table: Table
    of: Callable[[Sequence[Sequence[str]]], Sequence[Collection[int]]]

    @property
    def person(self) -> Column[Any]:
        return self.table.c.person_id

    @property
    def token(self) -> Column[Any]:
        return self.table.c.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A sealed column that the hub keeps.

    `place`: of a row, given its primary key by column name. `salts`: the table of salts, for values of persons; its key
    stands in `table` too. `derived`: other columns, each made from many plaintexts in order. `tokens`: what else is
    made from the plaintexts of a person, who then stands first in the primary key and whose rows are moved together.
    """

    table: Table
    column: str
    place: Callable[[Mapping[str, Any]], Place]
    salts: Table | None = None
    derived: Mapping[str, Callable[[Sequence[str]], Sequence[Any]]] = field(default_factory=dict)
    tokens: Tokens | None = None

    @property
    def key(self) -> Sequence[Column[Any]]:
        return tuple(self.table.primary_key.columns)

    @property
    def sealed(self) -> Column[Any]:
        return self.table.c[self.column]
