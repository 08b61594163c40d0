from dataclasses import replace

from hub.domain.catalogue import VAULT_GROUP, Catalogue
from hub.domain.codes_reader import read_codes
from hub.rules import build_schema
from tests.auth.parts import catalogue


def test_a_field_sealed_by_law_is_no_field_of_the_schema():
    held = catalogue()
    record = held.types["PoliceRecord"]
    names = {"householdNo", "newCases"}
    fields = tuple(replace(field, group=VAULT_GROUP) if field.name in names else field for field in record.fields)
    changed = Catalogue(types={**held.types, "PoliceRecord": replace(record, fields=fields)}, fields=held.fields)
    schema = build_schema(changed, read_codes())
    assert names <= build_schema(held, read_codes()).type_map["PoliceRecord"].fields.keys()
    assert not names & schema.type_map["PoliceRecord"].fields.keys()
    assert "NewCase" not in schema.type_map
