from hypothesis import given
from hypothesis import strategies as st

from hub.gateway.merge import merge
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
