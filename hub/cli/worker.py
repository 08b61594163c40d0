"""`hub worker`: what runs beside the server: order of events, webhooks, supervision, sweeps, copies of agencies."""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.bootstrap.work import Work, build_work
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.errors import StoreError
from hub.settings import load_settings
from hub.store.migration import is_current
from hub.telemetry import configure_logging
from hub.worker.loop import Duty, run, run_once


def worker(
    data: DataOption = DEFAULT_DATA,
    once: Annotated[bool, typer.Option("--once", help="Do what is due, then end.")] = False,
) -> None:
    """Do the background work of the hub until SIGINT or SIGTERM. Any number may run."""
    settings = load_settings(data_dir=data)

    async def work() -> None:
        configure_logging(settings.log_level)
        hub = build_hub(settings)
        parts = build_work(hub)
        try:
            if not await is_current(hub.store):
                raise StoreError("the database is not at this program's schema; run `hub migrate`")
            duties = duties_of(parts, hub)
            if once:
                print(await run_once(duties))
                return
            stop = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await run(duties, stop)
        finally:
            await parts.close()
            await hub.close()

    uvloop.run(work())


def duties_of(parts: Work, hub: Hub) -> tuple[Duty, ...]:
    publisher = parts.publisher
    publishing = () if publisher is None else (Duty(name="publish", work=publisher.run, pause_s=0.2),)
    return (
        Duty(name="sequence", work=parts.sequencer.run, pause_s=0.5),
        Duty(name="deliver", work=parts.deliverer.run, pause_s=0.5),
        Duty(name="supervise", work=parts.supervision.sweep, pause_s=30.0),
        Duty(name="sweep", work=parts.sweeps.run, pause_s=5.0),
        Duty(name="copy", work=hub.copier.run, pause_s=5.0),
        *publishing,
    )
