"""Code lists of the field's standards as values: a code, its canonical name, its labels, and when it was valid."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeItem:
    """`name` is the canonical value; in an open list it is the code itself. `valid_to` is exclusive."""

    code: str
    name: str
    zh: str
    en: str
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str | None = None

    def valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """One list. An `open` list also takes codes it does not name, if they match `pattern`."""

    id: str
    type_name: str
    edition: str
    zh: str
    en: str
    open: bool
    pattern: str | None
    items: tuple[CodeItem, ...]
    _by_code: Mapping[str, CodeItem] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, CodeItem] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", {item.code: item for item in self.items})
        object.__setattr__(self, "_by_name", {item.name: item for item in self.items})

    def item(self, code: str) -> CodeItem | None:
        """The item with the standard's code."""
        return self._by_code.get(code)

    def by_name(self, name: str) -> CodeItem | None:
        """The item with the canonical name."""
        return self._by_name.get(name)

    def admits(self, value: str) -> bool:
        """Whether `value` is a canonical value of this list."""
        if value in self._by_name:
            return True
        return self.open and self.pattern is not None and re.fullmatch(self.pattern, value) is not None


Codes = Mapping[str, CodeList]
