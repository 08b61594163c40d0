"""What a name is found by: the whole of it, its pairs of characters, and how they sound.

A Chinese name has two or three characters, so that trigrams find nothing. A name of two characters is also found by one
character with the initial of the other; one character alone would mark a tenth of all rows as one surname, which the
index must not tell (SECURITY section 4), so there is no such token.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

from hub.identity.ports import Indexer
from hub.identity.sounds import sounds_of

MAX_NAME = 40
_DOTS = str.maketrans(dict.fromkeys("·•‧・．.'’ -"))
_KIND_BITS = 48
GRAM, SOUND, EXACT = 1, 2, 3
EXACT_FROM = EXACT << _KIND_BITS
"""Tokens from here on are those of whole names."""


class Token(NamedTuple):
    """`kind` says which index hashes `text`."""

    kind: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameIndexes:
    exact: Indexer
    grams: Indexer
    pinyin: Indexer

    def of(self, name: str) -> frozenset[int]:
        """Numbers that stand for a name's tokens in new rows."""
        (found,) = self.of_bearers([[name]])
        return found

    def of_bearers(self, bearers: Sequence[Sequence[str]]) -> list[frozenset[int]]:
        """For each bearer of one or more names, in order, the numbers under which new rows stand.

        Cost: a token that many share (a surname with its sound) is hashed once; one look at the keys for each index.
        """
        tokens = [frozenset(token for name in names for token in tokens_of(name)) for names in bearers]
        texts: dict[int, set[str]] = {EXACT: set(), GRAM: set(), SOUND: set()}
        for token in frozenset().union(*tokens):
            texts[token.kind].add(token.text)
        numbered: dict[Token, int] = {}
        for kind, index in ((EXACT, self.exact), (GRAM, self.grams), (SOUND, self.pinyin)):
            wanted = list(texts[kind])
            for text, hashed in zip(wanted, index.each(wanted) if wanted else (), strict=True):
                numbered[Token(kind, text)] = _numbered(kind, hashed)
        return [frozenset(numbered[token] for token in held) for held in tokens]

    def every(self, name: str) -> frozenset[int]:
        """Numbers under which rows may stand that share a token with `name`."""
        return frozenset(
            _numbered(token.kind, hashed)
            for token in tokens_of(name)
            for hashed in self._index(token).every(token.text)
        )

    def _index(self, token: Token) -> Indexer:
        return {EXACT: self.exact, GRAM: self.grams, SOUND: self.pinyin}[token.kind]


def normalised(name: str) -> str:
    """One form for what is written with full-width letters, blanks, or any of the dots in names of minorities."""
    return unicodedata.normalize("NFKC", name[: 2 * MAX_NAME]).translate(_DOTS).casefold()[:MAX_NAME]


def tokens_of(name: str) -> frozenset[Token]:
    """Tokens of a stored name, or of what somebody looks for: characters, or pinyin with or without blanks."""
    whole = normalised(name)
    if len(whole) < 2:
        return frozenset()
    if whole.isascii():
        return frozenset(_spelled(whole, [normalised(part) for part in name.split()]))
    return frozenset(_written(whole))


def readings_of(name: str) -> tuple[tuple[str, ...], ...]:
    """How each character may sound, without tones, the most usual first."""
    return tuple(map(sounds_of, normalised(name)))


def _written(whole: str) -> Iterator[Token]:
    yield Token(EXACT, whole)
    for one, two in pairwise(whole):
        yield Token(GRAM, one + two)
    sounds = readings_of(whole)
    for firsts, seconds in pairwise(sounds):
        for one, two in product(firsts, seconds):
            yield Token(SOUND, f"{one} {two}")
    yield Token(SOUND, _joined([readings[0] for readings in sounds]))
    if len(whole) == 2 and len(sounds) == 2:
        yield from (Token(GRAM, f"{whole[0]}+{sound[0]}") for sound in sounds[1])
        yield from (Token(GRAM, f"{sound[0]}+{whole[1]}") for sound in sounds[0])


def _spelled(whole: str, syllables: Sequence[str]) -> Iterator[Token]:
    yield Token(EXACT, whole)
    yield Token(SOUND, _joined([whole]))
    for one, two in pairwise(syllables):
        yield Token(SOUND, f"{one} {two}")


def _joined(sounds: Sequence[str]) -> str:
    return "=" + "".join(sounds)


def _numbered(kind: int, hashed: int) -> int:
    return kind << _KIND_BITS | hashed
