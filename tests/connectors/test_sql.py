"""One fetch of a SQL source, on SQLite and on PostgreSQL alike."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from hub.connectors import sql, sql_statement
from hub.connectors.base import Fetch, KeyKind, Layout, MemoryQuarantine, Part, SourceFailure, SourceState
from hub.connectors.rows import MAX_NESTED
from hub.connectors.sql import SqlConnector
from hub.domain.catalogue import Shape, ValueType
from hub.store.reader import open_reader
from tests.auth.parts import read_codes
from tests.connectors.parts import mapping, nested, rule

CODES = read_codes()
INNER = {"type_name": "Child"}
MAPPING = mapping(
    rule("name"),
    rule("born", ValueType.DATE),
    rule("paid", ValueType.DECIMAL),
    nested("jobs", rule("job", field_of=INNER), rule("grade", ValueType.INT, field_of=INNER), order="n"),
    nested("first", rule("job", field_of=INNER), shape=Shape.RECORD, order="n"),
)
LAYOUT = Layout(fields=("name", "born", "paid"), nested=(("jobs", ("job", "grade")), ("first", ("job",))))
ALL = frozenset(
    {
        "TaxRecord.name",
        "TaxRecord.born",
        "TaxRecord.paid",
        "TaxRecord.jobs",
        "TaxRecord.first",
        "Child.job",
        "Child.grade",
    }
)
TABLES = (
    "CREATE TABLE main (id text, rec text, stamp text, name text, born date, paid numeric(12, 2))",
    "CREATE TABLE child (parent text, n integer, job text, grade integer)",
    "INSERT INTO main VALUES ('a', 'r1', '2026-11-01', '张三', '1990-01-02', 10.5)",
    "INSERT INTO main VALUES ('b', 'r2', '2026-11-02', NULL, NULL, NULL)",
    "INSERT INTO child VALUES ('r1', 10, 'second', 2), ('r1', 9, 'first', 1)",
)


def fetch(*parts: tuple[tuple[str, ...], frozenset[str]], layout: Layout = LAYOUT) -> Fetch:
    return Fetch(parts=tuple(Part(keys=keys, coordinates=names) for keys, names in parts), layout=layout, timeout_s=5)


@pytest.fixture(autouse=True, params=["few", "many"])
def keys(request, monkeypatch) -> str:
    """PostgreSQL gives rows for few keys, columns for many; what is read is the same."""
    if request.param == "many":
        monkeypatch.setattr(sql_statement, "FEW_KEYS", 0)
    return request.param


@pytest.fixture
async def execute(store_url, opened):
    """Runs statements in the agency's own database."""
    store = opened(store_url)

    async def run(*statements: str) -> None:
        async with store.write() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    return run


@pytest.fixture
async def connect(store_url):
    """Makes connectors for a mapping and closes them, also when the test fails."""
    made: list[SqlConnector] = []

    def one(of, quarantine=None) -> SqlConnector:
        reader = open_reader(store_url, size=2)
        made.append(SqlConnector(of, CODES, quarantine or MemoryQuarantine(), reader))
        return made[-1]

    yield one
    for connector in made:
        await connector.close()


@pytest.fixture
async def source(execute, connect):
    await execute(*TABLES)
    return connect(MAPPING)


def values(record) -> list:
    """A record's row cut to its layout, with nested rows cut likewise."""
    name, born, paid, jobs, first = list(record.values)[:5]
    return [name, born, paid, [list(job)[:2] for job in jobs], first and list(first)[:1]]


async def test_a_row_has_canonical_values_and_nested_rows_in_their_order(source):
    found = await source.fetch(fetch((("a", "b", "c"), ALL)))
    assert sorted(found) == ["a", "b"]
    assert values(found["a"]) == ["张三", date(1990, 1, 2), Decimal("10.5"), [["first", 1], ["second", 2]], ["first"]]
    assert values(found["b"]) == [None, None, None, [], None]
    assert (found["a"].record, found["a"].quarantined, source.calls) == ("r1", 0, 1)


async def test_a_coordinate_outside_a_keys_part_is_none_for_this_key_alone(source, execute):
    await execute("INSERT INTO child VALUES ('r2', 1, 'third', 3)", "UPDATE main SET name = '李四' WHERE id = 'b'")
    found = await source.fetch(fetch((("a",), ALL - {"TaxRecord.name", "Child.grade"}), (("b",), ALL)))
    name, _, _, jobs, _ = values(found["a"])
    assert (name, jobs) == (None, [["first", None], ["second", None]])
    name, _, _, jobs, _ = values(found["b"])
    assert (name, jobs) == ("李四", [["third", 3]])
    assert source.calls == 1


