"""`hub keys`: what keys the hub holds; never the keys."""

import json

import typer

from hub.bootstrap.secrets import build_key_ring
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.settings import load_settings

app = typer.Typer(help="The hub's keys.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The hub's keys."""


@app.command("status")
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List purposes and versions of all keys; opens each, so that a wrong KEK shows."""
    ring = build_key_ring(load_settings(data_dir=data))
    held = {purpose: sorted(versions) for purpose, versions in sorted(ring.keys.items())}
    if as_json:
        print(json.dumps(held))
    else:
        for purpose, versions in held.items():
            print(f"{purpose:28} {', '.join(map(str, versions))}")
