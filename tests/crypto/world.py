"""A small hub with members of its own, built as the demo builds one; child processes work on the same directory."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.domain.identity_number import check_character
from hub.settings import load_settings
from hub.store.migration import migrate

SURNAMES, GIVEN = "李王张刘陈杨赵黄周吴", "四伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚桂"


@dataclass
class Record:
    key: str
    values: dict = field(default_factory=dict)


@dataclass
class Register:
    """A register of members, as the importer scans it."""

    records: list[Record]

    async def scan(self, _coordinates, *, batch):
        for start in range(0, len(self.records), batch):
            yield self.records[start : start + batch]


def number(order: int) -> str:
    body = f"360700{19500101 + order // 999 % 12 * 100}{order % 999 + 1:03d}"
    return body + check_character(body)


def name(order: int) -> str:
    rest = order // len(SURNAMES)
    second = "" if order % 3 == 0 else GIVEN[rest // len(GIVEN) % len(GIVEN)]
    return SURNAMES[order % len(SURNAMES)] + GIVEN[rest % len(GIVEN)] + second


def key(order: int) -> str:
    return f"PRISONER-{order:06d}"


def record(order: int, **more: object) -> Record:
    values = {
        "index.number": number(order),
        "index.called": name(order),
        "index.also_called": f"绰号第{order}号",
        "index.sex": "M",
        "index.term_start": date(2024, 1, 1).isoformat(),
        "index.term_end": date(2036, 1, 1).isoformat(),
        "index.risk_class": "Y",
        "index.vaulted": "0",
        "index.deceased": "0",
        "index.offices": [["360702001", "H", "2023-12-01", None]],
    }
    return Record(key(order), {**values, **{f"index.{part}": value for part, value in more.items()}})


def register(members: int) -> Register:
    return Register([record(order) for order in range(members)])


async def settle(directory: Path, members: int, **settings: object) -> Hub:
    """A hub in demo mode with migrated store and imported members. Whoever asks closes it."""
    hub = build_hub(load_settings(data_dir=directory, demo=True, **settings))
    await migrate(hub.store)
    if members:
        await hub.importer.run(register(members))
    return hub


def command(directory: Path, *arguments: str, failpoint: str = "", **environment: str) -> subprocess.CompletedProcess:
    """Run the installed command in a process of its own, which dies at `failpoint` if one is named."""
    given = {**os.environ, **environment, **({"HUB_FAILPOINT": failpoint} if failpoint else {})}
    full = [sys.executable, "-m", "hub.cli.main", *arguments, "--data", str(directory)]
    return subprocess.run(full, capture_output=True, text=True, check=False, env=given)
