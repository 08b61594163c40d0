"""Purposes and roles from `purposes.toml`: the closed list of why one may ask, and who may ask for what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.domain.located import load_toml
from hub.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    name: str
    zh: str
    en: str
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`register` is false for an agency that keeps no register of persons: it finds members it may know of, only."""

    name: str
    agency: str
    purposes: frozenset[str]
    register: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Purposes:
    purposes: Mapping[str, Purpose]
    roles: Mapping[str, Role]


def read_purposes(path: Path) -> Purposes:
    """Read `purposes.toml`.

    Raises:
        PolicyError: a purpose without description or basis, a role with an unknown purpose; names file, line, name.
    """
    document = load_toml(path, PolicyError)
    purposes: dict[str, Purpose] = {}
    for name, entry in document.data.get("purposes", {}).items():
        if not all(entry.get(key) for key in ("zh", "en", "basis")):
            raise PolicyError("needs zh, en and basis", file=path.name, line=document.line("purposes", name), name=name)
        purposes[name] = Purpose(name=name, zh=entry["zh"], en=entry["en"], basis=entry["basis"])
    roles: dict[str, Role] = {}
    for name, entry in document.data.get("roles", {}).items():
        unknown = set(entry.get("purposes", ())) - purposes.keys()
        if unknown or "agency" not in entry:
            text = f"unknown purpose {min(unknown)}" if unknown else "needs an agency"
            raise PolicyError(text, file=path.name, line=document.line("roles", name), name=name)
        roles[name] = Role(
            name=name,
            agency=entry["agency"],
            purposes=frozenset(entry["purposes"]),
            register=bool(entry.get("register", True)),
        )
    return Purposes(purposes=purposes, roles=roles)
