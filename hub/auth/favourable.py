"""Which facts may serve an asker best: read off the rules, so that the judge need not be asked for all of them.

A permit whose conditions only join facts by "and" and "or" grants more the more facts hold. Facts that a forbid, a
negation or a comparison looks at may serve by being false; only these are tried both ways.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import product
from typing import Any

from hub.auth.facts import Facts

FACTS = tuple(field.name for field in fields(Facts))
_RISING = frozenset({"&&", "||"})


def favourable(rules: Mapping[str, Mapping[str, Any]]) -> tuple[Facts, ...]:
    """Fact vectors of which, for every field, one gives the most that any vector gives under `rules` (Cedar's JSON).

    Cost: 2^k vectors, k facts that may serve by being false; one vector where there is no such rule.
    """
    swaying = sorted({name for rule in rules.values() for name in _swaying(rule)})
    always = dict.fromkeys(FACTS, True)
    return tuple(
        Facts(**{**always, **dict(zip(swaying, values, strict=True))})
        for values in product((True, False), repeat=len(swaying))
    )


def _swaying(rule: Mapping[str, Any]) -> Iterator[str]:
    for condition in rule.get("conditions", ()):
        if rule["effect"] == "permit" and condition["kind"] == "when":
            yield from _in_condition(condition["body"])
        else:
            yield from _facts_in(condition["body"])


def _in_condition(expression: Any) -> Iterator[str]:
    """Facts of a permit's condition under anything that does not merely join."""
    if not isinstance(expression, Mapping):
        return
    for operator, inner in expression.items():
        if operator in _RISING:
            yield from _in_condition(inner["left"])
            yield from _in_condition(inner["right"])
        elif operator != ".":
            yield from _facts_in(inner)


def _facts_in(expression: Any) -> Iterator[str]:
    """Every fact that is read anywhere in `expression`."""
    if isinstance(expression, Mapping):
        read = expression.get(".")
        if isinstance(read, Mapping) and read.get("attr") in FACTS:
            yield read["attr"]
        for inner in expression.values():
            yield from _facts_in(inner)
    elif isinstance(expression, list):
        for inner in expression:
            yield from _facts_in(inner)
