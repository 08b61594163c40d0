import sqlite3
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, insert, literal_column, select
from sqlalchemy.dialects import sqlite

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.clock import today
from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.identity_number import IdentityNumber, check_character
from hub.identity.importer import Importer
from hub.identity.index import LEAST_CANDIDATES, Inquiry, PersonIndex
from hub.identity.leaving import RegisterShrunkError, retire
from hub.identity.names import NameIndexes
from hub.identity.references import CaseReference, References
from hub.identity.search import NameSearch
from hub.identity.statements import LISTED_FACTS, among
from hub.identity.tables import CASE_KIND, jurisdiction
from hub.identity.vault import Vault

RING = KeyRing(
    keys={
        "seal:hub:2": {1: bytes(31) + b"n"},
        "seal:hub:3": {1: bytes(32)},
        "seal:justice:2": {1: bytes(range(32))},
        "seal:vault:3": {1: bytes(range(1, 33))},
    }
)
NUMBERS = BlindIndex(key=b"n" * 32, field="identityNumber", bits=6)
KEYS = BlindIndex(key=b"k" * 32, field="agencyKey", bits=6)
NAMES = NameIndexes(
    exact=BlindIndex(key=b"e" * 32, field="name", bits=6),
    grams=BlindIndex(key=b"g" * 32, field="nameGram", bits=6),
    pinyin=BlindIndex(key=b"p" * 32, field="namePinyin", bits=6),
)


@dataclass
class Record:
    key: str
    values: dict = field(default_factory=dict)


@dataclass
class Justice:
    records: list[Record]

    async def scan(self, coordinates, *, batch):
        for start in range(0, len(self.records), batch):
            yield self.records[start : start + batch]


def number(sequence: int) -> str:
    body = f"36070019900101{sequence:03d}"
    return body + check_character(body)


def record(
    key: str, sequence: int | None, *, start=date(2024, 1, 1), end=date(2029, 1, 1), offices=None, **more
) -> Record:
    values = {
        "index.number": number(sequence) if sequence is not None else "not a number",
        "index.sex": "M",
        "index.term_start": start.isoformat(),
        "index.term_end": end.isoformat(),
        "index.risk_class": "Y",
        "index.vaulted": "0",
        "index.deceased": "0",
        "index.offices": offices or [["360702001", "H", "2023-12-01", None]],
    }
    return Record(key, {**values, **{f"index.{name}": value for name, value in more.items()}})


@pytest.fixture
def parts(store, clock):
    vault = Vault(sealer=Sealer(RING), opener=Opener(RING), numbers=NUMBERS, keys=KEYS, clock=clock)
    importer = Importer(
        store=store,
        sealer=Sealer(RING),
        opener=Opener(RING),
        numbers=NUMBERS,
        keys=KEYS,
        names=NAMES,
        erased=Pseudonyms(b"d" * 32),
        vault=vault,
        clock=clock,
    )
    index = PersonIndex(
        reader=store.driver,
        opener=Opener(RING),
        sealer=Sealer(RING),
        numbers=NUMBERS,
        clock=clock,
        natural=["police", "tax"],
        names=NameSearch(reader=store.driver, opener=Opener(RING), sealer=Sealer(RING), indexes=NAMES),
    )
    return importer, index, References(store, clock)


def officer(role="judicial-office", agency="justice", regions=("360702",), cases=None) -> Principal:
    return Principal(
        agency=agency, role=role, officer="1", client="c", regions=regions, purposes=frozenset({"HANDOVER"}),
        cases=cases, token_id="t", expires_at=0,
    )  # fmt: skip


def inquiry(who=None, purpose="HANDOVER", cases=(), *, region=False) -> Inquiry:
    return Inquiry(principal=who or officer(), purpose=purpose, cases=tuple(cases), region=region)


async def find(index, sequence: int) -> str | None:
    known = (await index.find(inquiry(), [IdentityNumber.parse(number(sequence))])).get(number(sequence))
    return known and known.member.member_id


async def facts(index, member, who=None, cases=(), purpose="HANDOVER") -> Facts:
    return (await index.members(inquiry(who, purpose, cases), [member]))[member].facts


