"""1,000 reads by 30 officers over four weeks, with 13 kinds of misuse hidden among them. Seeded."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.kinds import Kind
from hub.auditing.facts_file import FileFacts
from hub.auditing.misuse import DAY_US, OfficerFacts, PersonFacts
from hub.clock import CHINA

NAMES = Pattern(full=("Person.name",))
UNDER_APPROVAL = Pattern(full=("Person.name",), facts="approved case")
OFFICERS = [f"{3000 + number}" for number in range(30)]
REGIONS = [f"3607{number:02}" for number in range(1, 11)]
SURNAMES = [f"s{number}" for number in range(60)]
MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=CHINA)
TOTAL = 1_000
HOUR_US = 3_600_000_000


@dataclass
class World:
    """`planted`: rule → (officer, request ids of the reads that are misuse). `granted`: rows of emergency accesses."""

    drafts: list[tuple[datetime, Draft]] = field(default_factory=list)
    planted: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    approvals: list[tuple[datetime, Draft]] = field(default_factory=list)
    granted: list[dict] = field(default_factory=list)
    facts: FileFacts = field(default_factory=lambda: FileFacts({}, {}))


def build(seed: int) -> World:
    dice = random.Random(seed)
    officers = {
        name: OfficerFacts(
            person=f"self-{name}",
            surname=SURNAMES[rank],
            household=f"home-{name}",
            regions=(REGIONS[rank % len(REGIONS)],),
        )
        for rank, name in enumerate(OFFICERS)
    }
    persons = {
        f"p{number}": PersonFacts(
            surname=dice.choice(SURNAMES), household=f"h{number}", region=REGIONS[number % len(REGIONS)]
        )
        for number in range(400)
    }
    persons |= {facts.person: PersonFacts(surname="own", region=facts.regions[0]) for facts in officers.values()}
    world = World(facts=FileFacts(officers, persons))
    _plant(world, dice, officers, persons)
    while len(world.drafts) < TOTAL:
        officer = dice.choice(OFFICERS)
        day = dice.choice([day for day in range(26) if day % 7 < 5])
        near = [name for name in persons if name[0] == "p" and persons[name].region == officers[officer].regions[0]]
        moment = MONDAY + timedelta(days=day, minutes=dice.randrange(10 * 60))
        far = dice.random() < 0.03  # an honest officer has one elsewhere now and then
        person = dice.choice([name for name in persons if name[0] == "p"] if far else near)
        _add(world, moment, officer, person, case=dice.random() > 0.03, denied=dice.random() < 0.03)
    world.drafts.sort(key=lambda item: item[0])
    return world


def _add(world, moment, officer, person, *, case=True, denied=False, rule=None, pattern=NAMES):
    request = f"r{len(world.drafts)}"
    draft = Draft(
        request_id=request,
        agency="justice",
        officer=officer,
        role="judicial-office",
        purpose="HANDOVER",
        cases=("C1",) if case else (),
        persons=((person, pattern),),
        outcome=Outcome.DENIED if denied else Outcome.OK,
    )
    world.drafts.append((moment, draft))
    if rule is not None:
        world.planted.setdefault(rule, (officer, []))[1].append(request)


def _plant(world, dice, officers, persons):
    chosen = iter(dice.sample(OFFICERS, 13))

    def at(day, hour, minute=0):
        return MONDAY.replace(hour=hour, minute=minute) + timedelta(days=day)

    def other(officer):
        return next(region for region in REGIONS if region not in officers[officer].regions)

    def new(name, officer, **facts):
        persons[name] = PersonFacts(**{"region": officers[officer].regions[0], **facts})
        return name

    officer = next(chosen)
    _add(world, at(2, 11), officer, f"self-{officer}", rule="own-record")
    officer = next(chosen)
    for rank in range(2):
        kin = new(f"kin{rank}", officer, surname=officers[officer].surname, region=other(officer))
        _add(world, at(3, 10 + rank), officer, kin, rule="same-surname")
    officer = next(chosen)
    _add(world, at(4, 14), officer, new("wife", officer, household=officers[officer].household), rule="same-household")
    officer = next(chosen)
    for rank in range(4):
        _add(world, at(8, 9 + rank), officer, new(f"nocase{rank}", officer), case=False, rule="no-open-case")
    officer = next(chosen)
    for rank in range(4):
        far = new(f"far{rank}", officer, region=other(officer))
        _add(world, at(9, 9 + rank), officer, far, rule="out-of-jurisdiction")
    officer = next(chosen)
    for rank in range(4):
        _add(world, at(10, 22, rank * 9), officer, new(f"night{rank}", officer), rule="out-of-hours")
    officer = next(chosen)
    for day in (0, 1, 2, 3, 4):
        _add(world, at(day, 9), officer, new(f"usual{day}", officer))
    for rank in range(20):
        much = new(f"much{rank}", officer)
        _add(world, at(22, 8 + rank // 2, (rank % 2) * 30), officer, much, rule="volume")
    officer = next(chosen)
    for rank in range(14):
        _add(world, at(15, 15) + timedelta(seconds=rank * 15), officer, new(f"row{rank}", officer), rule="enumeration")
    for rule, mark in (("protected-person", "protected"), ("canary", "canary")):
        officer = next(chosen)
        _add(world, at(16, 10), officer, new(mark, officer, marks=frozenset({mark})), rule=rule)
    officer = next(chosen)
    glass = new("glass", officer)
    _grant(world, at(17, 9), officer, glass, reviewed=None)
    _add(world, at(17, 10), officer, glass, pattern=UNDER_APPROVAL, rule="break-glass-unreviewed")
    officer = next(chosen)
    for name, by in (("reviewed", "2999"), ("forged", officer)):  # of one the log holds the asker's own attempt alone
        _grant(world, at(17, 9), officer, new(name, officer), reviewed=3, by=by)
    _add(world, at(17, 10), officer, "reviewed", pattern=UNDER_APPROVAL)
    _add(world, at(17, 11), officer, "forged", pattern=UNDER_APPROVAL, rule="break-glass-without-grant")
    _add(world, at(17, 12), officer, "reviewed", pattern=UNDER_APPROVAL, rule="break-glass-without-grant")  # too late
    officer = next(chosen)
    for rank in range(8):
        _add(world, at(18, 9, rank * 7), officer, new(f"probe{rank}", officer), denied=True, rule="probing")


def _grant(world, moment, officer, person, *, reviewed, by="2999"):
    """An emergency access of 2 hours, reviewed after so many days; `by`: whose approval the log holds."""
    request = f"grant-{len(world.granted):018}"
    start = int(moment.timestamp() * 1_000_000)
    approval = Draft(
        kind=Kind.APPROVAL,
        request_id=request,
        agency="justice",
        officer=by,
        operation="approveAccess",
        outcome=Outcome.OK,
        looked_at={"request": request, "decision": "APPROVE"},
    )
    world.approvals.append((moment, approval))
    world.granted.append(grant_row(request, person, officer, start, reviewed_days=reviewed))


def grant_row(request, person, officer, start_us, *, reviewed_days=None, **other):
    return {
        "person_key": person,
        "request_id": request,
        "agency": "justice",
        "officer": officer,
        "client": "c",
        "role": "judicial-office",
        "purpose": "HANDOVER",
        "region": "",
        "regions": "[]",
        "coordinates": "[]",
        "minutes": 120,
        "reason_sealed": b"",
        "requested_us": start_us,
        "decided_us": start_us,
        "approved": True,
        "approver_agency": "justice",
        "approver": "2999",
        "valid_until_us": start_us + 2 * HOUR_US,
        "review_due_us": start_us + 7 * DAY_US,
        "withdrawn_us": None,
        "reviewed_us": None if reviewed_days is None else start_us + reviewed_days * DAY_US,
        **other,
    }
