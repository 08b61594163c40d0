"""What the bench's hub is made of: its own catalogue, mappings and policies over the peers' five schemas.

Nothing here runs; `prepare` fills the database, `serve` serves, `run` measures. Everything built lies under the
harness's own folder (`$BENCH_HOME`), never in the tree.
"""

import os
import tempfile
from pathlib import Path

from hub.auth.cedar_schema import cedar_schema
from hub.auth.judge import CedarJudge
from hub.auth.personas import read_personas
from hub.auth.policy_reader import read_bundle
from hub.auth.purposes import read_purposes
from hub.connectors.mapping_reader import read_mappings
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes import Codes
from hub.domain.codes_reader import read_codes
from hub.rules import POLICIES_DIR, Rules, build_schema
from hub.settings import Settings, load_settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
QUERIES_DIR = HERE / "queries"

PORT = 4541
STORE = "hub_store"  # database of the hub's own tables, on the harness's server
ROLE, AGENCY, PURPOSE = "county-office", "justice", "HANDOVER"
REGIONS = ("3601",)  # prefix of the bench's 100 counties, 360100 to 360199
PERSONS_PER_HOUR = 2_000_000_000  # out of the picture: the bench asks for the same 100,000 again and again


def bench_home() -> Path:
    """The harness's folder, as its own `run.sh` chooses it."""
    return Path(os.environ.get("BENCH_HOME") or Path(tempfile.gettempdir()) / "bench")


def database_url(name: str, driver: str = "postgresql") -> str:
    """URL of database `name` on the harness's server."""
    return f"{driver}://bench@127.0.0.1:{os.environ.get('BENCH_PORT', '54329')}/{name}"


def bench_settings() -> Settings:
    """Demo issuer on, so that a token can be minted here; every duty as in production. Other `HUB_*` variables hold."""
    return load_settings(
        data_dir=bench_home() / "hub",
        port=PORT,
        database_url=database_url(STORE, "postgresql+asyncpg"),
        demo=True,
        persons_per_hour=PERSONS_PER_HOUR,
        log_level="warning",
    )


def bench_codes() -> Codes:
    """The shipped lists; `sex` as the peers write it."""
    return {**read_codes(), **read_codes([HERE / "codes"])}


def bench_rules() -> Rules:
    """The bench's own texts in place of the shipped ones; purposes and roles are the shipped ones."""
    codes = bench_codes()
    catalogue = read_catalogue(codes, [HERE / "catalogue"])
    purposes = read_purposes(POLICIES_DIR / "purposes.toml")
    generated = cedar_schema(catalogue, purposes)
    return Rules(
        codes=codes,
        catalogue=catalogue,
        purposes=purposes,
        cedar_schema=generated,
        judge=CedarJudge(read_bundle([HERE / "policies"], generated), catalogue, purposes),
        mappings=read_mappings(catalogue, codes, [HERE / "mappings"]),
        schema=build_schema(catalogue, codes),
        personas=read_personas(purposes),
        survivorship_file=HERE / "survivorship.toml",
    )
