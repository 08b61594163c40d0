"""`hub client`: systems of agencies that may ask the built-in issuer for tokens."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.auth.clients import register_client
from hub.auth.disabled_clients import switch_client
from hub.auth.purposes import read_purposes
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.rules import POLICIES_DIR
from hub.settings import load_settings

app = typer.Typer(help="Clients of the built-in issuer.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Clients of the built-in issuer."""


@app.command("new")
def new(
    client_id: Annotated[str, typer.Argument(help="Name of the client.")],
    role: Annotated[str, typer.Option(help="Role its officers act in.")],
    region: Annotated[list[str], typer.Option(help="Region prefixes, GB/T 2260.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Register a client and print its private key, which is kept nowhere (takes effect at the next start)."""
    settings = load_settings(data_dir=data)
    roles = read_purposes(POLICIES_DIR / "purposes.toml").roles
    if role not in roles:
        raise typer.BadParameter(f"unknown role; one of {', '.join(roles)}", param_hint="--role")
    known = roles[role]
    print(
        register_client(
            settings.hub_dir / "clients.json",
            client_id,
            role=role,
            agency=known.agency,
            regions=tuple(region),
            purposes=tuple(sorted(known.purposes)),
        ),
        end="",
    )


ClientArgument = Annotated[str, typer.Argument(help="Id of the client, as its tokens carry it.")]


@app.command("disable")
def disable(client_id: ClientArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Refuse every token of a client, also those it has, on running servers within seconds."""
    _switch(client_id, data, disabled=True)


@app.command("enable")
def enable(client_id: ClientArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Undo `disable`."""
    _switch(client_id, data, disabled=False)


def _switch(client_id: str, data: Path, *, disabled: bool) -> None:
    changed = switch_client(load_settings(data_dir=data).disabled_clients_file, client_id, disabled=disabled)
    state = "disabled" if disabled else "enabled"
    print(f"{client_id} {state}" if changed else f"{client_id} was {state} already", file=sys.stderr)
