"""What a role never sees does not exist for it: whatever is sent, hidden names are answered as names that never were."""

import string
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_introspection_query,
    get_named_type,
    parse,
    print_ast,
    validate,
    validate_schema,
    visit,
)

from hub.auth.principal import Principal
from hub.domain.commands import LOG
from hub.errors import RequestError
from hub.gateway.quota import QuotaState
from hub.gateway.reading import AskAnswer, Reading
from hub.gateway.sight import Sight
from hub.gateway.survivorship import read_survivorship
from hub.schema.access import AccessDesk
from hub.schema.cost import CostModel
from hub.schema.documents import Documents, shared_documents
from hub.schema.filtering import coordinates
from hub.schema.operations import Operation, Operations, shared_plans
from hub.schema.views import View, Views, sdl_of
from hub.schema.weights import read_weights
from tests.conftest import FULL
from tests.fitting import fitted, shipped, sight, view_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROLES = sorted(shipped().purposes.roles)
DOCUMENTS_A_ROLE = 300 if FULL else 10
"""Documents with a hidden name in them."""
NAMES_A_PROBE = None if FULL else 2


class Nobody:
    """A gateway that knows nobody."""

    async def read(self, _asker: Any, asks: Any, _reading: Any) -> list[AskAnswer]:
        return [AskAnswer(persons=(None,) * max(1, len(ask.lookups))) for ask in asks]


def make_views(kept: int = 64) -> Views:
    rules = shipped()
    weights = read_weights(rules.catalogue, rules.mappings, read_survivorship(rules.catalogue))
    documents, plans = shared_documents(), shared_plans()
    unused = QuotaState(limit=1, used=0, resets_in_s=None)
    desk = AccessDesk(sight(), lambda _principal: unused, lambda _seconds: NOW)

    def make(schema: GraphQLSchema, cut: Sight) -> View:
        purposes = frozenset(rules.purposes.purposes)
        operations = Operations(schema, Nobody(), None, purposes=purposes, deadline_s=5, shared=plans, desk=desk)
        return View(
            schema, cut.policy_digest, Documents(schema, CostModel(schema, weights), shared=documents), operations
        )

    roles = {role.name: role.agency for role in rules.purposes.roles.values()}
    return Views(rules.schema, rules.sights.of, rules.catalogue, make, roles=roles, kept=kept)


VIEWS = make_views()


def principal(role: str) -> Principal:
    known = shipped().purposes.roles[role]
    return Principal(
        agency=known.agency,
        role=role,
        officer="1",
        client="c",
        regions=("36",),
        purposes=known.purposes,
        cases=None,
        token_id="t",
        expires_at=0,
    )


def told(role: str, text: str, views: Views = VIEWS) -> Any:
    """Everything that the answer to a document would say before anything runs."""
    try:
        prepared = views.of(principal(role), shipped().judge).documents.prepare(text, None, {})
    except RequestError as error:
        return error.code, error.public, getattr(error, "errors", None)
    return prepared.cost


async def answered(role: str, text: str) -> Any:
    """What `told` says, or else the data."""
    view = VIEWS.of(principal(role), shipped().judge)
    try:
        prepared = view.documents.prepare(text, None, {})
        purpose = min(principal(role).purposes, default=None)
        operation = Operation(
            prepared=prepared,
            variables={},
            principal=principal(role),
            purpose=purpose,
            cases=(),
            judge=shipped().judge,
        )
        return (await view.operations.run(operation, Reading())).data
    except RequestError as error:
        return error.code, error.public, getattr(error, "errors", None)


# --- views ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_view_is_valid_and_holds_exactly_what_the_role_may_ever_see(role):
    rules, known = shipped(), shipped().purposes.roles[role]
    schema = view_of(role)
    assert validate_schema(schema) == []
    held = {name for name in coordinates(schema) if name in rules.catalogue.fields}
    assert held == sight().ever(agency=known.agency, role=role)
    assert {"viewer"} <= schema.query_type.fields.keys()
    assert coordinates(schema).keys() <= coordinates(rules.schema).keys()


OFFICE = {"case", "handoverForm", "caseload", "tasks", "changes", "supervisionOrders", "corrections", "myDay", "bases"}
STATUTORY = {"statutoryQueries", "statutoryRecords"}
WHO_IS_WHO = {"explainIdentity", "identityReviews"}


