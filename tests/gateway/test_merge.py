from hypothesis import given
from hypothesis import strategies as st

from hub.gateway.merge import merge
from hub.gateway.plan import MergedPlan
from hub.gateway.survivorship import Provider
from tests.gateway.toy import record

AGENCIES = ("police", "justice", "tax")


def plan(providers=("police", "justice"), witnesses=("tax",)) -> MergedPlan:
    def make(agency: str) -> Provider:
        return Provider(agency=agency, coordinate=f"{agency}.name", field="name")

    return MergedPlan(
        name="name",
        coordinate="Person.name",
        mask=None,
        providers=tuple(make(agency) for agency in providers),
        witnesses=tuple(make(agency) for agency in witnesses),
    )


def test_the_most_trusted_agency_that_speaks_wins():
    assert merge(plan(), {"justice": record(name="李四"), "police": record(name="李肆")}).value == "李肆"
    assert merge(plan(), {"justice": record(name="李四"), "police": record(name=None)}).value == "李四"


def test_a_witness_never_supplies_the_value():
    merged = merge(plan(), {"tax": record(name="李四")})
    assert (merged.value, merged.claims) == (None, ())


def test_disagreement_is_kept_as_data():
    merged = merge(plan(), {"police": record(name="李四"), "tax": record(name="李肆")})
    assert merged.conflicting
    assert [(claim.agency, claim.value) for claim in merged.claims] == [("police", "李四"), ("tax", "李肆")]


def test_agreement_is_no_conflict():
    assert not merge(plan(), {"police": record(name="李四"), "justice": record(name="李四")}).conflicting


VALUES = st.dictionaries(st.sampled_from(AGENCIES), st.none() | st.sampled_from(["a", "b"]))


@given(values=VALUES, order=st.permutations(AGENCIES))
def test_order_of_arrival_changes_nothing(values, order):
    records = {agency: record(name=value) for agency, value in values.items()}
    shuffled = {agency: records[agency] for agency in order if agency in records}
    assert merge(plan(), records) == merge(plan(), shuffled)