async def test_members_are_found_by_number_though_many_share_a_blind_index(parts):
    importer, index, _ = parts
    await importer.run(Justice([record(f"k{n}", n) for n in range(1, 200)]))
    members = {await find(index, n) for n in range(1, 200)}
    assert len(members) == 199
    assert None not in members
    assert await find(index, 300) is None


async def test_importing_again_changes_no_identity(parts):
    importer, index, _ = parts
    records = [record(f"k{n}", n) for n in range(1, 30)]
    await importer.run(Justice(records))
    before = {n: await find(index, n) for n in range(1, 30)}
    report = await importer.run(Justice(records))
    assert {n: await find(index, n) for n in range(1, 30)} == before
    assert report.members == 29


async def test_a_bad_number_leaves_a_member_without_one(parts):
    importer, _, _ = parts
    report = await importer.run(Justice([record("k1", None), record("k2", 2)]))
    assert (report.without_number, report.ambiguous) == (1, 0)


async def test_two_records_with_one_number_are_found_by_neither(parts):
    importer, index, _ = parts
    report = await importer.run(Justice([record("k1", 5), record("k2", 5)]))
    assert report.ambiguous == 2
    assert await find(index, 5) is None


async def test_a_doubtful_number_finds_nobody_while_an_import_runs(parts):
    """Marks are set at the end of an import; a batch in its middle must not wash them off."""
    importer, index, _ = parts

    class Watched(Justice):
        seen = None

        async def scan(self, coordinates, *, batch):
            yield self.records
            self.seen = await find(index, 5)

    await importer.run(Justice([record("k1", 5), record("k2", 5)]))
    again = Watched([record("k1", 5), record("k2", 5)])
    await importer.run(again)
    assert again.seen is None
    assert await find(index, 5) is None


async def test_a_number_that_is_put_right_at_the_source_is_found_again(parts):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 5), record("k2", 5)]))
    assert (await importer.run(Justice([record("k1", 5), record("k2", 6)]))).ambiguous == 0
    found = [await find(index, 5), await find(index, 6)]
    assert None not in found
    assert len(set(found)) == 2


async def test_retiring_takes_out_whom_the_last_import_did_not_see(parts, store, clock):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1), record("k2", 2)]))
    gone, stays = await find(index, 2), await find(index, 1)
    await references.put_cases([CaseReference(case_id="C2", person_id=gone, agency="justice", region="360702")])
    clock.advance(60)
    since = clock.now()
    await importer.run(Justice([record("k1", 1)]))
    with pytest.raises(RegisterShrunkError):
        await retire(store, since, at_most=0.49)
    assert await find(index, 2) == gone
    assert await retire(store, since, at_most=0.5) == 1
    assert (await find(index, 1), await find(index, 2)) == (stays, None)
    assert await index.persons_of_cases(inquiry(), ["C2"]) == {}


async def test_a_case_concerns_one_person(parts):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1), record("k2", 2)]))
    first, second = await find(index, 1), await find(index, 2)
    for member in (first, second):
        await references.put_cases([CaseReference(case_id="C1", person_id=member, agency="justice", region="360702")])
    assert await index.persons_of_cases(inquiry(), ["C1"]) == {"C1": second}
    assert not (await facts(index, first, cases=("C1",))).case


@pytest.mark.parametrize("turned", [False, True])
async def test_of_several_spells_at_one_office_the_last_to_end_counts(parts, turned):
    importer, index, _ = parts
    spells = [["360702001", "H", "2024-01-01", None], ["360702001", "H", "2010-01-01", "2012-01-01"]]
    await importer.run(Justice([record("k1", 1, offices=spells[::-1] if turned else spells)]))
    assert (await facts(index, await find(index, 1))).jurisdiction


@pytest.fixture
def opened_values(parts, monkeypatch):
    """Columns of the sealed values that the index opens, in order."""
    _, index, _ = parts
    seen: list[str] = []

    def of_persons(agency, table, column):
        opening = Opener(RING).of_persons(agency, table, column)
        return lambda row, raw, salt: (seen.append(column), opening(row, raw, salt))[1]

    monkeypatch.setattr(index._opener, "of_persons", of_persons)
    monkeypatch.setattr(index, "_open_number", of_persons("hub", "person", "number_sealed"))
    monkeypatch.setattr(index._decoy, "_opening", index._open_number)
    monkeypatch.setattr(index._decoy_link, "_opening", of_persons("hub", "person_link", "key_sealed"))
    return seen


