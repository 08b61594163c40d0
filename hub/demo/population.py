"""The simulated province: person number i of a seed, always the same, made without knowing any other person.

Identity numbers carry the code of a prefecture (36xx00), which never registers households and so never issues numbers;
dates and check characters are valid. Day and sequence follow from i, so that no two persons share a number.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from random import Random

from hub.demo.names import GIVEN, HOMOPHONES, ROADS, SURNAMES, TOWNSHIPS
from hub.domain.codes_reader import read_codes
from hub.domain.identity_number import check_character

RATES = tomllib.loads(Path(__file__).with_name("rates.toml").read_text("utf-8"))
BIRTH_DAYS = 18_250  # coprime with STRIDE, so that BIRTH_DAYS persons in a row are born on different days
STRIDE = 7_919
FIRST_BIRTH = date(1940, 1, 1)
SEQUENCES = 200  # places a day; 77 is coprime, so that the place of person i among those of a day is no order of i


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything the population depends on. `today` is the day the data are made for."""

    seed: int
    members: int
    today: date

    @property
    def total(self) -> int:
        return self.members * (1 + int(RATES["others_per_member"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """One true person. Agencies write down their own, more or less faulty, version."""

    index: int
    member: bool
    guaranteed: bool
    name: str
    male: bool
    birth: date
    number: str
    ethnicity: str
    county: str
    township: str
    residence_county: str
    address: str
    residence: str
    phone: str
    deceased: bool
    key_person: bool
    vaulted: bool
    reoffended: bool
    correction: bool
    released: date | None
    term_end: date | None

    def serial(self, agency: str, digits: int = 15) -> str:
        """The number an agency files this person under; tells nothing of `index`, so nothing of membership."""
        digest = blake2b(f"{agency}/{self.index}/{self.number}".encode(), digest_size=8).digest()
        return f"{int.from_bytes(digest, 'big') % 10**digits:0{digits}d}"

    def rng(self, world: World, agency: str) -> Random:
        """The agency's own dice for this person."""
        return Random(f"{world.seed}/{self.index}/{agency}")


def people(world: World) -> Iterator[Someone]:
    """Members first (0 to members - 1), then those who were never in prison."""
    return (someone(world, index) for index in range(world.total))


def someone(world: World, index: int) -> Someone:
    """Person number `index`. Cost: about 60 µs."""
    dice = Random(f"{world.seed}/{index}")
    member = index < world.members
    guaranteed, guaranteed_in = _guaranteed(world, index)
    rates = RATES["members"]
    male = dice.random() < 0.9
    like = _sibling(dice, index, guaranteed)
    day = (index if like is None else index - 1) * STRIDE % BIRTH_DAYS
    birth = FIRST_BIRTH + timedelta(days=day)
    name = _name(dice)
    if like == "same":
        name = _name(_after_first(Random(f"{world.seed}/{index - 1}")))
    county = _county(dice, guaranteed=guaranteed, guaranteed_in=guaranteed_in)
    family = someone(world, index - 1) if like == "twin" else None
    if family is not None:
        name, county = _surname(family.name) + name[len(_surname(name)) :], family.county
    township = f"{county}{1 + dice.randrange(8):03d}"
    moved = dice.random() < rates["split_residence"]
    residence_county = dice.choice(_counties()) if moved and not guaranteed else county
    sequence = 4 * ((index // BIRTH_DAYS * 77 + day * 31) % SEQUENCES) + (2 if like else 0) + (1 if male else 0)
    released, term_end, correction = _release(dice, world, member=member, in_term=guaranteed_in)
    vaulted = member and not guaranteed and dice.random() < rates["vaulted"]
    if vaulted:  # sealed by law: not yet 18 at the offence
        released = add_years(birth, 17)
        term_end = add_years(released, 3 if correction else 5)
    made = Someone(
        index=index,
        member=member,
        guaranteed=guaranteed,
        name=name,
        male=male,
        birth=birth,
        number=_number(f"{county[:4]}00", birth, 100 + sequence),
        ethnicity="01" if dice.random() < 0.97 else f"{dice.randrange(2, 57):02d}",
        county=county,
        township=township,
        residence_county=residence_county,
        address=_address(dice, county),
        residence=_address(dice, residence_county),
        phone=f"1{dice.choice('3589')}{dice.randrange(10**9):09d}",
        deceased=not guaranteed and dice.random() < rates["deceased"],
        key_person=member and dice.random() < rates["key_person"],
        vaulted=vaulted,
        reoffended=member and not guaranteed and dice.random() < rates["reoffended"],
        correction=correction,
        released=released,
        term_end=term_end,
    )
    return made if family is None else _twin(made, family, dice)


def recorded_number(person: Someone, dice: Random) -> str | None:
    """The identity number as an agency has it: right, missing, or wrong."""
    if person.guaranteed:
        return person.number
    roll = dice.random()
    if roll < RATES["numbers"]["missing_in_agency"]:
        return None
    if roll < RATES["numbers"]["missing_in_agency"] + RATES["numbers"]["wrong_in_agency"]:
        return _wrong(person.number, dice)
    return person.number


def recorded_name(person: Someone, dice: Random) -> str:
    """The name as an agency has it; sometimes its last character is a homophone."""
    if person.guaranteed or dice.random() >= RATES["numbers"]["name_variant"]:
        return person.name
    return person.name[:-1] + HOMOPHONES[person.name[-1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What an agency has written down beside number and name; each may be wrong, old or missing."""

    birth: date
    male: bool
    phone: str | None
    county: str
    address: str | None
    residence_county: str
    residence: str | None


def recorded_traits(world: World, person: Someone, agency: str) -> Traits:
    """The agency's version of birth date, sex, phone and places, on dice of their own."""
    dice = person.rng(world, f"{agency}/traits")
    rates = {name: 0.0 if person.guaranteed else float(rate) for name, rate in RATES["traits"].items()}
    birth, male = person.birth, person.male
    if dice.random() < rates["birth_wrong"]:
        birth = _wrong_date(birth, dice)
    if dice.random() < rates["sex_wrong"]:
        male = not male
    roll, other = dice.random(), f"1{dice.choice('3589')}{dice.randrange(10**9):09d}"
    missing, changed = rates["phone_missing"], rates["phone_changed"]
    phone = None if roll < missing else other if roll < missing + changed else person.phone
    roll, county = dice.random(), dice.choice(_counties())
    moved = _address(dice, county)
    address, residence_county, residence = person.address, person.residence_county, person.residence
    if roll < rates["address_missing"]:
        return Traits(
            birth=birth,
            male=male,
            phone=phone,
            county=person.county,
            address=None,
            residence_county=residence_county,
            residence=None,
        )
    if roll < rates["address_missing"] + rates["address_changed"]:
        address, residence_county, residence = moved, county, moved
    return Traits(
        birth=birth,
        male=male,
        phone=phone,
        county=person.county,
        address=address,
        residence_county=residence_county,
        residence=residence,
    )


def known_to(person: Someone, agency: str, dice: Random) -> bool:
    return person.guaranteed or dice.random() < RATES["registers"][agency]


def add_years(day: date, years: int) -> date:
    """The same day `years` later, the last of the month where it is missing."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _guaranteed(world: World, index: int) -> tuple[bool, bool]:
    """Whether this person has clean records everywhere, and whether also in term in the demo county.

    Others have guaranteed ones in the same share as members, so that clean records do not tell members apart.
    """
    rank = index if index < world.members else (index - world.members) // RATES["others_per_member"]
    within = rank < RATES["guaranteed"]["window"]
    return within and rank % 3 < 2, within and rank % 3 == 0


def _sibling(dice: Random, index: int, guaranteed: bool) -> str | None:
    """Whether this person is the previous one's twin, or shares name and birthday by chance."""
    roll = dice.random()
    if guaranteed or index % BIRTH_DAYS == 0 or index < RATES["guaranteed"]["window"]:
        return None
    if roll < RATES["numbers"]["twins"]:
        return "twin"
    return "same" if roll < RATES["numbers"]["twins"] + RATES["numbers"]["same_name_same_birthday"] else None


def _after_first(dice: Random) -> Random:
    """Dice where the previous person's name was drawn: after the two draws before it."""
    dice.random()
    dice.random()
    return dice


def _number(region: str, birth: date, sequence: int) -> str:
    body = f"{region}{birth:%Y%m%d}{sequence:03d}"
    return body + check_character(body)


def _wrong(number: str, dice: Random) -> str:
    position = dice.randrange(6, 17)
    digit = str((int(number[position]) + 1 + dice.randrange(8)) % 10)
    return number[:position] + digit + number[position + 1 :]


def _wrong_date(birth: date, dice: Random) -> date:
    """A clerk's slip: day and month swapped where that is a date, or another year or day."""
    kind = dice.randrange(3)
    if kind == 0 and birth.day <= 12 and birth.day != birth.month:
        return birth.replace(month=birth.day, day=birth.month)
    if kind == 1:
        return add_years(birth, dice.choice((-10, -1, 1, 10)))
    return birth.replace(day=birth.day % 28 + 1)


def _surname(name: str) -> str:
    return name[:2] if name[:2] in SURNAMES else name[:1]


def _twin(made: Someone, other: Someone, dice: Random) -> Someone:
    """Twins grew up in one household: one surname, one address, often one telephone."""
    shared = dice.random() < RATES["traits"]["twins_share_phone"]
    return replace(
        made,
        township=other.township,
        residence_county=other.residence_county,
        address=other.address,
        residence=other.residence,
        phone=other.phone if shared else made.phone,
    )


def _name(dice: Random) -> str:
    return dice.choice(SURNAMES) + "".join(dice.choice(GIVEN) for _ in range(1 + (dice.random() < 0.7)))


@lru_cache
def _counties() -> tuple[str, ...]:
    """Counties of Jiangxi in force."""
    today = date(2026, 1, 1)
    items = read_codes()["region"].items
    return tuple(i.code for i in items if i.code.startswith("36") and i.code[4:] != "00" and i.valid_on(today))


@lru_cache
def county_name(code: str) -> str:
    region = read_codes()["region"]
    parts = [region.item(code[:2] + "0000"), region.item(code[:4] + "00"), region.item(code)]
    return "".join(dict.fromkeys(part.zh for part in parts if part is not None))


def _county(dice: Random, *, guaranteed: bool, guaranteed_in: bool) -> str:
    demo: str = RATES["guaranteed"]["county"]
    roll, pick, abroad = dice.random(), dice.choice(_counties()), dice.choice(("440100", "330200", "430100"))
    if guaranteed_in:
        return demo
    if guaranteed:
        return pick if pick != demo else "360731"
    if roll < RATES["guaranteed"]["share_in_county"]:
        return demo
    if roll > 1 - RATES["members"]["cross_province"]:
        return abroad
    return pick


def _address(dice: Random, county: str) -> str:
    return f"{county_name(county)}{dice.choice(TOWNSHIPS)}{dice.choice(ROADS)}{dice.randrange(1, 400)}号"


def _release(dice: Random, world: World, *, member: bool, in_term: bool) -> tuple[date | None, date | None, bool]:
    rates = RATES["members"]
    correction = dice.random() < rates["after_correction"]
    years = 3 if correction else 5
    roll, within, before = dice.random(), dice.random(), dice.random()
    if not member:
        return None, None, False
    if not in_term and roll < rates["not_yet_released"]:
        released = world.today + timedelta(days=10 + int(within * 300))
    elif in_term or roll < rates["not_yet_released"] + rates["in_term"]:
        released = world.today - timedelta(days=20 + int(within * (365 * years - 120)))
    else:
        released = world.today - timedelta(days=365 * years + 60 + int(before * 3650))
    return released, add_years(released, years), correction
