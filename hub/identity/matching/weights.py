"""Match weights as data: how often a level is met between records of one person (m), and of two (u).

A weight is log2(m / u) (Fellegi and Sunter, 1969). The file is made by tools/train_identity.py and has a version;
a link keeps the version it was made under.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub.errors import StartupError
from hub.identity.matching.levels import LEVELS, MISSING

WEIGHTS_FILE = Path(__file__).with_name("weights.toml")
RAREST = 1e-4  # the share of a character or length that the file does not have
LEAST = 1e-9


class WeightsError(StartupError):
    """The file of match weights is not what it must be."""

    code = "IDENTITY_WEIGHTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`bits` by field and level. `join`, `fracture`, `margin` in bits, beside the prior of `persons` candidates.

    `surnames`, `given`: shares of characters in names; `lengths`: of given names so long. The chance that two persons
    share a name is made of them.
    """

    version: str
    bits: Mapping[str, Mapping[str, float]]
    name_u: float
    name_m: float
    surnames: Mapping[str, float]
    given: Mapping[str, float]
    lengths: Mapping[str, float]
    join: float
    fracture: float
    margin: float

    def weight(self, levels: Mapping[str, str], name: str = "", *, persons: int = 1) -> float:
        """Bits for one person against two, when one of `persons` is meant. `name`: the name that both records bear."""
        total = -math.log2(max(1, persons))
        for field, level in levels.items():
            if field == "name" and level == "equal" and name:
                total += self.name_bits(name)
            elif level != MISSING:
                total += self.bits[field][level]
        return total

    def name_bits(self, name: str) -> float:
        """The weight of sharing just this name: a rare one tells more (term frequency)."""
        return _name_bits(self, name)

    def share(self, name: str) -> float:
        """The share of people who bear `name`, from the shares of its characters."""
        first = name[:2] if name[:2] in self.surnames else name[:1]
        share = self.surnames.get(first, RAREST)
        for character in name[len(first) :]:
            share *= self.given.get(character, RAREST)
        return max(share * self.lengths.get(str(len(name) - len(first)), RAREST), LEAST)

    def __hash__(self) -> int:
        return hash(self.version)


@lru_cache(maxsize=65_536)
def _name_bits(model: Model, name: str) -> float:
    return math.log2(model.name_m / model.share(name))


def read_model(path: Path = WEIGHTS_FILE) -> Model:
    """The model in `path`.

    Raises:
        WeightsError: it is not readable, lacks a level, or a probability is none.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise WeightsError("is not readable", file=path.name) from exc
    return model_of(data, path.name)


def model_of(data: Mapping[str, Any], file: str) -> Model:
    try:
        fields = data["fields"]
        bits = {field: {level: _bits(fields[field][level]) for level in levels} for field, levels in LEVELS.items()}
        limits = data["thresholds"]
        model = Model(
            version=str(data["version"]),
            bits=bits,
            name_m=float(fields["name"]["equal"]["m"]),
            name_u=float(fields["name"]["equal"]["u"]),
            surnames=dict(data["names"]["surnames"]),
            given=dict(data["names"]["given"]),
            lengths=dict(data["names"]["lengths"]),
            join=float(limits["join"]),
            fracture=float(limits["fracture"]),
            margin=float(limits["margin"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"lacks or misstates {exc}", file=file) from exc
    if not all(0 < share <= 1 for held in (model.surnames, model.given, model.lengths) for share in held.values()):
        raise WeightsError("a share of names is above 0 and at most 1", file=file)
    if not model.fracture < model.join or model.margin <= 0:
        raise WeightsError("fracture is below join, and the margin above 0", file=file)
    return model


def _bits(both: Mapping[str, float]) -> float:
    m, u = float(both["m"]), float(both["u"])
    if not (0 < m <= 1 and 0 < u <= 1):
        raise ValueError("a probability")
    return math.log2(m / u)
