"""An agency that drops files once a day: CSV with a manifest of checksums.

A drop is checked whole before it is used, then found again by offset: the index in memory holds a short hash of each
key and where its rows begin, never a value. A broken new drop leaves the last good one in use, marked stale. Loading a
province's drop takes longer than a request may: it runs once in the background; the last good drop answers meanwhile.
"""

import asyncio
import csv
import glob
import hashlib
import io
import json
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.connectors.base import (
    Fetch,
    KeyKind,
    Layout,
    Part,
    Quarantine,
    ScannedRecord,
    SourceFailure,
    SourceRecord,
    SourceState,
    nothing_vaulted,
)
from hub.connectors.coerce import as_of
from hub.connectors.mapping import AgencyMapping
from hub.connectors.rows import RowReader
from hub.domain.codes import Codes
from hub.domain.identity_number import IdentityNumber, IdentityNumberError

MAX_LINE_BYTES = 64 * 1024
SWITCH_WITHIN_S = 0.3  # how long a call waits for a newer drop while it has an older one
ENCODINGS = frozenset({"gb18030", "utf-8"})
_OFFSET_BITS = 48
_MAX_OFFSET = (1 << _OFFSET_BITS) - 1
_Mark = tuple[str, int]  # a drop's folder and when its manifest was written: a repaired drop is another one


@dataclass(frozen=True, slots=True)
class _File:
    """One indexed file: sorted key hashes and, in the same order, the offsets of their rows."""

    path: Path
    encoding: str
    header: tuple[str, ...]
    hashes: "array[int]"
    offsets: "array[int]"

    def rows(self, key: str, column: str) -> list[dict[str, str]]:
        wanted = _hash(key)
        found = []
        position = bisect_left(self.hashes, wanted)
        with self.path.open("rb") as file:
            while position < len(self.hashes) and self.hashes[position] == wanted:
                file.seek(self.offsets[position])
                row = self._parse(file.readline(MAX_LINE_BYTES))
                if str(IdentityNumber.parse(row[column])) == key:  # two keys may share a hash
                    found.append(row)
                position += 1
        return found

    def page(self, offset: int, most: int) -> tuple[list[dict[str, str]], int]:
        """At most `most` rows from byte `offset` (0: the first row) on, and where the next one begins.

        A row that is no row is passed over; it was quarantined when the drop was loaded.
        """
        rows: list[dict[str, str]] = []
        with self.path.open("rb") as file:
            if offset == 0:
                file.readline(MAX_LINE_BYTES)
            else:
                file.seek(offset)
            while len(rows) < most and (line := file.readline(MAX_LINE_BYTES)):
                with suppress(ValueError, StopIteration, csv.Error):
                    rows.append(self._parse(line))
            return rows, file.tell()

    def _parse(self, line: bytes) -> dict[str, str]:
        cells = next(csv.reader(io.StringIO(line.decode(self.encoding))))
        return dict(zip(self.header, cells, strict=True))


@dataclass(frozen=True, slots=True)
class _Drop:
    mark: _Mark
    created: str
    files: Mapping[str, _File]


