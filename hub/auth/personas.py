"""The demo's personas, read from `personas.toml`; roles and purposes come from the policies' own `purposes.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.auth.purposes import Purposes


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """An officer of the demo. `purpose` is None for who has none."""

    name: str
    agency: str
    officer: str
    regions: tuple[str, ...]
    purpose: str | None
    purposes: tuple[str, ...]


def read_personas(purposes: Purposes) -> Mapping[str, Persona]:
    data = tomllib.loads(Path(__file__).with_name("personas.toml").read_text("utf-8"))
    return {
        name: Persona(
            name=name,
            agency=purposes.roles[name].agency,
            officer=entry["officer"],
            regions=tuple(entry["regions"]),
            purpose=entry["purpose"] or None,
            purposes=tuple(sorted(purposes.roles[name].purposes)),
        )
        for name, entry in data.items()
    }
