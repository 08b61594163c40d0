"""The hub against the agencies' own systems, in this process: calls counted, values compared, membership kept."""

import asyncio
import csv
import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from hub.auth.principal import Principal
from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.connectors.base import Fetch, Part
from hub.connectors.rows import layout_of
from hub.demo.linkage import records
from hub.demo.population import World, someone
from hub.domain.catalogue import Shape, ValueType
from hub.domain.identity_number import IdentityNumber, check_character
from hub.identity.index import Inquiry
from hub.identity.linker import own_key
from hub.identity.matching.traits import traits_of
from hub.identity.tables import link
from hub.identity.vault_tables import vault_record
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from tests.conftest import FULL
from tests.fitting import fitted

EVERYTHING_NESTED = """
  name birthDate
  justice { releaseDate sentences { court termMonths } riskAssessments { riskClass score } visits { visitedOn } }
  police { householdStatus residencePermits { validTo } newCases { caseNo } inCustody }
  socialSecurity { insuredNow lastPaidMonth insuranceAccounts { monthsPaid } trainings { course } }
  civilAffairs { reliefActive reliefCases { reliefType validTo } }
  tax { employedThisMonth registrations { name } }
"""


@pytest.fixture
async def hub(demo):
    """A second hub over the demo's data and agencies; its calls are its own."""
    built = build_hub(load_settings(data_dir=demo.directory, url=demo.url, demo=True, agency_deadline_s=5))
    yield built
    await built.close()


def principal(hub: Hub, persona: str) -> Principal:
    return hub.issuer.principal_of(hub.rules.personas[persona])


async def ask(hub: Hub, persona: str, query: str, cases: tuple[str, ...] = (), **variables):
    """The answer to `query` as far as it fits the persona's view."""
    service = hub.service
    request = GraphQLRequest(
        query=fitted(query, persona),
        variables=variables,
        purpose=hub.rules.personas[persona].purpose,
        cases=cases,
        request_id="test",
    )
    answer = await service.answer(principal(hub, persona), request)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def calls(hub: Hub) -> dict[str, int]:
    return {agency: guard.connector.calls for agency, guard in hub.sources.items()}


@pytest.fixture
async def ids(hub, demo):
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id } }"
    found = []
    for number in demo.held["people"]["in"][:50]:
        body = await ask(hub, "judicial-office", query, n=number)
        found.append(body["data"]["person"]["id"])
    return found


SHAPES = {
    "one root": "query ($ids: [ID!]!) { persons(ids: $ids) { %s } }",
    "aliases": "query ($ids: [ID!]!) { a: persons(ids: $ids) { %s } b: persons(ids: $ids) { id x: name } }",
    "fragments": "query ($ids: [ID!]!) { persons(ids: $ids) { ...A ... on Person { id } } } fragment A on Person { %s }",
    "two roots": "query ($ids: [ID!]!) { persons(ids: $ids) { %s } people(first: 50) { edges { node { tax { businessActive } } } } }",
    "a list": "query ($ids: [ID!]!) { people(first: 50) { edges { node { %s } } } persons(ids: $ids) { id } }",
}


@pytest.mark.parametrize("shape", list(SHAPES))
async def test_fifty_persons_and_five_agencies_are_five_calls(hub, ids, shape):
    before = calls(hub)
    body = await ask(hub, "judicial-office", SHAPES[shape] % EVERYTHING_NESTED, ids=ids)
    assert "errors" not in body
    assert {agency: count - before[agency] for agency, count in calls(hub).items()} == dict.fromkeys(before, 1)
    assert len({use["agency"] for use in body["extensions"]["hub"]["sources"]}) == 5


async def test_persons_of_different_classes_share_a_call_but_no_denied_field(hub, ids, demo):
    """Key persons show their scores to the judicial office, others do not; still one call, and no score of the others."""
    body = await ask(
        hub,
        "judicial-office",
        "query ($ids: [ID!]!) { persons(ids: $ids) { keyPerson justice { riskAssessments { score riskClass } } } }",
        ids=ids,
    )
    persons = body["data"]["persons"]
    assert {person["keyPerson"] for person in persons} == {True, False}
    for person in persons:
        for assessment in person["justice"]["riskAssessments"]:
            assert (assessment["score"] is not None) is person["keyPerson"]
            assert assessment["riskClass"]


# --- values against the sources, read by other means -------------------------------------------------------------------


