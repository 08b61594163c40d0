"""Copying: by time stamps of changes, by passes over everything, by file drops; what is late, gone, broken or refused."""

import asyncio
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import func, select, update

from hub.clock import microseconds, moment_of
from hub.connectors.base import MemoryQuarantine, SourceState
from hub.connectors.replica.copier import MOST_GONE, TAKEN_OVER, Misfits
from hub.connectors.replica.state import CopyStates, DropSeen, stamp_of, tagged
from hub.connectors.replica.tables import replica_state, replica_subject, replica_version
from hub.domain.identity_number import IdentityNumber
from tests.connectors.replica.parts import CIVIL, POLICE, ask, fetch_of, value

STAMP = "%Y%m%d%H%M%S"


async def copied(hub, agency, **how):
    done = await hub.copier.copy(agency, anyway=True, **how)
    assert done.trouble == ""
    return done


def states(hub) -> CopyStates:
    return CopyStates(store=hub.store, sealer=hub.secrets.sealer, opener=hub.secrets.opener, clock=hub.clock)


async def seen(hub) -> Mapping[str, DropSeen]:
    """Drops that are remembered."""
    return (await states(hub).read(CIVIL)).drops


async def remember(hub, drops: Mapping[str, DropSeen]) -> None:
    """As if these had been copied as well."""
    turn = await states(hub).take(CIVIL, anyway=True)
    before = await states(hub).read(CIVIL)
    await states(hub).keep(msgspec.structs.replace(before, drops={**before.drops, **drops}), turn)


async def statements(hub) -> int:
    async with hub.store.read() as connection:
        return await connection.scalar(select(func.count()).select_from(replica_version))


def row_of(agencies, key: str) -> str:
    """Record id of a person at the police."""
    for record, number in agencies.look("SELECT rybh, gmsfhm FROM rk_ryxx"):
        if number and IdentityNumber.parse(number).text == key:
            return record
    raise KeyError(key)


async def test_copying_what_has_not_changed_adds_nothing(hub, agencies, clock):
    before = await statements(hub)
    for agency in (POLICE, CIVIL):
        for whole in (False, True):
            assert (await copied(hub, agency, whole=whole)).added == 0
    assert await statements(hub) == before


async def test_a_change_with_a_new_time_stamp_is_followed(hub, agencies, clock):
    key = agencies.keys(POLICE)[3]
    old = value(hub, POLICE, await ask(hub, POLICE, key), key, "name")
    agencies.change(
        "UPDATE rk_ryxx SET xm = ?, gxsj = ? WHERE rybh = ?", "改名", "20261124120000", row_of(agencies, key)
    )
    done = await copied(hub, POLICE)
    assert (done.added, done.gone) == (1, 0)
    answer = await ask(hub, POLICE, key)
    assert value(hub, POLICE, answer, key, "name") == "改名"
    assert answer.records[key].as_of == datetime(2026, 11, 24, 4, tzinfo=UTC)
    before = await ask(hub, POLICE, key, valid=datetime(2026, 11, 24, 3, 59, tzinfo=UTC))
    assert value(hub, POLICE, before, key, "name") == old


async def test_following_changes_asks_for_few_records(hub, agencies, clock):
    agencies.change(
        "UPDATE rk_ryxx SET xm = '改名', gxsj = '20261124120000' WHERE rybh IN (SELECT rybh FROM rk_ryxx LIMIT 2)"
    )
    seen: list[int] = []
    await copied(hub, POLICE, told=seen.append)
    newest = agencies.look(
        "SELECT count(*) FROM rk_ryxx WHERE gxsj >= (SELECT max(gxsj) FROM rk_ryxx WHERE gxsj < '20261124120000')"
    )
    assert seen[-1] <= newest[0][0] < len(agencies.keys(POLICE))


async def test_what_was_written_late_under_an_earlier_stamp_is_met_once_more(hub, agencies, clock):
    """A transaction that began before a copy and ended after it carries a stamp that the copy has passed."""
    one, other = (row_of(agencies, key) for key in agencies.keys(POLICE)[:2])
    agencies.change("UPDATE rk_ryxx SET xm = '快', gxsj = '20261124130000' WHERE rybh = ?", one)
    await copied(hub, POLICE)
    agencies.change("UPDATE rk_ryxx SET xm = '慢', gxsj = '20261124125959' WHERE rybh = ?", other)
    assert (await copied(hub, POLICE)).added == 1


