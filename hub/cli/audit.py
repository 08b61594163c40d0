"""`hub audit`: the log for auditors, and the proof that it was not touched."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
import typer

from hub.audit.checkpoints import Checkpoints
from hub.audit.log import AuditLog
from hub.audit.package import write_package
from hub.audit.reader import dump as read_entries
from hub.audit.reader import follow as follow_entries
from hub.audit.segments import KEEP_DAYS, Segments
from hub.audit.signing import read_key
from hub.audit.tiles import TileFiles, write_bundles
from hub.audit.verifier import Trust, verify_all
from hub.auditing.formats import ocsf
from hub.bootstrap.build import build_checkpoints
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.clock import SystemClock
from hub.errors import StoreError
from hub.settings import load_settings
from hub.store.engine import Store, open_store

app = typer.Typer(help="The audit log.", no_args_is_help=True)
segments = typer.Typer(help="Retention: sealed segments, legal hold, removal.", no_args_is_help=True)
app.add_typer(segments, name="segments")
Result = TypeVar("Result")


def _with_store(data: Path, work: Callable[[Store], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        store = open_store(load_settings(data_dir=data).store_url, create=False)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@app.command("dump")
def dump(
    data: DataOption = DEFAULT_DATA,
    after: Annotated[int, typer.Option(help="Start behind this entry number.")] = 0,
    as_ocsf: Annotated[bool, typer.Option("--ocsf", help="As OCSF 1.3.0 events, API Activity (6003).")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes later, until interrupted.")] = False,
) -> None:
    """Print every entry as one line of JSON, keys sorted; works while the server runs."""

    async def work(store: Store) -> None:
        origin = _checkpoints(data, store).key.name if as_ocsf else ""
        async for entry in (follow_entries if follow else read_entries)(store, after):
            shown = ocsf(entry, origin) if as_ocsf else entry
            print(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode(), flush=follow)

    try:
        _with_store(data, work)
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command("verify")
def verify(
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
    trust: Annotated[str | None, typer.Option(help="The log's verifier key, or a file with it.", metavar="KEY")] = None,
    witness: Annotated[Path | None, typer.Option(help="A witness's directory.", metavar="DIR")] = None,
) -> None:
    """Verify the whole log and its index. Exit 0 if they hold, 1 if not.

    With --trust, also the signatures, and exit 3 (`unwitnessed`) unless a --witness vouches for it.
    """
    given = Trust(key=read_key(trust) if trust else None, witness=witness)
    found = _with_store(data, lambda store: verify_all(store, given))
    unwitnessed = found.ok and (trust is not None or witness is not None) and not found.witnessed
    shown = {
        "ok": found.ok,
        "entries": found.entries,
        "root": found.root,
        "firstBad": found.first_bad,
        "reason": "unwitnessed" if unwitnessed else found.reason,
        "witnessed": found.witnessed,
    }
    if as_json:
        print(json.dumps(shown))
    else:
        print(" ".join(f"{name}={value}" for name, value in shown.items() if value is not None))
    raise typer.Exit(3 if unwitnessed else 0 if found.ok else 1)


@app.command("checkpoint")
def checkpoint(data: DataOption = DEFAULT_DATA) -> None:
    """Sign where the log stands now, have it cosigned, and print the note."""

    async def work(store: Store) -> bytes:
        made = await _checkpoints(data, store).make(force=True)
        if made is None:
            raise StoreError("the log is empty")
        return bytes(made.note)

    print(_with_store(data, work).decode(), end="")


@app.command("package")
def package(
    out: Annotated[Path, typer.Option(help="Directory to write.", metavar="DIR")], data: DataOption = DEFAULT_DATA
) -> None:
    """Write the whole log with a stand-alone verifier: `python3 DIR/hub_verify.py DIR`."""

    async def work(store: Store) -> None:
        await write_package(store, out, _checkpoints(data, store).key)

    _with_store(data, work)


@app.command("tiles")
def tiles(
    out: Annotated[Path, typer.Option(help="Directory to write.", metavar="DIR")],
    data: DataOption = DEFAULT_DATA,
    entries: Annotated[bool, typer.Option("--entries", help="Write the entry bundles too.")] = False,
) -> None:
    """Write checkpoint and tiles of the log, laid out as C2SP tlog-tiles."""

    async def work(store: Store) -> int:
        checkpoints = _checkpoints(data, store)
        last = await checkpoints.latest() or await checkpoints.make(force=True)
        if last is None:
            raise StoreError("the log is empty")
        out.mkdir(parents=True, exist_ok=True)
        await TileFiles(out).publish(checkpoints.tree, last.note)
        return await write_bundles(store, out, last.checkpoint.size) if entries else 0

    if left_out := _with_store(data, work):
        typer.echo(f"{left_out} bundles hold an entry that is too long or removed; they were left out", err=True)


@segments.command("list")
def list_segments(data: DataOption = DEFAULT_DATA) -> None:
    """Seal what can be sealed and print every segment as a line of JSON."""

    async def work(store: Store) -> None:
        kept = _segments(data, store)
        await kept.seal()
        for one in await kept.all():
            shown = {"first": one.first, "last": one.last, "hold": one.hold, "removed": one.removed_us is not None}
            print(json.dumps(shown, ensure_ascii=False))

    _with_store(data, work)


@segments.command("hold")
def hold(
    first: Annotated[int, typer.Argument(help="Number of the segment's first entry.")],
    reason: Annotated[str, typer.Option(help="Why, for example the number of a proceeding.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Keep a segment whatever its age, until it is released."""
    _with_store(data, lambda store: _segments(data, store).hold(first, reason))


@segments.command("release")
def release(
    first: Annotated[int, typer.Argument(help="Number of the segment's first entry.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """End a legal hold."""
    _with_store(data, lambda store: _segments(data, store).hold(first, None))


@segments.command("remove")
def remove(
    data: DataOption = DEFAULT_DATA,
    older_than_days: Annotated[int, typer.Option(help="Age of the segment's last entry.")] = KEEP_DAYS,
) -> None:
    """Remove the bodies of old segments that are not held; their hashes stay, and every proof still holds."""

    async def work(store: Store) -> int:
        kept = _segments(data, store)
        await kept.seal()
        return len(await kept.remove(older_than_days=older_than_days))

    typer.echo(f"{_with_store(data, work)} segments removed", err=True)


def _checkpoints(data: Path, store: Store) -> Checkpoints:
    return build_checkpoints(load_settings(data_dir=data), store, SystemClock())


def _segments(data: Path, store: Store) -> Segments:
    clock = SystemClock()
    return Segments(store, AuditLog(store, clock), _checkpoints(data, store), clock)
