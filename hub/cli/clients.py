"""`hub client`: systems of agencies that may ask the built-in issuer for tokens."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.auth.clients import register_client
from hub.auth.disabled_clients import switch_client
from hub.auth.purposes import read_purposes
from hub.auth.recipients import read_encryption_key
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.errors import SettingsError
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
    encryption_key: Annotated[
        Path | None, typer.Option(help="The agency's public JWK (EC or X25519) for sealed deliveries.")
    ] = None,
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
            encryption_jwk=None if encryption_key is None else _read_jwk(encryption_key, client_id),
        ),
        end="",
    )


def _read_jwk(path: Path, client_id: str) -> Mapping[str, Any]:
    """The key as it is registered, once it is known to work."""
    try:
        jwk = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError("is no JWK", file=path.name) from exc
    if not isinstance(jwk, dict):
        raise SettingsError("is no JWK", file=path.name)
    read_encryption_key(jwk, client_id)
    return jwk


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
