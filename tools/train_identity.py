"""Trains the match weights on the simulated province and writes them as data.

    python -m tools.train_identity --people 5000 --seed 7 --version 1

m by expectation maximisation and u by random pairs, both of splink, over the hub's own comparisons (as functions that
DuckDB calls): what is trained is what runs. Needs the extra `matching`.
"""

import argparse
import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from duckdb.sqltypes import INTEGER, VARCHAR
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from hub.demo.linkage import TrueRecord, records
from hub.demo.population import World
from hub.identity.matching.levels import LEVELS, MISSING, compare
from hub.identity.matching.traits import Traits, surname_of
from hub.identity.matching.weights import WEIGHTS_FILE, model_of

LEAST_U = {
    ("number", "equal"): 1e-9,
    ("number", "near"): 1e-7,
    ("phone", "equal"): 1e-7,
    ("birth", "equal"): 5e-5,  # one day of 55 years; the simulated days are more even than real ones
    ("place", "address"): 1e-5,  # households
}
FLOOR_U = 1e-6
FLOOR_M = 1e-4
"""What was not met in the sample may still be met: least u and m of a level."""
THRESHOLDS = {"join": 10.0, "fracture": 3.0, "margin": 6.0}


Fields = dict[str, dict[str, float]]
Trained = dict[str, dict[str, dict[str, float]]]


def table(world: World, wanted: Callable[[TrueRecord], bool]) -> pd.DataFrame:
    """One row a record, one column a field as the comparisons take it; None where missing."""
    return pd.DataFrame(
        {"unique_id": f"{held.agency}/{held.key}", **columns(held.traits)} for held in records(world) if wanted(held)
    )


def columns(traits: Traits) -> dict[str, str | None]:
    return {
        "number": f"{int(traits.verified)}{traits.number}" if traits.number else None,
        "name": traits.name or None,
        "birth": traits.birth or None,
        "sex": traits.sex or None,
        "place": json.dumps([traits.counties, traits.addresses]) if traits.counties or traits.addresses else None,
        "phone": traits.phone or None,
    }


def traits_from(field: str, text: str) -> Traits:
    """The one trait that a column holds."""
    if field == "number":
        return Traits(number=text[1:], verified=text[0] == "1")
    if field == "place":
        counties, addresses = json.loads(text)
        return Traits(counties=tuple(counties), addresses=tuple(addresses))
    return Traits(**{field: text})


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for field in LEVELS:

        def level(field: str, one: str, two: str) -> int:
            found = compare(traits_from(field, one), traits_from(field, two))[field]
            return -1 if found == MISSING else LEVELS[field].index(found)

        connection.create_function(f"level_{field}", partial(level, field), [VARCHAR, VARCHAR], INTEGER)
    return connection


def settings(probability: float, u: Fields | None = None) -> SettingsCreator:
    """`u`: what random pairs of two persons gave, kept while m is learnt."""
    comparisons: list[Any] = []
    for field, levels in LEVELS.items():
        null = {
            "sql_condition": f"{field}_l IS NULL OR {field}_r IS NULL",
            "label_for_charts": MISSING,
            "is_null_level": True,
        }
        tests: list[dict[str, Any]] = [
            {"sql_condition": f"level_{field}({field}_l, {field}_r) = {number}", "label_for_charts": name}
            for number, name in enumerate(levels[:-1])
        ]
        tests.append({"sql_condition": "ELSE", "label_for_charts": levels[-1]})
        for test in tests:
            if u is not None:
                test["u_probability"] = u[field][test["label_for_charts"]]
        comparisons.append({"output_column_name": field, "comparison_levels": [null, *tests]})
    return SettingsCreator(
        link_type="link_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on("number")],
        probability_two_random_records_match=probability,
    )


def linker_of(left: pd.DataFrame, right: pd.DataFrame, wanted: SettingsCreator) -> Linker:
    api = DuckDBAPI(connection=connect())
    return Linker([api.register(left, table_name="one"), api.register(right, table_name="two")], wanted)


def probabilities(linker: Linker, kind: str, floor: Callable[[str, str], float]) -> Fields:
    """Field → level → the trained probability, not under its floor."""
    return {
        comparison["output_column_name"]: {
            level["label_for_charts"]: max(
                floor(comparison["output_column_name"], level["label_for_charts"]),
                float(level.get(f"{kind}_probability") or 0),
            )
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        }
        for comparison in linker.misc.save_model_to_json()["comparisons"]
    }


def train(members: pd.DataFrame, others: pd.DataFrame, strangers: pd.DataFrame, *, pairs: float) -> Trained:
    """Field → level → m and u. `strangers`: records of nobody among `members`, so that u is not of true pairs."""
    apart = linker_of(members, strangers, settings(1 / len(members)))
    apart.training.estimate_u_using_random_sampling(max_pairs=pairs, seed=1, min_count_per_level=None, num_chunks=1)
    u = probabilities(apart, "u", lambda field, level: LEAST_U.get((field, level), FLOOR_U))
    linker = linker_of(members, others, settings(1 / len(members), u))
    for rule in (block_on("number"), block_on("name", "birth"), block_on("phone")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule, record_sample_proportion=1.0)
    m = probabilities(linker, "m", lambda _field, _level: FLOOR_M)
    return {
        field: {level: {"m": m[field][level], "u": u[field][level]} for level in levels}
        for field, levels in LEVELS.items()
    }


def frequencies(left: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Shares of surnames, of characters in given names, and of lengths of given names."""
    surnames: Counter[str] = Counter()
    given: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for name in left["name"]:
        first = surname_of(name)
        surnames[first] += 1
        given.update(name[len(first) :])
        lengths[str(len(name) - len(first))] += 1
    return {
        key: {word: round(count / counts.total(), 6) for word, count in sorted(counts.items())}
        for key, counts in (("surnames", surnames), ("given", given), ("lengths", lengths))
    }


def written(version: str, fields: Any, names: Any) -> str:
    lines = [
        "# Match weights, made by tools/train_identity.py; not edited by hand.",
        "# m: share of a level among pairs of records of one person; u: among pairs of two persons.",
        f'version = "{version}"',
        "",
        "[thresholds] # bits",
        *(f"{name} = {value}" for name, value in THRESHOLDS.items()),
    ]
    for field, levels in fields.items():
        lines += ["", f"[fields.{field}]"]
        lines += [f'"{name}" = {{ m = {both["m"]:.3g}, u = {both["u"]:.3g} }}' for name, both in levels.items()]
    for kind, shares in names.items():
        lines += ["", f"[names.{kind}] # shares"]
        lines += [f'"{word}" = {share:g}' for word, share in shares.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--version", default="2")
    parser.add_argument("--pairs", type=float, default=3e5)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    given = parser.parse_args()
    logging.getLogger("splink").setLevel(logging.WARNING)
    world = World(seed=given.seed, members=given.people, today=date(2026, 11, 1))
    members = table(world, lambda held: held.agency == "justice")
    others = table(world, lambda held: held.agency != "justice")
    strangers = table(world, lambda held: held.person >= world.members)
    fields = train(members, others, strangers, pairs=given.pairs)
    names = frequencies(members)
    model_of({"version": given.version, "thresholds": THRESHOLDS, "fields": fields, "names": names}, "trained")
    given.out.write_text(written(given.version, fields, names), "utf-8")


if __name__ == "__main__":
    main()
