"""Masks that are safe alone and not together (DOMAIN section 3.3): what is asked together decides the mask.

An identity number masked 6+4 hides only the birth date; beside the birth date it is the whole number. Which masks give
way to which, and beside what, is data (`policies/combinations.toml`). Pure: coordinates and decisions in, a mask out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.auth.decision import Decision, Effect
from hub.auth.masks import MASK_NAMES
from hub.domain.catalogue import Catalogue, Field
from hub.domain.located import load_toml
from hub.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Where `mask` would stand beside a coordinate that is given, in full or masked, `instead` stands in its place.

    `beside` names coordinates; `beside_masks` names masks, and so every coordinate that has one of them.
    """

    name: str
    mask: str
    instead: str
    beside: frozenset[str]
    beside_masks: frozenset[str]
    basis: str


def read_combinations(path: Path, catalogue: Catalogue) -> tuple[Combination, ...]:
    """Read `combinations.toml`.

    Raises:
        PolicyError: a key is missing, a mask or coordinate is unknown, or a mask gives way to itself; names file, line.
    """
    document = load_toml(path, PolicyError)
    found: list[Combination] = []
    for name, entry in document.data.get("combinations", {}).items():

        def fail(text: str, name: str = name) -> PolicyError:
            return PolicyError(text, file=path.name, line=document.line("combinations", name), name=name)

        missing = [key for key in ("mask", "instead", "basis") if not entry.get(key)]
        if missing:
            raise fail(f"lacks {missing[0]}")
        masks = [entry["mask"], entry["instead"], *entry.get("beside_masks", ())]
        if unknown := set(masks) - MASK_NAMES:
            raise fail(f"unknown mask {min(unknown)}")
        if unknown := set(entry.get("beside", ())) - catalogue.fields.keys():
            raise fail(f"unknown coordinate {min(unknown)}")
        if entry["mask"] == entry["instead"]:
            raise fail("a mask cannot give way to itself")
        found.append(
            Combination(
                name=name,
                mask=entry["mask"],
                instead=entry["instead"],
                beside=frozenset(entry.get("beside", ())),
                beside_masks=frozenset(entry.get("beside_masks", ())),
                basis=entry["basis"],
            )
        )
    return tuple(found)


def mask_beside(
    field: Field,
    asked: Iterable[str],
    decisions: Mapping[str, Decision],
    catalogue: Catalogue,
    combinations: Iterable[Combination],
) -> str | None:
    """The mask for `field` where the whole operation asks for `asked`, deferred parts included.

    What is asked for and denied reveals nothing and changes nothing. One step suffices: the masks that stand in for
    others are safe beside everything (held by the reader of the shipped file's tests).
    """
    given = [catalogue.fields[name] for name in asked if name in catalogue.fields and _given(decisions, name)]
    for rule in combinations:
        if field.mask == rule.mask and any(
            other.coordinate != field.coordinate
            and (other.coordinate in rule.beside or (other.mask is not None and other.mask in rule.beside_masks))
            for other in given
        ):
            return rule.instead
    return field.mask


def _given(decisions: Mapping[str, Decision], name: str) -> bool:
    decision = decisions.get(name)
    return decision is not None and decision.effect in (Effect.FULL, Effect.MASKED, Effect.SEALED)