@pytest.mark.parametrize(
    ("role", "roots"),
    [
        (
            "judicial-office",
            {"person", "persons", "people", "node", "explainAccess", "viewer", "accessRequests"}
            | OFFICE
            | STATUTORY
            | WHO_IS_WHO,
        ),
        ("tax", {"person", "persons", "node", "explainAccess", "viewer", "accessRequests"}),
        ("auditor", {"viewer", "accessReviews", *LOG}),
        ("developer", {"viewer"}),
    ],
)
def test_root_fields_that_a_role_may_never_use_are_not_there(role, roots):
    assert view_of(role).query_type.fields.keys() == roots


@pytest.mark.parametrize("role", ROLES)
def test_no_name_of_prison_stands_in_the_view_of_a_role_that_resolves_over_registers(role):
    text = sdl_of(view_of(role))
    lists = sight().lists(agency=shipped().purposes.roles[role].agency, role=role)
    for name in ("JusticeRecord", "Sentence", "PeopleFilter", "PersonConnection"):
        assert (f" {name} " in text) is (
            lists and (name not in ("Sentence", "PeopleFilter") or name in view_of(role).type_map)
        )


def test_an_argument_by_a_field_that_is_never_seen_is_not_there():
    for role in ROLES:
        found = coordinates(view_of(role))
        assert ("PeopleFilter.sex" in found) <= ("Person.sex" in found), role


def test_views_are_made_once_kept_within_bounds_and_made_anew_for_other_policies():
    views = make_views(kept=2)
    first = views.of(principal("tax"), shipped().judge)
    assert views.of(principal("tax"), shipped().judge) is first
    views.of(principal("prison"), shipped().judge)
    views.of(principal("tax"), shipped().judge)
    views.of(principal("auditor"), shipped().judge)
    assert len(views) == 2
    assert views.of(principal("tax"), shipped().judge) is first  # used last but one
    assert views.of(principal("prison"), shipped().judge) is not None


def test_a_change_of_policies_leads_to_other_views_and_leaves_old_ones_be(monkeypatch):
    views = make_views()
    old = views.of(principal("tax"), shipped().judge)
    judge = shipped().judge
    monkeypatch.setattr(type(judge), "policy_digest", property(lambda _self: "another"))
    monkeypatch.setattr(type(judge), "edition", property(lambda _self: "another"))
    new = views.of(principal("tax"), shipped().judge)
    assert new is not old
    assert (new.policy_digest, old.policy_digest != "another") == ("another", True)
    assert old.documents.prepare("{ viewer { role } }", None, {}).cost.fields == 2


# --- a hidden name is an unknown name -------------------------------------------------------------------------------------


@cache
def real_names() -> frozenset[str]:
    schema = shipped().schema
    names = {part for name in coordinates(schema) for part in name.replace("(", ".").replace(":)", "").split(".")}
    for named in schema.type_map.values():
        names.add(named.name)
        if isinstance(named, GraphQLEnumType):
            names.update(named.values)
    return frozenset(names | {directive.name for directive in schema.directives})


def absent(name: str, dice: Random) -> str:
    """A name of the same length that is nobody's."""
    while True:
        made = "".join(dice.choice(string.ascii_letters) for _ in name)
        if made not in real_names():
            return made


class Renamer(Visitor):
    """Renames what the view does not hold; a name that is hidden here and visible there is renamed here only."""

    def __init__(self, info: TypeInfo, view: GraphQLSchema, dice: Random) -> None:
        super().__init__()
        self._info = info
        self._held = coordinates(view)
        self._types = view.type_map
        self._dice = dice
        self._names: dict[str, str] = {}
        self.renamed = 0

    def _other(self, name: str) -> str:
        self.renamed += 1
        if name not in self._names:
            self._names[name] = absent(name, self._dice)
        return self._names[name]

    def enter_field(self, node: Any, *_args: Any) -> None:
        parent = self._info.get_parent_type()
        name = node.name.value
        if parent is not None and not name.startswith("__") and f"{parent.name}.{name}" not in self._held:
            self._later.append(node)

    def enter_named_type(self, node: Any, *_args: Any) -> None:
        if node.name.value in shipped().schema.type_map and node.name.value not in self._types:
            self._later.append(node)

    def enter_argument(self, node: Any, *_args: Any) -> None:
        parent, field = self._info.get_parent_type(), self._info.get_field_def()
        if parent is None or field is None or self._info.get_directive() is not None:
            return
        name = next(name for name, one in parent.fields.items() if one is field)
        if f"{parent.name}.{name}({node.name.value}:)" not in self._held:
            self._later.append(node)

    def enter_object_field(self, node: Any, *_args: Any) -> None:
        owner = self._info.get_parent_input_type()
        if owner is not None and f"{get_named_type(owner).name}.{node.name.value}" not in self._held:
            self._later.append(node)

    def rename(self, text: str) -> str:
        self._later: list[Any] = []
        visit(parse(text), TypeInfoVisitor(self._info, self))
        for node in self._later:
            start, end = node.name.loc.start, node.name.loc.end
            text = text[:start] + self._other(text[start:end]) + text[end:]
        return text


