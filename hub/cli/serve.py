"""`hub serve` and `hub migrate`."""

import asyncio
import os
import socket
from typing import Annotated, Any

import typer
import uvicorn

from hub.bootstrap.build import build_hub
from hub.bootstrap.secrets import build_audit_signer
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.errors import SettingsError
from hub.settings import Settings, load_settings
from hub.store.engine import open_store
from hub.store.migration import migrate as run_migrations
from hub.web.protocol import BoundedHttp
from hub.web.socket_endpoint import MAX_MESSAGE_BYTES
from hub.web.socket_protocol import BoundedSocket


def serve(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.", min=1, max=64)] = None,
) -> None:
    """Serve the hub until SIGINT or SIGTERM."""
    options = (("host", host), ("port", port), ("workers", workers))
    given = {name: value for name, value in options if value is not None}
    settings = load_settings(data_dir=data, **given)
    if not port_is_free(settings.host, settings.port):
        raise SettingsError(f"port {settings.port} is taken", name="HUB_PORT")
    if settings.workers == 1:
        uvicorn.run(build_hub(settings).app, **_options(settings))
        return
    build_hub(settings)  # what is wrong is told once, here, before any worker starts
    os.environ.update(
        {"HUB_DATA_DIR": str(data), **{f"HUB_{name.upper()}": str(value) for name, value in given.items()}}
    )
    uvicorn.run("hub.cli.serving:create", factory=True, workers=settings.workers, **_options(settings))


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": BoundedHttp,
        "ws": BoundedSocket,
        "ws_max_size": MAX_MESSAGE_BYTES,
        "ws_per_message_deflate": False,  # no bombs, and no secret beside a caller's text in one compressed stream
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # nothing of a request is believed but its token
        "log_level": "warning",
        "timeout_graceful_shutdown": 10,
        "timeout_worker_healthcheck": 120,  # a worker that is starting on a crowded machine is not started anew
    }


def migrate(data: DataOption = DEFAULT_DATA) -> None:
    """Bring the database to the schema of this program; make the key that signs the audit log if there is none."""
    settings = load_settings(data_dir=data)

    async def run() -> None:
        store = open_store(settings.store_url)
        try:
            await run_migrations(store)
            build_audit_signer(settings, create=True)
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
