"""TOML files that can say on which line a key stands, so that a start-up error can point at it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import StartupError

_HEADER = re.compile(r"^\s*\[{1,2}\s*(.+?)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*[=.]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed TOML file. `file` is its name as errors show it."""

    file: str
    data: Mapping[str, Any]
    lines: tuple[str, ...]

    def line(self, *path: str) -> int | None:
        """Line (from 1) of the table header or key at `path`; the nearest table that exists if the key does not."""
        header = self._header(path)
        if header is not None:
            return header
        for depth in range(len(path) - 1, -1, -1):
            start = self._header(path[:depth]) if depth else 0
            if start is None:
                continue
            return self._key(path[depth], start) or (start or None)
        return None

    def _header(self, path: tuple[str, ...]) -> int | None:
        wanted = ".".join(path)
        for number, text in enumerate(self.lines, 1):
            match = _HEADER.match(text)
            if match and match[1].replace('"', "").replace("'", "") == wanted:
                return number
        return None

    def _key(self, key: str, start: int) -> int | None:
        for number in range(start + 1, len(self.lines) + 1):
            text = self.lines[number - 1]
            if start and _HEADER.match(text):
                return None
            match = _KEY.match(text)
            if match and match[1].strip("\"'") == key:
                return number
        return None


def load_toml(path: Path, error: type[StartupError]) -> Document:
    """Read and parse `path`.

    Raises:
        error: the file is missing, not UTF-8 or not TOML; names file and line.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise error("cannot be read as UTF-8 text", file=path.name) from exc
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = re.search(r"at line (\d+)", str(exc))
        raise error(f"not TOML: {exc}", file=path.name, line=int(found[1]) if found else None) from exc
    return Document(file=path.name, data=data, lines=tuple(text.splitlines()))
