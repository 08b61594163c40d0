"""The bench database as a hub would find it: six columns held sealed beside the peers' plain ones, in a schema of our own.

The peers' five schemas are left as they are. The mappings read the views of `views.sql`, which never show the six in
plain. Each value is sealed for the place that the mapping names (agency, `at`, column, row).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from benchmarks.peers.parts import HERE
from hub.connectors.mapping import AgencyMapping, Rule
from hub.crypto.envelope import Place
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer

SCHEMA = "hub_bench"
BATCH = 20_000
SAMPLE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SideTable:
    """Sealed columns of the plain table `source`, one row for each of its rows, told apart by the column `row`.

    `at` is the view that the mapping reads. `columns`: sealed name → plain name. `main` tables carry the as-of.
    """

    agency: str
    at: str
    source: str
    row: str
    columns: Mapping[str, str]
    main: bool = False

    @property
    def name(self) -> str:
        return f"{self.at.removeprefix(f'{SCHEMA}.')}_sealed"

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.row, *self.columns, *(("as_of",) if self.main else ()))

    def place(self, column: str, row: object) -> Place:
        return Place(agency=self.agency, table=self.at, column=column, row=str(row))


SIDE_TABLES = (
    SideTable(
        agency="police",
        at="hub_bench.police_hukou",
        source="police.hukou",
        row="resident_id",
        columns={"name_sealed": "name", "address_sealed": "address"},
        main=True,
    ),
    SideTable(
        agency="justice",
        at="hub_bench.justice_sentence",
        source="justice.sentence",
        row="rec_id",
        columns={"crime_sealed": "crime"},
    ),
    SideTable(
        agency="social-security",
        at="hub_bench.social_insurance_account",
        source="social.insurance_account",
        row="rec_id",
        columns={"account_no_sealed": "account_no"},
    ),
    SideTable(
        agency="civil-affairs",
        at="hub_bench.civil_marital_status",
        source="civil.marital_status",
        row="rec_id",
        columns={"spouse_name_sealed": "spouse_name"},
    ),
    SideTable(
        agency="tax",
        at="hub_bench.tax_taxpayer",
        source="tax.taxpayer",
        row="resident_id",
        columns={"tax_no_sealed": "tax_no"},
        main=True,
    ),
)
FILES = {"justice_file": ("sex",), "social_file": (), "civil_file": ()}
"""Main records, and what they hold, of agencies whose tables have many rows a person, or whose one row is nested."""


async def build_sealed(connection: asyncpg.Connection, sealer: Sealer, as_of: datetime) -> int:
    """Make all side tables anew, in one transaction. Returns the number of values sealed."""
    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        for name, columns in FILES.items():
            held = ", ".join(("resident_id", *columns))
            await connection.execute(
                f"CREATE TABLE {SCHEMA}.{name} AS SELECT {held}, timestamptz '{as_of.isoformat()}' AS as_of "
                f"FROM police.hukou ORDER BY resident_id"
            )
            await connection.execute(f"ALTER TABLE {SCHEMA}.{name} ADD PRIMARY KEY (resident_id)")
        sealed = 0
        for side in SIDE_TABLES:
            sealed += await _fill(connection, side, sealer, as_of)
    return sealed


async def build_views(connection: asyncpg.Connection) -> None:
    """(Re)make the views and bring the planner up to date (the bench's server runs without autovacuum)."""
    async with connection.transaction():
        await connection.execute((HERE / "views.sql").read_text("utf-8"))
    for name in (*FILES, *(side.name for side in SIDE_TABLES)):
        await connection.execute(f"VACUUM ANALYZE {SCHEMA}.{name}")


async def _fill(connection: asyncpg.Connection, side: SideTable, sealer: Sealer, as_of: datetime) -> int:
    kinds = {side.row: "int" if side.row == "rec_id" else "text", "as_of": "timestamptz"}
    listed = ", ".join(f"{column} {kinds.get(column, 'bytea')}" for column in side.stored)
    await connection.execute(f"CREATE TABLE {SCHEMA}.{side.name} ({listed})")
    plain = ", ".join((side.row, *side.columns.values()))
    sealed = 0
    cursor = await connection.cursor(f"SELECT {plain} FROM {side.source} ORDER BY {side.row}")
    while rows := await cursor.fetch(BATCH):
        records = [_sealed_row(side, row, sealer, as_of) for row in rows]
        sealed += sum(isinstance(value, bytes) for record in records for value in record)
        await connection.copy_records_to_table(
            side.name, schema_name=SCHEMA, records=records, columns=list(side.stored)
        )
    await connection.execute(f"ALTER TABLE {SCHEMA}.{side.name} ADD PRIMARY KEY ({side.row})")
    return sealed


def _sealed_row(side: SideTable, row: Sequence[Any], sealer: Sealer, as_of: datetime) -> tuple[object, ...]:
    values = [
        None if plain is None else sealer.seal(side.place(column, row[0]), plain)
        for column, plain in zip(side.columns, row[1:], strict=True)
    ]
    return (row[0], *values, *((as_of,) if side.main else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedTable:
    """A table as a mapping reads it: `columns` all of them, `sealed` the rules of sealed ones, `row` their row column."""

    agency: str
    at: str
    columns: tuple[str, ...]
    row: str | None
    sealed: tuple[Rule, ...]


def mapped_tables(mappings: Mapping[str, AgencyMapping]) -> Iterator[MappedTable]:
    for mapping in mappings.values():
        own = (mapping.key, mapping.record, mapping.as_of.source)
        yield _mapped(mapping.agency, mapping.at, own, mapping.record, mapping.rules)
        for nested in mapping.nested.values():
            own = tuple(column for column in (nested.key, nested.order, nested.row) if column)
            yield _mapped(mapping.agency, nested.at, own, nested.row, nested.rules)


def _mapped(agency: str, at: str, own: Sequence[str], row: str | None, rules: Mapping[str, Rule]) -> MappedTable:
    columns = dict.fromkeys((*own, *(rule.source for rule in rules.values())))
    sealed = tuple(rule for rule in rules.values() if rule.sealed)
    return MappedTable(agency=agency, at=at, columns=tuple(columns), row=row, sealed=sealed)


async def check_mapped(connection: asyncpg.Connection, mappings: Mapping[str, AgencyMapping], opener: Opener) -> int:
    """Every mapped column can be read; a sample of every sealed one opens at the mapping's own place. Values opened."""
    opened = 0
    sides = {side.at: side for side in SIDE_TABLES}
    for table in mapped_tables(mappings):
        await connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.at} LIMIT 0")
        for rule in table.sealed:
            side = sides[table.at]
            rows = await connection.fetch(
                f"SELECT v.{table.row}, v.{rule.source}, p.{side.columns[rule.source]} "
                f"FROM {table.at} v JOIN {side.source} p ON p.{table.row} = v.{table.row} "
                f"WHERE p.{side.columns[rule.source]} IS NOT NULL ORDER BY 1 LIMIT {SAMPLE}"
            )
            for row, sealed, plain in rows:
                place = Place(agency=table.agency, table=table.at, column=rule.source, row=str(row))
                if opener.open(place, sealed) != plain:
                    raise AssertionError(f"{rule.field.coordinate} opens to another value")
            opened += len(rows)
    return opened