class Writer:
    """Writes documents that are valid over the whole schema."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._schema = shipped().schema
        self._fragments: list[str] = []
        self._budget = 0

    def write(self) -> str:
        self._budget = self._dice.choice((3, 10, 30))
        roots = " ".join(f"r{number}: {self._root()}" for number in range(self._dice.choice((1, 1, 2))))
        declared = ""
        if self._dice.random() < 0.3:
            declared = " ($f: PeopleFilter, $s: Sex)"
            roots += " v: people(filter: $f) { totalCount } w: people(filter: {sex: $s}) { totalCount }"
        return "\n".join([f"query{declared} {{ {roots} }}", *self._fragments])

    def _root(self) -> str:
        return self._dice.choice(
            (
                lambda: f'person(lookup: {{id: "x"}}) {{ {self._on("Person", 0)} }}',
                lambda: f'persons(ids: ["x"]) {{ {self._on("Person", 0)} }}',
                lambda: f'node(id: "x") {{ id ... on Person {{ {self._on("Person", 0)} }} }}',
                lambda: f"people(filter: {{sex: FEMALE}}) {{ edges {{ node {{ {self._on('Person', 0)} }} }} }}",
                lambda: 'people(filter: {region: "36"}, offset: 1) { totalCount }',
                lambda: 'explainAccess(coordinates: ["TaxRecord.arrears"]) { effect policies missing }',
                lambda: "viewer { role quota { used } access { coordinate remedy } }",
            )
        )()

    def _on(self, name: str, depth: int) -> str:
        named: Any = self._schema.type_map[name]
        leaf = [field for field, one in named.fields.items() if not hasattr(get_named_type(one.type), "fields")]
        chosen = self._dice.sample(list(named.fields), self._dice.randint(1, min(4, len(named.fields))))
        parts = [
            self._one(named, field, depth) for field in chosen if self._budget > 0 and (depth < 3 or field in leaf)
        ]
        if self._dice.random() < 0.25:
            body = self._dice.choice(list(leaf) or ["__typename"])
            if self._dice.random() < 0.5:
                self._fragments.append(f"fragment F{len(self._fragments)} on {name} {{ {body} }}")
                parts.append(f"...F{len(self._fragments) - 1}")
            else:
                parts.append(f"... on {name} @include(if: true) {{ {body} }}")
        return " ".join(parts) or "__typename"

    def _one(self, named: Any, field: str, depth: int) -> str:
        self._budget -= 1
        inner = get_named_type(named.fields[field].type)
        below = f" {{ {self._on(inner.name, depth + 1)} }}" if hasattr(inner, "fields") else ""
        return f"{field}{below}"


@pytest.mark.parametrize("role", ROLES)
def test_a_document_with_hidden_names_is_answered_as_one_with_names_that_never_were(role):
    whole, view = shipped().schema, view_of(role)
    hiding = 0
    for seed in range(40 * DOCUMENTS_A_ROLE):
        dice = Random(f"{role}/{seed}")
        text = print_ast(parse(Writer(dice).write()))
        assert validate(whole, parse(text)) == [], text
        renamer = Renamer(TypeInfo(whole), view, dice)
        other = renamer.rename(text)
        assert len(other) == len(text)
        answer = told(role, text)
        assert answer == told(role, other), (text, other)
        if renamer.renamed:
            assert answer[0] in ("GRAPHQL_VALIDATION_FAILED", "COST_LIMIT"), text
            hiding += 1
        if hiding == DOCUMENTS_A_ROLE:
            break
    assert hiding == DOCUMENTS_A_ROLE


# --- dictionary attack ----------------------------------------------------------------------------------------------------


@cache
def ways(role: str) -> dict[str, tuple[str, str]]:
    """For every composite type of a view a document that gets there, as what stands before and behind."""
    view = view_of(role)
    arguments = {"person": '(lookup: {id: "x"})', "persons": '(ids: ["x"])', "node": '(id: "x")'}
    arguments["explainAccess"] = "(coordinates: [])"
    found = {"Query": ("{", "}")}
    waiting = deque([view.query_type])
    while waiting:
        named = waiting.popleft()
        before, behind = found[named.name]
        for name, field in named.fields.items():
            inner = get_named_type(field.type)
            if isinstance(inner, GraphQLObjectType | GraphQLInterfaceType) and inner.name not in found:
                given = arguments.get(name, "") if named.name == "Query" else ""
                found[inner.name] = (f"{before} {name}{given} {{", f"}} {behind}")
                waiting.append(inner)
    return found


def probes(role: str) -> Iterator[tuple[str, Any, frozenset[str]]]:
    """Everything a role can send with a guess in it, and what of such guesses its view holds."""
    view = view_of(role)
    for name, (before, behind) in ways(role).items():
        held = frozenset(view.type_map[name].fields) | {"__typename"}
        yield f"field of {name}", lambda guess, b=before, e=behind: f"{b} {guess} {e}", held
        yield f"record of {name}", lambda guess, b=before, e=behind: f"{b} {guess} {{ __typename }} {e}", held
    types = frozenset(view.type_map)
    yield "inline fragment", lambda guess: f"{{ ... on {guess} {{ __typename }} }}", types
    yield "fragment", lambda guess: f"{{ ...F }} fragment F on {guess} {{ __typename }}", types
    yield "variable", lambda guess: f"query ($v: {guess}) {{ __typename }}", types
    yield "list variable", lambda guess: f"query ($v: [{guess}!]! = []) {{ __typename }}", types
    yield (
        "introspection",
        lambda guess: (
            f'{{ __type(name: "{guess}") {{ kind name fields {{ name }} enumValues {{ name }} inputFields {{ name }} }} }}'
        ),
        types,
    )
    directives = frozenset(directive.name for directive in view.directives)
    yield "directive", lambda guess: f"{{ __typename @{guess} }}", directives
    yield "directive with a condition", lambda guess: f"{{ __typename @{guess}(if: true) }}", directives
    for name in view.query_type.fields:
        arguments = frozenset(view.query_type.fields[name].args)
        yield f"argument of {name}", lambda guess, n=name: f"{{ {n}({guess}: null) {{ __typename }} }}", arguments
        for argument, one in view.query_type.fields[name].args.items():
            members = frozenset(getattr(get_named_type(one.type), "fields", ()))
            yield (
                f"member of {name}({argument}:)",
                lambda guess, n=name, a=argument: f"{{ {n}({a}: {{{guess}: null}}) {{ __typename }} }}",
                members,
            )
    filters = getattr(view.type_map.get("PeopleFilter"), "fields", {})
    values = frozenset(filters["sex"].type.values) if "sex" in filters else frozenset()
    yield "enum value", lambda guess: f"{{ people(filter: {{sex: {guess}}}) {{ totalCount }} }}", values


@pytest.mark.parametrize("role", ROLES)
async def test_a_dictionary_of_all_real_names_recovers_nothing_that_the_view_does_not_hold(role):
    dice = Random(role)
    dictionary = sorted(real_names() - {"true", "false", "null"})
    recovered = tried = 0
    for kind, probe, held in probes(role):
        missing = [name for name in dictionary if name not in held]
        sample = missing if NAMES_A_PROBE is None else dice.sample(missing, min(NAMES_A_PROBE, len(missing)))
        for guess in [*sample, *sorted(held & real_names())[:2]]:
            control = absent(guess, dice)
            differ = await answered(role, probe(guess)) != await answered(role, probe(control))
            assert not differ or guess in held, (kind, guess)
            recovered += differ
            tried += 1
    assert tried > 50
    assert recovered > 3  # the attack works on what the view does hold


@pytest.mark.parametrize("role", ROLES)
async def test_introspection_tells_the_view_and_no_more(role):
    data = await answered(role, get_introspection_query())
    told_types = {one["name"]: one for one in data["__schema"]["types"]}
    view = view_of(role)
    assert told_types.keys() == view.type_map.keys()
    for name, one in told_types.items():
        if not name.startswith("__") and one["fields"]:
            assert {field["name"] for field in one["fields"]} == view.type_map[name].fields.keys()


# --- published bypasses of other gateways ----------------------------------------------------------------------------------


BOTH = '{ person(lookup: {id: "x"}) { name justice { releaseDate } } }'


async def test_what_one_role_sent_is_nothing_to_another_that_sends_the_same_bytes():
    for _ in range(2):  # the second time everything that could be remembered is
        assert (await answered("judicial-office", BOTH)) == {"person": None}
        code, *_ = await answered("tax", BOTH)
        assert code == "GRAPHQL_VALIDATION_FAILED"


async def test_introspection_is_not_remembered_across_views():
    text = "{ __schema { types { name } } }"
    for role in ("judicial-office", "tax", "developer", "tax", "judicial-office"):
        names = {one["name"] for one in (await answered(role, text))["__schema"]["types"]}
        assert names == view_of(role).type_map.keys()


def test_plans_and_documents_of_two_views_share_memory_and_nothing_else():
    views = make_views()
    one, other = views.of(principal("tax"), shipped().judge), views.of(principal("prison"), shipped().judge)
    text = "{ viewer { role } }"
    for view in (one, other):
        view.operations.warm(view.documents.prepare(text, None, {}))
    assert one.documents.remembered_bytes == other.documents.remembered_bytes > 0
    kept = one.operations._known._kept
    assert len(kept) == 2
    plans = [plan for known, _ in kept.values() for plan in known.plans.values()]
    assert {id(plan.root.type) for plan in plans} == {id(one.schema.query_type), id(other.schema.query_type)}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            '{ person(lookup: {id: "x"}) { ...A ...B } } fragment A on Person { key: name } '
            "fragment B on Person { key: justice { releaseDate } }",
            id="shared response key",
        ),
        pytest.param(
            '{ a: person(lookup: {id: "x"}) { r: tax { taxpayerNo } } '
            'b: person(lookup: {id: "x"}) { r: justice { releaseDate } } }',
            id="alias over another type",
        ),
        pytest.param('{ node(id: "x") { ... on Person { justice { releaseDate } } } }', id="by the interface"),
        pytest.param(
            '{ node(id: "x") { ... on Node { ... on Person { justice { __typename } } } } }', id="nested types"
        ),
        pytest.param('{ node(id: "x") { ... on JusticeRecord { releaseDate } } }', id="hidden type"),
        pytest.param(
            'query ($no: Boolean = false) { person(lookup: {id: "x"}) { name justice @include(if: $no) { name } } }',
            id="left out by a variable",
        ),
        pytest.param('{ person(lookup: {id: "x"}) { name justice @skip(if: true) { name } } }', id="skipped"),
        pytest.param('{ person(lookup: {id: "x"}) { name ... @defer { justice { name } } } }', id="deferred"),
        pytest.param(
            '{ person(lookup: {id: "x"}) { name } } fragment Unused on Person { justice { name } }',
            id="unused fragment",
        ),
        pytest.param("{ people(filter: {sex: FEMALE}) { totalCount } }", id="filter"),
        pytest.param("query ($v: PeopleFilter) { viewer { role } }", id="type of a variable"),
    ],
)
async def test_there_is_no_way_round_a_view(text):
    code, _, errors = await answered("tax", text)
    assert code == "GRAPHQL_VALIDATION_FAILED"
    for error in errors:
        assert error.keys() <= {"message", "extensions", "locations"}
        assert error["message"] == "The document does not fit the schema."


def test_cost_does_not_tell_hidden_from_unknown():
    many = " ".join(f'a{n}: person(lookup: {{id: "x"}}) {{ %s {{ name }} }}' for n in range(15))
    assert told("tax", many.replace("%s", "justice")) == told("tax", many.replace("%s", "justicf"))
    assert told("tax", fitted(BOTH, "tax")).total < told("judicial-office", BOTH).total