async def test_a_record_that_is_deleted_is_gone_now_and_there_before(hub, agencies, clock):
    key = agencies.keys(POLICE)[5]
    before = clock.now()
    clock.advance(60)
    assert agencies.change("DELETE FROM rk_ryxx WHERE rybh = ?", row_of(agencies, key))
    done = await copied(hub, POLICE, whole=True)
    assert (done.added, done.gone) == (0, 1)
    assert (await ask(hub, POLICE, key)).records == {}
    assert (await ask(hub, POLICE, key, valid=before)).records.keys() == {key}
    assert (await copied(hub, POLICE, whole=True)).gone == 0


async def test_a_record_that_comes_back_was_never_gone_but_what_was_known_stays(hub, agencies, clock):
    key = agencies.keys(POLICE)[5]
    record = row_of(agencies, key)
    agencies.change("UPDATE rk_ryxx SET rybh = '-' || rybh, gmsfhm = '-' || gmsfhm WHERE rybh = ?", record)
    clock.advance(60)
    await copied(hub, POLICE, whole=True)
    gone_at = clock.now()
    agencies.change("UPDATE rk_ryxx SET rybh = ?, gmsfhm = substr(gmsfhm, 2) WHERE rybh = ?", record, f"-{record}")
    clock.advance(60)
    assert (await copied(hub, POLICE, whole=True)).added == 1
    assert (await ask(hub, POLICE, key)).records.keys() == {key}
    assert (await ask(hub, POLICE, key, valid=gone_at)).records.keys() == {key}
    assert (await ask(hub, POLICE, key, valid=gone_at, known=gone_at)).records == {}


async def test_a_correction_under_the_same_time_stamp_changes_the_past_and_not_what_was_known(hub, agencies, clock):
    key = agencies.keys(POLICE)[7]
    now = await ask(hub, POLICE, key)
    old, dated = value(hub, POLICE, now, key, "registeredAddress"), now.records[key].as_of
    known = clock.now()
    clock.advance(60)
    agencies.change("UPDATE rk_ryxx SET hjdz = '更正' WHERE rybh = ?", row_of(agencies, key))
    assert (await copied(hub, POLICE, whole=True)).added == 1
    corrected = await ask(hub, POLICE, key, valid=dated)
    assert value(hub, POLICE, corrected, key, "registeredAddress") == "更正"
    believed = await ask(hub, POLICE, key, valid=dated, known=known)
    assert value(hub, POLICE, believed, key, "registeredAddress") == old