def source_value(hub, directory, rule, mapping, key, nested, position):
    """The raw value where the agency itself keeps it."""
    folder = directory / "agencies" / mapping.agency
    if mapping.kind == "sql":
        with closing(sqlite3.connect(folder / f"{mapping.agency}.db")) as database:
            variants = IdentityNumber.parse(key).variants() if mapping.variants else (key,)
            marks = ",".join("?" * len(variants))
            record = database.execute(
                f'SELECT "{mapping.record}" FROM "{mapping.at}" WHERE "{mapping.key}" IN ({marks})', variants
            ).fetchone()
            if record is None:
                return None
            table, column = (nested.at, nested.key) if nested else (mapping.at, mapping.record)
            order = f' ORDER BY "{nested.order}"' if nested else ""
            rows = database.execute(
                f'SELECT "{rule.source}" FROM "{table}" WHERE "{column}" = ?{order}', record
            ).fetchall()
            return rows[position][0]
    if mapping.kind == "rest":
        with closing(sqlite3.connect(folder / f"{mapping.agency}.db")) as database:
            (text,) = database.execute("SELECT doc FROM docs WHERE id = ?", (key,)).fetchone()
        doc = json.loads(text)
        return doc[nested.at][position][rule.source] if nested else doc[rule.source]
    drop = max((folder / "drop").glob("[0-9]*"))
    with (drop / (nested.at if nested else mapping.at)).open(encoding="gb18030", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[mapping.key] == key]
    return rows[position][rule.source]


def expected_value(rule, raw, codes):
    """What the raw value means, worked out again and differently."""
    field = rule.field
    if rule.is_in is not None:
        return None if raw in (None, "") else str(raw) in rule.is_in
    if raw is None or raw == "":
        return None
    if rule.positive:
        return int(raw) > 0
    if field.shape is Shape.VALUES:
        return raw.split(";")
    if field.value_type is ValueType.CODE:
        if rule.codes is not None:
            return rule.codes[str(raw)]
        return raw
    if field.value_type is ValueType.BOOLEAN:
        return raw if isinstance(raw, bool) else {"1": True, "0": False, "是": True, "否": False}[raw]
    if field.value_type is ValueType.INT:
        return int(raw)
    if field.value_type is ValueType.DECIMAL:
        return Decimal(raw)
    if field.value_type is ValueType.DATE:
        year, month, day = re.fullmatch(r"(\d{4})\D?(\d{2})\D?(\d{2})", raw).groups()
        return date(int(year), int(month), int(day))
    if field.value_type is ValueType.MONTH:
        return f"{raw[:4]}-{raw[-2:]}"
    return raw.strip()


async def test_500_random_values_are_what_the_agencies_own_systems_say(hub, demo):
    dice = random.Random(20261124)
    numbers = demo.held["people"]["in"] + demo.held["people"]["out"]
    who = Inquiry(principal=hub.issuer.principal_of(hub.rules.personas["judicial-office"]), purpose="HANDOVER")
    found = await hub.index.find(who, [IdentityNumber.parse(number) for number in numbers])
    checked = compared = 0
    while checked < (5000 if FULL else 500):
        agency = dice.choice(sorted(hub.sources))
        mapping = hub.rules.mappings[agency]
        (key,) = found[dice.choice(sorted(found))].member.keys[agency]
        name, nested = dice.choice(
            [(n, None) for n in mapping.rules] + [(n, mapping.nested[n]) for n in mapping.nested]
        )
        inner = dice.choice(sorted(nested.rules)) if nested else None
        rule = nested.rules[inner] if nested else mapping.rules[name]
        coordinates = {rule.field.coordinate} | ({nested.field.coordinate} if nested else set())
        answer = await hub.sources[agency].ask(
            Fetch(
                parts=(Part(keys=(key,), coordinates=frozenset(coordinates)),),
                layout=layout_of(hub.rules.catalogue, mapping.type_name, frozenset(coordinates)),
                timeout_s=5,
            )
        )
        assert answer.state == "OK"
        value = answer.records[key].values[0]
        if nested is None:
            assert value == expected_value(
                rule, source_value(hub, demo.directory, rule, mapping, key, None, 0), hub.rules.codes
            )
            compared += value is not None
        else:
            rows = value if nested.field.shape is Shape.RECORDS else [value] if value else []
            for position, row in enumerate(rows):
                raw = source_value(hub, demo.directory, rule, mapping, key, nested, position)
                assert row[0] == expected_value(rule, raw, hub.rules.codes), rule.field.coordinate
                compared += row[0] is not None
        checked += 1
    assert compared > checked / 2


# --- membership is a secret ----------------------------------------------------------------------------------------------


TAX_VIEW = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
  assistanceStatus entitledGroup name identityNumber sex deceased responsibleRegion keyPerson
  justice { releaseDate } police { householdRestored inCustody }
  socialSecurity { keyGroupEligible } civilAffairs { lowIncome }
  tax { taxOffice selfEmployed employedThisMonth filings { year } }
  sources { agency status } conflicts { coordinate } access { coordinate effect code } provenance { field agency }
} }"""


def shape(value):
    """The form of an answer without its values: types and key names, lists by their element's form."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner), sort_keys=True) for inner in value})
    return "null" if value is None else type(value).__name__


