import pytest

from hub.connectors.assemble import Assembler
from hub.connectors.base import MemoryQuarantine, SourceFailure
from hub.connectors.mapping_reader import read_mappings
from tests.auth.parts import catalogue, read_codes

MAPPING = read_mappings(catalogue(), read_codes())["tax"]
STAMP = "2026-11-23T03:00:00+08:00"


@pytest.fixture
def quarantine():
    return MemoryQuarantine()


@pytest.fixture
def assembler(quarantine):
    return Assembler(MAPPING, read_codes(), quarantine)


def test_a_misfit_is_null_and_quarantined_with_source_record_and_reason(assembler, quarantine):
    record = assembler.record("k", "R1", STAMP, {"taxOffice": "章贡", "incomeBand": "9", "selfEmployed": "perhaps"}, {})
    assert record.values == {"taxOffice": "章贡", "incomeBand": None, "selfEmployed": None}
    assert record.quarantined == 2
    assert quarantine.reports == [
        ("tax", "R1", "TaxRecord.incomeBand", "9", "unknown code"),
        ("tax", "R1", "TaxRecord.selfEmployed", "perhaps", "neither yes nor no"),
    ]


def test_a_misfit_in_a_nested_record_leaves_its_neighbours(assembler, quarantine):
    record = assembler.record("k", "R1", STAMP, {}, {"filings": [{"year": "2025", "kind": "x"}, {"year": "soon"}]})
    assert record.values["filings"] == [{"year": 2025, "kind": None}, {"year": None}]
    assert [coordinate for _, _, coordinate, _, _ in quarantine.reports] == ["Filing.kind", "Filing.year"]


def test_a_record_without_a_time_stamp_is_not_what_the_mapping_says(assembler):
    with pytest.raises(SourceFailure):
        assembler.record("k", "R1", "yesterday", {}, {})
