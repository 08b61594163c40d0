"""`hub doctor`: is everything that a hub needs in place?"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import typer

from hub.bootstrap.build import build_hub
from hub.bootstrap.secrets import build_key_ring
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.errors import HubError, StoreError
from hub.rules import read_rules
from hub.settings import Settings, load_settings
from hub.store.engine import open_store
from hub.store.migration import is_current


def doctor(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Check rules, keys, database and endpoints. Exit 1 if one of them is wrong."""
    settings = load_settings(data_dir=data)
    checks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "rules": _rules,
        "keys": _keys,
        "store": _store,
        "agencies": _agencies,
    }
    found = {name: asyncio.run(_run(check, settings)) for name, check in checks.items()}
    good = all(ok for ok, _ in found.values())
    if as_json:
        print(
            json.dumps({"ok": good, "checks": {name: {"ok": ok, "text": text} for name, (ok, text) in found.items()}})
        )
    else:
        for name, (ok, text) in found.items():
            print(f"{'ok ' if ok else 'BAD'} {name:9} {text}")
    raise typer.Exit(0 if good else 1)


async def _run(check: Callable[[Settings], Awaitable[str]], settings: Settings) -> tuple[bool, str]:
    try:
        return True, await check(settings)
    except HubError as error:
        return False, f"{error.code}: {error}"


async def _rules(settings: Settings) -> str:
    rules = read_rules(settings)
    return f"{len(rules.catalogue.fields)} fields, {rules.judge.rule_count} rules"


async def _keys(settings: Settings) -> str:
    return f"{len(build_key_ring(settings).keys)} keys open"


async def _store(settings: Settings) -> str:
    store = open_store(settings.store_url, create=False)
    try:
        current = await is_current(store)
    finally:
        await store.close()
    if not current:
        raise StoreError("behind this program's schema; run `hub migrate`")
    return "at the newest schema"


async def _agencies(settings: Settings) -> str:
    hub = build_hub(settings)
    names = sorted(hub.sources)
    await hub.close()
    return ", ".join(names) or "none configured"
