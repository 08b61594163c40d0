"""`hub serve` and `hub migrate`."""

import asyncio
import socket
from typing import Annotated

import typer
import uvicorn

from hub.bootstrap import build_hub
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.errors import SettingsError
from hub.settings import load_settings
from hub.store.engine import open_store
from hub.store.migration import migrate as run_migrations


def serve(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the hub until SIGINT or SIGTERM."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(data_dir=data, **given)
    if not port_is_free(settings.host, settings.port):
        raise SettingsError(f"port {settings.port} is taken", name="HUB_PORT")
    hub = build_hub(settings)
    uvicorn.run(
        hub.app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="h11",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing of a request is believed but its token
        log_level="warning",
        timeout_graceful_shutdown=10,
    )


def migrate(data: DataOption = DEFAULT_DATA) -> None:
    """Bring the database to the schema of this program."""
    settings = load_settings(data_dir=data)

    async def run() -> None:
        store = open_store(settings.store_url)
        try:
            await run_migrations(store)
        finally:
            await store.close()

    asyncio.run(run())


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