async def test_a_copy_that_would_lose_too_much_is_refused_until_it_is_accepted(hub, agencies, clock):
    keys = agencies.keys(POLICE)
    agencies.change("DELETE FROM rk_ryxx WHERE rybh IN (SELECT rybh FROM rk_ryxx LIMIT ?)", len(keys) // 2)
    done = await hub.copier.copy(POLICE, anyway=True, whole=True)
    assert (done.trouble, done.gone) == (MOST_GONE, 0)
    assert (await states(hub).read(POLICE)).to is not None  # changes are followed on
    answer = await ask(hub, POLICE, *keys)
    assert (answer.state, len(answer.records)) == (SourceState.STALE, len(keys))
    assert (await copied(hub, POLICE, whole=True, accept=True)).gone > len(keys) // 3
    assert (await ask(hub, POLICE, *keys)).state is SourceState.OK


async def test_an_agency_that_is_down_leaves_its_copy_as_it_is(hub, agencies, clock):
    agencies.change("ALTER TABLE rk_ryxx RENAME TO away")
    done = await hub.copier.copy(POLICE, anyway=True)
    assert (done.added, done.trouble) == (0, SourceState.DOWN)
    answer = await ask(hub, POLICE, *agencies.look("SELECT gmsfhm FROM away LIMIT 1")[0])
    assert answer.state is SourceState.OK  # it is not old yet
    assert (await hub.copier.status(POLICE)).told()["trouble"] == "DOWN"


@pytest.mark.parametrize(
    ("table", "column"), [(replica_subject, "key_sealed"), (replica_state, "place_sealed")], ids=["key", "place"]
)
async def test_a_copy_of_which_something_does_not_open_is_unreadable_and_keeps_no_other_from_its_turn(
    hub, agencies, clock, table, column
):
    async with hub.store.write() as connection:
        await connection.execute(update(table).where(table.c.agency == POLICE).values({column: bytes(60)}))
    agencies.next_drop("2026-11-25", lambda held: [{**row, "姓名": "新名"} for row in held])
    agencies.change("UPDATE rk_ryxx SET xm = '改名', gxsj = '20261124120000'")
    clock.advance(max(hub.rules.mappings[agency].replica.every_s for agency in (POLICE, CIVIL)))
    assert await hub.copier.run() == len(agencies.keys(CIVIL))
    told = {agency: (await hub.copier.status(agency)).told()["trouble"] for agency in (POLICE, CIVIL)}
    assert told == {POLICE: "UNREADABLE", CIVIL: None}
    assert await hub.copier.run() == 0  # it waits for its turn again
    again = await hub.copier.copy(POLICE, anyway=True, whole=True)
    assert again.trouble == ("UNREADABLE" if table is replica_subject else "")  # whoever compares all needs no place


async def test_what_was_copied_before_a_copy_broke_off_stays_looked_at(hub, agencies, clock, monkeypatch):
    """Else a drop would be told once more, and take the place of what the next one says."""
    first, second = agencies.next_drop("2026-11-25"), agencies.next_drop("2026-11-26")
    put, calls = hub.copier._put, []

    async def slow(turn, connector, keys, span):
        calls.append(span.valid_from)
        if len(set(calls)) > 1:
            raise TimeoutError
        return await put(turn, connector, keys, span)

    monkeypatch.setattr(hub.copier, "_put", slow)
    assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == "TIMEOUT"
    assert (await hub.copier.status(CIVIL)).told()["trouble"] == "TIMEOUT"
    assert (await seen(hub)).keys() == {agencies.drop.name, first.name}
    assert second.name not in await seen(hub)


async def test_values_that_do_not_fit_are_counted_where_they_are_asked_for(hub, agencies, clock):
    key = agencies.keys(POLICE)[2]
    agencies.change("UPDATE rk_ryxx SET csrq = 'never' WHERE rybh = ?", row_of(agencies, key))
    await copied(hub, POLICE, whole=True)
    assert (await ask(hub, POLICE, key)).records[key].quarantined == 1
    only = fetch_of(hub, POLICE, key, only=frozenset({"PoliceRecord.name"}))
    assert (await hub.sources[POLICE].ask(only)).records[key].quarantined == 0
    assert (await copied(hub, POLICE, whole=True)).added == 0


def test_what_misfits_is_counted_and_passed_on():
    kept = MemoryQuarantine()
    misfits = Misfits(kept)
    misfits.report(agency="a", record="r", coordinate="T.f", value="v", reason="no")
    assert misfits.taken() == {"r": {"T.f": 1}}
    assert misfits.taken() == {}
    assert len(kept.reports) == 1


class TestDrops:
    """A drop holds everything; its records are dated by it."""

    async def test_a_new_drop_makes_new_statements_only_of_what_changed(self, hub, agencies, clock):
        key = agencies.keys(CIVIL)[0]
        before = await ask(hub, CIVIL, key)

        def renamed(held):
            return [{**row, "姓名": "新名"} if row["身份证号"] == key else row for row in held]

        agencies.next_drop("2026-11-25", renamed)
        done = await copied(hub, CIVIL)
        assert (done.added, done.gone) == (1, 0)
        after = await ask(hub, CIVIL, key)
        assert value(hub, CIVIL, after, key, "name") == "新名"
        assert after.records[key].as_of - before.records[key].as_of == timedelta(days=1)
        other = agencies.keys(CIVIL)[1]
        assert (await ask(hub, CIVIL, other)).records[other].as_of == after.records[key].as_of

    async def test_who_is_not_in_a_new_drop_is_gone_since_then(self, hub, agencies, clock):
        key = agencies.keys(CIVIL)[0]
        agencies.next_drop("2026-11-25", lambda held: [row for row in held if row["身份证号"] != key])
        assert (await copied(hub, CIVIL)).gone == 1
        assert (await ask(hub, CIVIL, key)).records == {}
        day = datetime(2026, 11, 24, 20, tzinfo=UTC)  # 04:00 in China of the 25th
        assert (await ask(hub, CIVIL, key, valid=day - timedelta(seconds=1))).records.keys() == {key}
        assert (await ask(hub, CIVIL, key, valid=day)).records == {}

    async def test_a_drop_that_comes_late_speaks_of_its_own_day_only(self, hub, agencies, clock):
        key, other = agencies.keys(CIVIL)[:2]

        def named(text, gone=""):
            return lambda held: [
                {**row, "姓名": text} if row["身份证号"] == key else row for row in held if row["身份证号"] != gone
            ]

        agencies.next_drop("2026-11-27", named("二十七"))
        await copied(hub, CIVIL)
        known = clock.now()
        clock.advance(60)
        agencies.next_drop("2026-11-26", named("二十六", gone=other))
        done = await copied(hub, CIVIL)
        assert (done.added, done.gone) == (1, 1)
        first = value(hub, CIVIL, await ask(hub, CIVIL, key, known=known), key, "name")
        assert first == "二十七"
        days = {day: datetime(2026, 11, day, 2, tzinfo=UTC) for day in (25, 26, 27, 28)}
        named_on = {
            day: value(hub, CIVIL, await ask(hub, CIVIL, key, valid=moment), key, "name")
            for day, moment in days.items()
        }
        assert (named_on[26], named_on[27], named_on[28]) == ("二十六", "二十七", "二十七")
        assert named_on[25] not in ("二十六", "二十七")
        there = [bool((await ask(hub, CIVIL, other, valid=moment)).records) for moment in days.values()]
        assert there == [True, False, True, True]
        assert (await ask(hub, CIVIL, other, valid=days[26], known=known)).records  # as it was known then

    async def test_a_late_drop_is_bounded_by_one_that_hundreds_followed(self, hub, agencies, clock):
        """Also where that one changed nothing and its folder is gone: what it said stands."""
        key = agencies.keys(CIVIL)[0]
        old = value(hub, CIVIL, await ask(hub, CIVIL, key), key, "name")
        folder = agencies.next_drop("2026-11-27")
        assert (await copied(hub, CIVIL)).added == 0
        shutil.rmtree(folder)
        first = datetime(2026, 11, 28, tzinfo=UTC)
        days = [first + timedelta(days=n) for n in range(500)]
        many = {f"{day:%Y-%m-%d}": DropSeen(written_ns=1, created_us=microseconds(day)) for day in days}
        await remember(hub, many)
        agencies.next_drop("2029-01-01")
        assert (await copied(hub, CIVIL)).added == 0
        agencies.next_drop("2026-11-26", lambda held: [{**row, "姓名": "迟到"} for row in held])
        await copied(hub, CIVIL)
        named_on = {
            day: value(
                hub, CIVIL, await ask(hub, CIVIL, key, valid=datetime(2026, 11, day, 2, tzinfo=UTC)), key, "name"
            )
            for day in (26, 27, 28, 29)
        }
        assert named_on == {26: "迟到", 27: old, 28: old, 29: old}

    @pytest.mark.parametrize("repaired", [False, True])
    async def test_a_drop_that_was_copied_bounds_late_ones_also_when_it_is_broken_since(
        self, hub, agencies, clock, repaired
    ):
        key = agencies.keys(CIVIL)[0]
        clock.advance(4 * 86_400)

        def named(text):
            return lambda held: [{**row, "姓名": text} for row in held]

        folder = agencies.next_drop("2026-11-27", named("二十七"))
        await copied(hub, CIVIL)
        agencies.next_drop("2026-11-27", named("更正"))
        (folder / "残疾人.csv").write_bytes(b"cut off")
        assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == "INVALID"
        agencies.next_drop("2026-11-26", named("迟到"), of=agencies.drop.name)
        assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == "INVALID"  # the newest is still not good
        answer = await ask(hub, CIVIL, key)
        assert value(hub, CIVIL, answer, key, "name") == "二十七"
        assert answer.state is SourceState.STALE
        if repaired:
            agencies.next_drop("2026-11-27", named("更正"), of=agencies.drop.name)
        else:
            shutil.rmtree(folder)
        await copied(hub, CIVIL)
        answer = await ask(hub, CIVIL, key)
        assert value(hub, CIVIL, answer, key, "name") == ("更正" if repaired else "二十七")

    async def test_of_a_drop_that_is_gone_only_when_it_was_made_is_remembered(self, hub, agencies, clock):
        refused = agencies.next_drop("2026-11-25", lambda held: held[: len(held) // 2])
        assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == MOST_GONE
        good = agencies.next_drop("2026-11-26", of=agencies.drop.name)
        await copied(hub, CIVIL)
        assert (await seen(hub)).keys() == {agencies.drop.name, refused.name, good.name}
        for folder in (refused, agencies.drop):
            shutil.rmtree(folder)
        agencies.next_drop("2026-11-27", of=good.name)
        await copied(hub, CIVIL)
        assert (await seen(hub)).keys() == {agencies.drop.name, good.name, "2026-11-27"}

    async def test_a_broken_drop_leaves_the_last_good_one_marked_stale(self, hub, agencies, clock):
        key = agencies.keys(CIVIL)[0]
        folder = agencies.next_drop("2026-11-25")
        (folder / "残疾人.csv").write_bytes(b"cut off")
        done = await hub.copier.copy(CIVIL, anyway=True)
        assert (done.added, done.gone, done.trouble) == (0, 0, "INVALID")
        answer = await ask(hub, CIVIL, key)
        assert (answer.state, len(answer.records)) == (SourceState.STALE, 1)
        again = await hub.copier.copy(CIVIL, anyway=True)
        assert again.trouble == "INVALID"  # not looked at again, and still not good
        agencies.next_drop("2026-11-25")
        await copied(hub, CIVIL)
        assert (await ask(hub, CIVIL, key)).state is SourceState.OK

    async def test_a_drop_that_was_repaired_is_copied_again(self, hub, agencies, clock):
        key = agencies.keys(CIVIL)[0]
        agencies.next_drop("2026-11-25")
        assert (await copied(hub, CIVIL)).added == 0
        agencies.next_drop("2026-11-25", lambda held: [{**row, "姓名": "更正"} for row in held])
        assert (await copied(hub, CIVIL)).added == len(agencies.keys(CIVIL))
        assert value(hub, CIVIL, await ask(hub, CIVIL, key), key, "name") == "更正"

    async def test_a_drop_that_lost_most_is_refused_once_and_taken_when_accepted(self, hub, agencies, clock):
        keys = agencies.keys(CIVIL)
        agencies.next_drop("2026-11-25", lambda held: held[: len(held) // 2])
        assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == MOST_GONE
        assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == MOST_GONE
        answer = await ask(hub, CIVIL, *keys)
        assert (answer.state, len(answer.records)) == (SourceState.STALE, len(keys))
        assert (await copied(hub, CIVIL, whole=True, accept=True)).gone > len(keys) // 3

    async def test_of_a_drop_that_is_refused_nothing_is_taken(self, hub, agencies, clock):
        """It may be another province's, or cut off: what it says of those it holds is as doubtful."""
        keys, before = agencies.keys(CIVIL), await statements(hub)
        old = await ask(hub, CIVIL, *keys)
        agencies.next_drop("2026-11-25", lambda held: [{**row, "姓名": "别人"} for row in held[: len(held) // 2]])
        done = await hub.copier.copy(CIVIL, anyway=True)
        assert (done.added, done.gone, done.trouble) == (0, 0, MOST_GONE)
        assert await statements(hub) == before
        kept = await ask(hub, CIVIL, *keys)
        assert {key: one.values for key, one in kept.records.items()} == {
            key: one.values for key, one in old.records.items()
        }
        agencies.next_drop("2026-11-26")
        assert (await copied(hub, CIVIL)).added == 0
        assert (await ask(hub, CIVIL, *keys)).state is SourceState.OK


class TestTurns:
    async def test_each_agency_is_copied_when_it_is_due(self, hub, agencies, clock):
        agencies.change("UPDATE rk_ryxx SET xm = '改名', gxsj = '20261124120000'")
        clock.advance(hub.rules.mappings[POLICE].replica.every_s)
        assert await hub.copier.run() == len(agencies.keys(POLICE))
        agencies.change("UPDATE rk_ryxx SET xm = '又改', gxsj = '20261124130000'")
        assert await hub.copier.run() == 0
        clock.advance(hub.rules.mappings[POLICE].replica.every_s)
        assert await hub.copier.run() == len(agencies.keys(POLICE))

    async def test_everything_is_compared_now_and_then(self, hub, agencies, clock):
        key = agencies.keys(POLICE)[5]
        agencies.change("DELETE FROM rk_ryxx WHERE rybh = ?", row_of(agencies, key))
        clock.advance(hub.rules.mappings[POLICE].replica.every_s)
        assert (await hub.copier.copy(POLICE)).gone == 0
        clock.advance(hub.rules.mappings[POLICE].replica.whole_every_s)
        assert (await hub.copier.copy(POLICE)).gone == 1

    async def test_two_who_copy_at_once_double_nothing(self, hub, agencies, clock, store_url):
        other = agencies.hub(store_url, clock)
        agencies.change("UPDATE rk_ryxx SET xm = '改名', gxsj = '20261124120000'")
        try:
            before = await statements(hub)
            await asyncio.gather(*(one.copier.copy(POLICE, anyway=True, whole=True) for one in (hub, other)))
            assert await statements(hub) == before + len(agencies.keys(POLICE))
        finally:
            await other.close()
        async with hub.store.read() as connection:
            subjects = await connection.scalar(select(func.count()).where(replica_subject.c.agency == POLICE))
        assert subjects == len(agencies.keys(POLICE))

    async def test_who_was_overtaken_puts_nothing_older_over_what_is_newer(
        self, hub, agencies, clock, store_url, monkeypatch
    ):
        key = agencies.keys(POLICE)[3]
        change = "UPDATE rk_ryxx SET xm = ?, gxsj = ? WHERE rybh = ?"
        agencies.change(change, "旧", "20261124120000", row_of(agencies, key))
        other = agencies.hub(store_url, clock)
        read, go = asyncio.Event(), asyncio.Event()
        connector = hub.copier.connector(POLICE)
        fetch = connector.fetch

        async def slow(question):
            records = await fetch(question)
            read.set()
            await go.wait()
            return records

        monkeypatch.setattr(connector, "fetch", slow)
        try:
            first = asyncio.create_task(hub.copier.copy(POLICE, anyway=True))
            await read.wait()
            agencies.change(change, "新", "20261124130000", row_of(agencies, key))
            assert (await copied(other, POLICE)).added == 1
            go.set()
            assert (await first).trouble == TAKEN_OVER
        finally:
            go.set()
            await other.close()
        assert value(hub, POLICE, await ask(hub, POLICE, key), key, "name") == "新"
        assert (await hub.copier.status(POLICE)).told()["trouble"] is None


async def test_what_an_operator_is_told(hub, agencies, clock):
    told = (await hub.copier.status(POLICE)).told()
    assert told["records"] == len(agencies.keys(POLICE))
    assert told["trouble"] is None
    assert told["asOf"] == told["copiedAt"] == told["comparedAt"]
    assert moment_of(0).isoformat() < told["asOf"]


@pytest.mark.parametrize("stamp", ["20261124120000", datetime(2026, 11, 24, tzinfo=UTC), None])
def test_a_place_in_the_order_of_changes_is_kept_as_the_driver_gives_it(stamp):
    assert stamp_of(tagged(stamp)) == stamp
