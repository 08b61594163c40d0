"""Places in the feed as a reader holds them: opaque, so that none tells how many events there were for others."""

from typing import Protocol

BEGINNING = "0"
_KIND = "P"


class Ids(Protocol):
    def seal(self, agency: str, kind: str, payload: str) -> str: ...

    def open(self, agency: str, text: str) -> tuple[str, str] | None: ...


class Places:
    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def seal(self, agency: str, position: int) -> str:
        """The place for this agency: one text for one position, of one length for all."""
        return self._ids.seal(agency, _KIND, str(position)) if position else BEGINNING

    def open(self, agency: str, text: str) -> int | None:
        """The position; None for what is no place of this agency. `BEGINNING` is before every event."""
        if text == BEGINNING:
            return 0
        opened = self._ids.open(agency, text)
        return int(opened[1]) if opened is not None and opened[0] == _KIND else None
