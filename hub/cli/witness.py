"""`hub witness`: a process of its own that cosigns the checkpoints of audit logs. It needs no hub and no database."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from hub.audit.signing import read_key
from hub.audit.witness import open_witness
from hub.cli.serve import port_is_free
from hub.clock import SystemClock
from hub.errors import SettingsError
from hub.web.witness_app import witness_app


def witness(
    data: Annotated[Path, typer.Option("--data", help="The witness's own directory.", metavar="DIR")],
    log: Annotated[list[str] | None, typer.Option(help="Verifier key of a log, or a file with it; kept.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the witness, given once when it is made.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8010,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the witness's key and end.")] = False,
) -> None:
    """Cosign checkpoints that continue the last one, until SIGINT or SIGTERM; prints its key first."""
    trust = [read_key(text) for text in log or ()]
    if not show_key and not port_is_free(host, port):
        raise SettingsError(f"port {port} is taken", name="--port")
    with open_witness(data, name=name, trust=trust, clock=SystemClock()) as running:
        print(running.key, flush=True)
        if not show_key:
            uvicorn.run(witness_app(running), host=host, port=port, access_log=False, log_level="warning")
