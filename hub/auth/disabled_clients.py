"""The kill switch: clients whose tokens are refused at once, whoever issued them.

A file of client ids, one a line, beside the hub's other state; every server looks at it every `LOOK_EVERY_S`.
"""

import os
from pathlib import Path

import structlog

from hub.auth.clients import CLIENT_ID
from hub.clock import Clock
from hub.errors import SettingsError

LOOK_EVERY_S = 2.0

logger = structlog.get_logger(__name__)


def read_disabled(path: Path) -> frozenset[str]:
    """Ids of the disabled clients; none if there is no file.

    Raises:
        SettingsError: a line is no client id.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError("cannot be read", file=path.name) from exc
    names = [line for line in lines if line]
    if not all(CLIENT_ID.fullmatch(name) for name in names):
        raise SettingsError("holds what is no client id", file=path.name)
    return frozenset(names)


def switch_client(path: Path, client: str, *, disabled: bool) -> bool:
    """Disable or enable `client`; whether that changed anything.

    Raises:
        SettingsError: the id is none, or the file is damaged.
    """
    if not CLIENT_ID.fullmatch(client):
        raise SettingsError("is no client id (letters, digits, . _ - only)", name=client)
    held = read_disabled(path)
    changed = held | {client} if disabled else held - {client}
    if changed == held:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write("".join(f"{name}\n" for name in sorted(changed)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return True


class DisabledClients:
    """What the file said when it was last looked at. A file that cannot be read changes nothing and is logged.

    Cost: one `stat` every `LOOK_EVERY_S`, else a look into a set.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._mark = self._stat()
        self._held = read_disabled(path)
        self._looked = clock.monotonic()

    def __contains__(self, client: object) -> bool:
        if self._clock.monotonic() - self._looked >= LOOK_EVERY_S:
            self._look()
        return client in self._held

    def _look(self) -> None:
        self._looked = self._clock.monotonic()
        mark = self._stat()
        if mark == self._mark:
            return
        try:
            held = read_disabled(self._path)
        except SettingsError as error:
            logger.error("clients.unreadable", reason=str(error))
            return
        self._mark = mark
        self._held = held
        logger.warning("clients.disabled", clients=sorted(held))

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
