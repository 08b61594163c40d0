import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.identity.matching.cluster import Contender, check_merge, false_items, settle
from hub.identity.matching.decision import Order, Outcome, Scored, decide, score
from hub.identity.matching.traits import traits_of
from hub.identity.matching.weights import WEIGHTS_FILE, WeightsError, read_model
from tests.identity.parts import MODEL, number, person_record


def traits(order=1, **other):
    return traits_of(person_record("k", order, **other).values)


def verdict(record, *anchors, orders=None, linked=None):
    scored = [score(MODEL, record, f"p{n}", anchor, persons=172_000) for n, anchor in enumerate(anchors)]
    return decide(MODEL, scored, orders, linked=linked)


def test_a_record_with_the_number_joins():
    found = verdict(traits(birth="", county="", address="", phone=""), traits(), traits(2))
    assert (found.outcome, found.method, found.best.person) == (Outcome.JOIN, "number", "p0")


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param({"number": ""}, id="no number"),
        pytest.param({"number": number(1)[:10] + "9" + number(1)[11:]}, id="wrong number"),
        pytest.param({"number": "", "birth": "1980-05-03"}, id="no number, birth date swapped"),
        pytest.param({"number": "", "phone": "13999999999"}, id="no number, other telephone"),
    ],
)
def test_a_record_with_a_slip_joins_by_the_rest(slip):
    found = verdict(traits(**slip), traits(), traits(2))
    assert (found.outcome, found.best.person) == (Outcome.JOIN, "p0")


def test_a_twin_is_not_the_other_twin():
    """Same birth date, surname, address and telephone; both numbers verify and differ."""
    shared = {"address": traits().addresses[0], "phone": traits().phone}
    found = verdict(traits(2, **shared), traits())
    assert found.outcome is not Outcome.JOIN
    assert "TWINS" in found.best.against


def test_a_sibling_at_one_address_is_somebody_else():
    found = verdict(traits(2, number="", birth="1983-07-01", address=traits().addresses[0]), traits())
    assert found.outcome is not Outcome.JOIN
    assert "SIBLINGS" in found.best.against


def test_namesakes_of_one_birthday_and_county_are_asked_about():
    found = verdict(traits(number="", phone="", address="江西省赣州市章贡区沙河镇章江路7号"), traits())
    assert found.outcome is Outcome.REVIEW
    assert "NAMESAKES" in found.reasons


def test_two_who_fit_alike_are_asked_about():
    one = traits(number="", phone="")
    found = verdict(one, one, one)
    assert (found.outcome, found.reasons) == (Outcome.REVIEW, ("RUNNER_UP",))


def test_two_valid_numbers_never_join_by_weight():
    found = verdict(traits(number=number(7)), traits())
    assert found.outcome is Outcome.REVIEW
    assert "TWO_VALID_NUMBERS" in found.reasons


def test_somebody_elses_number_is_not_enough():
    found = verdict(traits(name="赵海", birth="1955-01-01"), traits())
    assert found.outcome is not Outcome.JOIN


def test_orders_beat_weights_both_ways():
    mine, other = traits(), traits(5)
    assert verdict(mine, mine, other, orders={"p0": Order.NEVER}).outcome is not Outcome.JOIN
    assert verdict(mine, mine, other, orders={"p1": Order.ALWAYS}).best.person == "p1"


def test_a_link_holds_between_the_two_thresholds():
    between = Scored(person="p0", weight=(MODEL.join + MODEL.fracture) / 2, evidence={"number": "missing"})
    assert decide(MODEL, [between]).outcome is Outcome.REVIEW
    assert decide(MODEL, [between], linked="p0").outcome is Outcome.JOIN
    under = Scored(person="p0", weight=MODEL.fracture - 0.1, evidence={"number": "missing"})
    assert decide(MODEL, [under], linked="p0").outcome is Outcome.NOBODY


CONTENDERS = st.lists(
    st.builds(
        Contender,
        record=st.text("abcdefgh", min_size=1, max_size=3),
        agency=st.sampled_from(["police", "tax"]),
        weight=st.floats(10, 60),
        number=st.sampled_from(["", "1", "2"]),
        ordered=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.record,
)


@given(CONTENDERS, st.sampled_from(["", "1"]), st.randoms(use_true_random=False))
def test_settling_does_not_depend_on_order_and_keeps_the_cluster_valid(contenders, anchored, dice):
    found = settle(contenders, margin=MODEL.margin, number=anchored)
    mixed = list(contenders)
    dice.shuffle(mixed)
    assert settle(mixed, margin=MODEL.margin, number=anchored) == found
    by_record = {one.record: one for one in contenders}
    free = [by_record[record] for record in found.joined if not by_record[record].ordered]
    assert len({one.agency for one in free}) == len(free)
    assert len({one.number for one in free if one.number} | ({anchored} if anchored else set())) <= 1
    assert all(one.record in found.joined for one in contenders if one.ordered)


def test_a_merge_that_hangs_on_one_edge_is_told():
    one = {"justice": [traits()], "tax": [traits(number="", birth="")]}
    two = {"police": [traits()], "civil-affairs": [traits(4, county="361125", address="", phone="13111111111")]}
    assert "BRIDGE" in check_merge(MODEL, {"justice": [traits()]}, two, persons=172_000).against
    assert check_merge(MODEL, one, {"police": [traits()]}, persons=172_000).against == ()
    assert "NO_EDGE" in check_merge(MODEL, one, {"police": [traits(8, address="", phone="")]}, persons=172_000).against
    assert "TWO_KEYS" in check_merge(MODEL, one, {"tax": [traits()]}, persons=172_000).against


def test_false_items_are_levels_by_item():
    assert false_items({"name": "differs", "birth": "equal", "place": "county", "number": "near"}) == {
        "name": "differs",
        "number": "near",
    }


def test_weights_that_lack_a_level_do_not_start(tmp_path):
    path = tmp_path / "weights.toml"
    path.write_text(WEIGHTS_FILE.read_text("utf-8").replace('"swapped"', '"twisted"'), "utf-8")
    with pytest.raises(WeightsError, match="swapped"):
        read_model(path)


@pytest.mark.parametrize("share", [0, 1.1])
def test_weights_whose_shares_of_names_are_none_do_not_start(tmp_path, share):
    path = tmp_path / "weights.toml"
    path.write_text(WEIGHTS_FILE.read_text("utf-8").replace('"2" = 0.697', f'"2" = {share}'), "utf-8")
    with pytest.raises(WeightsError, match="share of names"):
        read_model(path)


def test_how_common_a_length_of_names_is_stands_in_the_file():
    longer = replace(MODEL, lengths={"1": 0.6, "2": 0.4}, version="longer")
    assert longer.share("王伟") == pytest.approx(MODEL.share("王伟") * 0.6 / 0.303)
    assert longer.share("欧阳建国") == pytest.approx(MODEL.share("欧阳建国") * 0.4 / 0.697)


def test_a_rare_name_tells_more_than_a_common_one():
    assert MODEL.name_bits("欧阳建国") > MODEL.name_bits("王伟")


def test_shuffled_candidates_give_one_verdict():
    anchors = [traits(n) for n in range(6)]
    scored = [score(MODEL, traits(number=""), f"p{n}", anchor, persons=9) for n, anchor in enumerate(anchors)]
    first = decide(MODEL, scored)
    random.Random(1).shuffle(scored)
    assert decide(MODEL, scored) == first
