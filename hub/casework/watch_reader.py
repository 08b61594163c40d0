"""Reads `rules/watchers.toml`: every watch is checked against workflow and catalogue before anybody is asked by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.casework.watching import AgencyWatch, Shows, Watch
from hub.casework.workflow import Workflow
from hub.domain.catalogue import Catalogue
from hub.domain.located import Document, load_toml
from hub.errors import CaseworkRulesError

WATCHERS_FILE = Path(__file__).with_name("rules") / "watchers.toml"
_KNOWN = frozenset("field test days needs day where first once event says from source".split())
SWEEP = (1, 1_000)
"""Least and most cases that a batch may take; the guard cuts it into the calls that an agency takes."""


def read_watchers(catalogue: Catalogue, workflow: Workflow, path: Path = WATCHERS_FILE) -> tuple[AgencyWatch, ...]:
    """Read the watches of every agency.

    Raises:
        CaseworkRulesError: not TOML, an unknown member, test, event, state or field, a batch out of bounds, an event
            that only the hub adds and no watch does; names file, line and watch.
    """
    document = load_toml(path, CaseworkRulesError)
    found = tuple(_agency(document, name, catalogue, workflow) for name in document.data)
    used = {watch.event for agency in found for watch in agency.watches}
    for kind, rule in workflow.events.items():
        if rule.seen and kind not in used:
            raise CaseworkRulesError(f"no watch adds the event {kind}", file=document.file)
    return found


def _agency(document: Document, agency: str, catalogue: Catalogue, workflow: Workflow) -> AgencyWatch:
    entry = document.data[agency]
    try:
        record, every, batch = entry["type"], entry["every"], entry["batch"]
        known = {field.name: field for field in catalogue.types[record].fields}
        watches = tuple(_watch(document, agency, name, workflow) for name in entry["watch"])
    except KeyError as exc:
        raise _error(document, f"lacks or misstates {exc}", agency) from exc
    if catalogue.types[record].agency != agency or not SWEEP[0] <= batch <= SWEEP[1] or every < 1:
        raise _error(document, "has a record of another agency, or a batch or time out of bounds", agency)
    coordinates: set[str] = set()
    for watch in watches:
        wanted = [watch.field, *watch.needs, *([watch.day] if watch.day else [])]
        for name in wanted:
            if name not in known:
                raise _error(document, f"names the unknown field {name}", agency, "watch", watch.name)
            coordinates.add(known[name].coordinate)
        for name in [watch.inner, *watch.where] if watch.inner else []:
            inner_type = known[watch.field].record_type
            inner = {field.name: field for field in catalogue.types[inner_type].fields} if inner_type else {}
            if name not in inner:
                raise _error(document, f"names the unknown field {name}", agency, "watch", watch.name)
            coordinates.add(inner[str(name)].coordinate)
    return AgencyWatch(
        agency=agency,
        record=record,
        every_s=every,
        batch=batch,
        watches=watches,
        coordinates=frozenset(coordinates),
    )


def _watch(document: Document, agency: str, name: str, workflow: Workflow) -> Watch:
    entry: Mapping[str, Any] = document.data[agency]["watch"][name]
    at = (agency, "watch", name)
    if unknown := sorted(entry.keys() - _KNOWN):
        raise _error(document, f"has the unknown member {unknown[0]}", *at)
    try:
        field, _, inner = entry["field"].partition(".")
        watch = Watch(
            name=name,
            field=field,
            inner=inner or None,
            where=entry.get("where", {}),
            test=Shows(entry["test"]),
            days=entry.get("days", 0),
            needs=tuple(entry.get("needs", ())),
            day=entry.get("day"),
            first=entry.get("first", False),
            once=entry.get("once", False),
            event=entry["event"],
            says=entry.get("says", {}),
            states=frozenset(entry.get("from", ())),
            source=entry["source"],
        )
    except (KeyError, ValueError) as exc:
        raise _error(document, f"lacks or misstates {exc}", *at) from exc
    if watch.event not in workflow.events:
        raise _error(document, f"names the unknown event {watch.event}", *at)
    for state in sorted(watch.states - workflow.states.keys()):
        raise _error(document, f"names the unknown state {state}", *at)
    return watch


def _error(document: Document, text: str, *path: str) -> CaseworkRulesError:
    return CaseworkRulesError(text, file=document.file, line=document.line(*path), name=".".join(path))