@pytest.mark.parametrize("count", [1, 12])
async def test_a_hit_and_a_miss_open_the_same_number_of_sealed_numbers(parts, opened_values, count):
    importer, index, _ = parts
    await importer.run(Justice([record(f"k{n}", n) for n in range(1, 25)]))
    openings = []
    for first in (1, 300):  # members, and numbers that nobody bears
        opened_values.clear()
        numbers = [IdentityNumber.parse(number(first + n)) for n in range(count)]
        assert len(await index.register_facts(inquiry(officer("tax", "tax"), "TAX_RELIEF"), numbers)) == count
        openings.append([*opened_values])
    assert openings == [["number_sealed"] * (LEAST_CANDIDATES * count)] * 2


async def test_a_look_up_opens_the_padded_number_and_the_keys_of_whom_it_finds(parts, opened_values):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1)]))
    assert await find(index, 1)
    openings = ["key_sealed"] + ["number_sealed"] * LEAST_CANDIDATES
    assert sorted(opened_values) == openings
    opened_values.clear()
    assert await find(index, 300) is None
    assert sorted(opened_values) == openings  # nobody costs as much as somebody


async def test_vaulted_persons_are_nobody(parts):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1, vaulted="1")]))
    assert await find(index, 1) is None
    page = await index.page(
        inquiry(),
        frozenset({Facts(jurisdiction=True, term=True, own=True)}),
        region=None,
        sex=None,
        first=10,
        after=None,
        offset=0,
    )
    assert page.total_count == 0


async def test_keys_are_justices_own_and_the_number_for_the_others(parts):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1)]))
    member = await find(index, 1)
    found = (await index.members(inquiry(region=True), [member]))[member].member
    assert found.keys == {"justice": ("k1",), "police": (number(1),), "tax": (number(1),)}
    assert found.responsible_region == "360702001"


@pytest.mark.parametrize(("past_days", "expected"), [(0, True), (29, True), (30, False), (31, False)])
async def test_term_lasts_thirty_days_beyond_its_end(parts, clock, past_days, expected):
    importer, index, _ = parts
    end = today(clock) - timedelta(days=past_days)
    await importer.run(Justice([record("k1", 1, end=end)]))
    assert (await facts(index, await find(index, 1))).term is expected


async def test_term_has_not_begun_before_its_first_day(parts, clock):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1, start=today(clock) + timedelta(days=1))]))
    assert not (await facts(index, await find(index, 1))).term


@pytest.mark.parametrize(("past_days", "expected"), [(0, True), (59, True), (60, False)])
async def test_jurisdiction_lasts_sixty_days_beyond_its_end(parts, clock, past_days, expected):
    importer, index, _ = parts
    until = (today(clock) - timedelta(days=past_days)).isoformat()
    await importer.run(Justice([record("k1", 1, offices=[["360702001", "H", "2023-01-01", until]])]))
    assert (await facts(index, await find(index, 1))).jurisdiction is expected


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (("360702",), True),
        (("3607",), True),
        (("36",), True),
        (("360703",), False),
        (("360702002",), False),
        ((), False),
    ],
)
async def test_jurisdiction_is_by_prefix_of_a_responsible_office(parts, regions, expected):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1)]))
    assert (await facts(index, await find(index, 1), officer(regions=regions))).jurisdiction is expected


async def test_a_case_counts_for_its_agency_region_and_token(parts):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1)]))
    member = await find(index, 1)
    await references.put_cases([CaseReference(case_id="C1", person_id=member, agency="justice", region="360702001")])
    assert (await facts(index, member, cases=("C1",))).case
    assert not (await facts(index, member)).case
    assert not (await facts(index, member, cases=("C2",))).case
    assert not (await facts(index, member, officer(regions=("360703",)), ("C1",))).case
    assert not (await facts(index, member, officer(agency="tax", role="tax"), ("C1",))).case
    assert not (await facts(index, member, officer(cases=frozenset({"C9"})), ("C1",))).case
    await references.put_cases(
        [CaseReference(case_id="C1", person_id=member, agency="justice", region="360702001", open=False)]
    )
    assert not (await facts(index, member, cases=("C1",))).case


