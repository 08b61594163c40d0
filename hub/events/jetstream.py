"""Events over NATS JetStream, for many gateways: they hear that the feed has grown instead of asking the database.

The stream is the hub's own and holds pointers: of each event its place (the message id), whom it concerns (the subject)
and its kind. Whoever hears one reads the feed, which judges. Needs the extra `nats`.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy, Header
from nats.js.errors import APIError, NotFoundError

from hub.clock import Clock
from hub.errors import HubError
from hub.events.outbox import Pointer
from hub.failpoints import failpoint

STREAM = "HUB_EVENTS"
SUBJECTS = "hub.events"
KEPT = 1_000_000
"""Messages that the stream keeps; there is no age limit, because the last one says how far the publisher has come."""
PAGE = 500
TIMEOUT_S = 5.0
LOOK_S = 10.0
"""However quiet the stream is, the feed is looked at this often: a stream that stands still only delays."""
AGAIN_S = 1.0
_PLACE = re.compile(r"[0-9]{1,19}")
WRONG_LAST_SEQUENCE = 10_071  # another worker has published meanwhile

_log = structlog.get_logger(__name__)


class TransportError(HubError):
    """The message server does not answer, or has no JetStream."""

    code = "TRANSPORT_UNAVAILABLE"


class Pointers(Protocol):
    async def head(self) -> int: ...

    async def pointers(self, position: int, *, first: int) -> Sequence[Pointer]: ...


class Heads(Protocol):
    async def head(self) -> int: ...


class _Client(Client):
    """Gives its token to nobody in the clear: nats-py takes `tls://` for a wish, and the server's word for it."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not info.get("tls_required"):
            raise NatsError("the server does not speak TLS")
        await super()._process_info(info, initial_connection=initial_connection)


class Bus:
    """One connection, made when first used and made anew after it broke."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._url = url
        self._token = token
        self._client: Client | None = None

    async def stream(self) -> JetStreamContext:
        """The server's JetStream, with the hub's stream in it. Raises TransportError."""
        try:
            if self._client is None or not self._client.is_connected:
                await self.close()
                self._client = _Client()
                await self._client.connect(
                    self._url,
                    token=self._token,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=int(TIMEOUT_S),
                    error_cb=_told,
                )
                context = self._client.jetstream(timeout=TIMEOUT_S)
                try:
                    await context.add_stream(name=STREAM, subjects=[f"{SUBJECTS}.>"], max_msgs=KEPT)
                except NatsError:
                    await context.stream_info(STREAM)  # another worker was making it at the same time
            return self._client.jetstream(timeout=TIMEOUT_S)
        except (NatsError, OSError, TimeoutError) as exc:
            await self.close()
            raise TransportError("the message server does not answer") from exc

    async def close(self) -> None:
        if self._client is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await self._client.close()
            self._client = None


class Publisher:
    """Publishes every event once and in order of places, however many workers do so and however they end.

    Nothing is stored about it here: the last message of the stream tells where to go on, and each message is accepted
    only behind the one that its publisher saw last.
    """

    def __init__(self, bus: Bus, feed: Pointers) -> None:
        self._bus = bus
        self._feed = feed

    async def run(self) -> int:
        """Publish what is not yet; how many events.

        Raises:
            TransportError: the server does not answer, or its stream is ahead of the feed; what is not published will
                be by a later run.
            StoreError: the feed's database does not answer.
        """
        stream, sent = await self._bus.stream(), 0
        try:
            position, sequence = await _last(stream)
            if position > await self._feed.head():
                raise TransportError("the stream is ahead of the feed: it is another hub's, or the feed is restored")
            while page := await self._feed.pointers(position, first=PAGE):
                for event in page:
                    sequence = await _publish(stream, event, after=sequence)
                    failpoint("jetstream.after-publish")
                    position = event.position
                    sent += 1
        except APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise TransportError("the stream takes no message") from error
        except (NatsError, OSError, TimeoutError) as exc:
            await self._bus.close()
            raise TransportError("the message server does not answer") from exc
        return sent

    async def close(self) -> None:
        await self._bus.close()


async def _last(stream: JetStreamContext) -> tuple[int, int]:
    """Place and number of the last message; of an emptied stream the feed is published again, from its beginning."""
    number = (await stream.stream_info(STREAM)).state.last_seq
    if not number:
        return 0, 0
    try:
        return _place(await stream.get_msg(STREAM, seq=number)), number
    except NotFoundError:
        return 0, number


async def _publish(stream: JetStreamContext, event: Pointer, *, after: int) -> int:
    headers = {Header.MSG_ID.value: str(event.position), Header.EXPECTED_LAST_SEQUENCE.value: str(after)}
    body = orjson.dumps({"kind": event.kind})
    return (await stream.publish(f"{SUBJECTS}.{event.recipient}", body, stream=STREAM, headers=headers)).seq


class Listener:
    """The last place of the feed, which is asked only when the stream says that it has grown, is silent or away.

    What the stream says moves no reader: a place that the feed has not got would hide every event before it.
    """

    def __init__(self, bus: Bus, feed: Heads, clock: Clock) -> None:
        self._bus = bus
        self._feed = feed
        self._clock = clock
        self._heard: int | None = None
        self._seen = 0
        self._looked_s = 0.0
        self._following: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The feed's last place.

        Raises:
            StoreError: the feed had to be asked, and its database does not answer.
        """
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        now = self._clock.now().timestamp()
        if self._heard is None or self._heard > self._seen or abs(now - self._looked_s) >= LOOK_S:
            self._seen = await self._feed.head()
            self._looked_s = now
        return self._seen

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            self._following = None
        await self._bus.close()

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen(await self._bus.stream())
            except Exception as error:
                _log.warning("events are not heard", kind=type(error).__name__, again_s=AGAIN_S)
            self._heard = None
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, stream: JetStreamContext) -> None:
        """Until the connection breaks."""
        heard = await stream.subscribe(
            f"{SUBJECTS}.>", stream=STREAM, ordered_consumer=True, deliver_policy=DeliverPolicy.LAST
        )
        while True:
            try:
                message = await heard.next_msg(timeout=AGAIN_S)
            except TimeoutError:
                await self._bus.stream()
                continue
            self._heard = max(self._heard or 0, _place(message))


def _place(message: Msg | object) -> int:
    headers = getattr(message, "headers", None) or {}
    place = headers.get(Header.MSG_ID.value, "0")
    return int(place) if _PLACE.fullmatch(place) else 0


async def _told(error: Exception) -> None:
    _log.warning("message server", kind=type(error).__name__)
