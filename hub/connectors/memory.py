"""A connector over a dict, with a log of what it was asked: for tests of the rooms above."""

from collections.abc import AsyncIterator, Mapping, Sequence

from hub.connectors.base import Fetch, KeyKind, SourceRecord


class MemoryConnector:
    """Holds whole records and answers with the asked fields only. `asked` keeps every fetch."""

    def __init__(self, agency: str, type_name: str, records: Mapping[str, SourceRecord], *, key_kind: KeyKind) -> None:
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
            key: self._cut(self._records[key], part.coordinates)
            for part in fetch.parts
            for key in part.keys
            if key in self._records
        }

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[SourceRecord]]:
        records = list(self._records.values())
        for start in range(0, len(records), batch):
            yield records[start : start + batch]

    async def close(self) -> None:
        return None

    def _cut(self, record: SourceRecord, coordinates: frozenset[str]) -> SourceRecord:
        inner = {name.partition(".")[2] for name in coordinates}
        values = {
            name: [{k: v for k, v in row.items() if k in inner} for row in value] if isinstance(value, list) else value
            for name, value in record.values.items()
            if f"{self._type_name}.{name}" in coordinates
        }
        return SourceRecord(key=record.key, record=record.record, as_of=record.as_of, values=values)
