"""The shipped rules, read once for all tests of this room."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hub.auth.cedar_schema import cedar_schema
from hub.auth.judge import CedarJudge
from hub.auth.policy_reader import Bundle, read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.clock import FixedClock
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes

POLICIES = Path(__file__).parent.parent.parent / "policies"


@cache
def catalogue() -> Catalogue:
    return read_catalogue(read_codes())


@cache
def purposes() -> Purposes:
    return read_purposes(POLICIES / "purposes.toml")


@cache
def bundle() -> Bundle:
    return read_bundle([POLICIES], cedar_schema(catalogue(), purposes()))


@cache
def judge() -> CedarJudge:
    clock = FixedClock(datetime(2026, 11, 25, 9, 0, tzinfo=UTC))
    return CedarJudge(bundle(), catalogue(), purposes(), clock=clock, remembered=100_000)
