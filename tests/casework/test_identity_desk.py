"""Deciding who is who, from the input to the ledger: who may, of whom, and what the log then names."""

from types import SimpleNamespace

import pytest

from hub.audit.log import AuditLog
from hub.audit.reader import dump
from hub.casework.identity_desk import IdentityDesk
from hub.casework.runner import Runner
from hub.engine.execute import FieldCall
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import Asker, Reading
from hub.gateway.subjects import Subjects
from hub.identity.index import PersonIndex
from hub.schema.commands import CommandFetcher
from tests.auth.parts import judge
from tests.casework.parts import NAMES, officer
from tests.identity.parts import SECRETS, clusters, index, linking, members, person_record

HERE, THERE = "360702", "360428"


def at(region: str) -> dict:
    return {"offices": [[f"{region}001", "H", "2023-12-01", None]]}


class Office:
    """Officers who answer questions of identity over one store, through rules, runner and log."""

    def __init__(self, store, clock) -> None:
        self.store = store
        self.parts = linking(store, clock)
        self.log = AuditLog(store, clock)
        people = PersonIndex(
            reader=store.driver, opener=SECRETS.opener, sealer=SECRETS.sealer, numbers=index("identityNumber"),
            clock=clock, natural=["police", "tax"],
        )  # fmt: skip
        runner = Runner(
            IdentityDesk(self.parts.reviews).commands(), store=store, log=self.log, rules=judge(),
            sealer=SECRETS.sealer, names=NAMES, clock=clock,
        )  # fmt: skip
        subjects = Subjects(
            resolver=SimpleNamespace(), people=people, pseudonyms=NAMES, quota=PersonQuota(limit=100, clock=clock),
            person_of_case=lambda _id: None, persons_of_review=self.parts.accounts.persons_of,
        )  # fmt: skip
        self.fetcher = CommandFetcher(runner, subjects)

    async def decide(self, review: str, name: str, *regions: str, choice="SAME", id: str = ""):
        """The answer, and whom the entry of the request would name."""
        who = officer(name, "county-office", regions=regions)
        asker = Asker(principal=who, purpose="VERIFY_IDENTITY", cases=(), judge=judge())
        reading = Reading()
        context = SimpleNamespace(asker=asker, reading=reading, request_id="r", document=None)
        given = {"clientMutationId": id or f"{name}{review}", "review": review, "choice": choice, "reason": "card seen"}
        call = FieldCall(field=SimpleNamespace(name="decideIdentity"), parents=[None], arguments={"input": given})
        ((answer,),) = await self.fetcher.fetch(context, [call])
        return answer, [key for key, _ in reading.access]

    async def listed(self, *regions: str) -> list[str]:
        found = await self.parts.accounts.questions(regions, overdue=False, first=10, after=None)
        return [one.review_id for one in found]


@pytest.fixture
async def office(store, clock):
    one = Office(store, clock)
    yield one
    await one.log.close()


@pytest.fixture
async def people(store, clock):
    return await members(store, clock, [person_record("J1", 1, **at(HERE)), person_record("J2", 1, **at(THERE))])


@pytest.mark.parametrize("turned", [False, True])
async def test_a_merge_is_for_those_who_are_responsible_for_both(office, people, store, clock, turned):
    pair = [people["J1"], people["J2"]]
    asked = await office.parts.reviews.propose_merge(*(reversed(pair) if turned else pair))
    for region in (HERE, THERE):
        assert await office.listed(region) == []
        answer, named = await office.decide(asked.review_id, "ann", region)
        assert (answer.code.value, answer.field, named) == ("NOT_FOUND", "review", [])
    assert set((await clusters(store, clock)).values()) == set(pair)
    assert await office.listed(HERE, THERE) == [asked.review_id]
    answer, named = await office.decide(asked.review_id, "ann", HERE, THERE)
    assert answer.review["state"] == "WAITS_FOR_SECOND"
    keys = {NAMES.of("member", one) for one in pair}
    assert set(named) == keys
    (entry,) = [one async for one in dump(store) if one["kind"] == "command"]
    assert {one["person"] for one in entry["persons"]} == keys
    answer, _ = await office.decide(asked.review_id, "bo", HERE)
    assert answer.code.value == "NOT_FOUND"
    answer, _ = await office.decide(asked.review_id, "bo", HERE, THERE)
    assert answer.review["state"] == "DECIDED"
    assert len(set((await clusters(store, clock)).values())) == 1


async def test_a_merge_that_was_carried_out_is_told_again_to_who_decided_it(office, people):
    asked = await office.parts.reviews.propose_merge(people["J1"], people["J2"])
    await office.decide(asked.review_id, "ann", HERE, THERE)
    first, _ = await office.decide(asked.review_id, "bo", HERE, THERE, id="same")
    again, _ = await office.decide(asked.review_id, "bo", HERE, THERE, id="same")
    assert again == first
    late, _ = await office.decide(asked.review_id, "cy", HERE, THERE)
    assert late.code.value == "ALREADY_DECIDED"


async def test_nobody_is_asked_of_a_merge_with_somebody_who_left(office, people, store, clock):
    asked = await office.parts.reviews.propose_merge(people["J1"], people["J2"])
    await members(store, clock, [person_record("J2", 1, vaulted="1", **at(THERE))])
    assert await office.listed(HERE, THERE) == []
    assert await office.parts.reviews.identity_reviews() == []
    answer, _ = await office.decide(asked.review_id, "ann", HERE, THERE)
    assert answer.code.value == "NOT_FOUND"
