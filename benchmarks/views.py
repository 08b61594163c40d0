"""What the views of a schema cost: time to make each, and memory of all of them together.

Prints one line a role and one for all. Memory is what Python allocated for schemas, SDL and the standard introspection of
each view, beyond the whole schema. `python benchmarks/views.py [--roles 25]`: beyond the roles there are, further ones are
taken to see a random half of what is seen by anybody.
"""

import argparse
import gc
import time
import tracemalloc
from random import Random

import psutil
from graphql import GraphQLSchema, get_introspection_query, parse, validate

from hub.gateway.sight import Sight
from hub.rules import read_rules
from hub.schema.audience import hidden_from, says_nothing
from hub.schema.filtering import Hidden, filter_schema
from hub.schema.views import sdl_of
from hub.settings import load_settings

LIMIT_MB = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roles", type=int, default=25, help="how many views")
    wanted = parser.parse_args().roles
    rules = read_rules(load_settings())
    sight = rules.sight
    started = time.perf_counter()
    for role in rules.purposes.roles.values():
        sight.ever(agency=role.agency, role=role.name)
    print(f"asking Cedar for all roles: {(time.perf_counter() - started) * 1000:.0f} ms, once")
    hidden = {
        role.name: hidden_from(sight, rules.catalogue, agency=role.agency, role=role.name)
        for role in rules.purposes.roles.values()
    }
    hidden |= {f"further {number}": some(sight, rules, number) for number in range(wanted - len(hidden))}
    introspection = parse(get_introspection_query())
    validate(rules.schema, introspection)  # what graphql-core keeps once, whatever the schema
    views: list[tuple[GraphQLSchema, str]] = []
    gc.collect()
    before = psutil.Process().memory_info().rss
    tracemalloc.start()
    print(f"{'view':18}{'types':>7}{'shared':>8}{'filter ms':>11}{'SDL KB':>8}{'KB':>8}")
    for name, of_role in hidden.items():
        held, _ = tracemalloc.get_traced_memory()
        started = time.perf_counter()
        schema = filter_schema(rules.schema, of_role, filler=lambda t, f: says_nothing(rules.catalogue, t, f))
        took_ms = (time.perf_counter() - started) * 1000
        validate(schema, introspection)
        views.append((schema, sdl_of(schema)))
        gc.collect()
        shared = sum(one is rules.schema.type_map[key] for key, one in schema.type_map.items() if key[:2] != "__")
        size, _ = tracemalloc.get_traced_memory()
        print(
            f"{name:18}{len(schema.type_map):7}{shared:8}{took_ms:11.1f}{len(views[-1][1]) / 1024:8.0f}"
            f"{(size - held) / 1024:8.0f}"
        )
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    print(f"all {len(views)} views: {size / 2**20:.1f} MB allocated, process grew by {grown:.1f} MB with its tracing")
    assert size / 2**20 < LIMIT_MB, "the views take more memory than they may"


def some(sight: Sight, rules, number: int) -> Hidden:
    dice = Random(number)
    anybody = frozenset().union(
        *(sight.ever(agency=one.agency, role=one.name) for one in rules.purposes.roles.values())
    )
    seen = {name for name in sorted(anybody) if dice.random() < 0.5}
    return lambda coordinate: coordinate in rules.catalogue.fields and coordinate not in seen


if __name__ == "__main__":
    main()
