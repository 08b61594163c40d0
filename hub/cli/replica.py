"""`hub replica`: the copies of agencies' records: how fresh they are, and copying by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.cli.progress import progress
from hub.errors import ReplicaError
from hub.settings import load_settings

app = typer.Typer(help="Copies of agencies' records.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Copies of agencies' records."""


@app.command("status")
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """How far the copy of each agency has come, and how fresh it is."""

    async def run(hub: Hub) -> None:
        rows = [await hub.copier.status(agency) for agency in hub.copier.agencies]
        if as_json:
            print(json.dumps([row.told() for row in rows]))
            return
        for row in rows:
            print(" ".join(f"{name}={value}" for name, value in row.told().items()))

    _with_hub(data, run)


@app.command("copy")
def copy(
    agency: Annotated[str, typer.Argument(help="The agency.")],
    data: DataOption = DEFAULT_DATA,
    whole: Annotated[bool, typer.Option("--whole", help="Compare everything; finds what was deleted.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Take it however many records would be gone.")] = False,
) -> None:
    """Copy what is new at an agency now, whoever else does."""

    async def run(hub: Hub) -> None:
        if agency not in hub.copier.agencies:
            raise typer.BadParameter("no such copy; see `hub replica status`", param_hint="AGENCY")
        with progress("records", (await hub.copier.status(agency)).records) as report:
            done = await hub.copier.copy(agency, anyway=True, whole=whole or accept, accept=accept, told=report)
        print(f"{done.added} statements added, {done.gone} records gone")
        if done.trouble:
            raise ReplicaError(f"{agency}: {done.trouble}")

    _with_hub(data, run)


def _with_hub(data: Path, work: Callable[[Hub], Awaitable[None]]) -> None:
    async def run() -> None:
        hub = build_hub(load_settings(data_dir=data))
        try:
            await work(hub)
        finally:
            await hub.close()

    asyncio.run(run())
