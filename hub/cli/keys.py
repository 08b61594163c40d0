"""`hub keys`: what keys the hub holds, their rotation and their escrow; never the keys."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from hub.bootstrap.keeping import Keeping, build_keeping
from hub.bootstrap.key_making import make_keys
from hub.bootstrap.secrets import build_key_store
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.cli.progress import progress
from hub.crypto.escrow import make_escrow, restore
from hub.crypto.providers import write_private
from hub.crypto.rekeying import GRACE_S, MARK
from hub.crypto.suites import SUITE_NAMES
from hub.errors import KeyMaterialError, SettingsError
from hub.rules import read_rules
from hub.settings import load_settings

app = typer.Typer(help="The hub's keys.", no_args_is_help=True)
ESCROW_FILE = "keys.escrow"


@app.callback()
def _group() -> None:
    """The hub's keys."""


@app.command("status")
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List all keys with version, state and uses; opens each, so that a wrong KEK shows."""
    settings = load_settings(data_dir=data)
    keys = build_key_store(settings)
    keys.ring()
    uses = keys.uses.read()
    rows = [
        {
            "purpose": purpose,
            "version": version,
            "state": facts.state.value,
            "digest": facts.digest.value,
            "uses": uses.get(f"{purpose}/{version}", 0),
        }
        for purpose, versions in sorted(keys.facts().items())
        for version, facts in sorted(versions.items())
    ]
    unfinished = (keys.directory / MARK).exists()
    if as_json:
        shown = {"provider": keys.provider.name, "suite": settings.crypto_suite, "rotating": unfinished, "keys": rows}
        print(json.dumps(shown))
        return
    for row in rows:
        print(f"{row['purpose']:28} {row['version']:>3} {row['state']:12} {row['digest']:6} {row['uses']:>10}")
    if unfinished:
        print("a rotation is unfinished; `hub keys rotate` goes on with it", file=sys.stderr)


@app.command("init")
def init(data: DataOption = DEFAULT_DATA) -> None:
    """Make the keys of a new hub, after `hub migrate`; later those that a newer program needs besides."""

    async def made() -> int:
        settings = load_settings(data_dir=data)
        return await make_keys(settings, read_rules(settings))

    count = asyncio.run(made())

    async def run(keeping: Keeping) -> None:
        await keeping.log_keys("keys-init")
        print(f"{count} keys; write an escrow of them: hub keys escrow --out FOLDER")

    _with_keeping(data, run)


@app.command("rotate")
def rotate(
    data: DataOption = DEFAULT_DATA,
    rate: Annotated[float, typer.Option(help="At most so many values a second; 0: as fast as it goes.", min=0)] = 0,
    grace: Annotated[float, typer.Option(help="Seconds between publishing a key and using it.", min=0)] = GRACE_S,
) -> None:
    """Seal everything anew under new keys, while the hub serves. Go on with it if it was interrupted."""

    async def run(keeping: Keeping) -> None:
        await keeping.log_keys("keys-rotate")
        with progress("values", await keeping.rotation.total()) as report:
            moved = await keeping.rekeying.rotate(grace_s=grace, progress=report)
        await keeping.store.settle()
        print(f"{moved} values moved")

    _with_keeping(data, run, rate=rate)


@app.command("retire")
def retire(data: DataOption = DEFAULT_DATA) -> None:
    """Let keys rest under which nothing stands any more. Their material is kept, and nothing opens under them."""

    async def run(keeping: Keeping) -> None:
        await keeping.log_keys("keys-retire")
        print(f"{await keeping.rekeying.retire()} keys retired")

    _with_keeping(data, run)


@app.command("destroy")
def destroy(
    data: DataOption = DEFAULT_DATA,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. Backups made under these keys open no more.")] = False,
) -> None:
    """Destroy the material of retired keys for good."""
    if not yes:
        typer.confirm("Backups made under retired keys will open no more. Destroy them?", abort=True, err=True)

    async def run(keeping: Keeping) -> None:
        await keeping.log_keys("keys-destroy")
        print(f"{await keeping.rekeying.destroy()} keys destroyed")

    _with_keeping(data, run)


@app.command("escrow")
def escrow(
    out: Annotated[Path, typer.Option(help="An empty or new folder for the escrow file and the shares.")],
    data: DataOption = DEFAULT_DATA,
    shares: Annotated[int, typer.Option(help="How many shares are made.", min=2, max=16)] = 5,
    needed: Annotated[int, typer.Option(help="How many of them open it.", min=2, max=16)] = 3,
) -> None:
    """Write all keys, sealed, and the shares that open them: one file for each holder."""
    if out.exists() and any(out.iterdir()):
        raise SettingsError("is not empty", file=out.name)

    async def run(keeping: Keeping) -> None:
        await keeping.log_keys("keys-escrow")
        suite = SUITE_NAMES[keeping.settings.crypto_suite]
        sealed, words = make_escrow(keeping.keys, needed=needed, shares=shares, suite=suite)
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(out / ESCROW_FILE, sealed)
        for number, line in enumerate(words, 1):
            write_private(out / f"share-{number:02d}.txt", f"{line}\n".encode())
        print(
            f"{ESCROW_FILE} and {shares} shares written; any {needed} open it. Hand out the shares, then delete them."
        )

    _with_keeping(data, run)


@app.command("restore")
def restore_keys(
    escrow_file: Annotated[Path, typer.Argument(help="The escrow file.", metavar="FILE")],
    share: Annotated[list[Path], typer.Option(help="A file with one share; as many as are needed.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Put the keys of an escrow into an empty directory, under a new key-encryption key."""
    settings = load_settings(data_dir=data)
    if (settings.keys_dir / "keys.json").exists():
        raise KeyMaterialError("there are keys already; restore into an empty directory", file="keys.json")
    words = [path.read_text("utf-8").strip() for path in share]
    count = restore(build_key_store(settings, create=True), escrow_file.read_bytes(), words)
    print(f"{count} keys restored")


def _with_keeping(data: Path, work: Callable[[Keeping], Awaitable[None]], *, rate: float = 0) -> None:
    async def run() -> None:
        keeping = build_keeping(load_settings(data_dir=data), rate=rate)
        try:
            await work(keeping)
        finally:
            await keeping.close()

    asyncio.run(run())
