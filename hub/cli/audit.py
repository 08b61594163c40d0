"""`hub audit`: the log for auditors, and the proof that it was not touched."""

import asyncio
import json
from typing import Annotated

import orjson
import typer

from hub.audit.reader import Verdict
from hub.audit.reader import dump as read_entries
from hub.audit.reader import verify as verify_log
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.settings import load_settings
from hub.store.engine import open_store

app = typer.Typer(help="The audit log.", no_args_is_help=True)


@app.command("dump")
def dump(
    data: DataOption = DEFAULT_DATA,
    after: Annotated[int, typer.Option(help="Start behind this entry number.")] = 0,
) -> None:
    """Print every entry as one line of JSON, keys sorted; works while the server runs."""

    async def run() -> None:
        store = open_store(load_settings(data_dir=data).store_url, create=False)
        try:
            async for entry in read_entries(store, after):
                print(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode())
        finally:
            await store.close()

    asyncio.run(run())


@app.command("verify")
def verify(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Verify the whole chain. Exit 0 if it holds, 1 if not."""

    async def run() -> Verdict:
        store = open_store(load_settings(data_dir=data).store_url, create=False)
        try:
            return await verify_log(store)
        finally:
            await store.close()

    found = asyncio.run(run())
    shown = {
        "ok": found.ok,
        "entries": found.entries,
        "root": found.root,
        "firstBad": found.first_bad,
        "reason": found.reason,
        "witnessed": found.witnessed,
    }
    if as_json:
        print(json.dumps(shown))
    else:
        print(" ".join(f"{name}={value}" for name, value in shown.items() if value is not None))
    raise typer.Exit(0 if found.ok else 1)
