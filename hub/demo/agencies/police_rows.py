"""The police's own database: other names, dates as YYYYMMDD text, old 15-digit numbers, lower-case x, full-width digits."""

from datetime import date, timedelta
from random import Random
from typing import Any

from hub.demo.names import OFFENCES
from hub.demo.population import RATES, Someone, World, county_name, known_to, recorded_name, recorded_number
from hub.domain.identity_number import IdentityNumber, IdentityNumberError

Rows = dict[str, list[dict[str, Any]]]

TABLES: dict[str, tuple[str, ...]] = {
    "rk_ryxx": (
        "rybh", "gmsfhm", "xm", "xbdm", "csrq", "mzdm", "swbs", "hjqh", "hjdz", "hh", "yhzgx", "hkzt", "pcsdm", "zrmj",
        "zjyxq", "zjgs", "swzxrq", "crjzj", "zybz", "gxsj",
    ),
    "rk_xmbg": ("rybh", "xh", "yxm", "bgrq", "bgyy"),
    "rk_qyxx": ("rybh", "xh", "fx", "qyrq", "qcd", "qrd"),
    "rk_thcy": ("rybh", "xh", "xm", "gx", "csrq"),
    "rk_jzz": ("rybh", "xh", "zh", "dz", "yxqq", "yxqz", "sy"),
    "aj_xaj": ("rybh", "xh", "ajbh", "aydm", "farq", "jyrq", "qzcs", "cljg"),
    "xz_cf": ("rybh", "cfbh", "ay", "cfzl", "jdrq"),
    "gk_cs": ("rybh", "xh", "lb", "qsrq", "zzrq", "ls"),
}  # fmt: skip
INTEGERS = frozenset({"xh"})


def rows(world: World, person: Someone) -> Rows | None:
    """Everything the police hold on one person; None for who is not in their register."""
    dice = person.rng(world, "police")
    if not known_to(person, "police", dice):
        return None
    key = f"R{person.serial('police')}"
    out: Rows = {name: [] for name in TABLES}
    number = recorded_number(person, dice)
    custody = person.reoffended and dice.random() < 0.4
    out["rk_ryxx"].append(
        {
            "rybh": key,
            "gmsfhm": _dirty(number, dice) if number else None,
            "xm": recorded_name(person, dice),
            "xbdm": "1" if person.male else "2",
            "csrq": _text(person.birth),
            "mzdm": person.ethnicity,
            "swbs": "1" if person.deceased else "0",
            "hjqh": person.county,
            "hjdz": person.address,
            "hh": f"{person.county}{person.serial('household', 7)}",
            "yhzgx": dice.choice(("0", "0", "1", "2", "5")),
            "hkzt": "1" if person.deceased else dice.choice("0000002"),
            "pcsdm": f"{person.county}{dice.randrange(1, 20):02d}0000",
            "zrmj": dice.choice(("李警官", "王警官", "赵警官")),
            "zjyxq": _text(world.today + timedelta(days=dice.randrange(-200, 5000))),
            "zjgs": dice.choice("0000000001"),
            "swzxrq": _text(world.today - timedelta(days=dice.randrange(10, 800))) if person.deceased else None,
            "crjzj": dice.choice("0001"),
            "zybz": "1" if custody else "0",
            "gxsj": _text(world.today - timedelta(days=dice.randrange(1, 30))) + f"{dice.randrange(24):02d}0000",
        }
    )
    _register(out, key, world, person, dice)
    if person.reoffended:
        _case(out, key, world, dice, custody=custody)
    _punishment(out, key, world, person)
    return out


def _punishment(out: Rows, key: str, world: World, person: Someone) -> None:
    """Administrative punishments, sealed by law; members and others alike, on dice of their own."""
    dice = person.rng(world, "police/punishments")
    if dice.random() < RATES["registers"]["punished"]:
        day = world.today - timedelta(days=dice.randrange(10, 300))
        out["xz_cf"].append(
            {
                "rybh": key,
                "cfbh": f"CF36{day.year}{person.serial('punishment', 9)}",
                "ay": dice.choice(("吸毒", "赌博", "殴打他人")),
                "cfzl": dice.choice(("警告", "罚款", "行政拘留")),
                "jdrq": _text(day),
            }
        )


def _register(out: Rows, key: str, world: World, person: Someone, dice: Random) -> None:
    if dice.random() < 0.06:
        day = _text(world.today - timedelta(days=dice.randrange(1000, 9000)))
        out["rk_xmbg"].append({"rybh": key, "xh": 1, "yxm": person.name[:1] + "小毛", "bgrq": day, "bgyy": "本人申请"})
    for order in range(1, 2 + dice.randrange(3)):
        day = _text(world.today - timedelta(days=dice.randrange(500, 9000)))
        out["rk_qyxx"].append(
            {"rybh": key, "xh": order, "fx": dice.choice("12"), "qyrq": day, "qcd": "360731", "qrd": person.county}
        )
    for order, relation in enumerate(dice.sample("12567", 1 + dice.randrange(4)), 1):
        born = person.birth + timedelta(days=dice.randrange(-9000, 9000))
        name = person.name[:1] + dice.choice("建国秀英桂兰明亮")
        out["rk_thcy"].append({"rybh": key, "xh": order, "xm": name, "gx": relation, "csrq": _text(born)})
    if person.residence_county != person.county or dice.random() < 0.2:
        since = world.today - timedelta(days=dice.randrange(30, 900))
        out["rk_jzz"].append(
            {
                "rybh": key,
                "xh": 1,
                "zh": f"JZ{person.serial('permit', 9)}",
                "dz": f"{county_name(person.residence_county)}{dice.choice(('幸福里', '阳光小区'))}{dice.randrange(1, 99)}栋",
                "yxqq": _text(since),
                "yxqz": _text(since + timedelta(days=365)),
                "sy": dice.choice(("务工", "投靠亲属", "就学")),
            }
        )


def _case(out: Rows, key: str, world: World, dice: Random, *, custody: bool) -> None:
    day = world.today - timedelta(days=dice.randrange(20, 1000))
    code, name, _ = dice.choice(OFFENCES)
    out["aj_xaj"].append(
        {
            "rybh": key,
            "xh": 1,
            "ajbh": f"A36{day.year}{dice.randrange(10**7):07d}",
            "aydm": code,
            "farq": _text(day),
            "jyrq": _text(day + timedelta(days=3)),
            "qzcs": "5" if custody else "2",
            "cljg": f"{name}，{'在押' if custody else '取保候审'}",
        }
    )
    out["gk_cs"].append(
        {"rybh": key, "xh": 1, "lb": "重点人员管控", "qsrq": _text(day), "zzrq": None, "ls": dice.choice("01")}
    )


def _dirty(number: str, dice: Random) -> str:
    """As old rows hold it: 15 digits, lower-case x, full width, blanks."""
    roll = dice.random()
    if roll < 0.06 and int(number[6:10]) < 1985:
        try:
            return IdentityNumber.parse(number).fifteen or number
        except IdentityNumberError:
            return number
    if roll < 0.10:
        return number.translate(str.maketrans("0123456789X", "０１２３４５６７８９Ｘ"))
    return number.lower() if roll < 0.5 else number


def _text(day: date) -> str:
    return f"{day:%Y%m%d}"