def taxpayer(demo, agency, world, index):
    person = someone(world, index)
    with closing(sqlite3.connect(demo.directory / "agencies" / agency / f"{agency}.db")) as database:
        row = database.execute("SELECT doc FROM docs WHERE id = ?", (person.number,)).fetchone()
    return person.number if row else None


@pytest.mark.parametrize("persona", ["tax", "social-security"])
async def test_members_and_others_get_answers_of_one_form(hub, demo, persona):
    """200 pairs: a taxpayer who was in prison and one who never was differ in nothing that membership causes."""
    marker = json.loads((demo.directory / "agencies" / "justice" / "complete.json").read_text())
    world = World(seed=marker["seed"], members=marker["people"], today=date.fromisoformat(marker["today"]))
    inside = [n for i in range(world.members) if (n := taxpayer(demo, persona, world, i))][:200]
    outside = [n for i in range(world.members, world.total) if (n := taxpayer(demo, persona, world, i))][:200]
    assert len(inside) == len(outside) == 200
    forms: dict[str, set[str]] = {"inside": set(), "outside": set()}
    for name, numbers in {"inside": inside, "outside": outside}.items():
        bodies = [
            await asyncio.gather(*(ask(hub, persona, TAX_VIEW, n=n) for n in numbers[at : at + 10]))
            for at in range(0, 200, 10)
        ]
        for body in (body for group in bodies for body in group):
            person = body["data"]["person"]
            always = {
                key: person[key]
                for key in ("assistanceStatus", "entitledGroup", "responsibleRegion", "keyPerson", "justice", "access")
                if key in person  # what the view holds
            }
            extensions = body["extensions"]["hub"]
            fixed = {
                "always": always,
                "denied": extensions["denied"],
                "cost": extensions["cost"]["static"],  # the actual one counts objects of the answer itself
                "sources": [use["agency"] for use in extensions["sources"]],
                "tax": shape(person[{"tax": "tax", "social-security": "socialSecurity"}[persona]]),
            }
            forms[name].add(json.dumps(fixed, sort_keys=True))
    assert forms["inside"] == forms["outside"]
    assert len(forms["inside"]) == 1
    assert hub.sources["justice"].connector.calls == 0


@pytest.fixture
async def memberless(hub, demo, tmp_path):
    """The same hub in a world in which nobody was ever in prison: same keys, same registers, an empty index."""
    shutil.copytree(demo.directory / "hub", tmp_path / "hub")
    with closing(sqlite3.connect(tmp_path / "hub" / "hub.db")) as database, database:
        for table in ("person", "person_link", "person_jurisdiction", "case_reference", "consent"):
            database.execute(f"DELETE FROM {table}")
    built = build_hub(load_settings(data_dir=tmp_path, url=demo.url, demo=True, agency_deadline_s=5), rules=hub.rules)
    yield built
    await built.close()


def without_chance(body) -> str:
    """An answer without what the design leaves out of the comparison."""
    kept = {name: value for name, value in body["extensions"]["hub"].items() if name not in ("requestId", "auditEntry")}
    kept["sources"] = [{**use, "latencyMs": 0} for use in kept["sources"]]
    return json.dumps({**body, "extensions": {"hub": kept}}, sort_keys=True)


@pytest.mark.parametrize("persona", ["tax", "social-security", "civil-affairs"])
async def test_a_member_looks_as_in_a_world_where_nobody_is_one(hub, memberless, demo, persona):
    """200 persons, each against the same person who was never in prison: every byte that membership could change."""
    of_the_case, *numbers = demo.held["people"]["in"] + demo.held["people"]["out"]
    marker = json.loads((demo.directory / "agencies" / "justice" / "complete.json").read_text())
    world = World(seed=marker["seed"], members=marker["people"], today=date.fromisoformat(marker["today"]))
    more = [n for i in range(world.members) if (n := someone(world, i).number) not in {of_the_case, *numbers}]
    numbers += more[: 200 - len(numbers)]
    assert len(numbers) == 200
    case = demo.held["personas"][persona]["case"]  # of another person
    for at in range(0, 200, 20):
        one, other = [
            await asyncio.gather(*(ask(each, persona, TAX_VIEW, (case,), n=n) for n in numbers[at : at + 20]))
            for each in (hub, memberless)
        ]
        assert [without_chance(body) for body in one] == [without_chance(body) for body in other]


