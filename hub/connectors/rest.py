"""An agency whose system is a JSON service with a batch endpoint: one POST a fetch, pages only if it has any."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

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
from hub.connectors.coerce import UnfitValueError, as_of
from hub.connectors.mapping import AgencyMapping
from hub.connectors.rows import RowReader
from hub.domain.codes import Codes

MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 20
MAX_DEPTH = 8


class RestConnector:
    """`url` is the whole allow-list: its scheme, host and port, no redirects."""

    def __init__(self, mapping: AgencyMapping, codes: Codes, quarantine: Quarantine, url: str, api_key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError("not an http(s) URL")
        self._mapping = mapping
        self._codes = codes
        self._quarantine = quarantine
        self._url = url
        self._headers = {"X-API-Key": api_key, "Accept": "application/json", "Accept-Encoding": "identity"}
        self._session: aiohttp.ClientSession | None = None
        self.calls = 0

    @property
    def agency(self) -> str:
        return self._mapping.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._mapping.key_kind

    async def fetch(self, fetch: Fetch) -> Mapping[str, SourceRecord]:
        asked = {key: part for part in fetch.parts for key in part.keys}
        reader = RowReader(self._mapping, fetch.layout, self._codes, self._quarantine)
        body: dict[str, Any] = {
            "parts": [{"ids": list(part.keys), "fields": self._fields(fetch.layout, part)} for part in fetch.parts]
        }
        self.calls += 1
        records: dict[str, SourceRecord] = {}
        for page in range(MAX_PAGES):
            answer = await self._post(body if page == 0 else {**body, "page": page})
            for item in self._items(answer):
                key = item.get(self._mapping.key)
                if not isinstance(key, str) or key not in asked:
                    raise self._invalid("answered for a key that was not asked")
                row = self._row(item, fetch.layout, asked[key])
                stamp = item.get(self._mapping.as_of.source)
                records[key] = reader.record(key, item.get(self._mapping.record), stamp, row)
            if answer.get("next") is None:
                return records
        raise self._invalid("too many pages")

    async def scan(self, coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        """Every record, page by page, from `/scan` beside the batch endpoint; asks only for what `[index]` names."""
        index = self._mapping.index
        if not index or coordinates:
            raise self._invalid(f"cannot be scanned ({len(coordinates)}, {batch})")
        names = sorted({self._mapping.record, self._mapping.as_of.source, *index.values()})
        after: object = 0
        while after is not None:
            answer = await self._post({"fields": names, "after": after, "limit": batch}, "/scan")
            yield [self._scanned(item) for item in self._items(answer)]
            if answer.get("next") == after:
                raise self._invalid("scan does not go on")
            after = answer.get("next")

    def _scanned(self, item: dict[str, Any]) -> ScannedRecord:
        values = {f"index.{name}": item.get(source) for name, source in self._mapping.index.items()}
        record, key = item.get(self._mapping.record), item.get(self._mapping.key)
        try:
            moment = as_of(item.get(self._mapping.as_of.source), self._mapping.as_of.format)
        except UnfitValueError as exc:
            raise self._invalid("record without a time stamp") from exc
        return ScannedRecord(
            key=key if isinstance(key, str) else "",
            record=record if isinstance(record, str) else "",
            as_of=moment,
            values=values,
        )

    def scan_vaulted(self, *, batch: int) -> AsyncIterator[Sequence[ScannedRecord]]:
        return nothing_vaulted()

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _fields(self, layout: Layout, part: Part) -> list[str]:
        names = [self._mapping.record, self._mapping.as_of.source]
        for name in layout.fields:
            rule = self._mapping.rules[name]
            if rule.field.coordinate in part.coordinates:
                names.append(rule.source)
        for name, inner in layout.nested:
            nested = self._mapping.nested[name]
            if nested.field.coordinate in part.coordinates:
                rules = [
                    nested.rules[field] for field in inner if nested.rules[field].field.coordinate in part.coordinates
                ]
                names += [f"{nested.at}.{rule.source}" for rule in rules] or [nested.at]
        return list(dict.fromkeys(names))

    def _items(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._invalid("no list of items")
        return items

    def _row(self, item: dict[str, Any], layout: Layout, part: Part) -> list[Any]:
        """The raw row of one item; what its part may not be asked for is None, whatever was sent."""
        row: list[Any] = []
        for name in layout.fields:
            rule = self._mapping.rules[name]
            row.append(item.get(rule.source) if rule.field.coordinate in part.coordinates else None)
        for name, inner in layout.nested:
            nested = self._mapping.nested[name]
            given = (item.get(nested.at) or []) if nested.field.coordinate in part.coordinates else []
            if not isinstance(given, list) or not all(isinstance(cells, dict) for cells in given):
                raise self._invalid("a nested list is none")
            rules = [nested.rules[field] for field in inner]
            sources = [rule.source if rule.field.coordinate in part.coordinates else None for rule in rules]
            row.append([[None if source is None else cells.get(source) for source in sources] for cells in given])
        return row

    async def _post(self, body: dict[str, Any], path: str = "") -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(
                self._url + path,
                data=orjson.dumps(body),
                headers={**self._headers, "Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                self._check(response)
                raw = await self._read(response)
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as exc:
            raise SourceFailure(self.agency, SourceState.DOWN, f"service: {type(exc).__name__}") from exc
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as exc:
            raise self._invalid("not JSON") from exc
        if not isinstance(answer, dict):
            raise self._invalid("not an object")
        if _too_deep(answer, MAX_DEPTH):
            raise self._invalid("nested too deep")
        return answer

    def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 429:
            wait = response.headers.get("Retry-After", "1")
            raise SourceFailure(
                self.agency,
                SourceState.THROTTLED,
                "throttled",
                retry_after_s=float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 1.0,
            )
        if response.status >= 500:
            raise SourceFailure(self.agency, SourceState.DOWN, f"status {response.status}")
        if response.status != 200 or response.content_type != "application/json":
            raise self._invalid(f"status {response.status}")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        raw = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            raw += chunk
            if len(raw) > MAX_BYTES:
                response.close()
                raise self._invalid("answer is too large")
        return bytes(raw)

    def _invalid(self, text: str) -> SourceFailure:
        return SourceFailure(self.agency, SourceState.INVALID, text)


def _too_deep(value: object, left: int) -> bool:
    """Whether `value` nests deeper than `left`; stops at the limit."""
    if isinstance(value, dict):
        return left == 0 or any(_too_deep(item, left - 1) for item in value.values() if isinstance(item, dict | list))
    if isinstance(value, list):
        return left == 0 or any(_too_deep(item, left - 1) for item in value if isinstance(item, dict | list))
    return False
