"""Events over NATS JetStream, an option: what publishes and what listens. Off unless `HUB_NATS_URL` is set."""

from typing import Protocol

from hub.clock import Clock
from hub.errors import SettingsError
from hub.events.outbox import Feed
from hub.schema.subscription import HeadSource, Pulse
from hub.settings import Settings
from hub.store.engine import Store


class Publishing(Protocol):
    async def run(self) -> int: ...

    async def close(self) -> None: ...


def build_pulse(settings: Settings, store: Store, clock: Clock) -> HeadSource:
    """What tells subscriptions how far the feed is.

    Raises:
        SettingsError: the extra `nats` is not installed, or there is no token in the file.
    """
    pulse = Pulse(Feed(store), clock)
    if settings.nats_url is None:
        return pulse
    try:
        from hub.events.jetstream import Bus, Listener  # noqa: PLC0415  # an extra
    except ImportError as exc:
        raise SettingsError("the extra `nats` is not installed", name="HUB_NATS_URL") from exc
    return Listener(Bus(settings.nats_url, token=_token(settings)), pulse, clock)


def build_publisher(settings: Settings, store: Store) -> Publishing | None:
    """Raises SettingsError as `build_pulse` does."""
    if settings.nats_url is None:
        return None
    try:
        from hub.events.jetstream import Bus, Publisher  # noqa: PLC0415  # an extra
    except ImportError as exc:
        raise SettingsError("the extra `nats` is not installed", name="HUB_NATS_URL") from exc
    return Publisher(Bus(settings.nats_url, token=_token(settings)), Feed(store))


def _token(settings: Settings) -> str | None:
    if settings.nats_token_file is None:
        return None
    try:
        token = settings.nats_token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError("the file cannot be read", name="HUB_NATS_TOKEN_FILE") from exc
    if not token:
        raise SettingsError("the file is empty", name="HUB_NATS_TOKEN_FILE")
    return token
