"""Everything that is text in the tree and decides what a hub does: catalogue, codes, policies, mappings, schema.

Read at start and held against each other; nothing here is secret, and nothing runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import strawberry
from graphql import GraphQLDeferDirective, GraphQLInputObjectType, GraphQLSchema

from hub.auth.cedar_schema import cedar_schema
from hub.auth.combinations import Combination, read_combinations
from hub.auth.judge import CedarJudge
from hub.auth.personas import Persona, read_personas
from hub.auth.policy_loader import PolicyLoader
from hub.auth.policy_reader import read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.clock import Clock
from hub.connectors.mapping import AgencyMapping
from hub.connectors.mapping_reader import MAPPINGS_DIR, read_mappings
from hub.domain.agencies import JUSTICE
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import CATALOGUE_DIR, read_catalogue
from hub.domain.codes import Codes
from hub.domain.codes_reader import CODES_DIR, read_codes
from hub.gateway.sight import Sight, Sights
from hub.gateway.survivorship import RULES_FILE
from hub.schema.desk import build_mutation
from hub.schema.query import build_query
from hub.schema.records import RecordTypes, schema_config
from hub.schema.subscription import Subscription
from hub.schema.views import sdl_of, view_schema
from hub.settings import Settings

MEMBERS_ONLY = frozenset({JUSTICE})
"""Agencies whose register is membership itself."""
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
    combinations: tuple[Combination, ...] = ()
    survivorship_file: Path = RULES_FILE

    @property
    def sdl(self) -> str:
        return sdl_of(self.schema)

    @property
    def sights(self) -> Sights:
        """What each role may see at all, under any judge."""
        return Sights(self.catalogue, members_only=MEMBERS_ONLY)

    @property
    def sight(self) -> Sight:
        """What each role may see at all under these rules."""
        return self.sights.of(self.judge)

    def sdl_of(self, role: str) -> str:
        """The view of a role that there is."""
        agency = self.purposes.roles[role].agency
        return sdl_of(view_schema(self.schema, self.sight, self.catalogue, agency=agency, role=role))


def read_rules(settings: Settings, clock: Clock | None = None) -> Rules:
    """Read catalogue, codes, policies and mappings. By `clock` rules with an expiry stop; None: the system's.

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
        judge=CedarJudge(bundle, catalogue, purposes, clock=clock),
        mappings=read_mappings(catalogue, codes, _with_plugins(MAPPINGS_DIR, settings, "mappings")),
        schema=build_schema(catalogue, codes),
        personas=read_personas(purposes),
        combinations=read_combinations(POLICIES_DIR / "combinations.toml", catalogue),
    )


def read_policy_loader(settings: Settings) -> PolicyLoader:
    """What policies are held against, without reading any: for tools that look at other policies than the tree's.

    Raises:
        StartupError: catalogue, codes or purposes are wrong.
    """
    codes = read_codes(_with_plugins(CODES_DIR, settings, "codes"))
    return PolicyLoader(
        catalogue=read_catalogue(codes, _with_plugins(CATALOGUE_DIR, settings, "catalogue")),
        purposes=read_purposes(POLICIES_DIR / "purposes.toml"),
    )


def policy_directories(settings: Settings, base: Path = POLICIES_DIR) -> Sequence[Path]:
    """`base` and, where further agencies have rules, theirs."""
    return _with_plugins(base, settings, "policies")


def build_schema(catalogue: Catalogue, codes: Codes) -> GraphQLSchema:
    types = RecordTypes(catalogue, codes)
    query = build_query(types, types.enum("sex"))
    built = strawberry.Schema(
        query=query, mutation=build_mutation(), subscription=Subscription, types=[types.person], config=schema_config()
    )
    schema: GraphQLSchema = built._schema  # Strawberry's way to the graphql-core schema it stands on
    schema.directives = (*schema.directives, GraphQLDeferDirective)
    _mark_one_of(schema)
    return schema


def _mark_one_of(schema: GraphQLSchema) -> None:
    """Strawberry checks `@oneOf` only when it makes the value; graphql-core validates documents by its own mark."""
    for named in schema.type_map.values():
        definition = (named.extensions or {}).get("strawberry-definition")
        if isinstance(named, GraphQLInputObjectType) and definition is not None:
            named.is_one_of = definition.is_one_of


def _with_plugins(base: Path, settings: Settings, name: str) -> Sequence[Path]:
    extra = settings.plugins_dir / name if settings.plugins_dir else None
    return (base, extra) if extra is not None and extra.is_dir() else (base,)
