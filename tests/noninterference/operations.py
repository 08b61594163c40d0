"""Random operations over whatever schema the asker is served: fields, fragments, look-ups, lists page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)

from tests.noninterference.worlds import CASES, ELSEWHERE, MINE, NEIGHBOUR, SLOTS, number_of

OF_PERSONS = ("person", "persons", "persons", "people", "people", "mixed", "mixed")
KINDS = (*OF_PERSONS, "explained", "lists")
ROOTS = {"person": "person", "persons": "persons", "people": "people", "mixed": "person", "explained": "explainAccess"}
REGIONS = {"region": "$region"}
LISTS = {
    "accessRequests": {},
    "accessReviews": {"open": "$yes"},
    "case": {"id": "$case"},
    "caseload": {},
    "changes": {},
    "corrections": {"open": "$no"},
    "myDay": {},
    "supervisionOrders": {"open": "$no"},
    "statutoryNotices": {},
    "statutoryQueries": {},
    "statutoryRecords": {"query": "$case"},
    "tasks": {},
    "webhooks": {},
    "webhookDeliveries": {"webhook": "$case"},
    "bases": REGIONS,
    "dueForecast": REGIONS,
    "whatIf": {**REGIONS, "step": '"REPORT"', "count": "3", "unit": "DAY"},
    "viewer": {},
}
"""Roots besides persons, with their arguments. Nothing that differs between two worlds may show in them.

Left out are mutations, which change the world, and subscriptions, which answer later changes of it.
"""
ALWAYS = "__typename @include(if: $yes) @skip(if: $no)"  # every declared variable is used somewhere
REGION_FILTERS = (None, None, "36", "3607", "360702", MINE, NEIGHBOUR[:6], ELSEWHERE[:2])


@dataclass(frozen=True)
class Named:
    """A person to be named by the opaque id the asker's agency would hold. `foreign`: an id of another agency."""

    slot: int
    foreign: bool = False


@dataclass(frozen=True)
class Operation:
    """`variables` may hold `Named`. `paged`: sent again with `$after` until the list `list` ends."""

    text: str
    variables: dict
    cases: tuple[str, ...] = ()
    paged: bool = False
    incremental: bool = False


