"""A copy that is killed anywhere is made good by the next one: nothing doubled, nothing unreadable, nothing missing."""

import re
import sqlite3
from pathlib import Path

import pytest

from hub.clock import SystemClock
from hub.store.migration import migrate
from tests.conftest import FULL
from tests.connectors.replica.parts import CIVIL, POLICE, Agencies, ask, fetch_of, value
from tests.crypto.world import command

ROOM = Path(__file__).parents[3] / "hub" / "connectors" / "replica"
FAILPOINTS = sorted(
    {name for path in ROOM.glob("*.py") for name in re.findall(r'failpoint\("([a-z.]+)"\)', path.read_text())}
)
DROPPED = "replica.dropped"  # passed by who drops files
ONCE = {"replica.passed", "replica.burying", "replica.kept", DROPPED}  # passed once a copy
COUNTS = (1, 2, 3, 4, 5, 6)
KILLS = [
    (agency, name, count)
    for name in FAILPOINTS
    for place, agency in enumerate((POLICE, CIVIL))
    if (agency, name) != (POLICE, DROPPED)
    for count in ((1,) if name in ONCE else COUNTS if FULL else (COUNTS[place],))
]
GONE, CHANGED = 4, 9


@pytest.fixture
async def changed(tmp_path):
    """Both agencies copied by a hub that is closed again; then the agencies' data change."""
    agencies = Agencies(tmp_path)
    hub = agencies.hub("", SystemClock())
    await migrate(hub.store)
    for agency in (POLICE, CIVIL):
        await hub.copier.copy(agency, anyway=True)
    await hub.close()
    records = [row[0] for row in agencies.look("SELECT rybh FROM rk_ryxx ORDER BY rybh")]
    for record in records[:GONE]:
        agencies.change("DELETE FROM rk_ryxx WHERE rybh = ?", record)
    for record in records[GONE : GONE + CHANGED]:
        agencies.change("UPDATE rk_ryxx SET xm = '改名' WHERE rybh = ?", record)
    numbers = agencies.keys(CIVIL)

    def edited(held):
        kept = [row for row in held if row["身份证号"] not in numbers[:GONE]]
        return [{**row, "姓名": "改名"} if row["身份证号"] in numbers[GONE : GONE + CHANGED] else row for row in kept]

    agencies.next_drop("2026-11-25", edited)
    return agencies


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    """Several transactions a copy, so that a kill may fall between them."""
    monkeypatch.setenv("HUB_REPLICA_BATCH", "7")


@pytest.mark.parametrize(("agency", "failpoint", "count"), KILLS)
async def test_a_killed_copy_is_made_good_by_the_next(changed, agency, failpoint, count):
    before = statements(changed)
    killed = command(changed.directory, "replica", "copy", agency, "--whole", failpoint=f"{failpoint}:{count}")
    assert killed.returncode == -9, killed.stderr
    again = command(changed.directory, "replica", "copy", agency, "--whole")
    assert again.returncode == 0, again.stderr
    assert statements(changed) == before + GONE + CHANGED
    hub = changed.hub("", SystemClock())
    try:
        keys = changed.keys(agency)
        answer = await ask(hub, agency, *keys)
        names = [value(hub, agency, answer, key, "name") for key in keys if key in answer.records]
        assert names.count("改名") == CHANGED
        assert all(record.quarantined == 0 for record in answer.records.values())
        itself = await hub.sources[agency].connector.fetch(fetch_of(hub, agency, *keys))
        assert itself.keys() == answer.records.keys()
    finally:
        await hub.close()
    assert doubled(changed) == 0


@pytest.mark.parametrize("failpoint", ["replica.dropped:1", "replica.passed:2", "replica.burying:2"])
async def test_a_drop_that_was_copied_is_not_told_again_after_a_kill_in_the_next(changed, failpoint):
    """Told again it would for a while take the place of what the next drop says, and stand in what was known."""
    before = statements(changed)
    numbers = changed.keys(CIVIL)[GONE : GONE + CHANGED]

    def edited(held):
        kept = [row for row in held if row["身份证号"] != numbers[0]]
        return [{**row, "姓名": "又改"} if row["身份证号"] in numbers[1:] else row for row in kept]

    changed.next_drop("2026-11-26", edited, of="2026-11-25")
    killed = command(changed.directory, "replica", "copy", CIVIL, failpoint=failpoint)
    assert killed.returncode == -9, killed.stderr
    done = command(changed.directory, "replica", "copy", CIVIL)
    assert done.returncode == 0, done.stderr
    assert statements(changed) == before + GONE + CHANGED + len(numbers)


def test_every_failpoint_of_copying_is_killed_at():
    names = ["batch", "burying", "committed", "dropped", "kept", "passed"]
    assert [f"replica.{name}" for name in names] == FAILPOINTS


def statements(agencies: Agencies) -> int:
    return look(agencies, "SELECT count(*) FROM replica_version")


def doubled(agencies: Agencies) -> int:
    """Statements that say what the one before them said."""
    return look(
        agencies,
        "SELECT count(*) FROM replica_version a JOIN replica_version b USING (subject_id, agency, digest)"
        " WHERE a.version = b.version + 1",
    )


def look(agencies: Agencies, query: str) -> int:
    with sqlite3.connect(agencies.directory / "hub" / "hub.db") as database:
        found = database.execute(query).fetchone()[0]
    database.close()
    return found
