"""Calls counted: whatever the shape of a valid query, each agency is called at most once, and for nothing unasked.

Queries over the shipped schema are written at random: any mixture of roots, aliases, fragments, conditions and fields,
over one to fifty persons, asked by every role that reads persons.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from graphql import GraphQLSchema, get_named_type, is_composite_type

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.connectors.base import Fetch, Fetched, KeyKind
from hub.gateway.ports import Source
from hub.gateway.predicates import bind_predicates
from hub.gateway.survivorship import MergeRule, read_survivorship
from hub.schema.service import GraphQLRequest
from hub.settings import load_settings
from tests.conftest import FULL
from tests.fitting import view_of

ROLES = ("judicial-office", "judicial-office", "county-office", "prison", "social-security", "civil-affairs", "tax")
QUERIES = 2_000 if FULL else 100
MOST_PERSONS = 50
ID = "query ($n: String!) { person(lookup: {identityNumber: $n}) { id } }"


class Listening:
    """A source that keeps what it was asked."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.asked: list[Fetch] = []

    @property
    def agency(self) -> str:
        return self._source.agency

    @property
    def key_kind(self) -> KeyKind:
        return self._source.key_kind

    @property
    def connector(self) -> Any:
        return self._source.connector

    def shared(self, _fetch: Fetch) -> None:
        return None  # live sources are asked one by one

    async def ask(self, fetch: Fetch) -> Fetched:
        self.asked.append(fetch)
        return await self._source.ask(fetch)

    async def close(self) -> None:
        await self._source.close()


@dataclass(frozen=True)
class Query:
    """A document with its variables, and the coordinates that it asks for."""

    text: str
    variables: dict[str, Any]
    asked: set[str]


@dataclass
class Writer:
    """Writes one query. Nothing but roots takes arguments, and roots have aliases of their own: fields always merge."""

    dice: Random
    schema: GraphQLSchema
    numbers: list[str]
    ids: list[str]
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0
    budget: int = 0

    def query(self) -> Query:
        self.budget = self.dice.choice((6, 20, 60, 150))
        roots = [self._root(f"r{number}") for number in range(self.dice.choice((1, 1, 2, 3, 6)))]
        body = " ".join(text for text, _ in roots)
        whole = "\n".join([body, *self.fragments])
        used = {name: value for name, value in (("yes", True), ("no", False)) if f"${name}" in whole}
        declared = ", ".join(f"${name}: Boolean!" for name in used)
        parts = [f"query {f'({declared})' if declared else ''} {{ {body} }}", *self.fragments]
        self.dice.shuffle(parts)
        return Query(text="\n".join(parts), variables=used, asked=set().union(*(asked for _, asked in roots)))

    def _root(self, alias: str) -> tuple[str, set[str]]:
        assert self.schema.query_type is not None
        there = self.schema.query_type.fields
        kind = self.dice.choice([name for name in ("person", "persons", "node", "people") if name in there])
        asked: set[str] = set()
        if kind == "people":
            first = self.dice.randint(1, MOST_PERSONS)
            below = self._spread("PersonConnection", asked, 0) if self.dice.random() < 0.3 else self._page(asked)
            return f"{alias}: people(first: {first}) {{ {below} }}", asked
        below = self._selection("Person", asked, 0)
        if kind == "person":
            lookup = {"identityNumber": self.dice.choice(self.numbers)}
            if self.dice.random() < 0.3 and self.ids:
                lookup = {"id": self.dice.choice(self.ids)}
            ((name, text),) = lookup.items()
            return f'{alias}: person(lookup: {{{name}: "{text}"}}) {{ {below} }}', asked
        if kind == "node":
            chosen = self.dice.choice(self.ids or ["unknown"])
            return f'{alias}: node(id: "{chosen}") {{ id ... on Person {{ {below} }} }}', asked
        chosen = [self.dice.choice(self.ids or ["unknown"]) for _ in range(self.dice.randint(1, MOST_PERSONS))]
        return f"{alias}: persons(ids: {json.dumps(chosen)}) {{ {below} }}", asked

    def _page(self, asked: set[str]) -> str:
        return f"totalCount edges {{ cursor node {{ {self._selection('Person', asked, 0)} }} }}"

    def _selection(self, type_name: str, asked: set[str], depth: int) -> str:
        """Fields of the type; what stands under a condition that does not hold is not noted in `asked`."""
        type_: Any = self.schema.type_map[type_name]
        names = [name for name, item in type_.fields.items() if depth < 3 or not _composite(item)]
        chosen = self.dice.sample(names, self.dice.randint(1, min(len(names), 7)))
        parts = [self._field(type_name, name, asked, depth) for name in chosen if self.budget > 0]
        if self.dice.random() < 0.3:
            parts.append(self._spread(type_name, asked, depth))
        return " ".join(parts) or "__typename"

    def _field(self, type_name: str, name: str, asked: set[str], depth: int) -> str:
        self.budget -= 1
        type_: Any = self.schema.type_map[type_name]
        alias = ""
        if self.dice.random() < 0.15 and self.aliases < 15:
            self.aliases += 1
            alias = f"a{self.aliases}: "
        condition, noted = self._condition(asked)
        noted.add(f"{type_name}.{name}")
        inner = get_named_type(type_.fields[name].type)
        below = f" {{ {self._selection(inner.name, noted, depth + 1)} }}" if is_composite_type(inner) else ""
        return f"{alias}{name}{condition}{below}"

    def _spread(self, type_name: str, asked: set[str], depth: int) -> str:
        condition, noted = self._condition(asked)
        body = self._page(noted) if type_name == "PersonConnection" else self._selection(type_name, noted, depth)
        if len(self.fragments) < 8 and self.dice.random() < 0.5:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")  # its place: what is below may need names too
            self.fragments[int(name[1:])] = f"fragment {name} on {type_name} {{ {body} }}"
            return f"...{name}{condition}"
        return f"... on {type_name}{condition} {{ {body} }}"

    def _condition(self, asked: set[str]) -> tuple[str, set[str]]:
        roll = self.dice.random()
        if roll < 0.85:
            return "", asked
        if roll < 0.9:
            return " @include(if: $yes) @skip(if: false)", asked
        return self.dice.choice(
            (" @include(if: $no)", " @skip(if: $yes)", " @include(if: $yes) @skip(if: true)")
        ), set()


