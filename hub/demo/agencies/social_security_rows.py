"""The social security service's own documents: one JSON object a person, its own field names and codes."""

from datetime import date, timedelta
from random import Random
from typing import Any

from hub.demo.names import SKILLS, UNITS
from hub.demo.population import Someone, World, known_to, recorded_name, recorded_number, recorded_traits

BASES = ("3236.00", "4120.50", "5510.00", "8200.00")


def document(world: World, person: Someone) -> tuple[str | None, dict[str, Any]] | None:
    """(identity number as recorded, document), or None for who is not insured here."""
    dice = person.rng(world, "social-security")
    if not known_to(person, "social-security", dice):
        return None
    number = recorded_number(person, dice)
    traits = recorded_traits(world, person, "social-security")
    employed = dice.random() < 0.6
    pension = person.birth.year < world.today.year - 60
    spells = _spells(world, dice, employed=employed)
    accounts = _accounts(world, dice, employed=employed)
    trainings = _trainings(world, dice, person)
    loans = _loans(world, dice)
    return number, {
        "psn_no": f"P{person.serial('social-security', 12)}",
        "card_no": f"A{person.serial('card', 10)}",
        "psn_name": recorded_name(person, dice),
        "certno": number,
        "gend": "1" if traits.male else "2",
        "brdy": _day(traits.birth),
        "mob": traits.phone,
        "hsd_div": traits.county,
        "live_addr": traits.residence,
        "emp_cert_no": f"3607{person.serial('employment', 12)}" if dice.random() < 0.5 else None,
        "first_insured": _day(world.today - timedelta(days=dice.randrange(900, 9000))),
        "last_paid": f"{world.today - timedelta(days=20 if employed else dice.randrange(40, 900)):%Y%m}",
        "months_paid": dice.randrange(6, 260),
        "base": dice.choice(BASES),
        "pension_from": _day(world.today - timedelta(days=700)) if pension else None,
        "pension_amt": f"{dice.randrange(900, 3200)}.00" if pension else None,
        "pension_stop": pension and dice.random() < 0.1,
        "work_state": "80" if pension else "24" if employed else "70",
        "med_type": "310" if employed else "390",
        "med_state": "1" if dice.random() < 0.91 else "2",
        "cbzt": "1" if employed or dice.random() < 0.5 else "2",
        "jyzt": "1" if employed else "0",
        "key_group": dice.random() < 0.2,
        "loan_flag": bool(loans),
        "train_flag": bool(trainings),
        "accounts": accounts,
        "unemp": _unemployment(world, dice) if not employed else [],
        "jobs": spells,
        "trainings": trainings,
        "hard": _difficulties(world, dice) if not employed else [],
        "welfare_jobs": _welfare_jobs(world, dice),
        "referrals": _referrals(world, dice),
        "loans": loans,
        "upd": f"{world.today - timedelta(days=1)}T02:00:00+08:00",
    }


def _accounts(world: World, dice: Random, *, employed: bool) -> list[dict[str, Any]]:
    unit = dice.choice(UNITS)
    return [
        {
            "ins": scheme,
            "st": "1" if employed else dice.choice("123"),
            "unit": unit if employed else None,
            "uscc": _uscc(dice) if employed else None,
            "since": _day(world.today - timedelta(days=dice.randrange(300, 4000))),
            "mon": dice.randrange(3, 130),
        }
        for scheme in (("110", "210", "410") if employed else ("170",))
    ]


def _spells(world: World, dice: Random, *, employed: bool) -> list[dict[str, Any]]:
    out, day = [], world.today - timedelta(days=dice.randrange(1500, 2500))
    for order in range(1, 2 + dice.randrange(4)):
        end = day + timedelta(days=dice.randrange(100, 500))
        out.append(
            {
                "unit": dice.choice(UNITS),
                "uscc": _uscc(dice),
                "from": _day(day),
                "to": _day(end) if end < world.today else None,
                "ct": dice.choice("1123"),
            }
        )
        day = end + timedelta(days=10 + order)
    if out and not employed:
        out[-1]["to"] = out[-1]["to"] or _day(world.today - timedelta(days=30))
    return out


def _unemployment(world: World, dice: Random) -> list[dict[str, Any]]:
    day = world.today - timedelta(days=dice.randrange(30, 600))
    return [{"reg": _day(day), "why": dice.choice("12349"), "end": None}]


def _trainings(world: World, dice: Random, person: Someone) -> list[dict[str, Any]]:
    return [
        {
            "course": skill,
            "hrs": dice.choice((40, 80, 120)),
            "lvl": dice.choice("5543"),
            "cert": f"PX{person.serial('training', 8)}{order}",
            "done": _day(world.today - timedelta(days=dice.randrange(60, 1500))),
            "amt": f"{dice.choice((600, 900, 1200))}.00",
        }
        for order, skill in enumerate(dice.sample(SKILLS, dice.randrange(3)), 1)
    ]


def _difficulties(world: World, dice: Random) -> list[dict[str, Any]]:
    day = world.today - timedelta(days=dice.randrange(30, 700))
    return [{"kind": dice.choice("12345"), "on": _day(day), "until": _day(day + timedelta(days=365))}] * (
        dice.random() < 0.4
    )


def _welfare_jobs(world: World, dice: Random) -> list[dict[str, Any]]:
    day = world.today - timedelta(days=dice.randrange(30, 700))
    return [{"unit": "社区保洁", "from": _day(day), "to": None}] * (dice.random() < 0.08)


def _referrals(world: World, dice: Random) -> list[dict[str, Any]]:
    return [
        {"unit": dice.choice(UNITS), "on": _day(world.today - timedelta(days=60 * order)), "res": dice.choice("123")}
        for order in range(1, 1 + dice.randrange(3))
    ]


def _loans(world: World, dice: Random) -> list[dict[str, Any]]:
    day = world.today - timedelta(days=dice.randrange(30, 900))
    loan = {"amt": f"{dice.randrange(3, 20)}0000.00", "on": _day(day), "bank": "江西银行", "st": dice.choice("112")}
    return [loan] * (dice.random() < 0.06)


def _uscc(dice: Random) -> str:
    """The shape of a unified social credit code; no real unit's."""
    return f"91360700MA{dice.randrange(10**8):08d}"


def _day(day: date) -> str:
    return day.isoformat()
