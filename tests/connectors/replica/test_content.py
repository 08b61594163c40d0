"""Packing of records: what is unpacked is what was packed, less what does not open or was not asked for."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, combinations

import pytest

from hub.connectors.base import SourceRecord
from hub.connectors.replica.content import ContentCodec
from hub.crypto.envelope import PERSONAL, SENSITIVE, SPECIAL
from hub.domain.catalogue import Shape, ValueType
from tests.connectors.replica.parts import CIVIL, POLICE, rules

AS_OF = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
SAMPLES = {
    ValueType.DATE: date(2026, 2, 28),
    ValueType.DATE_TIME: AS_OF,
    ValueType.DECIMAL: Decimal("1234567890.10"),
    ValueType.INT: 2**53 - 1,
    ValueType.BOOLEAN: False,
}
CLASSES = (PERSONAL, SENSITIVE, SPECIAL)
SUBSETS = list(chain.from_iterable(combinations(CLASSES, size) for size in range(4)))


def codec_of(agency: str) -> ContentCodec:
    catalogue = rules().catalogue
    return ContentCodec(catalogue, next(top for top in catalogue.agency_types() if top.agency == agency))


def sample(coordinate: str):
    field = rules().catalogue.fields[coordinate]
    one = SAMPLES.get(field.value_type, '张三\n"\\')
    return [one, one] if field.shape is Shape.VALUES else one


def full(agency: str, codec: ContentCodec) -> SourceRecord:
    """A record with a value in every field and two rows in every list."""
    top = next(top for top in rules().catalogue.agency_types() if top.agency == agency)
    inner = {field.name: field.record_type for field in top.fields if field.record_type}
    values = [sample(f"{top.name}.{name}") for name in codec.layout.fields]
    values += [[[sample(f"{inner[name]}.{each}") for each in names]] * 2 for name, names in codec.layout.nested]
    return SourceRecord("key", "record", AS_OF, values)


@pytest.mark.parametrize("agency", [POLICE, CIVIL])
def test_what_is_unpacked_is_what_was_packed(agency):
    codec = codec_of(agency)
    record = full(agency, codec)
    content = codec.pack(record, {}, dated=True)
    texts = list(content.texts.values())
    assert codec.unpack("key", texts, codec.layout, codec.coordinates, as_of=datetime.max) == record
    assert codec.pack(record, {}, dated=True).text == content.text


@pytest.mark.parametrize("agency", [POLICE, CIVIL])
@pytest.mark.parametrize("opened", SUBSETS, ids=lambda given: "+".join(map(str, given)) or "none")
def test_classes_that_do_not_open_leave_gaps_and_nothing_else(agency, opened):
    codec = codec_of(agency)
    record = full(agency, codec)
    content = codec.pack(record, {}, dated=False)
    texts = [content.texts[key] for key in opened]
    got = codec.unpack(
        "key", texts, codec.layout, codec.coordinates, as_of=AS_OF, unreadable=len(CLASSES) - len(opened)
    )
    assert got.quarantined == len(CLASSES) - len(opened)
    for value, whole in zip(got.values, record.values, strict=True):
        assert value is None or value == [] or value == whole or len(value) == len(whole)


def test_a_part_is_given_what_it_names_alone():
    codec = codec_of(POLICE)
    content = codec.pack(full(POLICE, codec), {"PoliceRecord.name": 1, "PoliceRecord.sex": 2}, dated=False)
    name = frozenset({"PoliceRecord.name"})
    got = codec.unpack("key", list(content.texts.values()), codec.layout, name, as_of=AS_OF)
    assert [value for value in got.values if value] == [sample("PoliceRecord.name")]
    assert got.quarantined == 1
    assert codec.needed(name) == {PERSONAL}
