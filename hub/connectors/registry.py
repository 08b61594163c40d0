"""Builds the connectors; the only module that knows their kinds."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import ArgumentError

from hub.clock import Clock
from hub.connectors.base import Connector, Quarantine
from hub.connectors.file_drop import FileDropConnector
from hub.connectors.guard import Guard
from hub.connectors.mapping import AgencyMapping, Mode
from hub.connectors.rest import RestConnector
from hub.connectors.sql import SqlConnector
from hub.domain.codes import Codes
from hub.errors import SettingsError
from hub.store.reader import Reader, open_reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an agency's system is, and how it is asked if not as its mapping says.

    `api_key_file` keeps the secret out of the file that names it.
    """

    agency: str
    url: str | None = None
    path: str | None = None
    api_key_file: str | None = None
    mode: str | None = None


def read_endpoints(path: Path) -> Mapping[str, Endpoint]:
    """Endpoints by agency from `agencies.toml`.

    Raises:
        SettingsError: missing, not TOML, an unknown key.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError("cannot be read as TOML", file=path.name) from exc
    endpoints: dict[str, Endpoint] = {}
    for agency, entry in data.get("agencies", {}).items():
        if unknown := entry.keys() - {"url", "path", "api_key_file", "mode"}:
            raise SettingsError(f"unknown key {min(unknown)}", file=path.name, name=agency)
        endpoints[agency] = Endpoint(agency=agency, **entry)
    return endpoints


def build_connectors(
    mappings: Mapping[str, AgencyMapping],
    endpoints: Mapping[str, Endpoint],
    codes: Codes,
    quarantine: Quarantine,
    clock: Clock,
    *,
    concurrency: int,
) -> Mapping[str, Guard]:
    """A guarded connector for every endpoint.

    Raises:
        SettingsError: an endpoint without a mapping, or one that its kind cannot use.
    """
    guards: dict[str, Guard] = {}
    readers: dict[str, Reader] = {}  # agencies in one database share its connections
    for agency, endpoint in endpoints.items():
        if agency not in mappings:
            raise SettingsError("has no mapping", name=agency)
        mapping = mappings[agency]
        if mapping.kind == "sql":
            connector: Connector = SqlConnector(mapping, codes, quarantine, _reader(endpoint, readers, concurrency))
        else:
            connector = _build(mapping, endpoint, codes, quarantine)
        guards[agency] = Guard(connector, clock=clock, concurrency=concurrency)
    return guards


def mode_of(mapping: AgencyMapping, endpoint: Endpoint) -> Mode:
    """How the agency is asked in this deployment.

    Raises:
        SettingsError: the endpoint's mode is none, or not one that the mapping allows.
    """
    if endpoint.mode is None:
        return mapping.mode
    if endpoint.mode not in set(Mode):
        raise SettingsError(f"unknown mode {endpoint.mode}", name=endpoint.agency)
    mode = Mode(endpoint.mode)
    if mode is not Mode.LIVE and mode not in mapping.replica.allows:
        raise SettingsError(f"its mapping does not allow mode {mode.value}", name=endpoint.agency)
    return mode


def _reader(endpoint: Endpoint, readers: dict[str, Reader], concurrency: int) -> Reader:
    if endpoint.url is None:
        raise SettingsError("needs `url`", name=endpoint.agency)
    if endpoint.url not in readers:
        try:
            readers[endpoint.url] = open_reader(endpoint.url, size=concurrency)
        except ArgumentError as exc:
            raise SettingsError("`url` is no database URL", name=endpoint.agency) from exc
    return readers[endpoint.url]


def _build(mapping: AgencyMapping, endpoint: Endpoint, codes: Codes, quarantine: Quarantine) -> Connector:
    if mapping.kind == "file_drop":
        if endpoint.path is None:
            raise SettingsError("a file drop needs `path`", name=mapping.agency)
        return FileDropConnector(mapping, codes, quarantine, Path(endpoint.path))
    if endpoint.url is None:
        raise SettingsError("needs `url`", name=mapping.agency)
    if urlsplit(endpoint.url).scheme not in ("http", "https") or endpoint.api_key_file is None:
        raise SettingsError("needs an http(s) `url` and an `api_key_file`", name=mapping.agency)
    try:
        api_key = Path(endpoint.api_key_file).read_text("ascii").strip()
    except OSError as exc:
        raise SettingsError("`api_key_file` cannot be read", name=mapping.agency) from exc
    return RestConnector(mapping, codes, quarantine, endpoint.url, api_key)
