from hub.connectors.mapping import DEFAULT_ASSUMED, Price
from hub.connectors.mapping_reader import read_mappings
from hub.gateway.survivorship import read_survivorship
from hub.schema.weights import UNMAPPED, read_weights
from tests.auth.parts import catalogue, read_codes

WEIGHTS = read_weights(catalogue(), read_mappings(catalogue(), read_codes()), read_survivorship(catalogue()))


def test_prices_and_sizes_come_from_the_mappings():
    assert WEIGHTS.prices["tax"] == Price(call=100, record=10)
    assert WEIGHTS.size("TaxRecord.insurancePayments") == 24
    assert WEIGHTS.size("JusticeRecord.sentences") == DEFAULT_ASSUMED


def test_an_agency_of_the_catalogue_without_a_mapping_still_costs():
    weights = read_weights(catalogue(), {}, {})
    assert set(weights.prices.values()) == {UNMAPPED}
    assert weights.size("TaxRecord.insurancePayments") == DEFAULT_ASSUMED


def test_an_agency_record_asks_its_agency():
    assert WEIGHTS.asked(["tax", "id", "sources", "nonsense"]) == {"tax"}


def test_a_merged_field_asks_all_that_provide_it_and_its_witnesses_only_for_conflicts():
    assert WEIGHTS.asked(["name"]) == {"police", "justice"}
    assert WEIGHTS.asked(["name", "conflicts"]) == {"police", "justice", "social-security", "civil-affairs", "tax"}


def test_a_field_that_the_hub_composes_asks_nobody():
    assert WEIGHTS.asked(["assistanceStatus", "keyPerson"]) == set()


def test_access_is_as_long_as_the_catalogue():
    assert WEIGHTS.size("Person.access") == len(catalogue().fields)
