from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hub.auth.decision import Effect
from hub.connectors.rows import layout_of
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.domain.catalogue import Catalogue, ValueType
from hub.gateway.plan import RELEASABLE, Planner, bind
from hub.gateway.release import Releaser, SealedColumn
from hub.gateway.survivorship import MergeRule, Provider
from hub.schema.shapes import PersonShapes
from tests.gateway.toy import table, toy_catalogue

CATALOGUE = toy_catalogue()
ALL = frozenset(CATALOGUE.fields)
TYPES = {record.agency: record.name for record in CATALOGUE.agency_types()}
RULES = {"name": MergeRule(field="name", providers=(
    Provider(agency="police", coordinate="PoliceRecord.name", field="name"),
), witnesses=())}  # fmt: skip
STRUCTURE = {"id", "sources", "conflicts", "access", "provenance"}


def shape(asked=ALL, *, of: Catalogue = CATALOGUE, sealed=None, default=Effect.FULL, **effects):
    planner = Planner(of, RULES, members_only=frozenset())
    plan = planner.plan(table(default, **effects), frozenset(asked), through_registers=False)
    layouts = {agency: layout_of(of, TYPES[agency], share.fetch) for agency, share in plan.agencies.items()}
    bound = bind(plan, layouts)
    shapes = PersonShapes(of, Releaser(Opener(KeyRing(keys={})), sealed or {}))
    shapes.prepare(bound)
    made = bound.shape
    shapes.prepare(bound)
    assert bound.shape is made  # once
    return made


def record(made, name: str):
    """Slots of a nested record but for its provenance, which is nobody's data."""
    return {key: slot for key, slot in made.slots[name].shape.slots.items() if key != "provenance"}


def test_what_is_not_in_the_release_tree_has_no_slot():
    made = shape(Sentence__term=Effect.DENIED, TaxRecord__number=Effect.DENIED)
    assert set(made.slots) == {*STRUCTURE, "name", "justice", "police"}
    assert set(record(made, "justice")) == {"name", "phone", "sentences"}
    assert set(record(made, "justice")["sentences"].shape.slots) == {"court"}


def test_a_field_fetched_for_a_merged_one_only_has_no_slot_in_its_record():
    assert set(shape({"Person.name"}).slots) == {*STRUCTURE, "name"}


def test_slots_stand_where_the_layout_says():
    made = shape({"JusticeRecord.phone", "JusticeRecord.sentences", "Sentence.term"})
    justice = record(made, "justice")
    assert (made.slots["justice"].path, justice["phone"].path) == ("{row}.rows[0]", "{row}[0]")
    assert (justice["sentences"].path, justice["sentences"].many) == ("{row}[1]", True)
    assert justice["sentences"].shape.slots["term"].path == "{row}[0]"


def test_masks_go_with_the_leaf():
    made = shape(Person__name=Effect.MASKED, TaxRecord__number=Effect.MASKED)
    assert made.slots["name"].convert("张三") == "张*"
    assert record(made, "tax")["number"].convert("1234") == "1**4"
    assert record(made, "justice")["phone"].convert is None


def test_a_sealed_leaf_is_opened_with_its_row():
    column = SealedColumn(agency="tax", table="t", column="c", nested=False)
    slot = record(shape(sealed={"TaxRecord.number": column}), "tax")["number"]
    assert slot.whole_row
    assert slot.convert is not None


def test_a_decimal_leaves_as_text():
    number = replace(CATALOGUE.fields["TaxRecord.number"], value_type=ValueType.DECIMAL, mask=None)
    types = {**CATALOGUE.types, "TaxRecord": replace(CATALOGUE.types["TaxRecord"], fields=(number,))}
    of = Catalogue(types=types, fields={**CATALOGUE.fields, number.coordinate: number})
    assert record(shape(of=of), "tax")["number"].convert(Decimal("10.50")) == "10.50"


EFFECTS = st.dictionaries(st.sampled_from(sorted(ALL)), st.sampled_from(list(Effect)))


@given(effects=EFFECTS, asked=st.sets(st.sampled_from(sorted(ALL))))
def test_every_slot_of_a_record_is_asked_and_permitted_whatever_the_policy(effects, asked):
    made = shape(asked, default=Effect.DENIED, **{name.replace(".", "__"): effect for name, effect in effects.items()})

    def leaves(shape_of):
        for name, slot in shape_of.slots.items():
            if name != "provenance":
                yield f"{shape_of.type_name}.{name}"
                if slot.shape is not None:
                    yield from leaves(slot.shape)

    for name in set(made.slots) - STRUCTURE - {"name"}:
        for coordinate in leaves(made.slots[name].shape):
            assert coordinate in asked
            assert effects.get(coordinate) in RELEASABLE
