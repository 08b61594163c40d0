"""How values leave: sealed deliveries and masks that depend on what is asked together, from plan to value."""

import json
from dataclasses import replace

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from hub.auth.clients import Client
from hub.auth.combinations import Combination
from hub.auth.decision import DenialCode, Effect
from hub.auth.recipients import ALGORITHM, ENCRYPTION, Recipients
from hub.crypto.envelope import Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.domain.catalogue import Catalogue
from hub.gateway.plan import Planner
from hub.gateway.release import Releaser, SealedColumn
from hub.gateway.survivorship import MergeRule, Provider
from tests.gateway.toy import table, toy_catalogue

CATALOGUE = toy_catalogue()
NUMBER = "TaxRecord.number"
LONG = Catalogue(
    types={
        name: replace(
            record,
            fields=tuple(
                replace(field, mask="identity-number-6-4") if field.coordinate == NUMBER else field
                for field in record.fields
            ),
        )
        for name, record in CATALOGUE.types.items()
    },
    fields={
        name: replace(field, mask="identity-number-6-4") if name == NUMBER else field
        for name, field in CATALOGUE.fields.items()
    },
)
RULE = Combination(
    name="a",
    mask="identity-number-6-4",
    instead="identity-number",
    beside=frozenset({"PoliceRecord.name"}),
    beside_masks=frozenset(),
    basis="b",
)
RULES = {"name": MergeRule(field="name", providers=(
    Provider(agency="police", coordinate="PoliceRecord.name", field="name"),
    Provider(agency="justice", coordinate="JusticeRecord.name", field="name"),
), witnesses=())}  # fmt: skip
KEY = ECKey.generate_key("P-256", auto_kid=True)
CLIENT = Client(
    client_id="c1", role="tax", agency="tax", regions=(), purposes=(), jwk={}, encryption_jwk=KEY.as_dict(private=False)
)


def planned(asked, *, of=CATALOGUE, combinations=(), together=frozenset(), recipient=None, **effects):
    planner = Planner(of, RULES, members_only=frozenset(), combinations=combinations)
    return planner.plan(
        table(**effects), frozenset(asked), through_registers=False, together=frozenset(together), recipient=recipient
    )


def masks(plan) -> dict[str, str | None]:
    return {node.coordinate: node.mask for share in plan.agencies.values() for node in share.release}


def test_a_sealed_field_is_released_to_the_clients_key_and_noted_as_sealed():
    plan = planned({NUMBER}, recipient="c1", TaxRecord__number=Effect.SEALED)
    (node,) = plan.agencies["tax"].release
    assert (node.sealed_to, node.mask) == ("c1", None)
    assert (plan.pattern.sealed, plan.pattern.full, plan.denials) == ((NUMBER,), (), ())


def test_without_a_key_it_is_denied_and_not_even_fetched():
    plan = planned({NUMBER}, TaxRecord__number=Effect.SEALED)
    assert not plan.agencies
    assert plan.denials == ((NUMBER, DenialCode.FIELD_DENIED),)
    assert plan.pattern.denied == (NUMBER,)


@pytest.mark.parametrize(
    ("merged", "police", "used"),
    [
        (Effect.SEALED, Effect.FULL, {"police"}),
        (Effect.SEALED, Effect.SEALED, {"police"}),
        (Effect.SEALED, Effect.MASKED, set()),
        (Effect.MASKED, Effect.SEALED, set()),
        (Effect.FULL, Effect.SEALED, set()),
        (Effect.MASKED, Effect.FULL, {"police"}),
    ],
)
def test_a_provider_whose_own_field_is_sealed_serves_sealed_deliveries_only(merged, police, used):
    plan = planned(
        {"Person.name"},
        recipient="c1",
        Person__name=merged,
        PoliceRecord__name=police,
        JusticeRecord__name=Effect.DENIED,
    )
    assert set(plan.agencies) == used
    assert plan.merged[0].sealed_to == ("c1" if merged is Effect.SEALED else None)


