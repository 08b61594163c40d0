from hypothesis import given
from hypothesis import strategies as st

from hub.gateway.merge import Choice, merge
from tests.gateway.toy import claim

AGENCIES = ("police", "justice", "tax")


def test_the_most_trusted_agency_that_speaks_wins():
    assert merge([claim("police", "李肆"), claim("justice", "李四")]).value == "李肆"
    assert merge([claim("police", None), claim("justice", "李四")]).value == "李四"


def test_a_witness_never_supplies_the_value():
    merged = merge([], [claim("tax", "李四")])
    assert (merged.value, merged.chosen, merged.claims) == (None, None, ())


def test_disagreement_is_kept_as_data():
    merged = merge([claim("police", "李四")], [claim("tax", "李肆")])
    assert merged.conflicting
    assert [(item.agency, item.value) for item in merged.claims] == [("police", "李四"), ("tax", "李肆")]
    assert merged.chosen is merged.claims[0]


def test_agreement_is_no_conflict():
    assert not merge([claim("police", "李四"), claim("justice", "李四")]).conflicting


def test_by_recency_the_newest_word_stands_and_of_equals_the_more_trusted():
    old, new = claim("police", "李肆", as_of=1), claim("justice", "李四", as_of=2)
    assert merge([old, new], choice=Choice.RECENCY).chosen is new
    assert merge([old, claim("justice", "李四", as_of=1)], choice=Choice.RECENCY).chosen is old
    assert merge([old], [claim("tax", "李四", as_of=9)], Choice.RECENCY).chosen is old


def test_by_quorum_most_stand_against_the_more_trusted_and_without_one_trust_decides():
    one, two, three = claim("police", "李肆"), claim("justice", "李四"), claim("tax", "李四")
    assert merge([one, two, three], choice=Choice.QUORUM).chosen is two
    assert merge([one, two], choice=Choice.QUORUM).chosen is one
    assert merge([one, two], [three], Choice.QUORUM).chosen is one


def test_a_quorum_is_of_values_as_they_are_seen():
    """Whether what a mask hides is equal must not show by whose word stands."""
    said = [claim("police", "赵四"), claim("justice", "李四"), claim("tax", "李肆")]
    worlds = [said, [said[0], said[1], claim("tax", "李四")]]
    assert {merge(world, (), Choice.QUORUM, lambda value: value[0]).chosen.agency for world in worlds} == {"justice"}


@given(order=st.permutations(("police", "justice", "tax")), choice=st.sampled_from(list(Choice)))
def test_every_choice_keeps_all_claims_and_stands_by_one_of_them(order, choice):
    said = [claim(agency, agency[0], as_of=place) for place, agency in enumerate(order)]
    merged = merge(said, choice=choice)
    assert merged.claims == tuple(said)
    assert merged.chosen in said


VALUES = st.dictionaries(st.sampled_from(AGENCIES), st.none() | st.sampled_from(["a", "b"]))


@given(values=VALUES)
def test_the_value_is_the_first_word_in_order_of_trust_and_nothing_said_is_lost(values):
    trusted = [claim(agency, values[agency]) for agency in ("police", "justice") if agency in values]
    witnesses = [claim(agency, values[agency]) for agency in ("tax",) if agency in values]
    merged = merge(trusted, witnesses)
    spoken = [item.value for item in trusted if item.value is not None]
    assert merged.value == (spoken[0] if spoken else None)
    heard = [item for item in (*trusted, *witnesses) if item.value is not None]
    assert list(merged.claims) == (heard if spoken else [])
    assert merged.conflicting == (len({item.value for item in merged.claims}) > 1)
