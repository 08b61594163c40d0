"""The outbox, the feed and webhooks: nothing lost, nothing out of order, repeats that a receiver can tell."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from hub.clock import FixedClock
from hub.crypto.pairwise import PairwiseIds
from hub.errors import WebhookError
from hub.events.deliverer import DISABLED_AFTER, RETRY_AFTER_S, Deliverer
from hub.events.outbox import Feed, Sequencer, put
from hub.events.places import Places
from hub.events.tables import event_head, outbox, webhook
from hub.events.webhooks import Webhooks


class Plain:
    def seal(self, place, text):
        return f"{place.row}|{text}".encode()

    def open(self, place, sealed):
        row, _, text = sealed.decode().partition("|")
        assert row == place.row
        return text


@pytest.fixture
async def ready(store):
    return store


async def tell(store, person, kind="case.VISITED", *, recipient="justice", office="judicial-office/360702001", at=0):
    async with store.write() as connection:
        return await put(
            connection,
            person_key=person,
            recipient=recipient,
            office=office,
            kind=kind,
            body={"case": f"case-of-{person}"},
            entry_id="e",
            happened_us=at,
        )


@pytest.fixture
async def receiver():
    """A real HTTP server that keeps what it gets and answers as it is told."""
    seen, answers = [], []

    async def handle(request):
        body = await request.text()
        seen.append((dict(request.headers), body))
        answer = answers.pop(0) if answers else 204
        if answer == "hang":
            await asyncio.sleep(30)
        return web.Response(status=answer, headers={"location": "http://127.0.0.1:1/"} if answer == 302 else {})

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/hook", seen, answers
    await runner.cleanup()


PLACES = Places(PairwiseIds(b"p" * 32))


class Side:
    """Everything of one worker."""

    def __init__(self, store, clock):
        self.webhooks = Webhooks(store, Plain(), Plain(), clock, hosts=frozenset({"127.0.0.1", "agency.example"}))
        self.deliverer = Deliverer(store, self.webhooks, PLACES, clock, source="http://127.0.0.1/")
        self.sequencer = Sequencer(store)

    async def work(self):
        await self.sequencer.run()
        return await self.deliverer.run()


@pytest.fixture
async def side(ready):
    side = Side(ready, FixedClock(datetime.now(UTC)))  # receivers refuse what is minutes old
    side.clock = side.deliverer._clock
    yield side
    await side.deliverer.close()


async def test_what_did_not_commit_was_never_said(ready):
    with pytest.raises(RuntimeError):
        async with ready.write() as connection:
            await put(
                connection,
                person_key="p",
                recipient="justice",
                office=None,
                kind="k",
                body={},
                entry_id="e",
                happened_us=1,
            )
            raise RuntimeError
    assert await Sequencer(ready).run() == 0


async def test_places_follow_the_numbers_of_a_person_though_the_clock_went_back(ready):
    for at in (50, 10, 30):
        await tell(ready, "p", at=at)
    await tell(ready, "q", at=20)
    await Sequencer(ready).run()
    events = await Feed(ready).after(0, recipient="justice", regions=None, first=10)
    assert [event.position for event in events] == [1, 2, 3, 4]
    assert [event.sequence for event in events if event.person_key == "p"] == [1, 2, 3]


async def test_two_sequencers_give_no_place_twice(ready):
    for number in range(40):
        await tell(ready, f"p{number % 5}", at=number)
    counts = await asyncio.gather(*(Sequencer(ready).run() for _ in range(3)))
    assert sum(counts) == 40
    events = await Feed(ready).after(0, recipient="justice", regions=None, first=100)
    assert [event.position for event in events] == list(range(1, 41))


async def test_a_late_transaction_comes_after_what_was_read(ready):
    await tell(ready, "p", at=100)
    await Sequencer(ready).run()
    (seen,) = await Feed(ready).after(0, recipient="justice", regions=None, first=10)
    await tell(ready, "q", at=5)  # began earlier, committed later
    await Sequencer(ready).run()
    (later,) = await Feed(ready).after(seen.position, recipient="justice", regions=None, first=10)
    assert later.person_key == "q"


async def test_a_reader_gets_its_agency_and_offices_only(ready):
    await tell(ready, "p")
    await tell(ready, "q", office="judicial-office/360104001")
    await tell(ready, "r", office=None)
    await tell(ready, "s", recipient="police")
    await Sequencer(ready).run()
    feed = Feed(ready)
    assert {e.person_key for e in await feed.after(0, recipient="justice", regions=["360702"], first=9)} == {"p", "r"}
    assert {e.person_key for e in await feed.after(0, recipient="justice", regions=["%"], first=9)} == {"r"}
    assert {e.person_key for e in await feed.after(0, recipient="tax", regions=None, first=9)} == set()


async def test_an_event_arrives_signed_and_without_content(side, ready, receiver):
    url, seen, _ = receiver
    _, secret = await side.webhooks.register("justice", url)
    await tell(ready, "p")
    assert await side.work() == 1
    ((headers, body),) = seen
    lower = {name.lower(): value for name, value in headers.items()}
    event = Webhook(secret).verify(body, lower)  # by the receiver's own library
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("case-of-p", "case-of-q"), lower)
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "hub.case.VISITED", "case-of-p")
    assert set(event["data"]) == {"case", "office"}
    assert await side.work() == 0


async def test_the_database_holds_no_secret_in_the_clear(side, ready, receiver):
    _, secret = await side.webhooks.register("justice", receiver[0])
    async with ready.read() as connection:
        (sealed,) = (await connection.execute(select(webhook.c.secret_sealed))).scalars()
    assert sealed != secret.encode()


async def test_failures_are_tried_again_by_the_schedule_and_then_laid_aside(side, ready, receiver):
    url, seen, answers = receiver
    webhook_id, _ = await side.webhooks.register("justice", url)
    await tell(ready, "p")
    await side.sequencer.run()
    answers.extend([500] * 20)
    for pause in (0, *RETRY_AFTER_S):
        side.clock.advance(pause)
        assert await side.deliverer.run() == 0
        assert await side.deliverer.run() == 0  # nothing before its time
    assert len(seen) == len(RETRY_AFTER_S) + 1
    assert len({headers["webhook-id"] for headers, _ in seen}) == 1
    (line,) = await side.webhooks.log(webhook_id, agency="justice")
    assert (line.dead, line.next_us, line.answer) == (True, None, "500")
    answers.clear()
    assert await side.webhooks.replay(webhook_id, agency="police", after=0) == 0
    assert await side.webhooks.replay(webhook_id, agency="justice", after=0) == 1
    assert await side.deliverer.run() == 1


async def test_later_events_of_a_person_wait_and_others_do_not(side, ready, receiver):
    url, seen, answers = receiver
    await side.webhooks.register("justice", url)
    for person in ("p", "p", "q"):
        await tell(ready, person)
    answers.append(500)
    await side.work()
    subjects = [json.loads(body)["place"] for _, body in seen]
    kinds = [json.loads(body)["subject"] for _, body in seen]
    assert kinds == ["case-of-p", "case-of-q"]
    side.clock.advance(RETRY_AFTER_S[0])
    await side.work()
    assert [json.loads(body)["subject"] for _, body in seen][2:] == ["case-of-p", "case-of-p"]
    assert subjects[0] == json.loads(seen[2][1])["place"]
    assert [PLACES.open("justice", place) for place in subjects] == [1, 3]


async def test_two_workers_send_nothing_twice(ready, receiver, side):
    url, seen, _ = receiver
    await side.webhooks.register("justice", url)
    for number in range(20):
        await tell(ready, f"p{number}")
    other = Side(ready, side.clock)
    try:
        assert sum(await asyncio.gather(side.work(), other.work())) == 20
    finally:
        await other.deliverer.close()
    assert len({headers["webhook-id"] for headers, _ in seen}) == len(seen) == 20


async def test_a_redirect_is_not_followed(side, ready, receiver):
    url, _seen, answers = receiver
    webhook_id, _ = await side.webhooks.register("justice", url)
    await tell(ready, "p")
    answers.append(302)
    assert await side.work() == 0
    assert (await side.webhooks.log(webhook_id, agency="justice"))[0].answer == "302"


async def test_an_endpoint_that_never_answers_is_disabled_with_notice_and_goes_on_where_it_stopped(
    side, ready, receiver
):
    url, seen, answers = receiver
    webhook_id, _ = await side.webhooks.register("justice", url, ["case."])
    for number in range(DISABLED_AFTER + 5):
        await tell(ready, f"p{number}")
    answers.extend([503] * DISABLED_AFTER)
    await side.work()
    assert len(seen) == DISABLED_AFTER
    (endpoint,) = await side.webhooks.endpoints("justice")
    assert endpoint.disabled
    await side.sequencer.run()
    notices = [
        event
        for event in await Feed(ready).after(0, recipient="justice", regions=[], first=100)
        if event.kind == "webhook.disabled"
    ]
    assert [notice.body["webhook"] for notice in notices] == [webhook_id]
    assert await side.work() == 0
    assert not await side.webhooks.enable(webhook_id, agency="tax")
    assert await side.webhooks.enable(webhook_id, agency="justice")
    side.clock.advance(RETRY_AFTER_S[0])
    assert await side.work() == DISABLED_AFTER + 5


async def test_kinds_choose_what_an_endpoint_gets(side, ready, receiver):
    url, _seen, _ = receiver
    await side.webhooks.register("justice", url, ["deadline."])
    await tell(ready, "p", "case.VISITED")
    await tell(ready, "p", "deadline.red")
    assert await side.work() == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/hook",
        "http://agency.example/hook",
        "ftp://agency.example/hook",
        "https://user:word@agency.example/hook",
        "https:///hook",
        "https://agency.example/hook#part",
        "https://agency.example.evil.example/",
        "https://169.254.169.254/",
    ],
)
async def test_an_endpoint_that_may_not_be_is_refused(side, url):
    with pytest.raises(WebhookError):
        await side.webhooks.register("justice", url)


async def test_an_attempt_that_was_cut_off_is_made_again(side, ready, receiver):
    url, _seen, _ = receiver
    await side.webhooks.register("justice", url)
    await tell(ready, "p")
    await side.sequencer.run()
    await side.webhooks.spread()
    (endpoint,) = await side.webhooks.endpoints("justice")
    (event,) = await side.deliverer._due(endpoint, 10)
    assert await side.deliverer._claim(endpoint, [event]) == [(event, 0)]  # and then the worker is killed
    assert await side.deliverer.run() == 0
    side.clock.advance(60)
    assert await side.deliverer.run() == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 9)), max_size=12))
async def test_readers_see_every_event_of_a_person_once_and_in_order(ready, plan):
    async with ready.write() as connection:
        await connection.execute(outbox.delete())
        await connection.execute(update(event_head).values(position=0))
    said = {}
    feed, place, heard = Feed(ready), 0, {}
    for number, (person, at) in enumerate(plan):
        said.setdefault(person, []).append(await tell(ready, person, at=at))
        if number % 3 == 0:
            await Sequencer(ready).run()
        for event in await feed.after(place, recipient="justice", regions=None, first=2):
            heard.setdefault(event.person_key, []).append(event.sequence)
            place = event.position
    await Sequencer(ready).run()
    for event in await feed.after(place, recipient="justice", regions=None, first=100):
        heard.setdefault(event.person_key, []).append(event.sequence)
    assert heard == said
