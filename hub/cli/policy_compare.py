"""`hub policy diff` and `hub policy replay`: what other rules would change, at all and lately."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from hub.audit.reader import dump
from hub.auth.clients import read_clients
from hub.auth.policy_diff import Difference, Turn
from hub.auth.policy_diff import diff as compare
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.cli.policy_source import SOURCE_HELP, opened
from hub.clock import SystemClock
from hub.domain.catalogue import Catalogue
from hub.gateway.plan import Planner
from hub.gateway.replay import Replay, Replayed
from hub.gateway.survivorship import RULES_FILE, read_survivorship
from hub.rules import MEMBERS_ONLY, read_policy_loader
from hub.settings import Settings, load_settings
from hub.store.engine import open_store


def diff(
    before: Annotated[str, typer.Argument(help=SOURCE_HELP, metavar="A")],
    after: Annotated[str, typer.Argument(help=SOURCE_HELP, metavar="B")],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Who gains and who loses when B replaces A, as Markdown. Exit 1 if anything differs."""
    settings = load_settings(data_dir=data)
    loader = read_policy_loader(settings)
    with opened(before, settings) as old_directories, opened(after, settings) as new_directories:
        old = loader.judge(old_directories, own_purposes=True)
        new = loader.judge(new_directories, own_purposes=True)
    roles = {**old.purposes.roles, **new.purposes.roles}.values()
    purposes = dict.fromkeys([*old.purposes.purposes, *new.purposes.purposes])
    found = compare(old, new, roles, purposes, loader.catalogue)
    if as_json:
        print(json.dumps({"before": old.policy_digest, "after": new.policy_digest, "differences": _json(found)}))
    else:
        print(render(found, loader.catalogue))
    raise typer.Exit(1 if found else 0)


def replay(
    bundle: Annotated[str, typer.Argument(help=SOURCE_HELP)],
    days: Annotated[int, typer.Option(help="How far back.", min=1)] = 30,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Which recorded requests would have got something else under other rules. Exit 1 if any would."""
    settings = load_settings(data_dir=data)
    loader = read_policy_loader(settings)
    with opened(bundle, settings) as directories:
        judge = loader.judge(directories)
    planner = Planner(loader.catalogue, read_survivorship(loader.catalogue, RULES_FILE), members_only=MEMBERS_ONLY)
    since = SystemClock().now() - timedelta(days=days)
    found = asyncio.run(_replayed(settings, Replay(judge, planner, _recipients(settings)), since))
    shown = {
        "digest": judge.policy_digest,
        "entries": found.entries,
        "persons": found.persons,
        "skipped": found.skipped,
        "requests": found.requests,
        "changes": [
            {
                "role": change.role,
                "purpose": change.purpose,
                "coordinate": change.coordinate,
                "before": change.before,
                "after": change.after,
                "persons": count,
            }
            for change, count in sorted(found.changes.items())
        ],
    }
    if as_json:
        print(json.dumps(shown))
    else:
        _tell(found)
    raise typer.Exit(1 if found.changes else 0)


def _recipients(settings: Settings) -> Callable[[str], str | None]:
    """Clients that have registered a key for sealed deliveries, as their servers read them."""
    clients = read_clients(settings.hub_dir / "clients.json")
    able = {name for name, client in clients.items() if client.encryption_jwk is not None}
    return lambda client: client if client in able else None


async def _replayed(settings: Settings, replaying: Replay, since: datetime) -> Replayed:
    found = Replayed()
    store = open_store(settings.store_url, create=False)
    try:
        async for entry in dump(store):
            if datetime.fromisoformat(entry["time"]) >= since:
                replaying.add(entry, found)
    finally:
        await store.close()
    return found


def _tell(found: Replayed) -> None:
    counts = {"entries": found.entries, "persons": found.persons, "skipped": found.skipped}
    print(" ".join(f"{name}={count}" for name, count in {**counts, "changed": len(found.requests)}.items()))
    for change, count in sorted(found.changes.items()):
        turn = f"{change.before} -> {change.after}"
        print(f"{change.role} {change.purpose} {change.coordinate}: {turn} ({count} persons)")


def render(found: Sequence[Difference], catalogue: Catalogue) -> str:
    """Markdown: a table for who gains, who loses, and who is told something else."""
    if not found:
        return "No decision differs."
    parts: list[str] = []
    for turn in Turn:
        rows = [item for item in found if item.turn is turn]
        if rows:
            parts += [f"## {turn.capitalize()}", "", "| role | purposes | fields | before | after | when |"]
            parts += ["| --- | --- | --- | --- | --- | --- |", *(_row(item, catalogue) for item in rows), ""]
    return "\n".join(parts).rstrip()


def _row(item: Difference, catalogue: Catalogue) -> str:
    when = "; or ".join(str(term) for term in item.when)
    fields = ", ".join(_compact(item.coordinates, catalogue))
    return f"| {item.role} | {', '.join(item.purposes)} | {fields} | {item.before} | {item.after} | {when} |"


def _compact(coordinates: Iterable[str], catalogue: Catalogue) -> list[str]:
    """A type of which every field is meant as `Type.*`."""
    given = list(coordinates)
    shown: list[str] = []
    for name, record in catalogue.types.items():
        mine = [coordinate for coordinate in given if coordinate.partition(".")[0] == name]
        whole = len(mine) > 1 and len(mine) == len(record.fields)
        shown += [f"{name}.*"] if whole else mine
    return shown


def _json(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "role": item.role,
            "purposes": item.purposes,
            "turn": item.turn,
            "before": item.before,
            "after": item.after,
            "when": [{"holding": term.holding, "lacking": term.lacking} for term in item.when],
            "coordinates": item.coordinates,
        }
        for item in found
    ]
