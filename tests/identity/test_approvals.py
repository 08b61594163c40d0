"""Facts under approvals and limited consents, as the index tells them: of members and of strangers."""

import pytest

from hub.auth.facts import Facts, ScopedFacts
from hub.crypto.pairwise import Pseudonyms
from hub.domain.identity_number import IdentityNumber
from hub.identity.approvals import Approvals
from hub.identity.importer import Importer
from hub.identity.index import Inquiry, PersonIndex
from hub.identity.references import References
from hub.identity.vault import Vault
from tests.casework.parts import NAMES, asked, call, deciding, open_desk, subject
from tests.casework.parts import officer as desk_officer
from tests.identity.test_index import KEYS, NUMBERS, RING, Justice, Opener, Sealer, number, record
from tests.identity.test_index import NAMES as NAME_INDEXES

CLERK = desk_officer("6001", "social-security", "social-security", ("36",))
OFFICE = desk_officer("2001", regions=("360702",))


@pytest.fixture
async def parts(store, clock):
    vault = Vault(sealer=Sealer(RING), opener=Opener(RING), numbers=NUMBERS, keys=KEYS, clock=clock)
    importer = Importer(
        store=store,
        sealer=Sealer(RING),
        opener=Opener(RING),
        numbers=NUMBERS,
        keys=KEYS,
        names=NAME_INDEXES,
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
        natural=["police", "tax", "social-security"],
        approvals=Approvals(store.driver, NAMES.of, clock),
    )
    await importer.run(Justice([record("J1", 1)]))
    desk = open_desk(store, clock)
    yield index, desk, References(store, clock)
    await desk.log.close()


def inquiry(who, purpose, *, reads=True) -> Inquiry:
    return Inquiry(principal=who, purpose=purpose, approved=reads)


async def member(index, who=OFFICE, purpose="HANDOVER", *, reads=True):
    wanted = IdentityNumber.parse(number(1))
    return (await index.find(inquiry(who, purpose, reads=reads), [wanted]))[wanted.text]


async def test_an_approval_stands_for_a_member_by_number_and_by_id_and_for_a_stranger_alike(parts):
    index, desk, _ = parts
    for sequence in (1, 2):
        request = await asked(
            desk, id=f"a{sequence}", about=subject(number(sequence)), coordinates=["JusticeRecord.riskClass"]
        )
        await desk.runner.run(deciding(request, id=f"d{sequence}"))
    known = await member(index)
    opened = {"JusticeRecord.riskClass", "Person.assistanceStatus"}
    assert isinstance(known.facts, ScopedFacts)
    assert known.facts.approved_for == opened
    assert known.facts.approved_by == {"justice/2002"}
    by_id = await index.members(inquiry(OFFICE, "HANDOVER"), [known.member.member_id])
    assert by_id[known.member.member_id].facts == known.facts
    numbers = [IdentityNumber.parse(number(sequence)) for sequence in (1, 2)]
    facts = await index.register_facts(inquiry(OFFICE, "HANDOVER"), numbers)
    assert facts[number(1)] == facts[number(2)]
    assert facts[number(1)].approved


async def test_where_no_rule_looks_at_approvals_none_is_read(parts):
    index, desk, _ = parts
    request = await asked(desk, about=subject(number(1)))
    await desk.runner.run(deciding(request))
    assert (await member(index)).facts.approved
    assert type((await member(index, reads=False)).facts) is Facts


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, True),
        ({"from": "2026-11-24"}, True),
        ({"from": "2026-11-25"}, False),
        ({"to": "2026-11-25"}, True),
        ({"scope": ["FG6"]}, True),
    ],
)
async def test_a_consent_holds_from_and_to_its_days_for_its_groups(parts, given, holds):
    index, desk, _ = parts
    known = await member(index)
    about = subject(number(1), known.member.member_id, jurisdiction=True)
    more = {"agency": "social-security", "purpose": "EMPLOYMENT", "evidence": "box 1", "person": {}, **given}
    done = await desk.runner.run(call("giveConsent", more, about=about))
    assert done.receipt is not None, done.problem
    facts = (await member(index, CLERK, "EMPLOYMENT")).facts
    assert facts.consent is holds
    assert (await member(index, CLERK, "INSURANCE")).facts.consent is False
    if "scope" in given:
        assert facts.consent_for == {"FG6"}
        assert facts.within("JusticeRecord.skills", "FG6").consent
        assert not facts.within("Person.name", "FG1").consent
    where = {name: more[name] for name in ("agency", "purpose", "person")}
    done = await desk.runner.run(call("withdrawConsent", where, id="w", about=about))
    assert done.receipt is not None
    assert (await member(index, CLERK, "EMPLOYMENT")).facts.consent is False


async def test_a_consent_ends_on_its_day(parts, clock):
    index, desk, _ = parts
    known = await member(index)
    about = subject(number(1), known.member.member_id, jurisdiction=True)
    more = {"agency": "social-security", "purpose": "EMPLOYMENT", "evidence": "box 1", "person": {}, "to": "2026-11-25"}
    await desk.runner.run(call("giveConsent", more, about=about))
    clock.advance(24 * 3600)
    assert (await member(index, CLERK, "EMPLOYMENT")).facts.consent is False


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"agency": "post"}, "agency"),
        ({"purpose": "TAX_RELIEF"}, "purpose"),
        ({"scope": ["FG99"]}, "scope"),
        ({"scope": []}, "scope"),
        ({"to": "2026-11-24"}, "to"),
        ({"from": "2026-12-01", "to": "2026-12-01"}, "to"),
        ({"evidence": " "}, "evidence"),
    ],
)
async def test_a_consent_out_of_bounds_is_refused(parts, wrong, field):
    _, desk, _ = parts
    more = {"agency": "social-security", "purpose": "EMPLOYMENT", "evidence": "box 1", "person": {}, **wrong}
    done = await desk.runner.run(call("giveConsent", more, about=subject(number(1), "m", jurisdiction=True)))
    assert (done.problem["code"], done.problem["field"]) == ("INVALID_INPUT", field)


async def test_only_the_responsible_office_records_a_consent_and_only_of_whom_it_knows(parts):
    _, desk, _ = parts
    more = {"agency": "social-security", "purpose": "EMPLOYMENT", "evidence": "box 1", "person": {}}
    outside = await desk.runner.run(call("giveConsent", more, about=subject(number(1), "m")))
    assert outside.problem["code"] == "FORBIDDEN"
    unknown = await desk.runner.run(
        call("giveConsent", more, id="2", about=subject(number(1), None, jurisdiction=True))
    )
    assert (unknown.problem["code"], unknown.problem["field"]) == ("NOT_FOUND", "person")
    none = await desk.runner.run(
        call("withdrawConsent", more, id="3", about=subject(number(1), "m", jurisdiction=True))
    )
    assert none.problem["code"] == "NOT_FOUND"


async def test_a_plain_consent_of_before_still_holds(parts):
    index, _, references = parts
    known = await member(index)
    await references.give_consent(known.member.member_id, "social-security", "EMPLOYMENT")
    facts = (await member(index, CLERK, "EMPLOYMENT")).facts
    assert (type(facts), facts.consent) == (Facts, True)