def _composite(item: Any) -> bool:
    return is_composite_type(get_named_type(item.type))


def allowed(asked: set[str], rules: dict[str, MergeRule]) -> Iterator[str]:
    """Coordinates that agencies may be asked for: those of the operation, and whose word a merged field takes."""
    yield from asked
    for name, rule in rules.items():
        if f"Person.{name}" in asked:
            yield from (item.coordinate for item in rule.providers)
            if "Person.conflicts" in asked:
                yield from (item.coordinate for item in rule.witnesses)


@pytest.fixture
async def hub(demo):
    settings = load_settings(
        data_dir=demo.directory, url=demo.url, demo=True, agency_deadline_s=5, persons_per_hour=100_000
    )
    built = build_hub(settings)
    for agency, guard in list(built.sources.items()):
        built.sources[agency] = Listening(guard)
    yield built
    await built.close()


async def ask(hub: Hub, role: str, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
    """The answer, or None if the query is too large."""
    persona = hub.rules.personas[role]
    request = GraphQLRequest(query=query, variables=variables, purpose=persona.purpose, request_id="test")
    answer = await hub.service.answer(hub.issuer.principal_of(persona), request)
    body: dict[str, Any] = json.loads(answer.body)
    if answer.status == 400 and body["errors"][0]["extensions"]["code"] == "COST_LIMIT":
        return None
    assert answer.status == 200, (query, body)
    assert not body.get("errors"), (query, body)
    return body


async def ids_of(hub: Hub, role: str, numbers: list[str]) -> list[str]:
    bodies = [await ask(hub, role, ID, {"n": number}) for number in numbers]
    return [body["data"]["person"]["id"] for body in bodies if body and body["data"]["person"]]


async def test_no_query_calls_an_agency_twice_or_for_what_it_did_not_ask(hub, demo):
    numbers = demo.held["people"]["in"][:MOST_PERSONS] + demo.held["people"]["out"][:10]
    ids = {role: await ids_of(hub, role, numbers) for role in dict.fromkeys(ROLES)}
    rules = read_survivorship(hub.rules.catalogue)
    predicates = bind_predicates(hub.rules.catalogue)  # answered from other fields, which are then in no answer
    called: dict[str, int] = dict.fromkeys(hub.sources, 0)
    most = refused = 0
    for seed in range(QUERIES):
        dice = Random(seed)
        role = dice.choice(ROLES)
        query = Writer(dice=dice, schema=view_of(role), numbers=numbers, ids=ids[role]).query()
        before = {agency: source.connector.calls for agency, source in hub.sources.items()}
        for source in hub.sources.values():
            source.asked.clear()
        body = await ask(hub, role, query.text, query.variables)
        refused += body is None
        may = set(allowed(query.asked, rules))
        may |= {source for name in query.asked & predicates.keys() for source in predicates[name].fetch}
        for agency, source in hub.sources.items():
            made = source.connector.calls - before[agency]
            assert made == len(source.asked) <= 1, (seed, agency, query.text)
            for fetch in source.asked:
                most = max(most, len(fetch.keys))
                asked_for = frozenset().union(*(part.coordinates for part in fetch.parts))
                assert asked_for <= may, (seed, agency, asked_for - may)
                assert {*fetch.layout.fields} <= {name.partition(".")[2] for name in may}
                assert len(set(fetch.keys)) == len(fetch.keys)
            called[agency] += made
    assert all(count > QUERIES / 20 for count in called.values()), called
    assert most >= MOST_PERSONS / 2
    assert refused < QUERIES / 3
