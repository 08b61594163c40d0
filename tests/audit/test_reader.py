import pytest
from hub.audit.chain import link
from sqlalchemy import delete, select, update

from hub.audit.entry import Draft, Outcome
from hub.audit.log import AuditLog
from hub.audit.tables import audit_entry, audit_head
from hub.audit.verifier import verify

LAST = 12


@pytest.fixture
async def written(store, clock):
    log = AuditLog(store, clock)
    for number in range(LAST):
        clock.advance(1)
        await log.append(Draft(request_id=f"r{number}", outcome=Outcome.OK))
    assert (await verify(store)).ok
    return store


async def change(store, *statements):
    async with store.write() as connection:
        for statement in statements:
            await connection.execute(statement)


async def body(store, seq):
    async with store.read() as connection:
        return await connection.scalar(select(audit_entry.c.body).where(audit_entry.c.seq == seq))


@pytest.mark.parametrize("seq", [1, 6, LAST])
async def test_a_flipped_bit_is_found(written, seq):
    raw = bytearray(await body(written, seq))
    raw[len(raw) // 2] ^= 1
    await change(written, update(audit_entry).where(audit_entry.c.seq == seq).values(body=bytes(raw)))
    verdict = await verify(written)
    assert (verdict.ok, verdict.first_bad) == (False, seq)


@pytest.mark.parametrize("seq", [1, 6, LAST])
async def test_a_dropped_entry_is_found(written, seq):
    await change(written, delete(audit_entry).where(audit_entry.c.seq == seq))
    verdict = await verify(written)
    assert (verdict.ok, verdict.first_bad) == (False, seq)


async def test_truncation_is_found(written):
    await change(written, delete(audit_entry).where(audit_entry.c.seq > 5))
    assert not (await verify(written)).ok


async def test_swapped_bodies_are_found(written):
    third, fourth = await body(written, 3), await body(written, 4)
    await change(
        written,
        update(audit_entry).where(audit_entry.c.seq == 3).values(body=fourth),
        update(audit_entry).where(audit_entry.c.seq == 4).values(body=third),
    )
    assert (await verify(written)).first_bad == 3


async def test_a_renumbered_entry_is_found(written):
    await change(
        written,
        delete(audit_entry).where(audit_entry.c.seq == 7),
        update(audit_entry).where(audit_entry.c.seq == 8).values(seq=7),
    )
    assert not (await verify(written)).ok


async def test_a_retimed_entry_is_found(written):
    raw = await body(written, 5)
    retimed = raw.replace(b'"time":17', b'"time":18')
    assert retimed != raw
    await change(written, update(audit_entry).where(audit_entry.c.seq == 5).values(body=retimed))
    assert not (await verify(written)).ok


async def test_a_rewritten_tail_does_not_meet_the_head(written):
    """Whoever rewrites an entry and the chain behind it must also rewrite the head; then only a witness helps."""
    raw = (await body(written, LAST)).replace(b'"requestId":"r11"', b'"requestId":"rXX"')
    async with written.read() as connection:
        before = await connection.scalar(select(audit_entry.c.chain).where(audit_entry.c.seq == LAST - 1))
        head = await connection.scalar(select(audit_head.c.chain))
    forged = link(before, LAST, raw)
    assert forged != head
    await change(written, update(audit_entry).where(audit_entry.c.seq == LAST).values(body=raw, chain=forged))
    assert not (await verify(written)).ok