async def test_consent_is_for_one_agency_and_purpose_until_withdrawn(parts):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1)]))
    member = await find(index, 1)
    await references.give_consent(member, "justice", "HANDOVER")
    assert (await facts(index, member)).consent
    assert not (await facts(index, member, purpose="PICKUP")).consent
    assert not (await facts(index, member, officer(agency="tax", role="tax"))).consent
    await references.withdraw_consent(member, "justice", "HANDOVER")
    assert not (await facts(index, member)).consent


async def test_register_facts_of_a_member_without_case_are_those_of_a_stranger(parts):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1, risk_class="Z")]))
    member = await find(index, 1)
    numbers = [IdentityNumber.parse(number(n)) for n in (1, 2)]
    who = officer(agency="tax", role="tax", regions=("36",))
    found = await index.register_facts(inquiry(who, "TAX_RELIEF"), numbers)
    assert found[number(1)] == found[number(2)] == Facts(own=True)
    await references.put_cases([CaseReference(case_id="T1", person_id=member, agency="tax", region="360702")])
    found = await index.register_facts(inquiry(who, "TAX_RELIEF", ("T1",)), numbers)
    assert found[number(1)] == Facts(own=True, case=True)
    assert found[number(2)] == Facts(own=True)


async def test_pages_follow_each_other_and_stay_within_the_allowed_facts(parts, clock):
    importer, index, _ = parts
    ended = today(clock) - timedelta(days=100)
    records = [
        record(f"k{n}", n, end=ended if n % 3 == 0 else date(2029, 1, 1), sex="F" if n % 2 else "M")
        for n in range(1, 31)
    ]
    await importer.run(Justice(records))
    in_term = frozenset({Facts(jurisdiction=True, term=True, own=True)})
    seen, after = [], None
    while True:
        page = await index.page(inquiry(), in_term, region=None, sex=None, first=7, after=after, offset=0)
        assert page.total_count == 20
        seen += page.members
        after = seen[-1]
        if not page.has_next_page:
            break
    assert len(set(seen)) == 20
    women = await index.page(inquiry(), in_term, region="360702", sex="FEMALE", first=50, after=None, offset=0)
    assert women.total_count == 10
    nowhere = await index.page(inquiry(), in_term, region="360799", sex=None, first=5, after=None, offset=0)
    assert nowhere.total_count == 0


async def test_a_list_may_be_led_by_a_region_outside_the_callers_own(parts):
    importer, index, _ = parts
    both = [["360702001", "H", "2023-12-01", None], ["360703001", "J", "2023-12-01", None]]
    await importer.run(Justice([record("k1", 1, offices=both), record("k2", 2), record("k3", 3, offices=both[1:])]))
    every = frozenset({Facts(jurisdiction=True, term=True, own=True)})
    page = await index.page(inquiry(), every, region="360703", sex=None, first=5, after=None, offset=0)
    assert [*page.members] == [await find(index, 1)]
    page = await index.page(inquiry(), every, region=None, sex=None, first=5, after=None, offset=0, count=False)
    assert (len(page.members), page.total_count) == (2, None)


async def test_a_named_case_brings_a_person_from_elsewhere_into_the_list(parts):
    importer, index, references = parts
    elsewhere = [["360703001", "H", "2023-12-01", None]]
    await importer.run(Justice([record("k1", 1), record("k2", 2, offices=elsewhere)]))
    member = await find(index, 2)
    await references.put_cases([CaseReference(case_id="C1", person_id=member, agency="justice", region="360702001")])
    allowed = frozenset(
        Facts(jurisdiction=j, term=True, case=c, own=True) for j in (False, True) for c in (False, True) if j or c
    )
    with_case = await index.page(inquiry(cases=("C1",)), allowed, region=None, sex=None, first=5, after=None, offset=0)
    assert with_case.total_count == 2
    without = await index.page(inquiry(), allowed, region=None, sex=None, first=5, after=None, offset=0)
    assert without.total_count == 1


