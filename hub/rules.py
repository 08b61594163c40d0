"""Everything that is text in the tree and decides what a hub does: catalogue, codes, policies, mappings, schema.

Read at start and held against each other; nothing here is secret, and nothing runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import strawberry
from graphql import GraphQLDeferDirective, GraphQLSchema, lexicographic_sort_schema, print_schema

from hub.auth.cedar_schema import cedar_schema
from hub.auth.judge import CedarJudge
from hub.auth.personas import Persona, read_personas
from hub.auth.policy_reader import read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.connectors.mapping import AgencyMapping
from hub.connectors.mapping_reader import MAPPINGS_DIR, read_mappings
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import CATALOGUE_DIR, read_catalogue
from hub.domain.codes import Codes
from hub.domain.codes_reader import CODES_DIR, read_codes
from hub.gateway.survivorship import RULES_FILE
from hub.schema.query import build_query
from hub.schema.records import RecordTypes, schema_config
from hub.settings import Settings

POLICIES_DIR = Path(__file__).parent.parent / "policies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that is text in the tree, read and held against each other; nothing secret, nothing running."""

    codes: Codes
    catalogue: Catalogue
    purposes: Purposes
    cedar_schema: str
    judge: CedarJudge
    mappings: Mapping[str, AgencyMapping]
    schema: GraphQLSchema
    personas: Mapping[str, Persona]
    survivorship_file: Path = RULES_FILE

    @property
    def sdl(self) -> str:
        return print_schema(lexicographic_sort_schema(self.schema)) + "\n"


def read_rules(settings: Settings) -> Rules:
    """Read catalogue, codes, policies and mappings.

    Raises:
        StartupError: any of them is wrong; names file, line and name.
    """
    codes = read_codes(_with_plugins(CODES_DIR, settings, "codes"))
    catalogue = read_catalogue(codes, _with_plugins(CATALOGUE_DIR, settings, "catalogue"))
    purposes = read_purposes(POLICIES_DIR / "purposes.toml")
    generated = cedar_schema(catalogue, purposes)
    bundle = read_bundle(policy_directories(settings), generated)
    return Rules(
        codes=codes,
        catalogue=catalogue,
        purposes=purposes,
        cedar_schema=generated,
        judge=CedarJudge(bundle, catalogue, purposes),
        mappings=read_mappings(catalogue, codes, _with_plugins(MAPPINGS_DIR, settings, "mappings")),
        schema=build_schema(catalogue, codes),
        personas=read_personas(purposes),
    )


def policy_directories(settings: Settings) -> Sequence[Path]:
    return _with_plugins(POLICIES_DIR, settings, "policies")


def build_schema(catalogue: Catalogue, codes: Codes) -> GraphQLSchema:
    types = RecordTypes(catalogue, codes)
    query = build_query(types, types.enum("sex"))
    built = strawberry.Schema(query=query, types=[types.person], config=schema_config())
    schema: GraphQLSchema = built._schema  # Strawberry's way to the graphql-core schema it stands on
    schema.directives = (*schema.directives, GraphQLDeferDirective)
    return schema


def _with_plugins(base: Path, settings: Settings, name: str) -> Sequence[Path]:
    extra = settings.plugins_dir / name if settings.plugins_dir else None
    return (base, extra) if extra is not None and extra.is_dir() else (base,)
