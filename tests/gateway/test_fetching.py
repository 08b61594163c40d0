import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.base import Part
from hub.connectors.rows import layout_of
from hub.gateway import fetching
from hub.gateway.fetching import Questions
from hub.gateway.plan import Planner
from hub.gateway.survivorship import MergeRule, Provider
from tests.gateway.toy import table, toy_catalogue

CATALOGUE = toy_catalogue()
TYPES = {"justice": "JusticeRecord", "police": "PoliceRecord", "tax": "TaxRecord"}
JUSTICE = frozenset({"JusticeRecord.name", "JusticeRecord.sentences", "Sentence.court", "Sentence.term"})
RULES = {"name": MergeRule(field="name", providers=(
    Provider(agency="police", coordinate="PoliceRecord.name", field="name"),
    Provider(agency="justice", coordinate="JusticeRecord.name", field="name"),
), witnesses=())}  # fmt: skip


@pytest.fixture
def questions():
    return Questions(lambda agency, names: layout_of(CATALOGUE, TYPES[agency], names), deadline_s=2.5)


def test_keys_that_are_asked_for_the_same_share_a_part(questions):
    less = JUSTICE - {"Sentence.term"}
    fetch = questions.fetch("justice", {"a": JUSTICE, "b": less, "c": JUSTICE})
    assert fetch.parts == (Part(keys=("a", "c"), coordinates=JUSTICE), Part(keys=("b",), coordinates=less))
    assert (fetch.keys, fetch.timeout_s) == (("a", "c", "b"), 2.5)


def test_the_layout_holds_what_any_key_is_asked_for_in_the_order_of_the_catalogue(questions):
    fetch = questions.fetch(
        "justice", {"a": frozenset({"JusticeRecord.phone"}), "b": frozenset({"JusticeRecord.name"})}
    )
    assert fetch.layout.fields == ("name", "phone")


ASKED = st.sets(st.sampled_from(sorted(JUSTICE | {"JusticeRecord.phone"})), min_size=1).map(frozenset)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), ASKED, min_size=1))
def test_every_key_is_asked_once_for_exactly_its_own(by_key):
    questions = Questions(lambda agency, names: layout_of(CATALOGUE, TYPES[agency], names), deadline_s=1)
    fetch = questions.fetch("justice", by_key)
    assert {key: part.coordinates for part in fetch.parts for key in part.keys} == by_key
    assert sorted(fetch.keys) == sorted(by_key)


def plan():
    planner = Planner(CATALOGUE, RULES, members_only=frozenset())
    return planner.plan(table(), JUSTICE | {"Person.name"}, through_registers=False)


def test_a_plan_is_bound_once_to_the_layouts_of_its_agencies(questions):
    made = plan()
    layouts = {agency: questions.fetch(agency, {"a": share.fetch}).layout for agency, share in made.agencies.items()}
    bound = questions.bind(made, layouts)
    assert questions.bind(made, layouts) is bound
    (name,) = bound.merged
    places = {
        bound.agencies[agency]: bound.layouts[bound.agencies[agency]].fields[slot] for agency, slot in name.providers
    }
    assert places == {"police": "name", "justice": "name"}


def test_an_agency_that_knows_nobody_of_a_class_does_not_keep_its_plan_from_being_bound(questions):
    """Nobody has a key there, or there is no such agency in this deployment: all rows there are empty."""
    made = plan()
    layouts = {agency: questions.fetch(agency, {}).layout for agency in made.agencies}
    bound = questions.bind(made, layouts)
    assert questions.bind(made, layouts) is bound
    for agency, share in made.agencies.items():
        assert set(bound.layouts[agency].fields) == {name.partition(".")[2] for name in share.fetch} - {
            "sentences", "court", "term"
        }  # fmt: skip


def test_a_class_without_keys_is_bound_beside_one_that_is_asked_for_less(questions):
    made = plan()
    layouts = {agency: questions.fetch(agency, {"a": share.fetch}).layout for agency, share in made.agencies.items()}
    layouts["justice"] = questions.fetch("justice", {"b": frozenset({"JusticeRecord.phone"})}).layout
    bound = questions.bind(made, layouts)
    assert bound.layouts["justice"].fields == ("name",)
    assert bound.layouts["police"] is layouts["police"]


def test_the_same_coordinates_have_the_same_layout_so_that_bound_plans_are_found_again(questions):
    one, other = (questions.fetch("justice", {key: JUSTICE}).layout for key in "ab")
    assert one is other


def test_what_is_kept_is_bounded(questions, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_KEPT", 2)
    for name in sorted(JUSTICE):
        questions.fetch("justice", {"a": frozenset({name})})
        made = plan()
        layouts = {
            agency: questions.fetch(agency, {"a": made.agencies[agency].fetch}).layout for agency in made.agencies
        }
        questions.bind(made, layouts)
    assert (len(questions._layouts), len(questions._bound)) == (2, 2)