async def test_a_nested_list_outside_a_keys_part_is_empty(source):
    found = await source.fetch(fetch((("a",), ALL - {"TaxRecord.jobs", "TaxRecord.first"}), (("b",), ALL)))
    assert values(found["a"])[3:] == [[], None]


async def test_a_coordinate_that_no_part_may_ask_for_is_not_read_at_all(source, execute):
    await execute("ALTER TABLE main DROP COLUMN paid")
    layout = Layout(fields=("name",))
    assert await source.fetch(fetch((("a",), frozenset({"TaxRecord.name"})), layout=layout))


async def test_the_longest_nested_list_is_taken_and_a_longer_one_is_invalid_not_cut(source, execute):
    rows = ", ".join(f"('r2', {n}, 'job', {n})" for n in range(MAX_NESTED))
    await execute(f"INSERT INTO child VALUES {rows}")
    found = await source.fetch(fetch((("b",), ALL)))
    assert [grade for _, grade in values(found["b"])[3]] == list(range(MAX_NESTED))
    await execute("INSERT INTO child VALUES ('r2', 999, 'job', 1)")
    with pytest.raises(SourceFailure) as failure:
        await source.fetch(fetch((("a", "b"), ALL)))
    assert failure.value.state is SourceState.INVALID
    assert await source.fetch(fetch((("a",), ALL)))


async def test_a_row_larger_than_its_share_is_invalid(source, execute, monkeypatch):
    """PostgreSQL does not send such a row at all; SQLite is read step by step under the same budget."""
    monkeypatch.setattr(sql, "MAX_BYTES", 3_000)
    many = ", ".join(f"('r1', {n}, '{'x' * 1_000}', 1)" for n in range(20, 30))
    await execute(f"INSERT INTO child VALUES {many}")
    with pytest.raises(SourceFailure) as failure:
        await source.fetch(fetch((("a",), ALL)))
    assert failure.value.state is SourceState.INVALID
    assert await source.fetch(fetch((("b",), ALL)))


@pytest.mark.parametrize("key", ["a\x1fb", "\x1fa", "a,b", '["a"]', "{a,b}"])
async def test_a_key_is_one_key_whatever_it_is_made_of(source, key):
    assert await source.fetch(fetch(((key,), ALL))) == {}
    assert [*await source.fetch(fetch(((key, "a"), ALL)))] == ["a"]


async def test_of_two_rows_with_one_key_the_newer_counts(source, execute):
    await execute("INSERT INTO main VALUES ('a', 'r9', '2026-11-09', '新', NULL, NULL)")
    for _ in range(2):
        assert (await source.fetch(fetch((("a",), ALL))))["a"].record == "r9"
        await execute("DELETE FROM main WHERE id = 'b'", "INSERT INTO main SELECT * FROM main WHERE rec = 'r1'")


async def test_a_misfit_is_quarantined_and_its_neighbours_stay(execute, connect):
    await execute(*TABLES, "UPDATE child SET job = 'soon' WHERE n = 9")
    quarantine = MemoryQuarantine()
    wrong = mapping(rule("name"), nested("jobs", rule("job", ValueType.INT, field_of=INNER), order="n"))
    layout = Layout(fields=("name",), nested=(("jobs", ("job",)),))
    found = await connect(wrong, quarantine).fetch(fetch((("a",), ALL), layout=layout))
    assert found["a"].values[0] == "张三"
    assert found["a"].quarantined == 2
    assert {coordinate for _, _, coordinate, _, _ in quarantine.reports} == {"Child.job"}


async def test_a_key_is_found_in_every_historical_form_of_the_number(execute, connect):
    await execute(*TABLES[:2], "INSERT INTO main VALUES ('360700900101001', 'r1', '2026-11-01', '张三', NULL, NULL)")
    people = mapping(rule("name"), variants=True, key_kind=KeyKind.IDENTITY_NUMBER)
    layout = Layout(fields=("name",))
    number = "360700199001010018"
    found = await connect(people).fetch(fetch(((number,), ALL), layout=layout))
    assert [*found] == [number]


async def test_units_and_defaults_hold_whatever_type_the_driver_gives(execute, connect):
    await execute(
        "CREATE TABLE main (id text, rec text, stamp text, wan integer, flag boolean)",
        "INSERT INTO main VALUES ('a', 'r1', '2026-11-01', 3, NULL)",
    )
    of = mapping(rule("wan", ValueType.INT, factor=Decimal(10_000)), rule("flag", ValueType.BOOLEAN, default=False))
    names = frozenset({"TaxRecord.wan", "TaxRecord.flag"})
    found = await connect(of).fetch(fetch((("a",), names), layout=Layout(fields=("wan", "flag"))))
    assert list(found["a"].values)[:2] == [30_000, False]


