"""Whose word stands for a merged field of Person: the rules of `survivorship.toml`, checked against the catalogue."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.domain.catalogue import Catalogue
from hub.errors import CatalogueError
from hub.gateway.merge import Choice

RULES_FILE = Path(__file__).with_name("survivorship.toml")

COMPOSED = frozenset(
    {"assistanceStatus", "entitledGroup", "keyPerson", "assistanceTermStart", "assistanceTermEnd", "responsibleRegion"}
)
"""Fields of Person that the hub composes from its own index instead of an agency's record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One agency's contribution to a merged field: the coordinate that is fetched from it."""

    agency: str
    coordinate: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRule:
    """`providers` in order of trust; `witnesses` are asked only to find conflicts; `choice` picks the value."""

    field: str
    providers: tuple[Provider, ...]
    witnesses: tuple[Provider, ...]
    choice: Choice = Choice.TRUST


def read_survivorship(catalogue: Catalogue, path: Path = RULES_FILE) -> Mapping[str, MergeRule]:
    """Read the rules, keyed by field name of Person.

    Raises:
        CatalogueError: a rule names an unknown agency, field or choice, or a field of Person has neither a rule nor a
            composer.
    """
    data = tomllib.loads(path.read_text("utf-8"))
    types = {record.agency: record.name for record in catalogue.agency_types()}
    rules: dict[str, MergeRule] = {}
    for name, rule in data.items():
        if f"Person.{name}" not in catalogue.fields:
            raise CatalogueError("survivorship rule for an undeclared field", file=path.name, name=f"Person.{name}")
        rules[name] = MergeRule(
            field=name,
            providers=tuple(_provider(catalogue, types, agency, name, path) for agency in rule["from"]),
            witnesses=tuple(_provider(catalogue, types, agency, name, path) for agency in rule.get("check", ())),
            choice=_choice(rule.get("by", Choice.TRUST), name, path),
        )
    for field in catalogue.types["Person"].fields:
        if field.name not in rules and field.name not in COMPOSED:
            raise CatalogueError(
                "no survivorship rule and not composed by the hub", file=path.name, name=field.coordinate
            )
    return rules


def _choice(text: str, name: str, path: Path) -> Choice:
    try:
        return Choice(text)
    except ValueError as exc:
        allowed = ", ".join(Choice)
        raise CatalogueError(f"`by` is one of {allowed}", file=path.name, name=f"Person.{name}") from exc


def _provider(catalogue: Catalogue, types: Mapping[str | None, str], agency: str, name: str, path: Path) -> Provider:
    if agency not in types:
        raise CatalogueError(f"unknown agency {agency}", file=path.name, name=f"Person.{name}")
    coordinate = f"{types[agency]}.{name}"
    if coordinate not in catalogue.fields:
        raise CatalogueError(f"{agency} declares no {coordinate}", file=path.name, name=f"Person.{name}")
    return Provider(agency=agency, coordinate=coordinate, field=name)
