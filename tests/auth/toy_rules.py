"""Random rule sets over a few fields of the catalogue, small enough to be looked at whole."""

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from hub.auth.cedar_schema import cedar_schema
from hub.auth.decision import DecisionClass
from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge
from hub.auth.policy_reader import read_bundle
from hub.domain.catalogue import Catalogue
from tests.auth.parts import catalogue, purposes

COORDINATES = [
    "Person.name",
    "Person.identityNumber",
    "Person.phone",
    "Person.assistanceStatus",
    "Person.entitledGroup",
]
ROLES = ["tax", "civil-affairs"]
FACTS = ["jurisdiction", "case", "own", "consent", "approved"]
PURPOSES = ["TAX_RELIEF", "RELIEF", "LOAN", "AUDIT"]
VECTORS = [dict(zip(FACTS, bits, strict=True)) for bits in product((False, True), repeat=len(FACTS))]

EVERY_READ = (
    "action in [" + ", ".join(f'Hub::Action::"read{word}"' for word in ("Full", "Masked", "Predicate", "Sealed")) + "]"
)


@cache
def toy_catalogue() -> Catalogue:
    whole = catalogue()
    fields = {name: whole.fields[name] for name in COORDINATES if name in whole.fields}
    person = whole.types["Person"]
    return Catalogue(types={"Person": replace(person, fields=tuple(fields.values()))}, fields=fields)


def toy_judge(text: str) -> CedarJudge:
    """The judge of `text` over the toy catalogue; the schema is the whole catalogue's."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "toy.cedar").write_text(text, "utf-8")
        bundle = read_bundle([Path(folder)], cedar_schema(catalogue(), purposes()))
    return CedarJudge(bundle, toy_catalogue(), purposes(), remembered=100_000)


def toy_classes():
    """Every class of the toy, without leaving out any."""
    for role, purpose, facts in product(ROLES, PURPOSES, VECTORS):
        agency = purposes().roles[role].agency
        yield DecisionClass(agency=agency, role=role, purpose=purpose, facts=Facts(**facts))


def _atom() -> st.SearchStrategy[str]:
    facts = st.sampled_from([f"context.facts.{name}" for name in FACTS if name != "own"] + ["context.own"])
    purpose = st.sampled_from([f'context.purpose == Hub::Purpose::"{name}"' for name in PURPOSES])
    several = st.lists(st.sampled_from(PURPOSES), min_size=1, max_size=3, unique=True).map(
        lambda names: "[" + ", ".join(f'Hub::Purpose::"{name}"' for name in names) + "].contains(context.purpose)"
    )
    owner = st.sampled_from(["hub", "tax"]).map(lambda name: f'resource.owner == Hub::Agency::"{name}"')
    return st.one_of(facts, facts, facts, purpose, several, owner)


def conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        _atom(),
        lambda inner: st.one_of(
            inner.map(lambda one: f"!({one})"),
            st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        ),
        max_leaves=3,
    )


@st.composite
def rules(draw, number: int) -> str:
    effect = draw(st.sampled_from(["permit", "permit", "permit", "forbid"]))
    role = draw(st.sampled_from([*(f'principal == Hub::Role::"{name}"' for name in ROLES), "principal"]))
    action = draw(
        st.sampled_from(
            [EVERY_READ, *(f'action == Hub::Action::"read{word}"' for word in ("Full", "Masked", "Predicate"))]
        )
    )
    scope = draw(
        st.sampled_from(
            [
                "resource",
                'resource in Hub::Group::"FG1"',
                'resource in Hub::Group::"FG2"',
                'resource in Hub::Facet::"FG0/predicate"',
                'resource in Hub::Facet::"FG0/detail"',
            ]
        )
    )
    when = draw(st.one_of(st.just(""), conditions().map(lambda text: f"when {{ {text} }}")))
    return (
        f'@id("r{number}")\n@basis("Law")\n@explain("Words. / 说明。")\n{effect} ({role}, {action}, {scope}) {when};\n'
    )


@st.composite
def bundles(draw, most: int = 4) -> str:
    return "".join(draw(rules(number)) for number in range(draw(st.integers(1, most))))