async def test_a_list_says_of_its_members_what_a_look_up_says(parts):
    importer, index, references = parts
    both = [["360702001", "H", "2023-12-01", None], ["360703001", "J", "2023-12-01", None]]
    elsewhere = [["360703001", "H", "2023-12-01", None]]
    await importer.run(
        Justice(
            [
                record("k1", 1, offices=both),
                record("k2", 2, end=date(2020, 1, 1)),
                record("k3", 3, offices=elsewhere),
                record("k4", None),
            ]
        )
    )
    member = await find(index, 3)
    await references.put_cases([CaseReference(case_id="C1", person_id=member, agency="justice", region="360702001")])
    anybody = frozenset(Facts(jurisdiction=j, term=t, case=c, own=True) for j, t, c in product((False, True), repeat=3))
    for cases, region in product([(), ("C1",)], [None, "360702", "360703"]):
        asked = inquiry(cases=cases, region=True)
        page = await index.page(asked, anybody, region=region, sex=None, first=9, after=None, offset=0)
        assert page.members == await index.members(asked, page.members)
        assert [*page.members] == sorted(page.members)
        assert page.members


FLAGS = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())


@given(allowed=st.sets(FLAGS), row=FLAGS)
def test_the_condition_of_a_list_holds_for_a_row_iff_its_facts_are_allowed(allowed, row):
    names = LISTED_FACTS
    facts = frozenset(Facts(**dict(zip(names, vector, strict=True)), own=True) for vector in allowed)
    columns = {name: literal_column(str(int(value)), Boolean) for name, value in zip(names, row, strict=True)}
    condition = among(columns, facts)
    with sqlite3.connect(":memory:") as database:
        text = "1" if condition is True else str(condition.compile(dialect=sqlite.dialect()))
        (found,) = database.execute(f"SELECT CASE WHEN {text} THEN 1 ELSE 0 END").fetchone()
    assert bool(found) is (row in allowed)


async def test_no_number_or_key_stands_in_the_database_file(tmp_path, store, store_url, parts):
    importer, _, _ = parts
    await importer.run(Justice([record(f"prisoner-{n}", n) for n in range(1, 50)]))
    if store_url.startswith("sqlite"):
        for path in tmp_path.glob("hub.db*"):
            raw = path.read_bytes()
            for n in range(1, 50):
                for text in (number(n), f"prisoner-{n}"):
                    for form in (text.encode(), text.encode("utf-16-le"), text.encode().hex().encode()):
                        assert form not in raw


async def test_importing_again_keeps_the_reach_of_cases(parts, store):
    importer, index, references = parts
    await importer.run(Justice([record("k1", 1)]))
    member = await find(index, 1)
    await references.put_cases([CaseReference(case_id="c1", person_id=member, agency="justice", region="360703001")])
    made = {"person_id": member, "region": "360703001", "kind": CASE_KIND, "sex": "MALE", "vaulted": False}
    async with store.write() as connection:
        await connection.execute(insert(jurisdiction).values(**made))
    await importer.run(Justice([record("k1", 1, offices=[["360702002", "H", "2023-12-01", None]])]))
    neighbour = officer(regions=("360703",))
    assert (await facts(index, member, neighbour)).jurisdiction
    assert (await facts(index, member, neighbour, cases=["c1"])).case
    async with store.read() as connection:
        rows = (await connection.execute(select(jurisdiction.c.region).where(jurisdiction.c.person_id == member))).all()
    assert {row.region for row in rows} == {"360702002", "360703001"}


async def test_importing_again_vaults_what_cases_made_with_the_person(parts, store):
    importer, index, _ = parts
    await importer.run(Justice([record("k1", 1)]))
    member = await find(index, 1)
    made = {"person_id": member, "region": "360703001", "kind": CASE_KIND, "sex": "MALE", "vaulted": False}
    async with store.write() as connection:
        await connection.execute(insert(jurisdiction).values(**made))
    await importer.run(Justice([record("k1", 1, vaulted="1")]))
    async with store.read() as connection:
        left = select(jurisdiction.c.region).where(jurisdiction.c.person_id == member)
        assert not (await connection.execute(left)).all()
