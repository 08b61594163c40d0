"""Builds the index of members from the justice system's own records; running it again changes nothing but dates.

What cases made is left as it is. A member is known by the justice key. A number that is none leaves a member without
one; a number that two records bear marks both as ambiguous, and a look-up by it finds nobody rather than somebody, also
while an import runs.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import JUSTICE
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.identity.ports import Indexer, IndexRecord, IndexSource, Opener, Sealer, key_place, number_place
from hub.identity.tables import CASE_KIND, case_reference, consent, findings, jurisdiction, link, person
from hub.store.engine import Store

BATCH = 500
_KINDS = {"H": "household", "J": "residence", "G": "work"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    members: int
    without_number: int
    ambiguous: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRows:
    """What the index stores of one member. `number` is None where the record bears none that can be one."""

    person: dict[str, object]
    link: dict[str, object]
    offices: list[dict[str, object]]
    number: IdentityNumber | None


class Importer:
    def __init__(
        self,
        *,
        store: Store,
        sealer: Sealer,
        opener: Opener,
        numbers: Indexer,
        keys: Indexer,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._opener = opener
        self._numbers = numbers
        self._keys = keys
        self._clock = clock

    async def run(self, justice: IndexSource, progress: Callable[[int], None] = lambda _count: None) -> ImportReport:
        """Import every record, batch by batch, each batch in one transaction. Memory: one batch."""
        seen = 0
        async for batch in justice.scan(frozenset(), batch=BATCH):
            async with self._store.write() as connection:
                await self._import(connection, batch)
            seen += len(batch)
            progress(seen)
        return await self._mark_ambiguous(seen)

    async def retire(self, before: datetime) -> int:
        """Take out members whom no import has seen since `before`, with their links, cases and consents.

        Only for a register that is known to be complete; an import never takes anybody out by itself.
        """
        gone = select(person.c.person_id).where(person.c.imported_at < before)
        async with self._store.write() as connection:
            count = await connection.scalar(select(func.count()).select_from(gone.subquery()))
            for table in (link, jurisdiction, findings, case_reference, consent):
                await connection.execute(delete(table).where(table.c.person_id.in_(gone)))
            await connection.execute(delete(person).where(person.c.imported_at < before))
        return count or 0

    async def _import(self, connection: AsyncConnection, batch: Sequence[IndexRecord]) -> None:
        known = await self._known(connection, batch)
        doubtful = await self._ambiguous(connection, known.values())
        now = self._clock.now()
        people, links, offices, without = [], [], [], []
        for record in batch:
            person_id = known.get(record.key) or secrets.token_hex(16)
            rows = self.rows(person_id, record, now)
            people.append({**rows.person, "ambiguous": person_id in doubtful})
            if rows.number is None:
                without.append({"person_id": person_id, "kind": "NUMBER_INVALID", "count": 1})
            if record.key not in known:
                links.append(rows.link)
            offices += rows.offices
        ids = [row["person_id"] for row in people]
        for table in (person, findings):
            await connection.execute(delete(table).where(table.c.person_id.in_(ids)))
        registers = (jurisdiction.c.person_id.in_(ids), jurisdiction.c.kind != CASE_KIND)
        await connection.execute(delete(jurisdiction).where(*registers))
        await self._copy(connection, people)
        for table, made in ((person, people), (link, links), (jurisdiction, offices), (findings, without)):
            if made:
                await connection.execute(insert(table), made)

    async def _copy(self, connection: AsyncConnection, people: Sequence[Mapping[str, object]]) -> None:
        """Bring what rows made by cases repeat of the person up to date: who is vaulted is in no list."""
        alike: dict[tuple[object, object], list[object]] = {}
        for row in people:
            alike.setdefault((row["sex"], row["vaulted"]), []).append(row["person_id"])
        for (sex, vaulted), ids in alike.items():
            mine = (jurisdiction.c.person_id.in_(ids), jurisdiction.c.kind == CASE_KIND)
            await connection.execute(update(jurisdiction).where(*mine).values(sex=sex, vaulted=vaulted))

    def rows(self, person_id: str, record: IndexRecord, now: datetime) -> MemberRows:
        """The rows of one member, its numbers sealed and blind-indexed; stores nothing."""
        row, number = self._person(person_id, record, now)
        return MemberRows(
            person=row,
            link=self._link(person_id, record.key, now),
            offices=_offices(row, record),
            number=number,
        )

    async def _known(self, connection: AsyncConnection, batch: Sequence[IndexRecord]) -> dict[str, str]:
        """Justice key → person id, for those imported before."""
        wanted = {self._keys.of(record.key) for record in batch}
        rows = await connection.execute(
            select(link.c.person_id, link.c.key_sealed).where(link.c.agency == JUSTICE, link.c.key_index.in_(wanted))
        )
        return {self._opener.open(key_place(JUSTICE, row[0]), row[1]): row[0] for row in rows}

    async def _marked(self, connection: AsyncConnection) -> set[str]:
        rows = await connection.execute(select(person.c.person_id).where(person.c.ambiguous.is_(True)))
        return {row[0] for row in rows}

    async def _ambiguous(self, connection: AsyncConnection, person_ids: Collection[str]) -> frozenset[str]:
        rows = await connection.execute(
            select(person.c.person_id).where(person.c.person_id.in_(person_ids), person.c.ambiguous.is_(True))
        )
        return frozenset(row[0] for row in rows)

    def _person(
        self, person_id: str, record: IndexRecord, now: datetime
    ) -> tuple[dict[str, object], IdentityNumber | None]:
        values = record.values
        number = _number(values.get("index.number"))
        row: dict[str, object] = {
            "person_id": person_id,
            "number_sealed": self._sealer.seal(number_place(person_id), number.text) if number else None,
            "number_index": self._numbers.of(number.text) if number else None,
            "ambiguous": False,
            "sex": {"M": "MALE", "F": "FEMALE", "1": "MALE", "2": "FEMALE"}.get(str(values.get("index.sex"))),
            "term_start": _day(values.get("index.term_start")),
            "term_end": _day(values.get("index.term_end")),
            "key_person": str(values.get("index.risk_class")) in ("Z", "01"),
            "vaulted": str(values.get("index.vaulted")) == "1",
            "deceased": str(values.get("index.deceased")) == "1",
            "imported_at": now,
        }
        return row, number

    def _link(self, person_id: str, key: str, now: datetime) -> dict[str, object]:
        return {
            "person_id": person_id,
            "agency": JUSTICE,
            "key_index": self._keys.of(key),
            "key_sealed": self._sealer.seal(key_place(JUSTICE, person_id), key),
            "method": "own-key",
            "linked_at": now,
        }

    async def _mark_ambiguous(self, members: int) -> ImportReport:
        """Open the numbers whose blind indexes meet; mark the persons whose numbers are the same."""
        async with self._store.write() as connection:
            meeting = (
                select(person.c.number_index)
                .where(person.c.number_index.is_not(None))
                .group_by(person.c.number_index)
                .having(func.count() > 1)
            )
            rows = await connection.execute(
                select(person.c.person_id, person.c.number_sealed)
                .where(person.c.number_index.in_(meeting))
                .order_by(person.c.number_index)
            )
            by_number: dict[str, list[str]] = {}
            for person_id, sealed in rows:
                by_number.setdefault(self._opener.open(number_place(person_id), sealed), []).append(person_id)
            doubles = {person_id for ids in by_number.values() if len(ids) > 1 for person_id in ids}
            cleared = await self._marked(connection) - doubles
            for ambiguous, marked in ((True, sorted(doubles)), (False, sorted(cleared))):
                for start in range(0, len(marked), BATCH):
                    ids = marked[start : start + BATCH]
                    await connection.execute(
                        update(person).where(person.c.person_id.in_(ids)).values(ambiguous=ambiguous)
                    )
            missing = await connection.scalar(select(func.count()).where(person.c.number_index.is_(None)))
        return ImportReport(members=members, without_number=missing or 0, ambiguous=len(doubles))


def _number(raw: object) -> IdentityNumber | None:
    try:
        return IdentityNumber.parse(raw) if isinstance(raw, str) else None
    except IdentityNumberError:
        return None


def _day(raw: object) -> date | None:
    try:
        return date.fromisoformat(raw[:10]) if isinstance(raw, str) else None
    except ValueError:
        return None


def _offices(row: Mapping[str, object], record: IndexRecord) -> list[dict[str, object]]:
    """Responsible offices. Of several spells at one office the one that ends last counts: J asks until when."""
    raw = record.values.get("index.offices")
    offices: dict[tuple[str, str], dict[str, object]] = {}
    for region, kind, since, until in raw if isinstance(raw, list) else []:
        named = _KINDS.get(str(kind), "household")
        end = _day(until)
        held = offices.get((str(region), named))
        if held is not None and not _ends_later(end, held["valid_to"]):
            continue
        offices[str(region), named] = {
            "person_id": row["person_id"],
            "sex": row["sex"],
            "vaulted": row["vaulted"],
            "region": str(region),
            "kind": named,
            "valid_from": _day(since),
            "valid_to": end,
        }
    return list(offices.values())


def _ends_later(end: date | None, other: object) -> bool:
    """Whether `end` is after `other`; None has no end."""
    return isinstance(other, date) and (end is None or end > other)
