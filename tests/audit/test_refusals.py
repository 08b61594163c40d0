from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.audit.refusals import RefusalSummary
from hub.store.migration import migrate


async def entries(store):
    return [entry async for entry in dump(store)]


async def test_all_refusals_since_the_last_entry_are_one_entry(store, clock):
    log = AuditLog(store, clock)
    refusals = RefusalSummary(log)
    await refusals.flush()
    for code in ("UNAUTHENTICATED", "UNAUTHENTICATED", "BODY_TOO_LARGE"):
        refusals.count(code)
    await refusals.flush()
    await refusals.flush()
    (entry,) = await entries(store)
    assert (entry["outcome"], entry["note"]) == ("DENIED", {"UNAUTHENTICATED": 2, "BODY_TOO_LARGE": 1})
    await log.close()


async def test_counts_that_the_log_does_not_take_are_kept_for_the_next_entry(tmp_path, clock, opened):
    store = opened(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")  # no schema: writing fails
    log = AuditLog(store, clock)
    refusals = RefusalSummary(log)
    refusals.count("UNAUTHENTICATED")
    await refusals.flush()
    refusals.count("UNAUTHENTICATED")
    await migrate(store)
    await refusals.flush()
    (entry,) = await entries(store)
    assert entry["note"] == {"UNAUTHENTICATED": 2}
    await log.close()