async def test_a_table_in_a_schema_is_named_with_it(execute, connect, store_url):
    """SQLite's own name for its database is a schema too."""
    place = "main"
    if store_url.startswith("postgresql"):
        place = "registry"
        await execute("CREATE SCHEMA registry")
    await execute(
        f"CREATE TABLE {place}.people (id text, rec text, stamp text, name text)",
        f"CREATE TABLE {place}.jobs (parent text, job text)",
        f"INSERT INTO {place}.people VALUES ('a', 'r1', '2026-11-01', '张三')",
        f"INSERT INTO {place}.jobs VALUES ('r1', 'clerk')",
    )
    of = mapping(rule("name"), nested("jobs", rule("job", field_of=INNER), at=f"{place}.jobs"), at=f"{place}.people")
    layout = Layout(fields=("name",), nested=(("jobs", ("job",)),))
    found = await connect(of).fetch(fetch((("a",), ALL), layout=layout))
    assert found["a"].values[0] == "张三"
    assert [job[0] for job in found["a"].values[1]] == ["clerk"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_texts_and_codes_are_read_as_text_whatever_type_they_have(execute, connect):
    await execute(
        "CREATE TYPE kind AS ENUM ('M', 'F')",
        "CREATE TABLE main (id text, rec text, stamp text, name uuid, sex kind)",
        "CREATE TABLE child (parent text, job uuid)",
        "INSERT INTO main VALUES ('a', 'r1', '2026-11-01', '00000000-0000-0000-0000-000000000001', 'M')",
        "INSERT INTO child VALUES ('r1', '00000000-0000-0000-0000-000000000002')",
    )
    of = mapping(
        rule("name"),
        rule("sex", ValueType.CODE, field_of={"code_list": "sex"}, codes={"M": "MALE"}),
        nested("jobs", rule("job", field_of=INNER)),
    )
    layout = Layout(fields=("name", "sex"), nested=(("jobs", ("job",)),))
    found = await connect(of).fetch(fetch((("a",), ALL | {"TaxRecord.sex"}), layout=layout))
    name, sex, jobs, *_ = found["a"].values
    assert (name, sex) == ("00000000-0000-0000-0000-000000000001", "MALE")
    assert [job[0] for job in jobs] == ["00000000-0000-0000-0000-000000000002"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_nested_row_with_a_sealed_column_ends_with_its_name(execute, connect):
    await execute(
        *TABLES[:1],
        "CREATE TABLE child (parent text, n integer, secret bytea)",
        TABLES[2],
        "INSERT INTO child VALUES ('r1', 7, '\\x0102')",
    )
    sealed = rule("secret", field_of={**INNER, "sealed": True}, sealed=True)
    of = mapping(rule("name"), nested("notes", sealed, row="n"))
    layout = Layout(fields=("name",), nested=(("notes", ("secret",)),))
    names = frozenset({"TaxRecord.name", "TaxRecord.notes", "Child.secret"})
    (note,) = (await connect(of).fetch(fetch((("a",), names), layout=layout)))["a"].values[1]
    assert list(note) == [b"\x01\x02", 7]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_row_of_the_driver_is_passed_on_as_it_is(execute, connect):
    await execute(*TABLES)
    (record,) = (await connect(MAPPING).fetch(fetch((("a",), ALL - {"TaxRecord.paid"}), layout=Layout(
        fields=("name", "born"), nested=(("jobs", ("job", "grade")),)
    )))).values()  # fmt: skip
    assert list(record.values)[-2:] == ["r1", "2026-11-01"]
    assert type(record.values) is not list  # what coercion would have made of it


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_values_that_are_arrays_need_not_be_of_one_length(execute, connect):
    await execute(
        "CREATE TABLE main (id text, rec text, stamp text, born date[])",
        "CREATE TABLE child (parent text, job text)",
        "INSERT INTO main VALUES ('a', 'r1', '2026-11-01', '{2020-01-02,2020-01-03}'), ('b', 'r2', '2026-11-01', '{}')",
        "INSERT INTO child VALUES ('r1', 'clerk')",
    )
    of = mapping(
        rule("born", ValueType.DATE, field_of={"shape": Shape.VALUES}), nested("jobs", rule("job", field_of=INNER))
    )
    layout = Layout(fields=("born",), nested=(("jobs", ("job",)),))
    found = await connect(of).fetch(fetch((("a", "b"), ALL), layout=layout))
    assert [list(found[key].values[0]) for key in "ab"] == [[date(2020, 1, 2), date(2020, 1, 3)], []]


async def test_a_database_that_lacks_what_the_mapping_names_is_down(connect):
    with pytest.raises(SourceFailure) as failure:
        await connect(MAPPING).fetch(fetch((("a",), ALL)))
    assert failure.value.state is SourceState.DOWN


async def test_a_scan_gives_every_record_once_in_batches_with_its_offices(execute, connect):
    await execute(
        *TABLES,
        "CREATE TABLE office (parent text, region text, until text)",
        "INSERT INTO office VALUES ('r1', '360702', NULL)",
        *(f"INSERT INTO main VALUES ('k{n}', 'x{n}', '2026-11-01', 'n{n}', NULL, NULL)" for n in range(5)),
    )
    of = mapping(
        rule("name"),
        rule("born", ValueType.DATE),
        index={"number": "name"},
        offices={"at": "office", "key": "parent", "region": "region", "until": "until"},
    )
    batches = [batch async for batch in connect(of).scan(frozenset({"TaxRecord.born"}), batch=3)]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    records = {record.key: record for batch in batches for record in batch}
    assert sorted(records) == ["a", "b", *(f"k{n}" for n in range(5))]
    assert records["a"].values == {
        "born": date(1990, 1, 2), "index.number": "张三", "index.offices": [["360702", None]]
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["text", "timestamp"])
async def test_changes_are_followed_by_time_stamp_and_then_by_record(execute, connect, kind, store_url):
    """Ties are met once each, whatever the batch; a stamp goes back to the driver as it came."""
    if kind == "timestamp" and store_url.startswith("sqlite"):
        kind = "text"  # it has no other
    await execute(f"CREATE TABLE main (id text, rec text, stamp {kind}, name text, born date, paid numeric(12, 2))")
    await execute("CREATE TABLE child (parent text, n integer, job text, grade integer)")
    source = connect(MAPPING)
    assert await source.newest() is None
    days = {"r5": 3, "r1": 1, "r2": 2, "r4": 2, "r3": 2}
    for record, day in days.items():
        await execute(f"INSERT INTO main VALUES ('k{record}', '{record}', '2026-11-0{day}', NULL, NULL, NULL)")
    await execute("INSERT INTO main VALUES (NULL, 'r6', '2026-11-04', NULL, NULL, NULL)")
    await execute("INSERT INTO main VALUES ('never', 'r0', NULL, NULL, NULL, NULL)")
    newest = await source.newest()
    _, first = await source.changes((_before(newest), ""), batch=1)
    for batch in (1, 2, 10):
        met, after = ["kr1"], first
        while True:
            keys, last = await source.changes(after, batch=batch)
            if last is None:
                break
            assert len(keys) <= batch
            met, after = [*met, *keys], last
        assert met == ["kr1", "kr2", "kr3", "kr4", "kr5", ""]
        assert after == (newest, "r6")
    assert (await source.changes((newest, ""), batch=5))[0] == [""]


def _before(stamp):
    """An earlier stamp of the same kind."""
    return "2026-10-01" if isinstance(stamp, str) else stamp - timedelta(days=40)


async def vaulted(connector, batch: int = 2) -> list:
    return [record async for records in connector.scan_vaulted(batch=batch) for record in records]


async def test_records_sealed_by_law_are_read_with_the_number_of_their_bearer(connect, execute):
    await execute(
        *TABLES,
        "CREATE TABLE penalty (of text, no text, cause text)",
        "INSERT INTO penalty VALUES ('r1', 'p3', 'x'), ('r1', 'p1', NULL), ('r2', 'p2', 'y'), ('r9', 'p4', 'z')",
    )
    held = {"at": "penalty", "key": "of", "record": "no", "cause": "cause"}
    found = await vaulted(connect(replace(MAPPING, index={"number": "id", "called": "name"}, vaulted=held)))
    assert [(one.key, one.record, one.values) for one in found] == [
        ("p1", "p1", {"index.number": "a", "index.called": "张三"}),
        ("p2", "p2", {"index.number": "b", "cause": "y"}),
        ("p3", "p3", {"index.number": "a", "index.called": "张三", "cause": "x"}),
    ]


async def test_a_source_without_such_a_table_has_none(source):
    assert await vaulted(source) == []
