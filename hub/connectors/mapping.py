"""How an agency's own names, codes and formats become canonical: values read off one TOML file per agency."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from hub.connectors.base import KeyKind
from hub.domain.catalogue import Field

DEFAULT_ASSUMED = 10
"""Rows that a nested list is taken to hold where its mapping says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What asking an agency costs, in units of one object of an answer: `call` a call, `record` a person's record."""

    call: int
    record: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one canonical field is read. `source` is a column, JSON member or CSV header of the table it stands in.

    `codes` maps source codes to canonical names. The tests `is_in`, `positive` and `present` make a Boolean of a value.
    `sealed`: the source holds the value sealed by the hub, for the place (agency, `at` of its table, `source`, row).
    `factor` turns a number in the source's unit into one in the field's (10000 for 万元, 12 for years). `default` is
    the canonical value of an empty one: only where the source has agreed what an empty value means.
    """

    field: Field
    source: str
    format: str | None = None
    codes: Mapping[str, str] | None = None
    split: str | None = None
    is_in: frozenset[str] | None = None
    positive: bool = False
    present: bool = False
    sealed: bool = False  # the source holds the hub's own envelopes (replicas); opened where they are released
    factor: Decimal | None = None
    default: str | bool | int | Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A nested record or list: the child table, JSON array or CSV file `at`, joined by its column `key`.

    `row` is the column that names a row; needed where one of its columns is sealed, whose place it is part of.
    `assumed`: rows that cost takes a list to hold; 1 for a single record.
    """

    field: Field
    at: str
    key: str
    order: str | None
    assumed: int
    rules: Mapping[str, Rule]
    row: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    source: str
    format: str


class Mode(StrEnum):
    """How an agency is asked: itself, its copy in the hub's store, or its copy where it does not answer itself."""

    LIVE = "live"
    REPLICA = "replica"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaTerms:
    """What an agency lets the hub do with copies, and how they are kept; nothing is copied that it does not allow.

    `allows`: modes that a deployment may choose. `every_s`: how often changes are looked for; `whole_every_s`: how
    often everything is compared, which finds what was deleted. After `fresh_for_s` without a good copy answers are
    marked stale, after `usable_for_s` there are none. A copy that would lose more than `most_gone_percent` of its
    records is refused.
    """

    allows: frozenset[Mode] = frozenset()
    every_s: int = 300
    whole_every_s: int = 24 * 3600
    fresh_for_s: int = 36 * 3600
    usable_for_s: int = 7 * 24 * 3600
    most_gone_percent: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyMapping:
    """One agency's mapping. `rules` and `nested` are keyed by field name of its record type `type_name`.

    `variants`: the source may hold identity numbers in any historical form. `index` and `offices` name the columns that
    the person index is built from; only a mapping that has them can be scanned. `vaulted` is the table of records
    sealed by law: where it is (`at`), its columns of the main record's id (`key`) and of its own (`record`), others.
    """

    agency: str
    kind: str
    type_name: str
    key_kind: KeyKind
    at: str
    key: str
    record: str
    as_of: AsOf
    variants: bool
    price: Price
    rules: Mapping[str, Rule]
    nested: Mapping[str, Nested]
    index: Mapping[str, str]
    offices: Mapping[str, str]
    file: str
    vaulted: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = Mode.LIVE
    replica: ReplicaTerms = ReplicaTerms()