async def test_out_of_term_a_member_is_there_but_hardly_seen(hub, demo):
    who = Inquiry(principal=hub.issuer.principal_of(hub.rules.personas["judicial-office"]), purpose="HANDOVER")
    marker = json.loads((demo.directory / "agencies" / "justice" / "complete.json").read_text())
    world = World(seed=marker["seed"], members=marker["people"], today=date.fromisoformat(marker["today"]))
    found = await hub.index.find(who, [IdentityNumber.parse(someone(world, i).number) for i in range(world.members)])
    over = next(n for n, known in found.items() if known.facts.jurisdiction and not known.facts.term)
    body = await ask(
        hub,
        "judicial-office",
        """query ($n: String!) { person(lookup: {identityNumber: $n}) {
             id name identityNumber justice { offenceChapter sentences { court } handover { outcome } } } }""",
        n=over,
    )
    person = body["data"]["person"]
    assert (person["name"], person["identityNumber"], person["justice"]["sentences"]) == (None, None, None)
    assert person["justice"]["offenceChapter"]
    denied = {item["coordinate"]: item["code"] for item in body["extensions"]["hub"]["denied"]}
    assert denied["Person.name"] == denied["Sentence.court"] == "APPROVAL_REQUIRED"


async def test_an_unknown_number_is_nobody_for_a_register_role(hub):
    body = "36070019700101999"
    found = await ask(hub, "tax", TAX_VIEW, n=body + check_character(body))
    assert found["data"]["person"] is None
    assert found["extensions"]["hub"]["denied"] == []
    assert hub.sources["justice"].connector.calls == 0


async def test_a_case_opens_what_the_case_is_for(hub, demo):
    number, case = demo.held["people"]["in"][0], demo.held["personas"]["social-security"]["case"]
    query = "query ($n: String!) { person(lookup: {identityNumber: $n}) { entitledGroup name } }"
    without = await ask(hub, "social-security", query, n=number)
    assert without["data"]["person"] == {"entitledGroup": None, "name": None}
    codes = {item["coordinate"]: item["code"] for item in without["extensions"]["hub"]["denied"]}
    assert codes == {"Person.entitledGroup": "CASE_REQUIRED", "Person.name": "CASE_REQUIRED"}
    opened = (await ask(hub, "social-security", query, cases=(case,), n=number))["data"]["person"]
    assert opened["entitledGroup"] is True
    assert opened["name"]


async def test_vaulted_persons_are_members_for_nobody(hub, demo):
    marker = json.loads((demo.directory / "agencies" / "justice" / "complete.json").read_text())
    world = World(seed=marker["seed"], members=marker["people"], today=date.fromisoformat(marker["today"]))
    vaulted = [p for i in range(world.members) if (p := someone(world, i)).vaulted]
    assert vaulted
    numbers = [IdentityNumber.parse(person.number) for person in vaulted]
    who = Inquiry(principal=hub.issuer.principal_of(hub.rules.personas["judicial-office"]), purpose="HANDOVER")
    assert await hub.index.find(who, numbers) == {}
    body = await ask(
        hub,
        "judicial-office",
        "query ($n: String!) { person(lookup: {identityNumber: $n}) { name } }",
        n=vaulted[0].number,
    )
    assert body["data"]["person"] is None


async def test_no_seeded_number_stands_in_any_file_of_the_hub(hub, demo):
    numbers = demo.held["people"]["in"][:40]
    files = [path for path in (demo.directory / "hub").rglob("*") if path.is_file()]
    assert any(path.name == "hub.db" for path in files)
    for path in files:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:  # a partial tile gives way to a fuller one while the server runs
            assert ".p" in path.parent.name, path
            continue
        for number in numbers:
            for form in (number.encode(), number.encode("utf-16-le"), number.encode().hex().encode()):
                assert form not in raw, path.name


async def test_a_scan_of_every_agency_reads_what_is_trained_and_evaluated_on(hub, demo):
    """Every record of every system once, with the traits that `demo.linkage` makes without the systems."""
    marker = json.loads((demo.directory / "agencies" / "justice" / "complete.json").read_text())
    world = World(seed=marker["seed"], members=marker["people"], today=date.fromisoformat(marker["today"]))
    expected = {(one.agency, one.key): one.traits for one in records(world)}
    found = {}
    for agency, source in hub.sources.items():
        async for batch in source.connector.scan(frozenset(), batch=300):
            for record in batch:
                assert (agency, own_key(record)) not in found
                found[agency, own_key(record)] = traits_of(record.values)
    assert found == expected


async def test_the_demo_links_the_other_agencies_records(hub, demo):
    async with hub.store.read() as connection:
        rows = await connection.execute(select(link.c.agency, func.count()).group_by(link.c.agency))
        counts = {row[0]: row[1] for row in rows}
        mine = select(func.count()).where(vault_record.c.agency == "justice")
        vaulted = (await connection.execute(mine)).scalar_one()
    assert vaulted > 0
    assert counts["justice"] + vaulted == 600
    assert all(counts[agency] > 300 for agency in ("police", "social-security", "tax", "civil-affairs"))
