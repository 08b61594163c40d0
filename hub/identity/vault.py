"""The vault: records sealed by law (封存), kept apart from everything that other questions can reach.

Holds juvenile records (criminal procedure law, article 286) and public-security records (public security
administration punishments law, article 136). Sealing is control and not deletion: nothing here ends by itself. Who may
look into it, and after what, is the statutory procedure's business (`gateway.statutory`).
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.clock import Clock
from hub.crypto.envelope import Place
from hub.crypto.kept import Kept
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.identity.links import aware
from hub.identity.ports import Indexer, IndexRecord, Opener, Sealer
from hub.identity.vault_tables import vault_query, vault_record

VAULT = "vault"  # names the key that seals here


class VaultedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record as its owner gave it at import. `values` by the names that the import has."""

    record_id: str
    agency: str
    key: str
    values: dict[str, object]
    imported_at: datetime


class Vault:
    """`numbers` and `keys` are blind indexes of the vault alone."""

    def __init__(self, *, sealer: Sealer, opener: Opener, numbers: Indexer, keys: Indexer, clock: Clock) -> None:
        self._sealer = sealer
        self._opener = opener
        self._numbers = numbers
        self._keys = keys
        self._clock = clock

    async def keep(self, connection: AsyncConnection, agency: str, records: Sequence[IndexRecord]) -> None:
        """Put `records` of `agency` in; of one key the last.

        A record that is there keeps its id, which queries and notices name, and the time when it came; one that says
        what it said is not written.
        """
        wanted = {record.key: record for record in records}
        under = await self._under(connection, agency, wanted)
        held = {one.key: one for one in under}
        await self._delete(connection, [one.record_id for one in under if one is not held[one.key]])
        now, new = self._clock.now(), []
        for key, record in wanted.items():
            known = held.get(key)
            if known is None:
                new.append(self.row(agency, record, now))
            elif known.values != orjson.loads(_content(record))["values"]:
                mine = update(vault_record).where(vault_record.c.record_id == known.record_id)
                await connection.execute(mine.values(self._row(known.record_id, record)))
        if new:
            await connection.execute(insert(vault_record), new)

    async def release(self, connection: AsyncConnection, agency: str, keys: Collection[str]) -> None:
        """Take out what stands under `keys`: the seal was lifted."""
        await self._delete(connection, [one.record_id for one in await self._under(connection, agency, keys)])

    async def _under(
        self, connection: AsyncConnection, agency: str, keys: Collection[str]
    ) -> tuple[VaultedRecord, ...]:
        """What stands under `keys`, by id. Candidates are opened and compared."""
        wanted = set(keys)
        if not wanted:
            return ()
        rows = await connection.execute(
            select(vault_record)
            .where(
                vault_record.c.agency == agency,
                vault_record.c.key_index.in_({index for key in wanted for index in self._keys.every(key)}),
            )
            .order_by(vault_record.c.record_id)
        )
        return tuple(one for one in map(self._record, rows) if one.key in wanted)

    @staticmethod
    async def _delete(connection: AsyncConnection, record_ids: Sequence[str]) -> None:
        if record_ids:
            await connection.execute(delete(vault_record).where(vault_record.c.record_id.in_(record_ids)))

    async def find(self, connection: AsyncConnection, number: IdentityNumber) -> tuple[VaultedRecord, ...]:
        """Every record of the bearer of `number`, of all owners, by id. Candidates are opened and compared."""
        rows = await connection.execute(
            select(vault_record)
            .where(vault_record.c.number_index.in_(self._numbers.every(number.text)))
            .order_by(vault_record.c.record_id)
        )
        records = (self._record(row) for row in rows)
        return tuple(record for record in records if _number(record.values) == number.text)

    def row(self, agency: str, record: IndexRecord, now: datetime) -> dict[str, object]:
        """The row of a new record; stores nothing."""
        record_id = secrets.token_hex(16)
        return {"record_id": record_id, "agency": agency, "imported_at": now, **self._row(record_id, record)}

    def _row(self, record_id: str, record: IndexRecord) -> dict[str, object]:
        """What may change of a record: its content, and the blind indexes of it."""
        number = _number(dict(record.values))
        return {
            "number_index": None if number is None else self._numbers.of(number),
            "key_index": self._keys.of(record.key),
            "content_sealed": self._sealer.seal(_place(record_id), _content(record)),
        }

    def _record(self, row: object) -> VaultedRecord:
        held = row._mapping  # type: ignore[attr-defined]  # a row of SQLAlchemy
        content = orjson.loads(self._opener.open(_place(held["record_id"]), held["content_sealed"]))
        return VaultedRecord(
            record_id=held["record_id"],
            agency=held["agency"],
            key=content["key"],
            values=content["values"],
            imported_at=aware(held["imported_at"]),
        )


def kept_in_vault(numbers: Indexer, keys: Indexer) -> Sequence[Kept]:
    """The sealed columns of the vault, as rotation goes over them."""

    def numbers_of(contents: Sequence[str]) -> list[int | None]:
        held = [_number(orjson.loads(content)["values"]) for content in contents]
        return [None if number is None else numbers.of(number) for number in held]

    def keys_of(contents: Sequence[str]) -> Sequence[int]:
        return keys.each([orjson.loads(content)["key"] for content in contents])

    return (
        Kept(
            table=vault_record,
            column=vault_record.c.content_sealed.name,
            place=lambda key: _place(key["record_id"]),
            derived={vault_record.c.number_index.name: numbers_of, vault_record.c.key_index.name: keys_of},
        ),
        Kept(
            table=vault_query,
            column=vault_query.c.number_sealed.name,
            place=lambda key: query_place(key["query_id"]),
        ),
    )


def query_place(query_id: str) -> Place:
    return Place(agency=VAULT, table=vault_query.name, column=vault_query.c.number_sealed.name, row=query_id)


def is_vaulted(record: IndexRecord) -> bool:
    """Whether the source marks the record as sealed by law."""
    return str(record.values.get("index.vaulted")) == "1"


def _place(record_id: str) -> Place:
    return Place(agency=VAULT, table=vault_record.name, column="content_sealed", row=record_id)


def _content(record: IndexRecord) -> str:
    return orjson.dumps({"key": record.key, "values": dict(record.values)}).decode()


def _number(values: dict[str, object]) -> str | None:
    raw = values.get("index.number")
    try:
        return IdentityNumber.parse(raw).text if isinstance(raw, str) else None
    except IdentityNumberError:
        return None