class FileDropConnector:
    def __init__(
        self, mapping: AgencyMapping, codes: Codes, quarantine: Quarantine, folder: Path, only: str = "[0-9]*"
    ) -> None:
        """`only`: pattern of the drops to look at."""
        self._only = only
        self._mapping = mapping
        self._codes = codes
        self._quarantine = quarantine
        self._folder = folder
        self._drop: _Drop | None = None
        self._broken: _Mark | None = None
        self._loading: asyncio.Task[None] | None = None
        self._closed = False
        self.calls = 0

    @property
    def agency(self) -> str:
        return self._mapping.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._mapping.key_kind

    @property
    def stale(self) -> bool:
        """Whether a newer drop exists that could not be used."""
        return self._broken is not None

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        self.calls += 1
        drop = await self._current()
        return await asyncio.to_thread(self._find, drop, fetch)

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every row of the main file of the newest drop, in its order; only what `[index]` names is read."""
        index = self._mapping.index
        if not index or coordinates:
            raise SourceFailure(self.agency, SourceState.INVALID, f"cannot be scanned ({len(coordinates)}, {batch})")
        drop = await self._current()
        file = drop.files[self._mapping.at]
        moment = as_of(drop.created, "iso")
        offset = 0
        while True:
            rows, offset = await asyncio.to_thread(file.page, offset, batch)
            if not rows:
                return
            yield [
                ScannedRecord(
                    key=row[self._mapping.key],
                    record=row[self._mapping.record],
                    as_of=moment,
                    values={f"index.{name}": row.get(source) or None for name, source in index.items()},
                )
                for row in rows
            ]

    def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        return nothing_vaulted()

    async def drops(self) -> Mapping[str, int]:
        """Folder of every drop that is there → when its manifest was written, in nanoseconds."""
        return dict(await asyncio.to_thread(self._marks))

    def pinned(self, name: str) -> "FileDropConnector":
        """A connector that knows the drop `name` alone."""
        return FileDropConnector(self._mapping, self._codes, self._quarantine, self._folder, glob.escape(name))

    async def created(self) -> datetime:
        """When the drop in use was made, by its manifest.

        Raises:
            SourceFailure: there is none, or it fails its manifest.
        """
        return as_of((await self._current()).created, "iso")

    async def start(self) -> None:
        await self._look()

    async def close(self) -> None:
        self._closed = True  # ends the thread that loads
        if self._loading is not None:
            await asyncio.wait({self._loading})
        self._drop = None

    def _find(self, drop: _Drop, fetch: Fetch) -> dict[str, SourceRecord]:
        records: dict[str, SourceRecord] = {}
        reader = RowReader(self._mapping, fetch.layout, self._codes, self._quarantine)
        try:
            for part in fetch.parts:
                for key in part.keys:
                    main = drop.files[self._mapping.at].rows(key, self._mapping.key)
                    if main:
                        row = self._row(drop, key, main[0], fetch.layout, part)
                        records[key] = reader.record(key, main[0][self._mapping.record], drop.created, row)
        except (OSError, ValueError, StopIteration) as exc:
            raise SourceFailure(self.agency, SourceState.DOWN, "drop is not readable") from exc
        return records

    def _row(self, drop: _Drop, key: str, main: dict[str, str], layout: Layout, part: Part) -> list[Any]:
        """The raw row of one person; what its part may not be asked for is None."""
        row: list[Any] = []
        for name in layout.fields:
            rule = self._mapping.rules[name]
            row.append(main.get(rule.source) if rule.field.coordinate in part.coordinates else None)
        for name, inner in layout.nested:
            nested = self._mapping.nested[name]
            rules = [nested.rules[field] for field in inner]
            sources = [rule.source if rule.field.coordinate in part.coordinates else None for rule in rules]
            asked = nested.field.coordinate in part.coordinates
            lines = drop.files[nested.at].rows(key, self._mapping.key) if asked else []
            row.append([[None if source is None else line.get(source) for source in sources] for line in lines])
        return row

    async def _current(self) -> _Drop:
        """The newest usable drop; looks for a newer one each time, which costs one directory listing."""
        await self._look()
        if self._loading is not None:
            await asyncio.wait({self._loading}, timeout=None if self._drop is None else SWITCH_WITHIN_S)
        if self._drop is not None:
            return self._drop
        if self._broken is not None:
            raise SourceFailure(self.agency, SourceState.INVALID, "drop fails its manifest")
        raise SourceFailure(self.agency, SourceState.DOWN, "no drop")

    async def _look(self) -> None:
        """Begin to load a drop that was not seen before.

        A load outlives the call that began it, so that a deadline shorter than a load costs one load, not one a call.
        """
        newest = await asyncio.to_thread(self._newest)
        seen = (self._broken, self._drop.mark if self._drop else None)
        if newest is not None and newest not in seen and self._loading is None:
            self._loading = asyncio.create_task(self._switch(newest))

    def _newest(self) -> _Mark | None:
        return max(self._marks(), default=None)

    def _marks(self) -> list[_Mark]:
        manifests = [path / "manifest.json" for path in self._folder.glob(self._only) if path.is_dir()]
        return [(path.parent.name, path.stat().st_mtime_ns if path.exists() else 0) for path in manifests]

    async def _switch(self, newest: _Mark) -> None:
        """Load `newest` and use it, or remember that it is broken."""
        try:
            self._drop = await asyncio.to_thread(self._load, newest)
            self._broken = None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, csv.Error):
            self._broken = newest
        finally:
            self._loading = None

    def _load(self, mark: _Mark) -> _Drop:
        """Check every checksum, then index. Cost: about 7 µs a row.

        Raises:
            ValueError: a checksum, an encoding or a header is not what manifest and mapping say.
        """
        folder = self._folder / mark[0]
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        encoding = manifest["encoding"]
        if encoding not in ENCODINGS:
            raise ValueError("encoding")
        files: dict[str, _File] = {}
        wanted = {self._mapping.at, *(nested.at for nested in self._mapping.nested.values())}
        for name in sorted(wanted):
            path = folder / name
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != manifest["files"][name]["sha256"]:
                    raise ValueError("checksum")
            files[name] = self._index(path, encoding)
        return _Drop(mark, str(manifest["created"]), files)

    def _index(self, path: Path, encoding: str) -> _File:
        entries: list[int] = []  # hash and offset in one number: half the memory of pairs
        raw, hashed = "", 0  # of the row before; rows of one person mostly follow each other
        with path.open("rb") as file:
            header = tuple(next(csv.reader([file.readline(MAX_LINE_BYTES).decode(encoding)])))
            column = header.index(self._mapping.key)
            line_number, offset = 1, file.tell()
            while line := file.readline(MAX_LINE_BYTES):
                if self._closed:
                    raise ValueError("closed")
                line_number += 1
                cell = self._cell(path.name, line_number, line, encoding, len(header), column)
                if cell and cell != raw:
                    raw, hashed = cell, _hash_of(cell)
                if cell and hashed:
                    entries.append(hashed << _OFFSET_BITS | offset)
                offset += len(line)
        entries.sort()
        hashes = array("Q", (entry >> _OFFSET_BITS for entry in entries))
        return _File(path, encoding, header, hashes, array("Q", (entry & _MAX_OFFSET for entry in entries)))

    def _cell(self, file: str, number: int, line: bytes, encoding: str, width: int, column: int) -> str:
        """The key of one row as it stands there; a row that is no row is quarantined under its line number."""
        try:
            cells = next(csv.reader([line.decode(encoding)], strict=True))
            if len(cells) != width or b"\x00" in line or not line.endswith(b"\n"):
                raise ValueError("shape")
        except (ValueError, StopIteration, csv.Error):
            self._quarantine.report(
                agency=self.agency,
                record=f"{file}:{number}",
                coordinate=self._mapping.type_name,
                value="",
                reason="bad row",
            )
            return ""
        return cells[column]


def _hash_of(cell: str) -> int:
    """The hash of the number in a cell, 0 if it is none."""
    try:
        return _hash(IdentityNumber.parse(cell).text)
    except IdentityNumberError:
        return 0


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
