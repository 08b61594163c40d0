"""Events over a real nats-server: each once and in order whatever dies, and gateways that hear and never miss."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from shutil import which
from types import SimpleNamespace

import pytest

from hub.clock import FixedClock
from hub.events.jetstream import STREAM, Bus, Listener, Publisher, TransportError, _place
from hub.events.outbox import Feed, Sequencer
from tests.conftest import FULL
from tests.events.test_events import tell
from tests.journeys.conftest import free_port

NATS = which("nats-server") or which("nats-server", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NATS is None, reason="nats-server is not installed (Debian: nats-server)")
KILLS = 50 if FULL else 2
TOKEN = "t0ken"
WORKER = """
import asyncio, sys
from hub.events.jetstream import Bus, Publisher
from hub.events.outbox import Feed, Sequencer
from hub.store.engine import open_store

async def main():
    store = open_store(sys.argv[1])
    await Sequencer(store).run()
    await Publisher(Bus(sys.argv[2], token="t0ken"), Feed(store)).run()

asyncio.run(main())
"""


class Server:
    """A nats-server whose stream stays in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process = None

    async def start(self):
        command = [NATS, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder), "--auth", TOKEN]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
async def server(tmp_path):
    server = Server(tmp_path / "nats")
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def bus(server):
    bus = Bus(server.url, token=TOKEN)
    yield bus
    await bus.close()


async def published(server):
    """(subject, place) of every message, in the order of the stream."""
    bus = Bus(server.url, token=TOKEN)
    try:
        stream = await bus.stream()
        last = (await stream.stream_info(STREAM)).state.last_seq
        found = [await stream.get_msg(STREAM, seq=number) for number in range(1, last + 1)]
        return [(message.subject, int(message.headers["Nats-Msg-Id"])) for message in found]
    finally:
        await bus.close()


async def told(store, count, *, recipient="justice"):
    for number in range(count):
        await tell(store, f"p{number}", recipient=recipient)
    await Sequencer(store).run()


async def test_every_event_is_published_once_and_in_order_by_two_workers(store, server, bus):
    other = Bus(server.url, token=TOKEN)
    await told(store, 20)
    await told(store, 5, recipient="police")
    try:
        both = [Publisher(bus, Feed(store)), Publisher(other, Feed(store))]
        done = 0
        while done < 25:
            done += sum(await asyncio.gather(*(each.run() for each in both)))
        assert [await each.run() for each in both] == [0, 0]
    finally:
        await other.close()
    found = await published(server)
    assert [place for _, place in found] == list(range(1, 26))
    assert {subject for subject, _ in found} == {"hub.events.justice", "hub.events.police"}


async def test_messages_bear_no_person_and_no_case(store, server, bus):
    await told(store, 1)
    await Publisher(bus, Feed(store)).run()
    message = await (await bus.stream()).get_msg(STREAM, seq=1)
    assert message.data == b'{"kind":"case.VISITED"}'


async def test_a_publisher_that_is_killed_loses_and_doubles_nothing(store, store_url, server):
    for kill in range(KILLS):
        await told(store, 3)
        environment = {**os.environ, "HUB_FAILPOINT": f"jetstream.after-publish:{1 + kill % 3}"}
        command = [sys.executable, "-c", WORKER, store_url, server.url]
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        assert await process.wait() == -signal.SIGKILL
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, store_url, server.url)
    assert await process.wait() == 0
    assert [place for _, place in await published(server)] == list(range(1, 3 * KILLS + 1))


async def test_a_server_that_is_killed_is_told_of_and_served_again(store, server, bus):
    publisher = Publisher(bus, Feed(store))
    await told(store, 2)
    assert await publisher.run() == 2
    server.kill()
    await told(store, 2)
    with pytest.raises(TransportError):
        await publisher.run()
    await server.start()
    assert await publisher.run() == 2
    assert [place for _, place in await published(server)] == [1, 2, 3, 4]


async def test_an_emptied_stream_is_filled_again(store, server, bus):
    await told(store, 2)
    publisher = Publisher(bus, Feed(store))
    await publisher.run()
    await (await bus.stream()).delete_stream(STREAM)
    await bus.close()
    assert await publisher.run() == 2


async def test_a_wrong_token_is_told_of(store, server):
    bus = Bus(server.url, token="wrong")
    with pytest.raises(TransportError):
        await Publisher(bus, Feed(store)).run()


@pytest.mark.parametrize(("heard", "place"), [("17", 17), ("²", 0), ("1" * 20, 0), ("-1", 0), ("", 0)])
def test_a_place_is_a_number_of_the_feed(heard, place):
    assert _place(SimpleNamespace(headers={"Nats-Msg-Id": heard})) == place


async def foreign(bus, place):
    """A message of another hub in the stream."""
    await (await bus.stream()).publish("hub.events.x", b"{}", stream=STREAM, headers={"Nats-Msg-Id": place})


async def test_a_stream_that_is_ahead_of_the_feed_is_refused(store, server, bus):
    await told(store, 2)
    await foreign(bus, "1000")
    with pytest.raises(TransportError, match="ahead"):
        await Publisher(bus, Feed(store)).run()


@pytest.mark.parametrize("place", ["1000", "²"])
async def test_what_another_says_moves_no_reader(store, server, bus, place):
    other = Bus(server.url, token=TOKEN)
    listener = Listener(bus, Feed(store), FixedClock(datetime(2026, 7, 20, tzinfo=UTC)))
    try:
        await told(store, 2)
        assert await listener.head() == 2
        await foreign(other, place)
        async with asyncio.timeout(60):
            while listener._heard is None:
                await asyncio.sleep(0.01)
        assert await listener.head() == 2
    finally:
        await listener.close()
        await other.close()


async def test_a_token_is_not_given_to_a_server_without_tls():
    given = asyncio.get_running_loop().create_future()

    async def clear(reader, writer):
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"auth_required":true}\r\n')
        given.set_result(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(clear, "127.0.0.1", 0) as listening:
        bus = Bus(f"tls://127.0.0.1:{listening.sockets[0].getsockname()[1]}", token=TOKEN)
        with pytest.raises(TransportError):
            await bus.stream()
        assert await given == b""


class Counted:
    """A feed whose database may be away; counts how often it is asked."""

    def __init__(self, store):
        self.feed = Feed(store)
        self.asked = 0

    async def head(self):
        self.asked += 1
        return await self.feed.head()


async def reach(listener, place):
    async with asyncio.timeout(60):
        while await listener.head() != place:
            await asyncio.sleep(0.01)


async def test_a_gateway_hears_of_events_and_leaves_the_database_alone(store, server, bus):
    feed, clock = Counted(store), FixedClock(datetime(2026, 7, 20, tzinfo=UTC))
    other = Bus(server.url, token=TOKEN)
    listener = Listener(bus, feed, clock)
    publisher = Publisher(other, Feed(store))
    try:
        await told(store, 3)
        assert await listener.head() == 3  # from the feed: nothing is published yet
        await publisher.run()
        async with asyncio.timeout(60):
            while listener._heard != 3:
                await asyncio.sleep(0.01)
        asked = feed.asked
        await told(store, 2)
        await publisher.run()
        await reach(listener, 5)
        assert await listener.head() == 5
        assert feed.asked == asked + 1  # once: for what was heard
        await told(store, 1)  # and nobody publishes it
        clock.advance(11)
        assert await listener.head() == 6
        server.kill()
        await told(store, 1)
        await reach(listener, 7)
        await server.start()
        await publisher.run()
        async with asyncio.timeout(60):
            while listener._heard != 7:
                await asyncio.sleep(0.05)
    finally:
        await listener.close()
        await other.close()