@dataclass
class Writer:
    """Writes operations; what the schema does not have is not asked for.

    Where no person is in it, every other question is about persons all the same, by the `whole` schema.
    """

    schema: GraphQLSchema
    whole: GraphQLSchema
    dice: Random
    density: float = 0.5
    cases: tuple[str, ...] = ()  # named in the request
    kinds: Sequence[str] = KINDS
    aliases: int = 0
    fragments: list[str] = field(default_factory=list)

    def operation(self) -> Operation:
        if "Person" not in self.schema.type_map and self.dice.random() < 0.5:
            self.schema = self.whole
        roots = self.schema.query_type.fields if self.schema.query_type else {}
        kinds = [kind for kind in self.kinds if ROOTS.get(kind, "viewer") in roots]
        kind = self.dice.choice(kinds) if kinds else "lists"
        cases = self.cases
        if kind == "lists":
            return self._lists(cases)
        if kind == "explained":
            return self._explained(cases)
        if kind == "people":
            return self._list(cases)
        roots, declared, variables = [], ["$yes: Boolean!", "$no: Boolean!"], {"yes": True, "no": False}
        for at in range(1 if kind != "mixed" else 2):
            text, declare, given = self._look_up("persons" if kind == "persons" else "person", at)
            roots.append(text)
            declared.append(declare)
            variables |= given
        text = f"query ({', '.join(declared)}) {{ {ALWAYS} {' '.join(roots)} }} {' '.join(self.fragments)}"
        return Operation(text, variables, cases, incremental=self.dice.random() < 0.3)

    def _look_up(self, root: str, at: int) -> tuple[str, str, dict]:
        if root == "person" and self.dice.random() < 0.2:
            node = Named(self.dice.randrange(SLOTS), self.dice.random() < 0.1)
            text = f"r{at}: node(id: $node{at}) {{ __typename ... on Person {{ {self.below('Person')} }} }}"
            return text, f"$node{at}: ID!", {f"node{at}": node}
        if root == "persons":
            ids = [Named(self.dice.randrange(SLOTS), self.dice.random() < 0.1) for _ in range(self.dice.randint(2, 6))]
            return f"r{at}: persons(ids: $ids{at}) {{ {self.below('Person')} }}", f"$ids{at}: [ID!]!", {f"ids{at}": ids}
        slot = self.dice.randrange(SLOTS)
        lookup = self.dice.choice(
            (
                {"identityNumber": number_of(slot)},
                {"identityNumber": number_of(slot)},
                {"identityNumber": number_of(slot if self.dice.random() < 0.7 else SLOTS + 5)},
                {"id": Named(slot)},
                {"caseNumber": self.dice.choice(CASES)},
            )
        )
        text = f"r{at}: person(lookup: $who{at}) {{ {self.below('Person')} }}"
        return text, f"$who{at}: PersonLookup!", {f"who{at}": lookup}

    def _explained(self, cases: tuple[str, ...]) -> Operation:
        """Why fields of one person are given or withheld, and how much of the quota is used by then."""
        _, declare, given = self._look_up("person", 0)
        while "who0" not in given:
            _, declare, given = self._look_up("person", 0)
        names = [
            f"{name}.{inner}"
            for name, of in self.schema.type_map.items()
            if name == "Person" or name.endswith(("Record", "Predicates"))
            if isinstance(of, GraphQLObjectType)
            for inner in of.fields
        ]
        text = (
            f"query ({declare}, $names: [String!]!) {{ explainAccess(coordinates: $names, person: $who0)"
            f" {{ {self.below('AccessExplanation', 2)} }} viewer {{ quota {{ used resetsAt }} }} }}"
        )
        return Operation(text, {**given, "names": self.dice.sample(names, k=min(20, len(names)))}, cases)

    def _lists(self, cases: tuple[str, ...]) -> Operation:
        assert self.schema.query_type is not None
        fields = self.schema.query_type.fields
        names = [name for name in LISTS if name in fields]
        written = []
        for name in self.dice.sample(names, k=min(3, len(names))):
            given = ", ".join(f"{key}: {value}" for key, value in LISTS[name].items())
            of = get_named_type(fields[name].type)
            below = f" {{ {self.below(of.name, 2)} }}" if _composite(of) else ""
            written.append(f"{name}{f'({given})' if given else ''}{below}")
        used = ALWAYS + " a: viewer { role @include(if: $yes) } "
        declared = "$yes: Boolean!, $no: Boolean!"
        variables: dict = {"yes": True, "no": False}
        joined = " ".join(written)
        if "$region" in joined:
            declared, variables = f"{declared}, $region: String!", {**variables, "region": "3607"}
        if "$case" in joined:
            declared, variables = f"{declared}, $case: ID!", {**variables, "case": self.dice.choice(CASES)}
        return Operation(f"query ({declared}) {{ {used}{joined} }}", variables, cases)

    def _list(self, cases: tuple[str, ...]) -> Operation:
        chosen: dict = {
            "region": self.dice.choice(REGION_FILTERS),
            "sex": self.dice.choice((None, None, "MALE", "FEMALE")),
        }
        variables = {
            "filter": {name: value for name, value in chosen.items() if value is not None},
            "first": self.dice.choice((1, 2, 3, 100)),
            "offset": self.dice.choice((0, 0, 0, 1, 2)),
            "after": None,
            "yes": True,
            "no": False,
        }
        text = (
            "query ($filter: PeopleFilter, $first: Int, $offset: Int, $after: String, $yes: Boolean!, $no: Boolean!) {"
            f" {ALWAYS}"
            " list: people(filter: $filter, first: $first, offset: $offset, after: $after) {"
            f" totalCount edges {{ cursor node {{ {self.below('Person')} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
            f" {' '.join(self.fragments)}"
        )
        return Operation(text, variables, cases, paged=not variables["offset"])

    def below(self, type_name: str, depth: int = 1) -> str:
        """Selections on a type, never none."""
        owner = self.schema.type_map[type_name]
        assert isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        names = [name for name in owner.fields if self.dice.random() < self.density]
        if depth == 1:
            records = [name for name in owner.fields if _composite(get_named_type(owner.fields[name].type))]
            names += [name for name in self.dice.sample(records, k=min(2, len(records))) if name not in names]
        written = [self._field(name, get_named_type(owner.fields[name].type), depth) for name in names]
        return " ".join([*written, "__typename"] if not written or self.dice.random() < 0.1 else written)

    def _field(self, name: str, of: GraphQLNamedType, depth: int) -> str:
        text = name
        if self.aliases < 8 and self.dice.random() < 0.04:
            self.aliases += 1
            text = f"a{self.aliases}: {name}"
        if self.dice.random() < 0.03:
            text += self.dice.choice((" @skip(if: $no)", " @include(if: $yes)"))
        if _composite(of):
            text += f" {{ {self.below(of.name, depth + 1)} }}"
        return self._wrapped(text, depth) if depth == 1 and self.dice.random() < 0.06 else text

    def _wrapped(self, text: str, depth: int) -> str:
        if len(self.fragments) < 3 and self.dice.random() < 0.3:
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on Person {{ {text} }}")
            return f"...{name}"
        return f"... on Person{self.dice.choice(('', ' @defer'))} {{ {text} }}"


def _composite(of: GraphQLNamedType) -> bool:
    return isinstance(of, GraphQLObjectType | GraphQLInterfaceType)
