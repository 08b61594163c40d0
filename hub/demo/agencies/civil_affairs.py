"""The simulated civil affairs system, a daily file drop: `python -m hub.demo.agencies.civil_affairs --dir DIR`.

`drop/YYYY-MM-DD/` holds CSV files in GB18030 and `manifest.json` with the SHA-256 of each; a drop appears by rename, so
that nobody sees half of one.
"""

import asyncio
import csv
import hashlib
import json
import shutil
from pathlib import Path

from hub.demo.agencies.civil_affairs_rows import FILES, rows
from hub.demo.agencies.process import (
    Arguments,
    count_aloud,
    die_with_parent,
    is_complete,
    mark_complete,
    parse_arguments,
    say_ready,
    until_signal,
)
from hub.demo.agencies.truth import write_truth
from hub.demo.population import people


def write_drop(arguments: Arguments) -> Path:
    """Write the day's drop and return its folder."""
    world = arguments.world
    folder = arguments.directory / "drop" / world.today.isoformat()
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    files = {name: (temporary / name).open("w", encoding="gb18030", newline="") for name in FILES}
    counts = dict.fromkeys(FILES, 0)
    step = count_aloud(world.total)
    try:
        writers = {name: csv.DictWriter(file, FILES[name]) for name, file in files.items()}
        for writer in writers.values():
            writer.writeheader()
        for person in people(world):
            step()
            for name, held in (rows(world, person) or {}).items():
                writers[name].writerows(held)
                counts[name] += len(held)
    finally:
        for file in files.values():
            file.close()
    manifest = {
        "created": f"{world.today}T04:00:00+08:00",
        "encoding": "gb18030",
        "files": {name: {"sha256": _sha256(temporary / name), "rows": counts[name]} for name in FILES},
    }
    (temporary / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    die_with_parent()
    given = parse_arguments("civil-affairs")
    if not is_complete(given):
        write_drop(given)
        write_truth(given.directory.parent / "truth.jsonl", given.world)
        mark_complete(given)
    say_ready("civil-affairs", kind="file_drop", path=str((given.directory / "drop").resolve()))
    asyncio.run(until_signal())
