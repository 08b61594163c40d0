"""A sealed value of nobody, opened where a look-up found fewer candidates than it must open."""

import secrets
from collections.abc import Callable

from hub.crypto.envelope import Place
from hub.errors import SealedValueError
from hub.identity.ports import Sealer

SALT_BYTES = 32


class Decoy:
    """`opening` is what opens candidates. Sealed anew when its key was retired meanwhile."""

    def __init__(self, sealer: Sealer, opening: Callable[[object, bytes, bytes], str], place: Place, text: str) -> None:
        self._sealer = sealer
        self._opening = opening
        self._place = place
        self._text = text
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._sealed = self._made()

    def open(self, times: int) -> None:
        for _ in range(times):
            try:
                self._opening(self._place.row, self._sealed, self._salt)
            except SealedValueError:
                self._sealed = self._made()

    def _made(self) -> bytes:
        return self._sealer.seal(self._place, self._text, self._salt)
