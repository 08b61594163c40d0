"""Builds the index of members from the justice system's own records; running it again changes nothing but dates.

What cases made is left as it is. A member is known by the justice key. A number that is none leaves a member without
one; a number that two records bear marks both as ambiguous, and a look-up by it finds nobody rather than somebody, also
while an import runs.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.domain.agencies import HUB, JUSTICE
from hub.domain.identity_number import IdentityNumber
from hub.failpoints import failpoint
from hub.identity.anchors import anchors_of, stand_anew
from hub.identity.decoy import SALT_BYTES
from hub.identity.leaving import leave, part
from hub.identity.links import Matching, trait_place, written
from hub.identity.matching.traits import traits_of
from hub.identity.member_record import day_of, names_of, number_of, offices_of
from hub.identity.ports import (
    Digests,
    Indexer,
    IndexRecord,
    IndexSource,
    NameIndexer,
    Opener,
    Sealer,
    VaultSource,
    key_place,
    key_row,
    name_place,
    number_place,
)
from hub.identity.tables import (
    CASE_KIND,
    block,
    erased_key,
    findings,
    jurisdiction,
    link,
    name_token,
    person,
    person_name,
    person_salt,
    trait,
)
from hub.identity.vault import Vault, is_vaulted
from hub.store.engine import Store

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    members: int
    without_number: int
    ambiguous: int
    erased: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRows:
    """What the index stores of one member. `number` is None where the record bears none that can be one."""

    person: dict[str, object]
    link: dict[str, object]
    salt: dict[str, object]
    names: list[dict[str, object]]
    tokens: list[dict[str, object]]
    offices: list[dict[str, object]]
    traits: list[dict[str, object]]
    blocks: list[dict[str, object]]
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
        names: NameIndexer,
        erased: Digests,
        vault: Vault,
        clock: Clock,
        matching: Matching | None = None,
    ) -> None:
        """`matching`: keep what other agencies' records are compared with; without it nothing is linked to members."""
        self._matching = matching
        self._store = store
        self._sealer = sealer
        self._numbers = numbers
        self._keys = keys
        self._names = names
        self._erased = erased
        self._vault = vault
        self._open_number = opener.of_persons(HUB, person.name, person.c.number_sealed.name)
        self._open_traits = opener.of_persons(HUB, trait.name, trait.c.traits_sealed.name)
        self._open_key = opener.of_persons(JUSTICE, link.name, link.c.key_sealed.name)
        self._clock = clock

    async def run(self, justice: IndexSource, progress: Callable[[int], None] = lambda _count: None) -> ImportReport:
        """Import every record, batch by batch, each batch in one transaction. Memory: one batch.

        Records of erased persons are passed over.
        """
        seen = erased = members = 0
        async for batch in justice.scan(frozenset(), batch=BATCH):
            async with self._store.write() as connection:
                kept = await self._not_erased(connection, batch)
                members += await self._import(connection, kept)
                failpoint("import.batch")
            failpoint("import.committed")
            seen += len(batch)
            erased += len(batch) - len(kept)
            progress(seen)
        report = await self._mark_ambiguous(members)
        return replace(report, erased=erased)

    async def keep_vaulted(self, agency: str, source: VaultSource) -> int:
        """Put every record of `agency` that is sealed by law into the vault, and nowhere else; how many there are.

        Running it again changes nothing. A record that the agency no longer names stays: no seal ends by itself.
        """
        kept = 0
        async for batch in source.scan_vaulted(batch=BATCH):
            async with self._store.write() as connection:
                await self._vault.keep(connection, agency, batch)
            kept += len(batch)
        return kept

    async def _not_erased(self, connection: AsyncConnection, batch: Sequence[IndexRecord]) -> Sequence[IndexRecord]:
        digests = {erased_digest(self._erased, JUSTICE, record.key): record for record in batch}
        rows = await connection.execute(select(erased_key.c.digest).where(erased_key.c.digest.in_(digests)))
        gone = {row[0] for row in rows}
        return [record for digest, record in digests.items() if digest not in gone]

    async def _import(self, connection: AsyncConnection, records: Sequence[IndexRecord]) -> int:
        """Import one batch; how many of it are members."""
        records = await self._without_vaulted(connection, records)
        moved = await self._moved(connection, records)
        batch = [record for record in records if record.key not in moved]
        known = await self._known(connection, batch)
        doubtful = await self._ambiguous(connection, [person_id for person_id, _ in known.values()])
        now = self._clock.now()
        people, links, offices, without, salts, names, tokens, traits, blocks = [], [], [], [], [], [], [], [], []
        for record in batch:
            person_id, salt = known.get(record.key) or (secrets.token_hex(16), secrets.token_bytes(SALT_BYTES))
            rows = self.rows(person_id, record, now, salt)
            people.append({**rows.person, "ambiguous": person_id in doubtful})
            if rows.number is None:
                without.append({"person_id": person_id, "kind": "NUMBER_INVALID", "count": 1})
            if record.key not in known:
                links.append(rows.link)
                salts.append(rows.salt)
            offices += rows.offices
            names += rows.names
            tokens += rows.tokens
            traits += rows.traits
            blocks += rows.blocks
        ids = [row["person_id"] for row in people]
        for table in (person, findings, person_name, name_token):
            await connection.execute(delete(table).where(table.c.person_id.in_(ids)))
        registers = (jurisdiction.c.person_id.in_(ids), jurisdiction.c.kind != CASE_KIND)
        await connection.execute(delete(jurisdiction).where(*registers))
        await self._copy(connection, people)
        await self._forget_traits(connection, [row["record"] for row in traits], ids)
        blocks += await self._merged_blocks(connection, ids, blocks)
        for table, made in (
            (trait, traits),
            (block, blocks),
            (person, people),
            (link, links),
            (person_salt, salts),
            (jurisdiction, offices),
            (findings, without),
            (person_name, names),
            (name_token, tokens),
        ):
            if made:
                await connection.execute(insert(table), made)
        return len(batch)

    async def _copy(self, connection: AsyncConnection, people: Sequence[Mapping[str, object]]) -> None:
        """Bring what rows made by cases repeat of the person up to date: who is vaulted is in no list."""
        alike: dict[tuple[object, object], list[object]] = {}
        for row in people:
            alike.setdefault((row["sex"], row["vaulted"]), []).append(row["person_id"])
        for (sex, vaulted), ids in alike.items():
            mine = (jurisdiction.c.person_id.in_(ids), jurisdiction.c.kind == CASE_KIND)
            await connection.execute(update(jurisdiction).where(*mine).values(sex=sex, vaulted=vaulted))

    async def _without_vaulted(self, connection: AsyncConnection, records: Sequence[IndexRecord]) -> list[IndexRecord]:
        """`records` but those sealed by law, which go to the vault; whoever was a member by them is none any more.

        Of a survivor of a merge only the record goes that is sealed.
        """
        vaulted = [record for record in records if is_vaulted(record)]
        open_ones = [record for record in records if not is_vaulted(record)]
        known = {key: found[0] for key, found in (await self._known(connection, vaulted)).items()} if vaulted else {}
        merged = await self._moved(connection, vaulted) if known else set()
        await leave(connection, [person_id for key, person_id in known.items() if key not in merged])
        for key in sorted(merged & (await self._known(connection, vaulted)).keys()):
            assert self._matching is not None  # else nobody was merged
            await part(connection, known[key], self._matching.record(JUSTICE, key))
            await stand_anew(connection, self._matching, self._open_traits, known[key])
        await self._vault.keep(connection, JUSTICE, vaulted)
        await self._vault.release(connection, JUSTICE, [record.key for record in open_ones])
        return open_ones

    def rows(self, person_id: str, record: IndexRecord, now: datetime, salt: bytes | None = None) -> MemberRows:
        """The rows of one member, numbers and names sealed under `salt` (a new one if None); stores nothing."""
        salt = salt or secrets.token_bytes(SALT_BYTES)
        row, number = self._person(person_id, record, now, salt)
        names = names_of(record)
        # Sealed first, then indexed: what is sealed under the newest key is indexed under the newest, also in rotation.
        sealed = {kind: self._sealer.seal(name_place(person_id, kind), name, salt) for kind, name in names.items()}
        tokens = {token for name in names.values() for token in self._names.of(name)}
        traits, blocks = self._matched(person_id, record, salt)
        return MemberRows(
            traits=traits,
            blocks=blocks,
            person=row,
            link=self._link(person_id, record.key, now, salt),
            salt={"person_id": person_id, "salt": salt},
            names=[{"person_id": person_id, "kind": kind, "name_sealed": raw} for kind, raw in sealed.items()],
            tokens=[{"person_id": person_id, "token": token} for token in sorted(tokens)],
            offices=offices_of(row, record),
            number=number,
        )

    def _matched(
        self, person_id: str, record: IndexRecord, salt: bytes
    ) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """The anchor of a member, and what it is found by."""
        if self._matching is None:
            return [], []
        traits, named = traits_of(record.values), self._matching.record(JUSTICE, record.key)
        sealed = self._sealer.seal(trait_place(person_id, named), written(traits, anchor=True), salt)
        row: dict[str, object] = {
            "person_id": person_id,
            "record": named,
            "agency": JUSTICE,
            "traits_sealed": sealed,
        }
        return [row], [{"person_id": person_id, "token": token} for token in self._matching.tokens(traits)]

    async def _forget_traits(
        self, connection: AsyncConnection, records: Sequence[object], ids: Sequence[object]
    ) -> None:
        await connection.execute(delete(trait).where(trait.c.record.in_(records)))
        await connection.execute(delete(block).where(block.c.person_id.in_(ids)))

    async def _merged_blocks(
        self, connection: AsyncConnection, ids: Sequence[object], own: Sequence[Mapping[str, object]]
    ) -> list[dict[str, object]]:
        """What these persons are found by besides their `own` records: the anchors of whoever was merged into them."""
        if self._matching is None:
            return []
        anchors = await anchors_of(connection, self._open_traits, ids)
        found = {(person_id, token) for person_id, traits in anchors for token in self._matching.tokens(traits)}
        found -= {(str(row["person_id"]), int(str(row["token"]))) for row in own}
        return [{"person_id": person_id, "token": token} for person_id, token in sorted(found)]

    async def _moved(self, connection: AsyncConnection, batch: Sequence[IndexRecord]) -> set[str]:
        """Keys of records whose member was merged into another: that one is imported by a record of its own."""
        if self._matching is None:
            return set()
        named = {self._matching.record(JUSTICE, record.key): record.key for record in batch}
        rows = await connection.execute(select(link.c.record).where(link.c.record.in_(named), link.c.method == "merge"))
        return {named[row[0]] for row in rows}

    async def _known(self, connection: AsyncConnection, batch: Sequence[IndexRecord]) -> dict[str, tuple[str, bytes]]:
        """Justice key → (person id, salt), for those of `batch` imported before; candidates are opened and compared."""
        keys = {record.key for record in batch}
        wanted = {hashed for key in keys for hashed in self._keys.every(key)}
        rows = await connection.execute(
            select(link.c.person_id, link.c.key_sealed, person_salt.c.salt)
            .join(person_salt, person_salt.c.person_id == link.c.person_id)
            .where(link.c.agency == JUSTICE, link.c.key_index.in_(wanted))
        )
        opened = ((self._open_key(key_row(JUSTICE, row[0]), row[1], row[2]), (row[0], row[2])) for row in rows)
        return {key: found for key, found in opened if key in keys}

    async def _marked(self, connection: AsyncConnection) -> set[str]:
        rows = await connection.execute(select(person.c.person_id).where(person.c.ambiguous.is_(True)))
        return {row[0] for row in rows}

    async def _ambiguous(self, connection: AsyncConnection, person_ids: Collection[str]) -> frozenset[str]:
        rows = await connection.execute(
            select(person.c.person_id).where(person.c.person_id.in_(person_ids), person.c.ambiguous.is_(True))
        )
        return frozenset(row[0] for row in rows)

    def _person(
        self, person_id: str, record: IndexRecord, now: datetime, salt: bytes
    ) -> tuple[dict[str, object], IdentityNumber | None]:
        values = record.values
        number = number_of(values.get("index.number"))
        row: dict[str, object] = {
            "person_id": person_id,
            "number_sealed": self._sealer.seal(number_place(person_id), number.text, salt) if number else None,
            "number_index": self._numbers.of(number.text) if number else None,
            "ambiguous": False,
            "sex": {"M": "MALE", "F": "FEMALE", "1": "MALE", "2": "FEMALE"}.get(str(values.get("index.sex"))),
            "term_start": day_of(values.get("index.term_start")),
            "term_end": day_of(values.get("index.term_end")),
            "key_person": str(values.get("index.risk_class")) in ("Z", "01"),
            "vaulted": str(values.get("index.vaulted")) == "1",
            "deceased": str(values.get("index.deceased")) == "1",
            "imported_at": now,
        }
        return row, number

    def _link(self, person_id: str, key: str, now: datetime, salt: bytes) -> dict[str, object]:
        return {
            "person_id": person_id,
            "agency": JUSTICE,
            "key_sealed": self._sealer.seal(key_place(JUSTICE, person_id), key, salt),
            "key_index": self._keys.of(key),
            "method": "own-key",
            "record": "" if self._matching is None else self._matching.record(JUSTICE, key),
            "linked_at": now,
        }

    async def _mark_ambiguous(self, members: int) -> ImportReport:
        """Open the numbers whose blind indexes meet; mark the persons whose numbers are the same.

        While rows stand under two index keys, equal numbers may not meet: then marks are added and none is taken away.
        """
        async with self._store.write() as connection:
            meeting = (
                select(person.c.number_index)
                .where(person.c.number_index.is_not(None), person.c.merged_into.is_(None))
                .group_by(person.c.number_index)
                .having(func.count() > 1)
            )
            rows = await connection.execute(
                select(person.c.person_id, person.c.number_sealed, person_salt.c.salt)
                .join(person_salt, person_salt.c.person_id == person.c.person_id)
                .where(person.c.number_index.in_(meeting), person.c.merged_into.is_(None))
                .order_by(person.c.number_index)
            )
            by_number: dict[str, list[str]] = {}
            for person_id, sealed, salt in rows:
                by_number.setdefault(self._open_number(person_id, sealed, salt), []).append(person_id)
            doubles = {person_id for ids in by_number.values() if len(ids) > 1 for person_id in ids}
            moving = len(self._numbers.every("")) > 1
            cleared = set() if moving else await self._marked(connection) - doubles
            failpoint("import.marking")
            for ambiguous, marked in ((True, sorted(doubles)), (False, sorted(cleared))):
                for start in range(0, len(marked), BATCH):
                    ids = marked[start : start + BATCH]
                    await connection.execute(
                        update(person).where(person.c.person_id.in_(ids)).values(ambiguous=ambiguous)
                    )
            missing = await connection.scalar(select(func.count()).where(person.c.number_index.is_(None)))
        return ImportReport(members=members, without_number=missing or 0, ambiguous=len(doubles))


def erased_digest(digests: Digests, agency: str, key: str) -> str:
    """What is kept of an erased person's key, so that an import knows it again."""
    return digests.of("key", f"{agency}/{key}")
