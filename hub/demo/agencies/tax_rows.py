"""The tax service's own documents: JSON in camel case with its own codes; the key is the identity number."""

from datetime import date, timedelta
from random import Random
from typing import Any

from hub.demo.agencies.social_security_rows import _uscc
from hub.demo.names import UNITS
from hub.demo.population import Someone, World, county_name, known_to, recorded_name, recorded_number, recorded_traits


def document(world: World, person: Someone) -> tuple[str | None, dict[str, Any]] | None:
    """(identity number as recorded, document), or None for who pays no taxes here."""
    dice = person.rng(world, "tax")
    if not known_to(person, "tax", dice):
        return None
    number = recorded_number(person, dice)
    traits = recorded_traits(world, person, "tax")
    business = dice.random() < 0.12
    withheld = dice.random() < 0.55
    return number, {
        "nsrsbh": number,
        "djxh": tax_key(person),
        "xzqh": traits.residence_county,
        "jzdz": traits.residence,
        "yddh": traits.phone,
        "nsrmc": recorded_name(person, dice),
        "swjg": f"国家税务总局{county_name(person.county)[-4:]}税务局",
        "gtjy": business,
        "srqj": dice.choice("011123"),
        "bqkj": withheld,
        "jyzc": business and dice.random() < 0.8,
        "qs": dice.random() < 0.03,
        "djxx": _registrations(world, dice, person) if business else [],
        "kjdw": _employers(world, dice, withheld=withheld),
        "zdqt": _deductions(world, dice),
        "sbf": _payments(world, dice),
        "sb": [
            {
                "nd": world.today.year - back,
                "lx": "2" if business else "1",
                "rq": f"{world.today.year - back + 1}-03-{dice.randrange(1, 29):02d}",
            }
            for back in range(1, 5)
        ],
        "gxsj": f"{world.today - timedelta(days=1)}T03:00:00+08:00",
    }


def tax_key(person: Someone) -> str:
    """The registration number (登记序号) that a taxpayer has whether or not the identity number is known."""
    return f"2013{person.serial('tax', 16)}"


def _registrations(world: World, dice: Random, person: Someone) -> list[dict[str, Any]]:
    return [
        {
            "tyxydm": _uscc(dice),
            "mc": f"{person.name[:1]}记{dice.choice(('小吃店', '五金店', '理发店'))}",
            "lx": "1",
            "zt": dice.choice(("03", "03", "03", "05", "07")),
            "rq": (world.today - timedelta(days=dice.randrange(60, 2000))).isoformat(),
            "hy": dice.choice("FHO"),
            "qh": person.residence_county,
        }
    ]


def _employers(world: World, dice: Random, *, withheld: bool) -> list[dict[str, Any]]:
    out = []
    for order in range(1 + dice.randrange(3)):
        end = None if withheld and order == 0 else _month(world.today, -3 - 12 * order)
        out.append(
            {"dw": dice.choice(UNITS), "tyxydm": _uscc(dice), "q": _month(world.today, -12 * (order + 1)), "z": end}
        )
    return out


def _deductions(world: World, dice: Random) -> list[dict[str, Any]]:
    if dice.random() >= 0.08:
        return []
    day = world.today - timedelta(days=dice.randrange(30, 900))
    kind, used = dice.choice("12"), dice.randrange(0, 20)
    return [
        {
            "lx": kind,
            "q": day.isoformat(),
            "z": (day + timedelta(days=1095)).isoformat(),
            "xe": "20000.00",
            "ysy": f"{used}000.00",
            "syed": f"{20 - used}000.00",
            "zsbh": f"JY{dice.randrange(10**8):08d}",
        }
    ]


def _payments(world: World, dice: Random) -> list[dict[str, Any]]:
    return [
        {"ssq": _month(world.today, -back), "xz": dice.choice(("110", "170")), "jn": dice.random() < 0.9}
        for back in range(1, 25)
    ]


def _month(day: date, months: int) -> str:
    count = day.year * 12 + day.month - 1 + months
    return f"{count // 12:04d}-{count % 12 + 1:02d}"
