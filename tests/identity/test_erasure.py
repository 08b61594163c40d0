import sqlite3

import pytest
from sqlalchemy import select

from hub.bootstrap.keeping import build_keeping
from hub.connectors.tables import quarantine
from hub.domain.identity_number import IdentityNumber
from hub.errors import ErasureError, SealedValueError
from hub.identity.leaving import retire
from hub.identity.ports import number_place, reason_place
from hub.identity.references import CaseReference
from hub.identity.tables import (
    case_reference,
    erasure,
    jurisdiction,
    link,
    name_token,
    person,
    person_name,
    person_salt,
)
from tests.crypto.test_rotation import INQUIRY
from tests.crypto.world import command, key, name, number, register, settle


@pytest.fixture
async def parts(tmp_path):
    hub = await settle(tmp_path, 20)
    keeping = build_keeping(hub.settings)
    yield hub, keeping
    await keeping.close()
    await hub.close()


async def member(hub, order: int) -> str | None:
    found = await hub.index.find(INQUIRY, [IdentityNumber.parse(number(order))])
    return found[number(order)].member.member_id if found else None


async def rows(hub, table, person_id: str) -> list:
    async with hub.store.read() as connection:
        return list((await connection.execute(select(table).where(table.c.person_id == person_id))).all())


async def test_two_officers_erase_a_person_and_nothing_sealed_opens_again(parts):
    hub, keeping = parts
    person_id = await member(hub, 3)
    await hub.references.put_cases(
        [CaseReference(case_id="C1", person_id=person_id, agency="justice", region="360702001")]
    )
    backup = (await rows(hub, person, person_id))[0]
    assert await keeping.eraser.bearer(IdentityNumber.parse(number(3))) == person_id
    first = await keeping.eraser.approve(person_id, "1001", "asked for by the person")
    assert not first.done
    assert await member(hub, 3) == person_id
    second = await keeping.eraser.approve(person_id, "1002", "checked")
    assert second.done
    assert second.keys == (("justice", key(3)),)
    assert await member(hub, 3) is None
    assert person_id not in {match.member_id for match in await hub.index.search(name(3), first=32)}
    for table in (person_salt, person_name, name_token, link):
        assert await rows(hub, table, person_id) == []
    with pytest.raises(SealedValueError):  # a backup of the table, without the salt
        keeping.secrets.opener.open(number_place(person_id), backup.number_sealed)
    (left,) = await rows(hub, person, person_id)
    assert (left.number_sealed, left.number_index, left.sex, left.term_start) == (None, None, "MALE", backup.term_start)
    assert len(await rows(hub, jurisdiction, person_id)) == len(await rows(hub, case_reference, person_id)) == 1
    (record,) = await rows(hub, erasure, person_id)
    opening = keeping.secrets.opener.open
    assert (record.first_by, record.second_by) == ("1001", "1002")
    assert opening(reason_place(first.erasure_id, "first"), record.first_reason_sealed) == "asked for by the person"
    assert opening(reason_place(first.erasure_id, "second"), record.second_reason_sealed) == "checked"
    assert await member(hub, 4)


async def test_an_import_does_not_bring_an_erased_person_back(parts):
    hub, keeping = parts
    person_id = await member(hub, 3)
    for officer in ("1001", "1002"):
        await keeping.eraser.approve(person_id, officer, "why")
    begun = hub.clock.now()
    report = await hub.importer.run(register(20))
    assert (report.members, report.erased) == (19, 1)
    assert await member(hub, 3) is None
    assert await retire(hub.store, begun) == 0
    assert await rows(hub, person, person_id)  # for statistics


@pytest.mark.parametrize(
    ("second", "reason", "text"),
    [
        pytest.param("1001", "why", "another officer", id="the same officer"),
        pytest.param("1002", "  ", "reason", id="no reason"),
        pytest.param("", "why", "reason", id="nobody"),
        pytest.param("x" * 65, "why", "reason", id="too long a name"),
    ],
)
async def test_a_second_approval_that_is_none_is_refused(parts, second, reason, text):
    hub, keeping = parts
    person_id = await member(hub, 3)
    await keeping.eraser.approve(person_id, "1001", "why")
    with pytest.raises(ErasureError, match=text):
        await keeping.eraser.approve(person_id, second, reason)
    assert await member(hub, 3) == person_id


async def test_the_unknown_and_the_erased_are_refused(parts):
    hub, keeping = parts
    with pytest.raises(ErasureError, match="no such person"):
        await keeping.eraser.approve("0" * 32, "1001", "why")
    with pytest.raises(ErasureError, match="nobody"):
        await keeping.eraser.bearer(IdentityNumber.parse(number(500)))
    person_id = await member(hub, 3)
    for officer in ("1001", "1002"):
        await keeping.eraser.approve(person_id, officer, "why")
    with pytest.raises(ErasureError, match="erased already"):
        await keeping.eraser.approve(person_id, "1003", "why")


async def test_the_salt_is_in_no_file_of_the_database_after_an_erasure(parts, tmp_path):
    hub, keeping = parts
    person_id = await member(hub, 3)
    (salt,) = await rows(hub, person_salt, person_id)
    for officer in ("1001", "1002"):
        await keeping.eraser.approve(person_id, officer, "why")
    for path in (tmp_path / "hub").glob("hub.db*"):
        assert salt.salt not in path.read_bytes()
    assert sqlite3.connect(tmp_path / "hub" / "hub.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_the_command_asks_two_officers_and_leaves_entries(parts, tmp_path):
    hub, keeping = parts
    person_id = await member(hub, 5)
    hub.quarantine.report(agency="justice", record=key(5), coordinate="JusticeRecord.name", value="x", reason="bad")
    hub.quarantine.report(agency="justice", record=key(6), coordinate="JusticeRecord.name", value="x", reason="bad")
    await hub.quarantine.flush()

    def erase(officer: str):
        return command(tmp_path, "person", "erase", "--person", person_id, "--by", officer, "--reason", "因本人申请")

    assert "waits for the approval of another officer" in erase("1001").stdout
    refused = erase("1001")
    assert (refused.returncode, refused.stderr[:22]) == (1, "error ERASURE_REFUSED:")
    assert erase("1002").stdout.rstrip().endswith("erased")
    entries = command(tmp_path, "audit", "dump").stdout.splitlines()
    pseudonym = keeping.secrets.pseudonyms.of("member", person_id)
    made = [line for line in entries if '"kind":"erasure"' in line]
    assert len(made) == 2
    assert all(pseudonym in line and "因本人申请" not in line and person_id not in line for line in made)
    assert command(tmp_path, "audit", "verify").returncode == 0
    async with hub.store.read() as connection:
        assert len((await connection.execute(select(quarantine))).all()) == 1


@pytest.mark.parametrize("arguments", [("--person", "0" * 32, "--number"), ("--person", "x")])
def test_the_person_is_named_once_and_well(tmp_path, arguments):
    found = command(tmp_path, "person", "erase", "--by", "1", "--reason", "r", *arguments)
    assert found.returncode == 2
    assert found.stderr.startswith("error USAGE: ")
