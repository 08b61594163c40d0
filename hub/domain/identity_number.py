"""Citizen identity numbers (公民身份号码, GB 11643-1999): read leniently, kept in one canonical form.

Lenient on regions, because historical region codes stay in numbers for life; strict on date and check digit.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from operator import mul

WEIGHTS = tuple(2 ** (17 - position) % 11 for position in range(17))
CHECK_CHARACTERS = "10X98765432"
_ZEROES = ord("0") * sum(WEIGHTS)
_EIGHTEEN = re.compile(r"[1-9][0-9]{5}[0-9]{8}[0-9]{3}[0-9X]")
_FIFTEEN = re.compile(r"[1-9][0-9]{5}[0-9]{6}[0-9]{3}")
_FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


class IdentityNumberError(ValueError):
    """Not an identity number. The text never holds the number."""


def check_character(first17: str) -> str:
    """The check character for 17 digits. Source: GB 11643-1999, ISO 7064 MOD 11-2."""
    if len(first17) != len(WEIGHTS):
        raise ValueError("not 17 digits")
    total = sum(map(mul, first17.encode("ascii"), WEIGHTS)) - _ZEROES
    return CHECK_CHARACTERS[total % 11]


@dataclass(frozen=True, slots=True)
class IdentityNumber:
    """`text` is canonical: 18 characters, upper-case X, valid date, valid check character."""

    text: str

    @classmethod
    def parse(cls, raw: str) -> "IdentityNumber":
        """Read what a source or a clerk may write: full-width, lower-case x, spaces, 15 digits.

        A 15-digit number belongs to the 20th century, except sequences 996 to 999 (born before 1900).

        Raises:
            IdentityNumberError: no such number can have been issued.
        """
        if len(raw) > 64:
            raise IdentityNumberError("too long")
        text = "".join(unicodedata.normalize("NFKC", raw).split()).upper()
        if _FIFTEEN.fullmatch(text):
            century = "18" if text[12:] in {"996", "997", "998", "999"} else "19"
            body = text[:6] + century + text[6:]
            text = body + check_character(body)
        if not _EIGHTEEN.fullmatch(text):
            raise IdentityNumberError("wrong shape")
        if check_character(text[:17]) != text[17]:
            raise IdentityNumberError("wrong check character")
        try:
            born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
        except ValueError as exc:
            raise IdentityNumberError("no such date") from exc
        if born.year < 1800:
            raise IdentityNumberError("no such date")
        return cls(text)

    @property
    def region(self) -> str:
        """GB/T 2260 code at the time of issue."""
        return self.text[:6]

    @property
    def birth_date(self) -> date:
        return date(int(self.text[6:10]), int(self.text[10:12]), int(self.text[12:14]))

    @property
    def male(self) -> bool:
        return int(self.text[16]) % 2 == 1

    @property
    def fifteen(self) -> str | None:
        """The old 15-digit form, where one can have existed."""
        short = self.text[:6] + self.text[8:17]
        try:
            return short if self.text[6:8] in {"18", "19"} and IdentityNumber.parse(short) == self else None
        except IdentityNumberError:
            return None

    def variants(self) -> tuple[str, ...]:
        """Every form in which a source may hold this number, canonical first."""
        forms = [self.text, self.text.lower(), self.text.translate(_FULL_WIDTH)]
        if self.fifteen is not None:
            forms += [self.fifteen, self.fifteen.translate(_FULL_WIDTH)]
        return tuple(dict.fromkeys(forms))

    def __str__(self) -> str:
        return self.text
