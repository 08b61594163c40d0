"""`hub schema`: the schema as developers read it."""

from pathlib import Path
from typing import Annotated

import typer

from hub.rules import read_rules
from hub.settings import load_settings

app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The GraphQL schema."""


@app.command("export")
def export(
    role: Annotated[str | None, typer.Option(help="The view of this role; default: the whole schema.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None,
) -> None:
    """Print the SDL, sorted."""
    rules = read_rules(load_settings())
    if role is not None and role not in rules.purposes.roles:
        raise typer.BadParameter(f"unknown role; one of {', '.join(rules.purposes.roles)}", param_hint="--role")
    sdl = rules.sdl if role is None else rules.sdl_of(role)
    if out is None:
        print(sdl, end="")
    else:
        out.write_text(sdl, "utf-8")
