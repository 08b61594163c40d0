"""A new bundle comes into force on a hub that answers all the time: every answer is of one version, old or new."""

import asyncio
import json
from datetime import date

import pytest

from hub.audit.reader import dump
from hub.audit.refusals import RefusalSummary
from hub.bootstrap.build import build_hub
from hub.bootstrap.front import _readiness, lifespan
from hub.demo.agencies.civil_affairs import write_drop
from hub.demo.agencies.process import Arguments
from hub.demo.population import World, people
from hub.errors import PolicyError
from hub.rules import read_rules
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from hub.store.migration import migrate
from tests.auth.signed import KEY, STRANGER, signed

WORLD = World(seed=5, members=20, today=date(2026, 11, 24))
RULE = """
@id("hub.FG1.civil-affairs")
@basis("Law [R]")
@explain("Civil affairs see identity. / 民政可见身份信息。")
permit (principal == Hub::Role::"civil-affairs", action == Hub::Action::"{action}", resource in Hub::Group::"FG1")
when {{ resource.owner == Hub::Agency::"civil-affairs" }};
"""
CASE = """
[[case]]
name = "identity"
role = "civil-affairs"
purpose = "RELIEF"
facts = []
expect = {{ "CivilAffairsRecord.name" = "{effect}" }}
"""
QUERY = "query ($n: String!) { person(lookup: {identityNumber: $n}) { civilAffairs { name } } }"


def bundle(version: int, action: str, effect: str, key=KEY) -> bytes:
    files = {"hub.cedar": RULE.format(action=action), "cases/c.toml": CASE.format(effect=effect)}
    return signed(version, files, key)


@pytest.fixture
def settings(tmp_path):
    drop = write_drop(Arguments(directory=tmp_path / "civil-affairs", world=WORLD, port=0, database_url=None))
    trusted = tmp_path / "hub" / "policy" / "trusted"
    trusted.mkdir(parents=True)
    (trusted / "officer.pem").write_bytes(KEY.as_pem(private=False))
    (tmp_path / "hub" / "agencies.toml").write_text(f'[agencies.civil-affairs]\npath = "{drop.parent}"\n')
    return load_settings(data_dir=tmp_path, demo=True)


def publish(settings, data: bytes) -> None:
    temporary = settings.policy_dir / "new"
    temporary.write_bytes(data)
    temporary.replace(settings.policy_dir / "bundle.json")


def clerk(hub):
    return hub.issuer.principal_of(hub.rules.personas["civil-affairs"])


async def ask(hub, number: str, request_id: str) -> dict:
    request = GraphQLRequest(query=QUERY, variables={"n": number}, purpose="RELIEF", request_id=request_id)
    return json.loads((await hub.service.answer(clerk(hub), request)).body)


async def known_number(hub) -> str:
    """An identity number that civil affairs holds."""
    for person in people(WORLD):
        answer = await ask(hub, person.number, "search")
        if answer["data"]["person"] is not None:
            return person.number
    raise AssertionError("nobody")


async def test_requests_in_flight_keep_their_version_and_the_next_ones_get_the_new(settings):
    publish(settings, bundle(1, "readFull", "full"))
    hub = build_hub(settings)
    await migrate(hub.store)
    async with lifespan(hub, RefusalSummary(hub.log)):
        number = await known_number(hub)
        old = hub.policies.current.policy_digest
        assert (await hub.office.policies.of([old]))[old]["hub.cedar"] == RULE.format(action="readFull")
        stop = asyncio.Event()
        answers = []

        async def keep_asking(name: int) -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                answers.append(await ask(hub, number, f"q{name}-{turn}"))

        askers = [asyncio.create_task(keep_asking(name)) for name in range(4)]
        publish(settings, bundle(2, "readMasked", "masked"))
        async with asyncio.timeout(30):  # hub looks every two seconds
            while hub.policies.policy.version != 2:
                await asyncio.sleep(0.01)
        before = len(answers)
        while len(answers) < before + 20:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*askers)
        new = hub.policies.current.policy_digest
        texts = await hub.office.policies.of([old, new])  # evidence packages hold both
        assert [texts[digest]["hub.cedar"] for digest in (old, new)] == [
            RULE.format(action=action) for action in ("readFull", "readMasked")
        ]
        full, masked = answers[0]["data"]["person"], answers[-1]["data"]["person"]
        assert "*" in masked["civilAffairs"]["name"]
        assert full != masked
        entries = {entry["id"]: entry async for entry in dump(hub.store)}
        for answer in answers:  # no answer mixes the two, and each says truly which it is of
            person = answer["data"]["person"]
            digest = entries[answer["extensions"]["hub"]["auditEntry"]]["policyDigest"]
            assert (person, digest) in [(full, old), (masked, new)]
        changes = [entry for entry in entries.values() if entry["kind"] == "policy"]
        assert [(entry["outcome"], entry["note"], entry["policyDigest"]) for entry in changes] == [
            ("OK", {"version": 2, "previous": 1}, new)
        ]


async def test_an_operation_that_began_under_old_rules_ends_under_them(settings):
    """The swap happens while the operation waits for its agency."""
    publish(settings, bundle(1, "readFull", "full"))
    hub = build_hub(settings)
    await migrate(hub.store)
    async with lifespan(hub, RefusalSummary(hub.log)):
        number = await known_number(hub)
        source = hub.sources["civil-affairs"]
        reached, go_on = asyncio.Event(), asyncio.Event()
        ask_agency = source.ask

        async def slow(question):
            reached.set()
            await go_on.wait()
            return await ask_agency(question)

        source.ask = slow
        running = asyncio.create_task(ask(hub, number, "slow"))
        await reached.wait()
        publish(settings, bundle(2, "readMasked", "masked"))
        await hub.watcher.look()
        assert hub.policies.policy.version == 2
        go_on.set()
        assert "*" not in (await running)["data"]["person"]["civilAffairs"]["name"]
        assert "*" in (await ask(hub, number, "next"))["data"]["person"]["civilAffairs"]["name"]


async def test_what_is_refused_is_logged_counted_and_changes_nothing(settings):
    publish(settings, bundle(5, "readFull", "full"))
    hub = build_hub(settings)
    await migrate(hub.store)
    async with lifespan(hub, RefusalSummary(hub.log)):
        before = hub.policies.policy
        for data in (b"nonsense", bundle(4, "readMasked", "masked"), bundle(6, "readMasked", "full")):
            publish(settings, data)
            await hub.watcher.look()
        assert hub.policies.policy is before
        codes = [entry["code"] async for entry in dump(hub.store) if entry["kind"] == "policy"]
        assert codes == ["POLICY_INVALID", "POLICY_ROLL_BACK", "POLICY_INVALID"]
        sample = hub.metrics.registry.get_sample_value("hub_policy_changes_total", {"result": "refused"})
        assert sample == 3
        assert (await _readiness(hub))["policy"]


def test_a_hub_whose_bundle_is_wrong_at_the_start_does_not_start(settings):
    publish(settings, bundle(1, "readFull", "full", STRANGER))
    with pytest.raises(PolicyError, match="trusted"):
        build_hub(settings, rules=read_rules(settings))
