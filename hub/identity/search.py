"""Finding members by name: tokens name candidates, whose sealed names are opened and compared.

This tells nothing of who may see whom: whoever asks puts the ids to `PersonIndex.members` and obeys the facts.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, bindparam, case, column, func, select
from sqlalchemy import any_ as any_of

from hub.domain.agencies import HUB
from hub.identity.decoy import Decoy
from hub.identity.names import EXACT_FROM, NameIndexes, normalised, readings_of
from hub.identity.ports import Opener, Sealer, name_place, name_row
from hub.identity.tables import name_token, person, person_name, person_salt
from hub.store.reader import Prepared, Reader

CANDIDATES = 32
OPENED = 48
"""Sealed names that a search opens, whoever is or is not found."""
_DECOY = "decoy"


class NameMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A member who may be meant. `likeness`: exact, homophone or partial."""

    member_id: str
    name: str
    kind: str
    likeness: str


_ORDER = {"exact": 0, "homophone": 1, "partial": 2}


class NameSearch:
    def __init__(self, *, reader: Reader, opener: Opener, sealer: Sealer, indexes: NameIndexes) -> None:
        self._reader = reader
        self._indexes = indexes
        self._open = opener.of_persons(HUB, person_name.name, person_name.c.name_sealed.name)
        self._decoy = Decoy(sealer, self._open, name_place(_DECOY, "name"), "无名氏")
        self._statement: Prepared | None = None

    async def search(self, name: str, *, first: int = 20) -> tuple[NameMatch, ...]:
        """Members whose name, former name or alias is, sounds like, or shares a pair of characters with `name`.

        Exact ones first; at most `first` and `CANDIDATES`. One statement and `OPENED` openings, hit or miss.
        """
        if self._statement is None:
            self._statement = self._reader.prepare(self._build())
        tokens = sorted(self._indexes.every(name))
        rows = await self._reader.rows(self._statement, {"tokens": self._many(tokens), "limit": OPENED})
        found: dict[str, NameMatch] = {}
        for row in rows:
            opened = self._open(name_row(row[0], row[1]), row[2], row[3])
            likeness = _likeness(name, opened)
            held = found.get(row[0])
            if likeness and (held is None or _ORDER[likeness] < _ORDER[held.likeness]):
                found[row[0]] = NameMatch(member_id=row[0], name=opened, kind=row[1], likeness=likeness)
        self._decoy.open(OPENED - len(rows))
        return tuple(sorted(found.values(), key=lambda match: (_ORDER[match.likeness], match.member_id))[:first])

    def _build(self) -> Any:
        """(person id, kind, sealed name, salt) of the candidates that share most tokens, whole names first."""
        hits = (
            select(
                name_token.c.person_id,
                func.max(case((name_token.c.token >= EXACT_FROM, 1), else_=0)).label("whole"),
                func.count().label("shared"),
            )
            .join(person, person.c.person_id == name_token.c.person_id)
            .where(self._among(name_token.c.token), person.c.vaulted.is_(False))
            .group_by(name_token.c.person_id)
            .order_by(column("whole").desc(), column("shared").desc(), name_token.c.person_id)
            .limit(CANDIDATES)
            .subquery("hits")
        )
        return (
            select(person_name.c.person_id, person_name.c.kind, person_name.c.name_sealed, person_salt.c.salt)
            .join(hits, hits.c.person_id == person_name.c.person_id)
            .join(person_salt, person_salt.c.person_id == person_name.c.person_id)
            .order_by(hits.c.whole.desc(), hits.c.shared.desc(), person_name.c.person_id, person_name.c.kind.desc())
            .limit(bindparam("limit", type_=BigInteger))
        )

    def _among(self, token: ColumnElement[Any]) -> ColumnElement[bool]:
        if self._reader.sqlite:
            return token.in_(select(column("value")).select_from(func.json_each(bindparam("tokens", type_=Text))))
        return token == any_of(bindparam("tokens", type_=ARRAY(BigInteger)))

    def _many(self, tokens: Sequence[int]) -> Any:
        return msgspec.json.encode(tokens).decode() if self._reader.sqlite else list(tokens)


def _likeness(asked: str, held: str) -> str | None:
    """How alike two names are; None where only the truncated tokens met."""
    one, two = normalised(asked), normalised(held)
    if one == two:
        return "exact"
    sounds, others = readings_of(held), readings_of(asked)
    if one.isascii():
        spelled = "".join(readings[0] for readings in sounds)
        return "homophone" if spelled == one else None
    if len(sounds) == len(others) and all(set(a) & set(b) for a, b in zip(sounds, others, strict=True)):
        return "homophone"
    pairs = {one[n : n + 2] for n in range(len(one) - 1)} & {two[n : n + 2] for n in range(len(two) - 1)}
    if pairs or (len(one) == len(two) == 2 and (one[0] == two[0] or one[1] == two[1])):
        return "partial"
    return None
