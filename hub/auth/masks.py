"""Masks of DOMAIN section 3.3: pure, type-preserving, not reversible. What cannot be masked is withheld elsewhere."""

import re
from collections.abc import Callable, Mapping
from datetime import date

COMPOUND_SURNAMES = frozenset(
    (
        "欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 "
        "濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马 "
        "公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 "
    ).split()
)
_TOWNSHIP = re.compile(r"^(.*?(?:街道|镇|乡|苏木))")
_COUNTY = re.compile(r"^(.*?(?:省|市|自治区|地区|自治州|盟))?(.*?(?:县|区|市|旗))")


def mask(name: str, value: object) -> object:
    """`value` under the mask called `name`.

    Raises:
        KeyError: no such mask. TypeError: the mask does not fit the type.
    """
    return _MASKS[name](value)


def mask_name(value: str) -> str:
    """张* · 张*明 · 欧阳* ; of a name with a middle dot only the first part is kept."""
    if "·" in value:
        return value.split("·", 1)[0] + "·*"
    keep = 2 if value[:2] in COMPOUND_SURNAMES and len(value) > 2 else 1
    if len(value) <= keep + 1:
        return value[:keep] + "*"
    return value[:keep] + "*" * (len(value) - keep - 1) + value[-1]


def mask_identity_number(value: str) -> str:
    """First and last character only. 6+4 would hide nothing but the birth date (DOMAIN section 3.3)."""
    return value[:1] + "*" * (len(value) - 2) + value[-1:] if len(value) > 2 else "*" * len(value)


def mask_identity_number_6_4(value: str) -> str:
    """110105********0123. Hides the birth date only, so `policies/combinations.toml` says beside what it yields."""
    return value[:6] + "*" * (len(value) - 10) + value[-4:] if len(value) == 18 else mask_identity_number(value)


def mask_phone(value: str) -> str:
    """138****8000; a number too short for that keeps nothing."""
    return value[:3] + "****" + value[-4:] if len(value) >= 11 else "*" * len(value)


def mask_address(value: str) -> str:
    """Kept to the township, else to the county, else nothing."""
    match = _TOWNSHIP.match(value) or _COUNTY.match(value)
    return (match[0] if match else "") + "***"


def mask_bank_card(value: str) -> str:
    """The last four characters."""
    return "*" * (len(value) - 4) + value[-4:] if len(value) > 8 else "*" * len(value)


def mask_birth_date(value: date) -> date:
    """The year, as its first day."""
    return date(value.year, 1, 1)


def _text(function: Callable[[str], str]) -> Callable[[object], object]:
    def masked(value: object) -> object:
        if not isinstance(value, str):
            raise TypeError("a text mask takes texts")
        return function(value)

    return masked


def _date(value: object) -> object:
    if not isinstance(value, date):
        raise TypeError("a date mask takes dates")
    return mask_birth_date(value)


_MASKS: Mapping[str, Callable[[object], object]] = {
    "name": _text(mask_name),
    "identity-number": _text(mask_identity_number),
    "identity-number-6-4": _text(mask_identity_number_6_4),
    "phone": _text(mask_phone),
    "address": _text(mask_address),
    "bank-card": _text(mask_bank_card),
    "birth-date": _date,
}


MASK_NAMES = frozenset(_MASKS)


def mask_of(name: str) -> Callable[[object], object]:
    """The mask called `name`, for those that apply it to many values.

    Raises:
        KeyError: no such mask.
    """
    return _MASKS[name]
