"""`hub demo`: everything on this machine, from nothing."""

from collections.abc import Iterable
from typing import Annotated

import typer

from hub.cli.options import DEFAULT_DATA, DataOption
from hub.demo.run import run_demo


def demo(
    data: DataOption = DEFAULT_DATA,
    port: Annotated[int, typer.Option(help="Port of the hub.")] = 8000,
    people: Annotated[int, typer.Option(min=200, help="Persons who were in prison.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another province.")] = 7,
    replica: Annotated[
        list[str] | None, typer.Option(help="AGENCY or AGENCY=fallback: answer from a copy. May be repeated.")
    ] = None,
    worker: Annotated[bool, typer.Option(help="Run a worker: deadlines, order of events, webhooks, sweeps.")] = True,
) -> None:
    """Run five simulated agencies and the hub on 127.0.0.1 until Ctrl-C."""
    raise typer.Exit(
        run_demo(data=data, port=port, people=people, seed=seed, worker=worker, modes=_modes(replica or ()))
    )


def _modes(given: Iterable[str]) -> dict[str, str]:
    return {agency: mode or "replica" for agency, _, mode in (text.partition("=") for text in given)}
