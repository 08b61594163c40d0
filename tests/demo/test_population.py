from datetime import date

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
