"""One page of stored values opened and sealed anew: what shall be written, with no store and no clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.crypto.envelope import HEADER_BYTES, Place
from hub.crypto.kept import Kept

Key = tuple[Any, ...]
Line = tuple[Key, bytes, bytes]
"""Primary key, sealed value, salt of its person or none."""


class Opener(Protocol):
    def open(self, place: Place, sealed: bytes, salt: bytes = b"") -> str: ...


class Sealer(Protocol):
    def seal_each(self, values: Sequence[tuple[Place, str, bytes]]) -> Sequence[bytes]: ...

    def heading(self, agency: str, sensitivity: int) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A page on its way, by primary key.

    `old`: values as they were read, of all rows that the change rests on; `fresh`: as they shall be, each followed by
    its derived columns; `tokens`: of persons, by the first column of the key.
    """

    seen: int
    old: Mapping[Key, bytes]
    fresh: Mapping[Key, tuple[Any, ...]]
    tokens: Mapping[Any, Sequence[int]]


class Resealing:
    def __init__(self, opener: Opener, sealer: Sealer) -> None:
        self._opener = opener
        self._sealer = sealer

    def moving(self, kept: Kept, page: Sequence[Line]) -> Moving:
        """Open what stands under an older key, and with it whatever tokens are made from; seal it anew.

        Sealed first, then indexed: what is sealed under the newest key is indexed under the newest.

        Raises:
            SealedValueError: a value does not open.
        """
        names = [column.name for column in kept.key]
        placed = [(line, kept.place(dict(zip(names, line[0], strict=True)))) for line in page]
        headings = self._headings({(place.agency, place.sensitivity) for _, place in placed})
        stale = [
            (line, place)
            for line, place in placed
            if line[1][:HEADER_BYTES] != headings[place.agency, place.sensitivity]
        ]
        if not stale:
            return Moving(seen=len(page), old={}, fresh={}, tokens={})
        opening = stale
        if kept.tokens is not None:
            persons = {line[0][0] for line, _ in stale}
            opening = [(line, place) for line, place in placed if line[0][0] in persons]
        opened = self._opener.open
        plain = {line[0]: opened(place, line[1], line[2]) for line, place in opening}
        texts = [plain[line[0]] for line, _ in stale]
        sealed = self._sealer.seal_each(
            [(place, text, line[2]) for (line, place), text in zip(stale, texts, strict=True)]
        )
        derived = [make(texts) for make in kept.derived.values()]
        return Moving(
            seen=len(page),
            old={line[0]: line[1] for line, _ in opening},
            fresh=dict(zip((line[0] for line, _ in stale), zip(sealed, *derived, strict=True), strict=True)),
            tokens={} if kept.tokens is None else _tokens(kept.tokens.of, plain),
        )

    def _headings(self, keys: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], bytes]:
        return {key: self._sealer.heading(*key) for key in keys}


def _tokens(of: Any, plain: Mapping[Key, str]) -> Mapping[Any, Sequence[int]]:
    persons: dict[Any, list[str]] = {}
    for key, text in plain.items():
        persons.setdefault(key[0], []).append(text)
    return {who: sorted(made) for who, made in zip(persons, of(list(persons.values())), strict=True)}
