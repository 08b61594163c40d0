from datetime import date
from itertools import pairwise

from hub.demo.agencies import civil_affairs_rows, justice_rows, police_rows, social_security_rows, tax_rows
from hub.demo.population import RATES, World, people, someone
from hub.domain.identity_number import IdentityNumber

WORLD = World(seed=7, members=2000, today=date(2026, 11, 24))
EVERYBODY = list(people(WORLD))
MEMBERS = EVERYBODY[:2000]


def share(condition) -> float:
    return sum(map(bool, condition)) / len(condition)


def test_person_i_is_always_the_same():
    assert [someone(WORLD, index) for index in (0, 17, 1999, 5999)] == [EVERYBODY[i] for i in (0, 17, 1999, 5999)]
    assert someone(World(seed=8, members=2000, today=WORLD.today), 17) != EVERYBODY[17]


def test_numbers_are_valid_unique_and_in_a_range_that_is_never_issued():
    numbers = [person.number for person in EVERYBODY]
    assert len(set(numbers)) == len(numbers)
    for person in EVERYBODY:
        parsed = IdentityNumber.parse(person.number)
        assert parsed.region.endswith("00")  # a prefecture registers no households
        assert (parsed.birth_date, parsed.male) == (person.birth, person.male)


def test_rates_are_those_of_the_committed_file():
    rates = RATES["members"]
    free = [person for person in MEMBERS if not person.guaranteed]
    assert abs(share([p.key_person for p in MEMBERS]) - rates["key_person"]) < 0.02
    assert abs(share([p.vaulted for p in free]) - rates["vaulted"]) < 0.01
    assert abs(share([p.reoffended for p in free]) - rates["reoffended"]) < 0.02
    in_term = [p.released <= WORLD.today < p.term_end for p in free]
    assert abs(share(in_term) - rates["in_term"]) < 0.05


def test_the_demo_county_has_its_guaranteed_members():
    inside = [p for p in MEMBERS if p.guaranteed and p.county == "360702"]
    assert len(inside) >= 60
    assert all(p.released <= WORLD.today < p.term_end and not p.deceased and not p.vaulted for p in inside)
    assert len([p for p in MEMBERS if p.guaranteed and p.county != "360702"]) >= 60


def test_twice_as_many_were_never_in_prison_and_have_no_sentence():
    others = EVERYBODY[2000:]
    assert len(others) == 2 * len(MEMBERS)
    assert all(justice_rows.rows(WORLD, person) is None for person in others)


def test_vaulted_persons_were_minors():
    for person in MEMBERS:
        if person.vaulted:
            assert person.released.year - person.birth.year == 17


def test_keys_of_other_registers_do_not_follow_membership():
    members = sorted(p.serial("social-security", 12) for p in MEMBERS)
    others = sorted(p.serial("social-security", 12) for p in EVERYBODY[2000:])
    middle = members[len(members) // 2]
    assert 0.4 < share([key < middle for key in others]) < 0.6
    assert len({p.serial("police") for p in EVERYBODY}) == len(EVERYBODY)


def values(held) -> int:
    if isinstance(held, dict):
        return sum(map(values, held.values()))
    if isinstance(held, list):
        return sum(map(values, held))
    return held not in (None, "")


def test_agencies_hold_more_than_300_values_a_member():
    total = 0
    for person in MEMBERS[:200]:
        for module in (justice_rows, police_rows, civil_affairs_rows):
            total += values(module.rows(WORLD, person) or {})
        for module in (social_security_rows, tax_rows):
            document = module.document(WORLD, person)
            total += values(document[1]) if document else 0
    assert total / 200 >= 300


def test_agency_records_are_dirty_at_the_committed_rates():
    numbers = [
        document[0] for p in EVERYBODY if not p.guaranteed and (document := tax_rows.document(WORLD, p)) is not None
    ]
    assert abs(share([number is None for number in numbers]) - RATES["numbers"]["missing_in_agency"]) < 0.02


def test_people_conflict_vary_move_and_pair_at_the_committed_rates():
    free = [p for p in MEMBERS if not p.guaranteed]
    rows = {p.index: justice_rows.rows(WORLD, p)["ZF_JBXX"][0] for p in free}
    numbers, members = RATES["numbers"], RATES["members"]
    pairs = [(a, b) for a, b in pairwise(EVERYBODY) if a.birth == b.birth]
    same = [a.name == b.name for a, b in pairs]
    for found, rate, off in (
        (share([p.deceased for p in free]), members["deceased"], 0.01),
        (share([p.residence_county != p.county for p in free]), members["split_residence"], 0.03),
        (share([not p.county.startswith("36") for p in free]), members["cross_province"], 0.02),
        (share([rows[p.index]["HJDZ"] != p.address for p in free]), members["conflicting_address"], 0.015),
        (share([rows[p.index]["SFZH"] != p.number for p in free]), numbers["bad"], 0.008),
        (share([rows[p.index]["XM"] != p.name for p in free]), numbers["name_variant"], 0.015),
        (len(pairs) / len(EVERYBODY), numbers["twins"] + numbers["same_name_same_birthday"], 0.006),
        (sum(same) / len(EVERYBODY), numbers["same_name_same_birthday"], 0.004),
        (share([n is not None and n != p.number for p, n in tax_numbers()]), numbers["wrong_in_agency"], 0.01),
    ):
        assert abs(found - rate) < off, (found, rate)


def tax_numbers():
    documents = ((p, tax_rows.document(WORLD, p)) for p in EVERYBODY if not p.guaranteed)
    return [(p, document[0]) for p, document in documents if document is not None]


def test_police_write_numbers_as_old_systems_do():
    rows = [held["rk_ryxx"][0]["gmsfhm"] for p in EVERYBODY if (held := police_rows.rows(WORLD, p))]
    kinds = {
        "fifteen": share([len(n or "") == 15 for n in rows]),
        "full width": share([bool(n) and not n.isascii() for n in rows]),
        "lower case": share([bool(n) and n.endswith("x") for n in rows]),
    }
    assert min(kinds.values()) > 0.01, kinds