def test_plans_of_clients_with_other_keys_are_apart():
    planner = Planner(CATALOGUE, RULES, members_only=frozenset())
    decided = table(TaxRecord__number=Effect.SEALED)
    plans = [
        planner.plan(decided, frozenset({NUMBER}), through_registers=False, recipient=name)
        for name in ("c1", "c2", None)
    ]
    assert len({id(plan) for plan in plans}) == 3


def test_plans_of_another_edition_are_apart():
    planner = Planner(CATALOGUE, RULES, members_only=frozenset())
    before = replace(table(), edition="d")
    after = replace(table(Effect.DENIED), policy_digest=before.policy_digest, edition="d+1")
    asked = frozenset({NUMBER})
    assert planner.plan(before, asked, through_registers=False).agencies
    assert not planner.plan(after, asked, through_registers=False).agencies


def test_what_leaves_opens_with_the_clients_key_only_and_holds_the_plaintext():
    ring = KeyRing(keys={"seal:tax:3": {1: bytes(range(32))}})
    releaser = Releaser(
        Opener(ring),
        {NUMBER: SealedColumn(agency="tax", table="payers", column="number", nested=False)},
        Recipients({"c1": CLIENT}),
    )
    (node,) = planned({NUMBER}, recipient="c1", TaxRecord__number=Effect.SEALED).agencies["tax"].release
    row = [Sealer(ring).seal(Place(agency="tax", table="payers", column="number", row="R1"), "360700"), "R1", "2026"]
    conversion = releaser.conversion(node)
    released = conversion.apply(row, row[0])
    assert "360700" not in released
    assert released.count(".") == 4  # compact: a text in the place of a text
    found = json.loads(jwe.decrypt_compact(released, KEY, algorithms=[ALGORITHM, ENCRYPTION]).plaintext)
    assert (found["coordinate"], found["value"]) == (NUMBER, "360700")
    assert conversion.apply(["x", "R2", "2026"], row[0]) is None  # what does not open here is withheld, not encrypted


def test_a_plain_value_is_encrypted_too():
    releaser = Releaser(Opener(KeyRing(keys={})), {}, Recipients({"c1": CLIENT}))
    (node,) = planned({NUMBER}, recipient="c1", TaxRecord__number=Effect.SEALED).agencies["tax"].release
    conversion = releaser.conversion(node)
    assert not conversion.whole_row
    assert conversion.apply("360700").count(".") == 4


@pytest.mark.parametrize(
    ("together", "police", "mask"),
    [
        pytest.param(set(), Effect.FULL, "identity-number-6-4", id="alone"),
        pytest.param({"PoliceRecord.name"}, Effect.FULL, "identity-number", id="elsewhere in the operation"),
        pytest.param({"PoliceRecord.name"}, Effect.DENIED, "identity-number-6-4", id="asked elsewhere, denied"),
    ],
)
def test_a_mask_gives_way_to_what_another_part_of_the_operation_shows(together, police, mask):
    plan = planned(
        {NUMBER}, of=LONG, combinations=(RULE,), together=together, TaxRecord__number=Effect.MASKED,
        PoliceRecord__name=police,
    )  # fmt: skip
    assert masks(plan) == {NUMBER: mask}


def test_a_mask_gives_way_in_the_same_part():
    plan = planned({NUMBER, "PoliceRecord.name"}, of=LONG, combinations=(RULE,), TaxRecord__number=Effect.MASKED)
    assert masks(plan)[NUMBER] == "identity-number"


def test_what_else_is_asked_makes_no_further_plans_where_no_mask_gives_way():
    planner = Planner(CATALOGUE, RULES, members_only=frozenset(), combinations=(RULE,))
    decided = table(TaxRecord__number=Effect.MASKED)
    one, other = (
        planner.plan(decided, frozenset({NUMBER}), through_registers=False, together=frozenset(together))
        for together in ((), {"PoliceRecord.name"})
    )
    assert one is other
