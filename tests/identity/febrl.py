"""The FEBRL sets through the hub's scoring: an adapter for English names, weights learnt by splink in the same run."""

import math
from collections.abc import Iterable, Mapping
from functools import partial

import duckdb
import pandas as pd
import splink.comparison_library as cl
from duckdb.sqltypes import INTEGER, VARCHAR
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from hub.identity.matching.decision import Scored

FIELDS = ("given_name", "surname", "date_of_birth", "soc_sec_id", "address_1", "suburb", "postcode", "street_number")
LEVELS = ("equal", "near", "alike", "differs")
BLOCKS = (("soc_sec_id",), ("given_name", "surname"), ("date_of_birth",), ("surname", "postcode"), ("address_1", "suburb"),
          ("given_name", "postcode"))  # fmt: skip
TRAINING = (("soc_sec_id",), ("given_name", "surname"))


def level(field: str, one: str, two: str) -> str:
    """One slip is near; names and addresses are alike by Jaro and Winkler's measure."""
    if one == two:
        return "equal"
    if DamerauLevenshtein.distance(one, two, score_cutoff=1) <= 1:
        return "near"
    digits = field in ("date_of_birth", "soc_sec_id", "postcode", "street_number")
    if digits:
        return "alike" if DamerauLevenshtein.distance(one, two, score_cutoff=2) <= 2 and len(one) > 4 else "differs"
    return "alike" if JaroWinkler.similarity(one, two) >= 0.85 else "differs"


def table(frame: pd.DataFrame) -> pd.DataFrame:
    found = frame.reset_index().rename(columns={"rec_id": "unique_id"})[["unique_id", *FIELDS]]
    return found.astype(object).where(found.notna(), None)


def _rules(blocks: Iterable[tuple[str, ...]]) -> list:
    return [block_on(*fields) for fields in blocks]


def _linker(frames: list[pd.DataFrame], comparisons: list) -> Linker:
    connection = duckdb.connect()
    for field in FIELDS:
        number = partial(lambda name, one, two: LEVELS.index(level(name, one, two)), field)
        connection.create_function(f"level_{field}", number, [VARCHAR, VARCHAR], INTEGER)
    api = DuckDBAPI(connection=connection)
    wanted = SettingsCreator(
        link_type="link_only" if len(frames) > 1 else "dedupe_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=_rules(BLOCKS),
        probability_two_random_records_match=1 / len(frames[0]),
    )
    registered = [api.register(frame, table_name=f"set{n}") for n, frame in enumerate(frames)]
    linker = Linker(registered if len(registered) > 1 else registered[0], wanted, log_level=40)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e5, seed=1, min_count_per_level=None, num_chunks=1)
    for rule in _rules(TRAINING):
        linker.training.estimate_parameters_using_expectation_maximisation(rule, record_sample_proportion=1.0)
    return linker


def splinks_own(frames: list[pd.DataFrame]) -> set[frozenset[str]]:
    """Pairs that splink links by its own comparisons, at a probability of one half."""
    names = ("given_name", "surname", "address_1", "suburb")
    comparisons = [
        cl.JaroWinklerAtThresholds(field, [0.92, 0.85])
        if field in names
        else cl.DamerauLevenshteinAtThresholds(field, [1, 2])
        for field in FIELDS
    ]
    found = _linker(frames, comparisons).inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()
    return {frozenset(pair) for pair in zip(found.unique_id_l, found.unique_id_r, strict=True)}


def learnt(frames: list[pd.DataFrame]) -> Mapping[str, Mapping[str, float]]:
    """Field → level → bits of our levels, by splink."""
    comparisons = []
    for field in FIELDS:
        tests = [
            {"sql_condition": f"level_{field}({field}_l, {field}_r) = {n}", "label_for_charts": name}
            for n, name in enumerate(LEVELS[:-1])
        ]
        null = {
            "sql_condition": f"{field}_l IS NULL OR {field}_r IS NULL",
            "label_for_charts": "-",
            "is_null_level": True,
        }
        last = {"sql_condition": "ELSE", "label_for_charts": LEVELS[-1]}
        comparisons.append({"output_column_name": field, "comparison_levels": [null, *tests, last]})
    model = _linker(frames, comparisons).misc.save_model_to_json()
    return {
        one["output_column_name"]: {
            held["label_for_charts"]: math.log2(
                max(1e-3, held.get("m_probability") or 0) / max(1e-5, held.get("u_probability") or 0)
            )
            for held in one["comparison_levels"]
            if not held.get("is_null_level")
        }
        for one in model["comparisons"]
    }


def scored(
    bits: Mapping[str, Mapping[str, float]], left: pd.DataFrame, right: pd.DataFrame
) -> Mapping[str, list[Scored]]:
    """Record of `right` → its candidates of `left`, scored online as the hub does."""
    anchors = {row["unique_id"]: row for row in left.to_dict("records")}
    blocks: dict[tuple, set[str]] = {}
    for name, row in anchors.items():
        for fields in BLOCKS:
            if all(row[field] for field in fields):
                blocks.setdefault((fields, *(row[field] for field in fields)), set()).add(name)
    prior = -math.log2(len(anchors))
    found: dict[str, list[Scored]] = {}
    for row in right.to_dict("records"):
        names: set[str] = set()
        for fields in BLOCKS:
            names |= blocks.get((fields, *(row[field] for field in fields)), set())
        candidates = []
        for name in sorted(names - {row["unique_id"]}):
            levels = {f: level(f, row[f], anchors[name][f]) for f in FIELDS if row[f] and anchors[name][f]}
            weight = prior + sum(bits[field][held] for field, held in levels.items())
            evidence = {**levels, "number": levels.get("soc_sec_id", "missing")}
            candidates.append(Scored(person=name, weight=weight, evidence=evidence))
        found[row["unique_id"]] = candidates
    return found
