import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.base import Fetched, Part, SourceState
from hub.connectors.rows import layout_of
from hub.gateway import fetching
from hub.gateway.fetching import Questions, ask_all
from hub.gateway.plan import Planner
from hub.gateway.survivorship import MergeRule, Provider
from tests.gateway.toy import WHEN, table, toy_catalogue

CATALOGUE = toy_catalogue()
TYPES = {"justice": "JusticeRecord", "police": "PoliceRecord", "tax": "TaxRecord"}
NAMED = {"justice": "name", "police": "name", "tax": "number"}
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


class Shelf:
    """Answers for several agencies at once, and remembers for which."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []

    async def ask(self, fetches):
        self.asked.append(set(fetches))
        return {agency: told(agency) for agency in fetches}


class Copy:
    """A source that is answered for by a shelf, if it has one."""

    def __init__(self, agency: str, shelf: Shelf | None) -> None:
        self.agency, self.shelf, self.calls = agency, shelf, 0

    def shared(self, _fetch):
        return self.shelf

    async def ask(self, _fetch):
        self.calls += 1
        return told(self.agency)


def told(agency: str) -> Fetched:
    return Fetched(agency=agency, state=SourceState.OK, as_of=None, received_at=WHEN, latency_ms=0, records={})


@pytest.mark.parametrize("shelved", [(), ("police",), ("police", "tax"), ("justice", "police", "tax")])
async def test_what_can_be_asked_together_is_one_question(questions, shelved):
    shelf = Shelf()
    sources = {agency: Copy(agency, shelf if agency in shelved else None) for agency in TYPES}
    asked = {
        agency: questions.fetch(agency, {"a": frozenset({f"{TYPES[agency]}.{NAMED[agency]}"})}) for agency in TYPES
    }
    answers = await ask_all(sources, asked, lambda: WHEN)
    assert {agency: answer.agency for agency, answer in answers.items()} == {agency: agency for agency in TYPES}
    assert shelf.asked == ([set(shelved)] if shelved else [])
    assert [sources[agency].calls for agency in TYPES] == [agency not in shelved for agency in TYPES]


async def test_where_nobody_is_asked_nothing_is_answered():
    assert await ask_all({}, {}, lambda: WHEN) == {}


async def test_an_agency_that_is_not_connected_is_down_whoever_is_asked_about(questions):
    asked = {
        "police": questions.fetch("police", {"a": frozenset({"PoliceRecord.name"})}),
        "tax": questions.fetch("tax", {}),
    }
    answers = await ask_all({}, asked, lambda: WHEN)
    assert {agency: (answer.state, answer.records) for agency, answer in answers.items()} == {
        "police": (SourceState.DOWN, {}), "tax": (SourceState.DOWN, {})
    }  # fmt: skip


async def test_a_connected_agency_of_whom_nobody_is_asked_is_not_called(questions):
    sources = {"tax": Copy("tax", None)}
    assert await ask_all(sources, {"tax": questions.fetch("tax", {})}, lambda: WHEN) == {}
    assert sources["tax"].calls == 0
