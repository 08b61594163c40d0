import asyncio

from sqlalchemy import select

from hub.connectors.quarantine import StoredQuarantine
from hub.connectors.tables import quarantine
from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer

RING = KeyRing(keys={"seal:hub:3": {1: bytes(32)}})
NAMES = Pseudonyms(b"k" * 32)


def made(store, clock) -> StoredQuarantine:
    return StoredQuarantine(store, Sealer(RING), lambda text: NAMES.of("record", text), clock)


async def rows(store):
    async with store.read() as connection:
        return (await connection.execute(select(quarantine))).mappings().all()


async def test_a_misfit_is_kept_once_sealed_and_without_the_record_number(store, clock):
    one = made(store, clock)
    for _ in range(3):
        one.report(agency="tax", record="3607001990", coordinate="TaxRecord.name", value="??", reason="too long")
    await one.flush()
    (row,) = await rows(store)
    assert (row["agency"], row["coordinate"], row["reason"]) == ("tax", "TaxRecord.name", "too long")
    assert "3607001990" not in row["record"]
    place = Place(agency="hub", table="quarantine", column="value_sealed", row=row["report_id"])
    assert Opener(RING).open(place, row["value_sealed"]) == "??"


async def test_another_process_does_not_write_it_again(store, clock):
    for _ in range(2):
        one = made(store, clock)
        one.report(agency="tax", record="r", coordinate="TaxRecord.name", value="x", reason="bad")
        await one.flush()
    assert len(await rows(store)) == 1


async def test_a_full_queue_counts_what_it_drops(store, clock, monkeypatch):
    monkeypatch.setattr("hub.connectors.quarantine.MAX_WAITING", 2)
    one = made(store, clock)
    for number in range(5):
        one.report(agency="tax", record=f"r{number}", coordinate="TaxRecord.name", value="x", reason="bad")
    assert one.dropped == 3


async def test_reports_from_threads_are_all_kept_while_others_are_written(store, clock):
    one = made(store, clock)

    def report(thread: int) -> None:
        for number in range(100):
            one.report(agency="tax", record=f"{thread}/{number}", coordinate="TaxRecord.name", value="x", reason="bad")

    reporting = [asyncio.to_thread(report, thread) for thread in range(4)]
    await asyncio.gather(*reporting, *(one.flush() for _ in range(4)))
    await one.flush()
    assert len(await rows(store)) == 400
