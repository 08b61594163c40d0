"""Misuse: 13 hidden patterns in 1,000 reads, each rule alone at its limits, samples that are drawn again."""

import dataclasses
import random
import sys
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from hub.audit.checkpoints import Checkpoints
from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.audit.queries import AuditQueries, EntryFilter
from hub.audit.reader import dump
from hub.auditing.desk import AuditArgumentError, Reader
from hub.auditing.facts_file import read_facts
from hub.auditing.findings import FROM, Findings, StaleFindingError
from hub.auditing.misuse import DAY_US, OfficerFacts, PersonFacts, Read, Use, detect, explain, read_misuse_rules
from hub.auditing.samples import Samples, draw
from hub.clock import CHINA
from hub.domain.grants import ANSWERED_WITHIN_US, Grant
from hub.errors import ForbiddenError, SettingsError, StartupError
from hub.identity.grants import Grants
from hub.identity.tables import emergency_access
from tests.audit.parts import signer
from tests.auditing.conftest import principal
from tests.auditing.seeded import HOUR_US, MONDAY, NAMES, OFFICERS, TOTAL, build, grant_row
from tests.conftest import FULL

RULES = read_misuse_rules()
ALL = {"from_us": 0, "to_us": 1 << 62}


class Moments:
    """A clock that stands where it is told."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


async def office_of(store, world):
    clock = Moments(MONDAY)
    log = AuditLog(store, clock)
    for moment, draft in sorted([*world.drafts, *world.approvals], key=lambda item: item[0]):
        clock.at = moment
        await log.append(draft)
    if world.granted:
        async with store.write() as connection:
            await connection.execute(insert(emergency_access), world.granted)
    clock.at = MONDAY + timedelta(days=40)
    queries = AuditQueries(store, Checkpoints(store, signer(), clock))
    findings = Findings(
        store=store, log=log, clock=clock, rules=tuple(RULES.values()), facts=world.facts, grants=Grants(store)
    )
    return findings, queries, clock


@pytest.mark.parametrize("seed", range(12 if FULL else 1))
async def test_every_hidden_pattern_is_found_and_false_alarms_are_counted(store, seed):
    world = build(seed)
    assert (len(world.drafts), len(OFFICERS), len(world.planted)) == (TOTAL, 30, 13)
    assert set(world.planted) == set(RULES)
    findings, queries, _ = await office_of(store, world)
    fresh = await findings.scan(**ALL)
    found = await findings.all(limit=1000)
    assert fresh == len(found)
    assert await findings.scan(**ALL) == 0  # nothing twice
    ids = {shown["requestId"]: shown["id"] async for shown in dump(store)}
    hits = set()
    for rule, (officer, requests) in world.planted.items():
        of_rule = [one for one in found if (one.rule, one.officer) == (rule, officer)]
        covered = {entry for one in of_rule for entry in one.entries}
        assert {ids[request] for request in requests} <= covered, rule
        hits |= {one.finding_id for one in of_rule if set(one.entries) & {ids[request] for request in requests}}
    false = sorted((one.rule, one.officer) for one in found if one.finding_id not in hits)
    by_rule = {rule: sum(name == rule for name, _ in false) for rule, _ in false}
    sys.stdout.write(f"seed {seed}: {len(hits)} findings of 13 patterns, {len(false)} false alarms {by_rule}\n")
    assert len(false) <= 12
    await _every_read_of_a_person(store, queries, world)


async def _every_read_of_a_person(store, queries, world):
    persons = sorted({person for _, draft in world.drafts for person, _ in draft.persons})
    for person in random.Random(1).sample(persons, 25):
        wanted, before, seen = EntryFilter(person=person), None, set()
        while True:
            page = await queries.find(wanted, first=7, before=before)
            seen |= {row.entry_id for row in page.entries}
            if not page.more:
                break
            before = page.end
        assert seen == {
            shown["id"] async for shown in dump(store) if person in [one["person"] for one in shown["persons"]]
        }


class Known:
    def __init__(self, officer: OfficerFacts | None, person: PersonFacts | None) -> None:
        self._officer, self._person = officer, person

    def officer(self, _name):
        return self._officer

    def person(self, _pseudonym):
        return self._person


ME = OfficerFacts(person="me", surname="w", household="h", regions=("3607",))
NOON = datetime(2026, 11, 4, 12, 0, tzinfo=CHINA)


def reads(count, *, at=NOON, apart_s=600, **members):
    return [
        Read(
            **{
                "entry": f"e{number}",
                "seq": number + 1,
                "time_us": int((at + timedelta(seconds=number * apart_s)).timestamp()) * 1_000_000,
                "officer": "o",
                "purpose": "HANDOVER",
                "cases": ("c",),
                "persons": (f"p{number}",),
                "denied": False,
                **members,
            }
        )
        for number in range(count)
    ]


def of(rule, given_reads, person=None, officer=ME):
    return detect([RULES[rule]], Known(officer, person), given_reads, now_us=given_reads[-1].time_us)


@pytest.mark.parametrize(
    ("rule", "below", "at", "person"),
    [
        ("own-record", reads(1), reads(1, persons=("x", "me")), None),
        ("same-surname", reads(1), reads(2), PersonFacts(surname="w", region="44")),
        ("same-surname", reads(0) or reads(1), reads(2), PersonFacts(surname="w", region="44")),
        ("same-household", reads(1, persons=()), reads(1), PersonFacts(household="h")),
        ("same-household", reads(1, persons=("me",)), reads(1), PersonFacts(household="h")),
        ("no-open-case", reads(2, cases=()), reads(3, cases=()), None),
        ("no-open-case", reads(9, cases=(), purpose="TAX_RELIEF"), reads(3, cases=()), None),
        ("out-of-jurisdiction", reads(2), reads(3), PersonFacts(region="360602")),
        ("out-of-hours", reads(9, at=NOON.replace(hour=7)), reads(3, at=NOON.replace(hour=20)), None),
        ("out-of-hours", reads(2, at=NOON.replace(day=7)), reads(3, at=NOON.replace(day=7)), None),
        ("enumeration", reads(11, apart_s=1), reads(12, apart_s=1), None),
        ("enumeration", reads(40, apart_s=60), reads(12, apart_s=27), None),
        ("enumeration", reads(40, apart_s=1, persons=("same",)), reads(1, persons=tuple("abcdefghijkl")), None),
        ("protected-person", reads(1, persons=()), reads(1), PersonFacts(marks=frozenset({"protected"}))),
        ("canary", reads(1, persons=()), reads(1), PersonFacts(marks=frozenset({"canary"}))),
        ("probing", reads(5, denied=True), reads(6, denied=True), None),
    ],
)
def test_a_rule_at_its_limit(rule, below, at, person):
    assert of(rule, below, person) == []
    (found,) = of(rule, at, person)
    assert {read.entry for read in found.reads} == {read.entry for read in at}
    for text in explain(RULES[rule], found.figures):
        assert "{" not in text


def test_volume_is_against_the_officer_s_own_history():
    days = [one for day in range(4) for one in reads(4, at=NOON + timedelta(days=day - 10))]
    assert of("volume", [*days, *reads(15)]) == []
    (found,) = of("volume", [*days, *reads(16)])
    assert (found.figures["count"], found.figures["usual"]) == (16, 4)
    assert of("volume", [*days[:12], *reads(90, apart_s=60)]) == []  # too little history to say


GRANT = Grant(
    request="g", person="p0", agency="justice", officer="o", role="judicial-office", purpose="HANDOVER", approver="justice/o2",
    from_us=1_000_000_000_000, to_us=1_000_000_000_000 + DAY_US, due_us=1_000_000_000_000 + 7 * DAY_US,
)  # fmt: skip


@pytest.mark.parametrize(
    ("reviewed", "now", "count"),
    [(None, 6, 0), (None, 7, 0), (None, 8, 1), (5, 8, 0), (8, 9, 1)],
    ids=["open", "last day", "overdue", "in time", "too late"],
)
def test_an_access_that_was_used_is_found_once_its_review_is_late(reviewed, now, count):
    grant = dataclasses.replace(GRANT, reviewed_us=reviewed and GRANT.from_us + reviewed * DAY_US)
    both = reads(2, uses=(Use(person="p0", grants=(grant,)),))
    found = detect([RULES["break-glass-unreviewed"]], Known(None, None), both, now_us=GRANT.from_us + now * DAY_US)
    assert [(one.key, len(one.reads)) for one in found] == [("g", 2)] * count
    assert detect([RULES["break-glass-without-grant"]], Known(None, None), both, now_us=0) == []


def test_a_use_without_a_grant_is_found_at_once():
    (found,) = of("break-glass-without-grant", reads(1, uses=(Use(person="p0", grants=()),)))
    assert found.figures["count"] == 1
    assert of("break-glass-without-grant", reads(1)) == []
    assert of("break-glass-unreviewed", reads(1, uses=(Use(person="p0", grants=()),))) == []


@pytest.mark.parametrize(
    ("changed", "covered"),
    [
        ({}, True),
        ({"time_us": GRANT.from_us}, True),
        ({"time_us": GRANT.to_us + ANSWERED_WITHIN_US}, True),
        ({"time_us": GRANT.from_us - 1}, False),
        ({"time_us": GRANT.to_us + ANSWERED_WITHIN_US + 1}, False),
        ({"person": "p1"}, False),
        ({"agency": "tax"}, False),
        ({"officer": "o2"}, False),
        ({"role": "county-office"}, False),
        ({"purpose": "PICKUP"}, False),
        ({"on_behalf_of": "o3"}, False),
    ],
)
def test_a_grant_is_for_one_officer_role_purpose_and_person_and_for_a_time(changed, covered):
    asked = {
        "agency": "justice", "officer": "o", "on_behalf_of": "", "role": "judicial-office", "purpose": "HANDOVER",
        "person": "p0",
    }  # fmt: skip
    assert GRANT.covers(**{**asked, "time_us": GRANT.from_us + 1, **changed}) is covered


async def test_grants_are_those_that_reads_of_a_period_can_have_used(store):
    start = GRANT.from_us
    rows = [
        grant_row("used", "p0", "o", start),
        grant_row("withdrawn", "p0", "o", start, withdrawn_us=start + HOUR_US),
        grant_row("refused", "p0", "o", start, approved=False, valid_until_us=None, review_due_us=None),
        grant_row("asked", "p0", "o", start, approved=None, decided_us=None, valid_until_us=None, review_due_us=None),
        grant_row("later", "p0", "o", start + DAY_US),
    ]
    async with store.write() as connection:
        await connection.execute(insert(emergency_access), rows)
    between = Grants(store).between
    found = {one.request: one for one in await between(start, start + HOUR_US)}
    assert set(found) == {"used", "withdrawn"}
    assert found["used"].approver == "justice/2999"
    assert (found["used"].to_us, found["withdrawn"].to_us) == (start + 2 * HOUR_US, start + HOUR_US)
    assert [one.request for one in await between(start + HOUR_US + ANSWERED_WITHIN_US + 1, start + 2 * HOUR_US)] == [
        "used"
    ]
    assert await between(0, start - 1) == []


@pytest.mark.parametrize("rule", ["own-record", "same-surname", "same-household", "out-of-jurisdiction", "canary"])
def test_without_facts_a_rule_says_nothing(rule):
    assert of(rule, reads(30), None, officer=None) == []


@given(st.integers(0, 2**32), st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_findings_do_not_depend_on_what_other_officers_do(seed, picks):
    world_reads = reads(40, apart_s=20)
    dice = random.Random(seed)
    mixed = [dataclasses.replace(read, officer=dice.choice("ab")) for read in world_reads]
    alone = [read for read in mixed if read.officer == "a"]
    rules = list(RULES.values())
    whole = [one for one in detect(rules, Known(ME, None), mixed, now_us=0) if one.officer == "a"]
    assert whole == detect(rules, Known(ME, None), alone, now_us=0)


@pytest.mark.parametrize(
    "text", ['[x]\ncheck = "none"\nzh = "a"\nen = "b"\n', '[x]\ncheck = "own"\nen = "b"\n', '[x]\nzh = "a"\nen = "b"\n']
)
def test_a_rule_that_cannot_be_explained_does_not_load(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(StartupError, match="x"):
        read_misuse_rules(file)


def test_facts_come_from_a_file_or_are_none(tmp_path):
    file = tmp_path / "facts.json"
    assert read_facts(file).officer("1") is None
    file.write_text('{"officers": {"1": {"regions": ["36"]}}, "persons": {"p": {"marks": ["canary"]}}}')
    facts = read_facts(file)
    assert facts.officer("1") == OfficerFacts(regions=("36",))
    assert facts.person("p") == PersonFacts(marks=frozenset({"canary"}))
    for bad in ("[]", "{", '{"officers": {"1": {"shoe": 1}}, "persons": {}}'):
        file.write_text(bad)
        with pytest.raises(SettingsError):
            read_facts(file)


def auditor(officer):
    return Reader(principal=dataclasses.replace(principal("auditor"), officer=officer), purpose="AUDIT")


@pytest.fixture
async def opened_finding(store):
    world = build(3)
    world.drafts = [item for item in world.drafts if item[1].request_id in world.planted["canary"][1]]
    world.approvals.clear()
    findings, _, clock = await office_of(store, world)
    await findings.scan(**ALL)
    (one,) = await findings.all()
    return findings, one, clock


async def test_a_review_takes_two_persons_and_every_step_is_an_entry(store, opened_finding):
    findings, one, _ = opened_finding
    for officer, action, text in (
        ("9001", "assign", "9002"),
        ("9002", "note", "asked for reasons"),
        ("9002", "conclude", "misuse: no reason given"),
        ("9001", "return", "ask the superior too"),
        ("9002", "conclude", "misuse: the superior knows of none"),
        ("9003", "sign-off", "agreed"),
    ):
        version = (await findings.one(one.finding_id)).version
        await findings.act(auditor(officer), one.finding_id, action, text, version=version)
    assert (await findings.one(one.finding_id)).state == "CLOSED"
    assert [step.action for step in await findings.steps(one.finding_id)] == [
        "assign", "note", "conclude", "return", "conclude", "sign-off",
    ]  # fmt: skip
    entries = [shown async for shown in dump(store) if shown["kind"] == "finding-review"]
    assert [(shown["officer"], shown["lookedAt"]["action"]) for shown in entries][-1] == ("9003", "sign-off")
    assert "superior" not in str(entries)


async def test_what_a_review_refuses(opened_finding):
    findings, one, _ = opened_finding

    async def act(officer, action, text="x", version=None, finding=one.finding_id):
        now = (await findings.one(one.finding_id)).version
        await findings.act(auditor(officer), finding, action, text, version=now if version is None else version)

    for action, states in FROM.items():
        if "OPEN" not in states:
            with pytest.raises(AuditArgumentError):
                await act("9001", action)
    for bad in ({"action": "drop"}, {"action": "note", "text": " "}, {"action": "note", "text": "x" * 2001}):
        with pytest.raises(AuditArgumentError):
            await act("9001", **bad)
    with pytest.raises(AuditArgumentError):
        await act("9001", "note", finding="none")
    for officer, action, text in ((one.officer, "note", "it was I"), ("9001", "assign", one.officer)):
        with pytest.raises(ForbiddenError):
            await act(officer, action, text)
    await act("9001", "assign", "9002")
    with pytest.raises(ForbiddenError):
        await act("9001", "conclude")
    with pytest.raises(StaleFindingError):
        await act("9001", "note", version=0)
    await act("9002", "conclude")
    for action in ("sign-off", "return"):
        with pytest.raises(ForbiddenError):
            await act("9002", action)
    await act("9001", "sign-off")
    with pytest.raises(AuditArgumentError):
        await act("9001", "note")


def standing_in(officer, other):
    return Reader(
        principal=dataclasses.replace(principal("auditor"), officer=officer, on_behalf_of=other), purpose="AUDIT"
    )


async def test_nobody_is_two_persons_of_a_review_by_acting_for_another(store, opened_finding):
    findings, one, _ = opened_finding

    async def act(who, action, text="x"):
        now = (await findings.one(one.finding_id)).version
        await findings.act(who, one.finding_id, action, text, version=now)

    for who in (standing_in(one.officer, "9001"), standing_in("9001", one.officer)):
        with pytest.raises(ForbiddenError):
            await act(who, "note")
    await act(auditor("9001"), "assign", "9002")
    await act(standing_in("9003", "9002"), "conclude")
    for who in (
        auditor("9002"), auditor("9003"), standing_in("9001", "9002"), standing_in("9001", "9003"),
        standing_in("9003", "9001"), standing_in("9002", "9001"),
    ):  # fmt: skip
        for action in ("sign-off", "return"):
            with pytest.raises(ForbiddenError):
                await act(who, action)
    await act(standing_in("9001", "9004"), "sign-off")
    assert [(step.officer, step.on_behalf_of) for step in await findings.steps(one.finding_id)][1:] == [
        ("9003", "9002"), ("9001", "9004"),
    ]  # fmt: skip
    entries = [shown async for shown in dump(store) if shown["kind"] == "finding-review"]
    assert [shown.get("onBehalfOf") for shown in entries] == [None, "9002", "9004"]


async def test_on_whose_behalf_reads_were_made_reviews_them_not(store):
    world = build(3)
    world.drafts = [
        (at, msgspec.structs.replace(draft, on_behalf_of="9002"))
        for at, draft in world.drafts
        if draft.request_id in world.planted["canary"][1]
    ]
    world.approvals.clear()
    findings, _, _ = await office_of(store, world)
    await findings.scan(**ALL)
    (one,) = await findings.all()
    for who, action, text in ((auditor("9002"), "note", "x"), (auditor("9001"), "assign", "9002")):
        with pytest.raises(ForbiddenError):
            await findings.act(who, one.finding_id, action, text, version=0)


async def test_a_finding_grows_with_its_day(store, opened_finding):
    findings, one, clock = opened_finding
    late = clock.at
    first = await anext(dump(store))
    clock.at = datetime.fromisoformat(first["time"]) + timedelta(minutes=1)
    await findings._log.append(
        Draft(
            request_id="again",
            officer=one.officer,
            persons=((first["persons"][0]["person"], NAMES),),
            outcome=Outcome.OK,
            kind=Kind.OPERATION,
        )
    )
    clock.at = late
    assert await findings.scan(**ALL) == 0
    assert len((await findings.one(one.finding_id)).entries) == 2


@given(st.sets(st.integers(1, 10_000), max_size=80), st.text(alphabet="abc123", max_size=6), st.integers(1, 30))
def test_a_sample_is_drawn_again_from_its_seed(numbers, seed, size):
    drawn = draw(list(numbers), seed, size)
    assert drawn == draw(sorted(numbers, reverse=True), seed, size)
    assert len(drawn) == min(size, len(numbers))
    assert set(drawn) <= numbers
    smaller = draw(list(numbers), seed, max(1, size - 1))
    assert set(smaller) <= set(drawn)


async def test_samples_are_kept_with_their_seed_and_do_not_see_what_came_later(office):
    await office.write(20)
    samples = Samples(office.hub.store, office.hub.audit, office.clock)
    first = await samples.one(await samples.take("9001", EntryFilter(agency="tax"), 5))
    await office.write(20)
    again = await samples.one(
        await samples.take("9002", EntryFilter(agency="tax"), 5, seed=first.seed, upto=first.upto)
    )
    assert again.entries == first.entries
    assert len(first.entries) == 5
    assert {one.sample_id for one in await samples.all()} == {first.sample_id, again.sample_id}
    for bad in ({"size": 0}, {"size": 501}, {"size": 1, "seed": "x" * 65}, {"size": 1, "seed": "é"}):
        with pytest.raises(AuditArgumentError):
            await samples.take("9001", EntryFilter(), **bad)
