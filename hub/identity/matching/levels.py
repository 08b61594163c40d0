"""How alike two records are, field by field. A level is a word; `missing` says nothing either way.

Levels hold no values, so that they may be kept as evidence of a link.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

from hub.identity.matching.traits import Traits, sound_of, surname_of, township_of
from hub.identity.names import readings_of

MISSING = "missing"
NUMBER = ("equal", "near", "differs")
NAME = ("equal", "homophone", "one character", "differs")
BIRTH = ("equal", "swapped", "one part", "differs")
SEX = ("equal", "differs")
PLACE = ("address", "near", "township", "county", "prefecture", "differs")
PHONE = ("equal", "one digit", "differs")
LEVELS: Mapping[str, tuple[str, ...]] = {
    "number": NUMBER,
    "name": NAME,
    "birth": BIRTH,
    "sex": SEX,
    "place": PLACE,
    "phone": PHONE,
}
"""Every field with its levels, from what speaks for one person most to what speaks against it."""
NEAR_ADDRESS = 92.0  # per cent, of the longer text


def number_level(one: Traits, two: Traits) -> str:
    """`near`: one digit or one transposition apart. Two numbers that both verify cannot be: the check character tells
    every such slip (ISO 7064 MOD 11-2), so that they are two persons' numbers, or one of them is false.
    """
    if not one.number or not two.number:
        return MISSING
    if one.number == two.number:
        return "equal"
    if one.verified and two.verified:
        return "differs"
    left, right = _same_length(one.number, two.number)
    return "near" if DamerauLevenshtein.distance(left, right, score_cutoff=1) <= 1 else "differs"


@lru_cache(maxsize=65_536)
def name_level(one: str, two: str) -> str:
    if not one or not two:
        return MISSING
    if one == two:
        return "equal"
    if len(one) == len(two) and (sound_of(one) == sound_of(two) or _may_sound_alike(one, two)):
        return "homophone"
    if min(len(one), len(two)) > 2 and DamerauLevenshtein.distance(one, two, score_cutoff=1) <= 1:
        return "one character"
    return "differs"


def birth_level(one: str, two: str) -> str:
    if not one or not two:
        return MISSING
    if one == two:
        return "equal"
    if one[:4] == two[:4] and one[5:7] == two[8:] and one[8:] == two[5:7]:
        return "swapped"
    parts = (one[:4] == two[:4]) + (one[5:7] == two[5:7]) + (one[8:] == two[8:])
    return "one part" if parts == 2 else "differs"


def sex_level(one: str, two: str) -> str:
    return MISSING if not one or not two else "equal" if one == two else "differs"


def place_level(one: Traits, two: Traits) -> str:
    """The best of household and residence against household and residence."""
    if not one.counties or not two.counties:
        return MISSING if not one.addresses or not two.addresses else _addresses(one, two) or "differs"
    found = _addresses(one, two)
    if found:
        return found
    if not set(one.counties).isdisjoint(two.counties):
        return "county"
    prefectures = {county[:4] for county in one.counties}
    return "differs" if prefectures.isdisjoint(county[:4] for county in two.counties) else "prefecture"


def phone_level(one: str, two: str) -> str:
    if not one or not two:
        return MISSING
    if one == two:
        return "equal"
    return "one digit" if DamerauLevenshtein.distance(one, two, score_cutoff=1) <= 1 else "differs"


_COMPARISONS: Mapping[str, Callable[[Traits, Traits], str]] = {
    "number": number_level,
    "name": lambda one, two: name_level(one.name, two.name),
    "birth": lambda one, two: birth_level(one.birth, two.birth),
    "sex": lambda one, two: sex_level(one.sex, two.sex),
    "place": place_level,
    "phone": lambda one, two: phone_level(one.phone, two.phone),
}


def compare(one: Traits, two: Traits) -> dict[str, str]:
    """Field → level. Symmetric. Cost: at most 40 µs."""
    return {field: comparison(one, two) for field, comparison in _COMPARISONS.items()}


def same_surname(one: Traits, two: Traits) -> bool:
    return bool(one.name) and surname_of(one.name) == surname_of(two.name)


def _same_length(one: str, two: str) -> tuple[str, str]:
    """A 15-digit number against an 18-digit one: without century and check character."""
    if len(one) == len(two):
        return one, two
    return _short(one), _short(two)


def _short(number: str) -> str:
    return number[:6] + number[8:17] if len(number) == 18 else number


@lru_cache(maxsize=65_536)
def _may_sound_alike(one: str, two: str) -> bool:
    pairs = zip(readings_of(one), readings_of(two), strict=True)
    return all(not set(left).isdisjoint(right) for left, right in pairs)


def _addresses(one: Traits, two: Traits) -> str:
    """`address`, `near`, `township`, or nothing."""
    if not one.addresses or not two.addresses:
        return ""
    if not set(one.addresses).isdisjoint(two.addresses):
        return "address"
    pairs = [(left, right) for left in one.addresses for right in two.addresses]
    if any(_continues(left, right) for left, right in pairs):
        return "near"
    if not _townships(one.addresses).isdisjoint(_townships(two.addresses)):
        digits = any(_digits(left) == _digits(right) != "" for left, right in pairs)
        alike = digits and any(fuzz.ratio(left, right) >= NEAR_ADDRESS for left, right in pairs)
        return "near" if alike else "township"
    return ""


def _continues(one: str, two: str) -> bool:
    """`12号` and `12号之一`: one goes on where the other ends, and not within a number."""
    short, long = sorted((one, two), key=len)
    return len(short) > 8 and long.startswith(short) and not long[len(short)].isdigit()


def _townships(addresses: Iterable[str]) -> set[str]:
    return {named for named in map(township_of, addresses) if named}


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
