"""What a record tells of the person it is about, in one form for all agencies. Nothing here reads or stores."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache

import msgspec

from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.identity.names import normalised, readings_of

LONGEST = 120
_SEXES = {"M": "M", "F": "F", "1": "M", "2": "F", "男": "M", "女": "F"}
_NUMBER = re.compile(r"[0-9]{14,17}[0-9X]")
_TOWNSHIP = re.compile(r"(?:省|市|县|区)([^省市县区]{1,8}?(?:街道|镇|乡))")
_DATE = re.compile(r"([0-9]{4})[-/.]?([0-9]{2})[-/.]?([0-9]{2})")


class Traits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`number` is canonical if `verified`, else what is written there, 15 or 18 characters.

    `counties`: of the household and of the residence; `addresses` likewise. An empty text is a missing value.
    """

    number: str = ""
    verified: bool = False
    name: str = ""
    birth: str = ""
    sex: str = ""
    counties: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    phone: str = ""


def traits_of(values: Mapping[str, object]) -> Traits:
    """Traits by the `index.*` members of a scanned record. What cannot be read is missing."""
    number, verified = _number(_text(values.get("index.number")))
    return Traits(
        number=number,
        verified=verified,
        name=normalised(_text(values.get("index.called"))),
        birth=_birth(_text(values.get("index.birth"))),
        sex=_SEXES.get(_text(values.get("index.sex")), ""),
        counties=_several(_text(values.get(f"index.{name}"))[:6] for name in ("county", "residence_county")),
        addresses=_several(_address(_text(values.get(f"index.{name}"))) for name in ("address", "residence")),
        phone=_phone(_text(values.get("index.phone"))),
    )


@lru_cache(maxsize=65_536)
def sound_of(name: str) -> str:
    """How a normalised name sounds: its characters' most usual readings, without tones."""
    return " ".join(readings[0] for readings in readings_of(name) if readings)


@lru_cache(maxsize=65_536)
def surname_of(name: str) -> str:
    """The first character, or two of a compound surname (复姓)."""
    return name[:2] if name[:2] in COMPOUND else name[:1]


@lru_cache(maxsize=65_536)
def township_of(address: str) -> str:
    """The name of the township or street office (镇, 乡, 街道) in an address, with what stands before it."""
    found = _TOWNSHIP.search(address)
    return address[: found.end()] if found else ""


COMPOUND = frozenset("欧阳 上官 司马 诸葛 司徒 东方 皇甫 尉迟 公孙 令狐 慕容 夏侯 端木 百里 南宫 西门".split())


def _text(raw: object) -> str:
    return unicodedata.normalize("NFKC", raw[:LONGEST]).strip() if isinstance(raw, str) else ""


def _several(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in found if text))


def _number(text: str) -> tuple[str, bool]:
    try:
        return IdentityNumber.parse(text).text, True
    except IdentityNumberError:
        bare = "".join(text.split()).upper()
        return (bare, False) if _NUMBER.fullmatch(bare) else ("", False)


def _birth(text: str) -> str:
    found = _DATE.match(text)
    if found is None:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return ""


def _address(text: str) -> str:
    return "".join(text.split())


def _phone(text: str) -> str:
    digits = "".join(character for character in text if character.isdigit() and character.isascii())
    return digits[-11:] if len(digits) >= 7 else ""
