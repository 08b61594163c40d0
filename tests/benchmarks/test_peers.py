"""The bench's own parts fit each other: catalogue, mappings, policies and queries; no database, nothing measured."""

from functools import cache

import pytest
from graphql import FieldNode, TypeInfo, TypeInfoVisitor, Visitor, parse, validate, visit

from benchmarks.peers.members import KEY_PERSONS_PERCENT, is_key_person, member_id
from benchmarks.peers.parts import AGENCY, HERE, PURPOSE, QUERIES_DIR, ROLE, bench_rules
from benchmarks.peers.sealed_tables import SCHEMA, SIDE_TABLES, mapped_tables
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.gateway.survivorship import read_survivorship

QUERIES = ("Q1", "Q2", "Q3", "Q4")
SEALED = {
    "PoliceRecord.name",
    "PoliceRecord.address",
    "Sentence.crime",
    "InsuranceAccount.accountNo",
    "MaritalStatus.spouseName",
    "TaxRecord.taxNo",
}


@cache
def rules():
    return bench_rules()


def document(name: str):
    return parse((QUERIES_DIR / f"{name}.graphql").read_text("utf-8"))


def asked(name: str) -> set[str]:
    """Coordinates of the catalogue that a query names."""
    types = TypeInfo(rules().schema)
    found: set[str] = set()

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_):
            found.add(f"{types.get_parent_type().name}.{node.name.value}")

    visit(document(name), TypeInfoVisitor(types, Fields()))
    return found & rules().catalogue.fields.keys()


def decisions(**facts: bool):
    made = DecisionClass(agency=AGENCY, role=ROLE, purpose=PURPOSE, facts=Facts(own=True, **facts))
    return rules().judge.table(made).decisions


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_is_valid_and_named_as_the_harness_calls_it(name):
    assert validate(rules().schema, document(name)) == []
    assert [definition.name.value for definition in document(name).definitions] == [name]


def test_the_six_sealed_columns_are_read_sealed_and_no_other():
    found = {rule.field.coordinate for table in mapped_tables(rules().mappings) for rule in table.sealed}
    assert found == SEALED


def test_no_mapping_reads_a_plain_column_that_is_sealed_beside_it():
    plain = {(side.source, column) for side in SIDE_TABLES for column in side.columns.values()}
    tables = list(mapped_tables(rules().mappings))
    assert not plain & {(table.at, column) for table in tables for column in table.columns}
    views = (HERE / "views.sql").read_text("utf-8")
    for _, column in plain:
        assert f".{column}," not in views
        assert f".{column}\n" not in views


def test_every_table_with_sealed_columns_names_its_row_and_stands_in_the_schema_of_our_own():
    sides = {side.at: side for side in SIDE_TABLES}
    for table in mapped_tables(rules().mappings):
        if table.sealed:
            side = sides[table.at]
            assert table.at.startswith(f"{SCHEMA}.")
            assert (table.agency, table.row) == (side.agency, side.row)
            assert {rule.source for rule in table.sealed} == set(side.columns)


@pytest.mark.parametrize("name", QUERIES)
def test_a_county_in_jurisdiction_and_term_is_given_in_full_what_the_query_reads(name):
    for key_person in (False, True):
        given = decisions(jurisdiction=True, term=True, key_person=key_person)
        assert asked(name)
        assert {one for one in asked(name) if given[one].effect is not Effect.FULL} == set()


def test_a_county_learns_nothing_of_a_person_elsewhere():
    assert {decision.effect for decision in decisions(term=True, key_person=True).values()} == {Effect.DENIED}


def test_after_the_term_a_county_loses_what_is_bound_to_it():
    given = decisions(jurisdiction=True)
    assert given["Sentence.crime"].effect is Effect.FULL
    assert given["TaxRecord.taxNo"].effect is Effect.DENIED


def test_the_register_alone_provides_the_merged_core():
    merged = read_survivorship(rules().catalogue, rules().survivorship_file)
    assert {provider.agency for rule in merged.values() for provider in rule.providers} == {"police"}


def test_member_ids_sort_by_rank_and_fit_the_index():
    ids = [member_id(rank) for rank in (0, 1, 9, 10, 255, 256, 99_999)]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {32}


@pytest.mark.parametrize("start", [0, 1_000, 98_765])
def test_of_any_hundred_persons_nine_are_key_persons(start):
    assert sum(is_key_person(rank) for rank in range(start, start + 100)) == KEY_PERSONS_PERCENT
