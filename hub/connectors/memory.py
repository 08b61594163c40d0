"""A connector over a dict, with a log of what it was asked: for tests of the rooms above."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from hub.connectors.base import Fetch, KeyKind, Layout, Part, ScannedRecord, SourceRecord, nothing_vaulted


class MemoryConnector:
    """Holds whole records, nested lists as lists of dicts, and answers with the asked fields only.

    `asked` keeps every fetch.
    """

    def __init__(self, agency: str, type_name: str, records: Mapping[str, ScannedRecord], *, key_kind: KeyKind) -> None:
        self.agency = agency
        self.key_kind = key_kind
        self._type_name = type_name
        self._records = records
        self.asked: list[Fetch] = []

    @property
    def calls(self) -> int:
        return len(self.asked)

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        self.asked.append(fetch)
        return {
            key: self._record(self._records[key], fetch.layout, part)
            for part in fetch.parts
            for key in part.keys
            if key in self._records
        }

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        records = list(self._records.values())
        for start in range(0, len(records), batch):
            yield records[start : start + batch]

    def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        return nothing_vaulted()

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def _record(self, held: ScannedRecord, layout: Layout, part: Part) -> SourceRecord:
        row: list[Any] = [
            held.values.get(name) if f"{self._type_name}.{name}" in part.coordinates else None for name in layout.fields
        ]
        allowed = {name.partition(".")[2] for name in part.coordinates}
        for name, inner in layout.nested:
            given: Any = held.values.get(name) if f"{self._type_name}.{name}" in part.coordinates else []
            row.append([[line.get(field) if field in allowed else None for field in inner] for line in given or ()])
        return SourceRecord(key=held.key, record=held.record, as_of=held.as_of, values=row)
