"""`hub policy`: checking the bundle, and its matrix for reviewers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hub.auth.matrix import render_matrix
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.rules import read_rules
from hub.settings import load_settings

app = typer.Typer(help="Access policies.", no_args_is_help=True)


@app.command("check")
def check(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Validate all rules against catalogue and purposes."""
    rules = read_rules(load_settings(data_dir=data))
    found = {
        "digest": rules.judge.policy_digest,
        "rules": rules.judge.rule_count,
        "coordinates": len(rules.catalogue.fields),
    }
    print(json.dumps(found) if as_json else " ".join(f"{name}={value}" for name, value in found.items()))


@app.command("schema")
def schema(out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None) -> None:
    """Generate the Cedar schema from catalogue and purposes."""
    text = read_rules(load_settings()).cedar_schema
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, "utf-8")


@app.command("matrix")
def matrix(out: Annotated[Path | None, typer.Option(help="File to write; default: print.")] = None) -> None:
    """What every role sees of every field group, as Markdown."""
    rules = read_rules(load_settings())
    text = render_matrix(rules.judge, rules.catalogue, rules.purposes)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, "utf-8")
