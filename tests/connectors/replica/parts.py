"""Two agencies of the demo as files of their own, a hub over them that copies both, and a clock that tests move."""

import csv
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.clock import Clock
from hub.connectors.base import Fetch, Fetched, Moment, Part
from hub.demo.agencies.civil_affairs import write_drop
from hub.demo.agencies.police_rows import TABLES, rows
from hub.demo.agencies.process import Arguments
from hub.demo.population import World, people
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.rules import Rules, read_rules
from hub.settings import Settings, load_settings

POLICE, CIVIL = "police", "civil-affairs"
WORLD = World(seed=11, members=12, today=date(2026, 11, 24))
MAIN = "基本信息.csv"


@cache
def rules() -> Rules:
    return read_rules(load_settings())


@dataclass
class Agencies:
    """The agencies' own files under one directory."""

    directory: Path
    world: World = WORLD
    modes: Mapping[str, str] = field(default_factory=lambda: {POLICE: "replica", CIVIL: "replica"})

    def __post_init__(self) -> None:
        arguments = Arguments(directory=self.directory / "civil", world=self.world, port=0, database_url=None)
        self.drop = write_drop(arguments)
        self.police = self.directory / "police.db"
        with sqlite3.connect(self.police) as database:
            for name, columns in TABLES.items():
                database.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            for person in people(self.world):
                for name, held in (rows(self.world, person) or {}).items():
                    for row in held:
                        marks = ", ".join("?" * len(row))
                        database.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        database.close()
        self.write_endpoints()

    def write_endpoints(self) -> None:
        file = self.directory / "hub" / "agencies.toml"
        file.parent.mkdir(exist_ok=True)
        modes = {agency: f'mode = "{mode}"' for agency, mode in self.modes.items()}
        file.write_text(
            f'[agencies.police]\nurl = "sqlite+aiosqlite:///{self.police}"\n{modes.get(POLICE, "")}\n'
            f'[agencies.civil-affairs]\npath = "{self.drop.parent}"\n{modes.get(CIVIL, "")}\n'
        )

    def settings(self, store_url: str) -> Settings:
        return load_settings(data_dir=self.directory, demo=True, database_url=store_url or None)

    def hub(self, store_url: str, clock: Clock) -> Hub:
        return build_hub(self.settings(store_url), clock=clock, rules=rules())

    def change(self, statement: str, *values: object) -> int:
        """Change the police system."""
        with sqlite3.connect(self.police) as database:
            changed = database.execute(statement, values).rowcount
        database.close()
        return changed

    def look(self, statement: str, *values: object) -> list[Any]:
        with sqlite3.connect(self.police) as database:
            found = database.execute(statement, values).fetchall()
        database.close()
        return found

    def next_drop(
        self,
        day: str,
        change: Callable[[list[dict[str, str]]], list[dict[str, str]]] = lambda held: held,
        *,
        of: str | None = None,
        created: str | None = None,
    ) -> Path:
        """Another drop of civil affairs, like the first one (or that of day `of`), its main file changed."""
        folder = self.drop.parent / day
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.drop.parent / of if of else self.drop, folder)
        path = folder / MAIN
        with path.open(encoding="gb18030", newline="") as file:
            reader = csv.DictReader(file)
            held, names = list(reader), list(reader.fieldnames or ())
        with path.open("w", encoding="gb18030", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(change(held))
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        manifest["created"] = created or f"{day}T04:00:00+08:00"
        manifest["files"][MAIN]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), "utf-8")
        return folder

    def keys(self, agency: str) -> list[str]:
        """Canonical numbers that an agency holds a record of."""
        raw = (
            [row[0] for row in self.look("SELECT gmsfhm FROM rk_ryxx WHERE gmsfhm IS NOT NULL")]
            if agency == POLICE
            else self._numbers()
        )
        found: dict[str, None] = {}
        for text in raw:
            try:
                found[IdentityNumber.parse(text).text] = None
            except IdentityNumberError:
                continue
        return list(found)

    def _numbers(self) -> list[str]:
        with (self.drop / MAIN).open(encoding="gb18030", newline="") as file:
            return [row["身份证号"] for row in csv.DictReader(file)]


def fetch_of(hub: Hub, agency: str, *keys: str, at: Moment | None = None, only: frozenset[str] | None = None) -> Fetch:
    """A question for everything that is copied of an agency, or for `only` these coordinates."""
    codec = hub.copier.codec(agency)
    part = Part(keys=keys, coordinates=codec.coordinates if only is None else only)
    return Fetch(parts=(part,), layout=codec.layout, timeout_s=5, at=at)


async def ask(
    hub: Hub, agency: str, *keys: str, valid: datetime | None = None, known: datetime | None = None
) -> Fetched:
    at = None if valid is None and known is None else Moment(valid=valid, known=known)
    return await hub.sources[agency].ask(fetch_of(hub, agency, *keys, at=at))


def value(hub: Hub, agency: str, answer: Fetched, key: str, name: str) -> Any:
    """One value of an answer; None too where there is no record."""
    record = answer.records.get(key)
    return None if record is None else record.values[hub.copier.codec(agency).layout.slot(name)]
