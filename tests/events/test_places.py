"""A place in the feed tells nothing but where its own reader is."""

from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.pairwise import PairwiseIds
from hub.events.places import BEGINNING, Places

PLACES = Places(PairwiseIds(b"k" * 32))
POSITIONS = st.integers(1, 2**63 - 1)


@given(POSITIONS)
def test_a_place_is_its_readers_alone(position):
    place = PLACES.seal("justice", position)
    assert PLACES.open("justice", place) == position
    assert PLACES.open("police", place) is None
    assert place != PLACES.seal("police", position)


@given(POSITIONS, POSITIONS)
def test_places_do_not_show_how_far_apart_they_are(one, other):
    first, second = PLACES.seal("justice", one), PLACES.seal("justice", other)
    assert len(first) == len(second)
    assert not first.isdigit()
    assert (first == second) == (one == other)


@given(st.text())
def test_what_is_no_place_opens_as_none(text):
    assert PLACES.open("justice", text) == (0 if text == BEGINNING else None)


def test_what_else_is_sealed_for_an_agency_is_no_place():
    ids = PairwiseIds(b"k" * 32)
    assert PLACES.open("justice", ids.seal("justice", "m", "12")) is None
