"""The justice system's own database: pinyin-abbreviated columns, code tables of its own, one row a prisoner."""

from datetime import date, timedelta
from random import Random
from typing import Any

from hub.demo.names import FACTORS, OFFENCES, PRISONS, SKILLS
from hub.demo.population import RATES, Someone, World, _wrong, add_years, recorded_name

Rows = dict[str, list[dict[str, Any]]]

TABLES: dict[str, tuple[str, ...]] = {
    "ZF_JBXX": tuple(
        "ZFBH DAH XM CYM CH SFZH ZJLX HSZT XB CSRQ MZ WHCD HYZK ZZMM SWBZ HJDQH HJDZ JZDZ LXDH JS JQ GZBX JNSL LF QKCS "
        "ZMLB SFLX SFRQ SFZSBH FXLB SWRY ZDYY JKZK YHSBZ ZSSL BJQQ BJQZ JCYY FCBZ GXSJ".split()
    ),
    "ZF_XF": ("ZFBH", "XH", "PJSH", "FY", "PJRQ", "XZ", "XQY", "QR", "ZR"),
    "ZF_ZM": ("ZFBH", "XH", "AYDM", "ZM", "LB", "ZZ"),
    "ZF_XQBD": ("ZFBH", "XH", "LX", "RQ", "YS", "CDSH"),
    "ZF_FJX": ("ZFBH", "XH", "ZL", "QX", "JE", "JQBZ"),
    "ZF_PG": ("ZFBH", "XH", "RQ", "GJ", "FZ", "LB", "YS", "FHR"),
    "ZF_JN": ("ZFBH", "XH", "MC", "DJ", "RQ"),
    "ZF_ZS": ("ZFBH", "XH", "MC", "BH", "DJ", "RQ"),
    "ZF_JC": ("ZFBH", "XH", "LB", "RQ", "SY"),
    "ZF_CJJY": ("ZFBH", "XH", "KC", "RQ", "HG"),
    "ZF_JT": ("ZFBH", "XH", "GX", "XM", "DH", "TD"),
    "ZF_ZN": ("ZFBH", "XH", "XM", "CSRQ", "JHR", "JX"),
    "ZF_XJ": ("ZFBH", "XH", "JG", "RQ", "RS", "JSR", "JJ", "SM"),
    "ZF_FA": ("ZFBH", "XH", "RQ", "XY", "ZRR", "DH", "RS", "MB"),
    "ZF_ZF": ("ZFBH", "XH", "RQ", "FS", "ZY", "XQ", "XC"),
    "ZF_AZ": ("ZFBH", "XH", "QK", "JD", "QSRQ", "ZZRQ", "BT"),
    "ZF_GX": ("ZFBH", "XH", "QH", "LX", "QSRQ", "ZZRQ"),
}
"""Columns of every table, all text but the counters; `ZFBH` is the prisoner number, `XH` the order within a person."""

INTEGERS = frozenset({"XH", "QKCS", "JNSL", "ZSSL", "XQY", "ZF_XQBD.YS", "QX", "FZ", "RS"})

CODE_TABLE: dict[str, dict[str, str]] = {
    "XB": {"M": "男", "F": "女"},
    "WHCD": {"B": "本科", "D": "大专", "Z": "中专", "G": "高中", "C": "初中", "X": "小学", "Q": "其他"},
    "HYZK": {"W": "未婚", "Y": "已婚", "L": "离异", "S": "丧偶"},
    "ZMLB": {chr(64 + n): f"刑法分则第{n}章" for n in range(1, 11)},
    "FXLB": {"Z": "重点", "Y": "一般"},
}
"""The system's own code tables, published in its table DM_ZD."""


def rows(world: World, person: Someone) -> Rows | None:
    """Everything justice holds on one person; None for who was never in prison."""
    if not person.member or person.released is None or person.term_end is None:
        return None
    dice = person.rng(world, "justice")
    key = f"36{person.index:08d}"
    out: Rows = {name: [] for name in TABLES}
    chapter = _criminal_record(out, key, person, dice)
    _custody(out, key, person, dice)
    _family(out, key, person, dice)
    if person.released <= world.today:
        _assistance(out, key, world, person, dice)
    _offices(out, key, person)
    out["ZF_JBXX"].append(_main(world, person, dice, key, chapter, out))
    return out


def _main(world: World, person: Someone, dice: Random, key: str, chapter: str, out: Rows) -> dict[str, Any]:
    assert person.released is not None
    assert person.term_end is not None
    number: str | None = person.number
    if not person.guaranteed and dice.random() < RATES["numbers"]["bad"]:
        number = _wrong(person.number, dice) if dice.random() < 0.5 else None
    over = person.term_end <= world.today
    conflicting = not person.guaranteed and dice.random() < RATES["members"]["conflicting_address"]
    return {
        "ZFBH": key,
        "DAH": f"DA{person.released.year}{person.index:06d}",
        "XM": recorded_name(person, dice),
        "CYM": person.name[:1] + "小" + person.name[-1:] if dice.random() < 0.08 else None,
        "CH": "阿" + person.name[-1:] if dice.random() < 0.15 else None,
        "SFZH": number,
        "ZJLX": "01" if number else "09",
        "HSZT": "1" if dice.random() < 0.96 else "0",
        "XB": "M" if person.male else "F",
        "CSRQ": person.birth.isoformat(),
        "MZ": person.ethnicity,
        "WHCD": dice.choice("BDZGCCCXXQ"),
        "HYZK": dice.choice("WWYYYLLS"),
        "ZZMM": "13" if dice.random() < 0.9 else dice.choice(("01", "03")),
        "SWBZ": "1" if person.deceased else "0",
        "HJDQH": person.county,
        "HJDZ": person.address.replace("号", "号之一") if conflicting else person.address,
        "JZDZ": person.residence,
        "LXDH": person.phone,
        "JS": dice.choice(PRISONS),
        "JQ": f"{dice.randrange(1, 12)}监区",
        "GZBX": dice.choice("AABBBCCD"),
        "JNSL": len(out["ZF_JN"]),
        "LF": "1" if dice.random() < 0.12 else "0",
        "QKCS": dice.choice((0, 0, 0, 1, 1, 2)),
        "ZMLB": chapter,
        "SFLX": "5" if person.correction else dice.choice("1111112"),
        "SFRQ": person.released.isoformat() if person.released <= world.today else None,
        "SFZSBH": f"赣释{person.released.year}{person.index:06d}" if person.released <= world.today else None,
        "FXLB": "Z" if person.key_person else "Y",
        "SWRY": "1" if dice.random() < (0.5 if person.key_person else 0.02) else "0",
        "ZDYY": ";".join(dice.sample(FACTORS, 2)) if person.key_person else None,
        "JKZK": dice.choice("1111223345"),
        "YHSBZ": "1" if dice.random() < 0.03 else "0",
        "ZSSL": len(out["ZF_ZS"]),
        "BJQQ": person.released.isoformat(),
        "BJQZ": person.term_end.isoformat(),
        "JCYY": ("3" if person.deceased else "2" if person.reoffended else "1") if over else None,
        "FCBZ": "1" if person.vaulted else "0",
        "GXSJ": f"{world.today - timedelta(days=dice.randrange(1, 60))} {dice.randrange(24):02d}:{dice.randrange(60):02d}:00",
    }


def _criminal_record(out: Rows, key: str, person: Someone, dice: Random) -> str:
    """Sentences, offences, changes, supplementary penalties; the chapter of the main offence."""
    assert person.released is not None
    main = ""
    for order in range(1, (3 if person.reoffended else 2)):
        out["ZF_XF"].append(_sentence(key, order, person.released, dice))
        for code, name, chapter in dice.sample(OFFENCES, 1 + (dice.random() < 0.2)):
            letter = chr(64 + int(chapter))
            first = not main
            main = main or letter
            number = len(out["ZF_ZM"]) + 1
            out["ZF_ZM"].append(
                {"ZFBH": key, "XH": number, "AYDM": code, "ZM": name, "LB": letter, "ZZ": "1" if first else "0"}
            )
    for order in range(1, 1 + dice.randrange(3)):
        day = person.released - timedelta(days=200 * order)
        out["ZF_XQBD"].append(
            {
                "ZFBH": key,
                "XH": order,
                "LX": "1",
                "RQ": day.isoformat(),
                "YS": -dice.randrange(1, 9),
                "CDSH": f"({day.year})赣刑更{dice.randrange(1, 999)}号",
            }
        )
    if dice.random() < 0.6:
        out["ZF_FJX"].append(
            {
                "ZFBH": key,
                "XH": 1,
                "ZL": "1",
                "QX": None,
                "JE": f"{dice.randrange(1, 50) * 1000}.00",
                "JQBZ": dice.choice("01"),
            }
        )
    return main


def _sentence(key: str, order: int, released: date, dice: Random) -> dict[str, Any]:
    months = dice.randrange(8, 120)
    started = released - timedelta(days=months * 30 + (order - 1) * 3000)
    court = f"{dice.choice(('章贡区', '南康区', '信丰县', '于都县'))}人民法院"
    return {
        "ZFBH": key,
        "XH": order,
        "PJSH": f"({started.year})赣刑初{dice.randrange(1, 999)}号",
        "FY": court,
        "PJRQ": started.isoformat(),
        "XZ": "1",
        "XQY": months,
        "QR": started.isoformat(),
        "ZR": (started + timedelta(days=months * 30)).isoformat(),
    }


def _custody(out: Rows, key: str, person: Someone, dice: Random) -> None:
    """Assessments, skills, certificates, rewards, exit education."""
    assert person.released is not None
    for order in range(1, 2 + dice.randrange(2)):
        out["ZF_PG"].append(
            {
                "ZFBH": key,
                "XH": order,
                "RQ": (person.released - timedelta(days=45 * order)).isoformat(),
                "GJ": "出监评估量表",
                "FZ": dice.randrange(60, 100) if person.key_person else dice.randrange(5, 60),
                "LB": "Z" if person.key_person else "Y",
                "YS": ";".join(dice.sample(FACTORS, 1 + dice.randrange(3))),
                "FHR": "刘复核",
            }
        )
    for order, skill in enumerate(dice.sample(SKILLS, dice.randrange(3)), 1):
        day = (person.released - timedelta(days=300)).isoformat()
        level = dice.choice("5543")
        out["ZF_JN"].append({"ZFBH": key, "XH": order, "MC": skill, "DJ": level, "RQ": day})
        if dice.random() < 0.7:
            out["ZF_ZS"].append(
                {
                    "ZFBH": key,
                    "XH": order,
                    "MC": f"{skill}证书",
                    "BH": f"ZS{person.index:07d}{order}",
                    "DJ": level,
                    "RQ": day,
                }
            )
    for order in range(1, 1 + dice.randrange(4)):
        day = (person.released - timedelta(days=400 + 150 * order)).isoformat()
        out["ZF_JC"].append({"ZFBH": key, "XH": order, "LB": dice.choice("1113"), "RQ": day, "SY": "劳动表现突出"})
    for order, course in enumerate(("法治教育", "心理辅导", "就业指导"), 1):
        day = (person.released - timedelta(days=80 - order * 10)).isoformat()
        out["ZF_CJJY"].append({"ZFBH": key, "XH": order, "KC": course, "RQ": day, "HG": dice.choice("1111110")})


def _family(out: Rows, key: str, person: Someone, dice: Random) -> None:
    for order, relation in enumerate(dice.sample("15678", 1 + dice.randrange(3)), 1):
        out["ZF_JT"].append(
            {
                "ZFBH": key,
                "XH": order,
                "GX": relation,
                "XM": person.name[:1] + dice.choice("建国秀英桂兰"),
                "DH": f"139{dice.randrange(10**8):08d}",
                "TD": dice.choice("11123"),
            }
        )
    if dice.random() < 0.25:
        born = add_years(person.birth, 28)
        out["ZF_ZN"].append(
            {
                "ZFBH": key,
                "XH": 1,
                "XM": person.name[:1] + dice.choice("子梓") + dice.choice("轩涵萱"),
                "CSRQ": born.isoformat(),
                "JHR": person.name[:1] + "桂花",
                "JX": dice.choice("1223"),
            }
        )


def _assistance(out: Rows, key: str, world: World, person: Someone, dice: Random) -> None:
    """Hand-over, plan, visits, placement after release."""
    assert person.released is not None
    assert person.term_end is not None
    refused = dice.random() < RATES["members"]["refused_pickup"]
    out["ZF_XJ"].append(
        {
            "ZFBH": key,
            "XH": 1,
            "JG": "06" if refused else dice.choice(("01", "02", "03", "03", "05", "07")),
            "RQ": person.released.isoformat(),
            "RS": dice.randrange(2, 6),
            "JSR": "司法所张助理",
            "JJ": "1" if refused else "0",
            "SM": "本人自行返回" if refused else None,
        }
    )
    out["ZF_FA"].append(
        {
            "ZFBH": key,
            "XH": 1,
            "RQ": (person.released + timedelta(days=9)).isoformat(),
            "XY": "0" if refused else "1",
            "ZRR": "陈志愿",
            "DH": f"138{dice.randrange(10**8):08d}",
            "RS": dice.randrange(3, 7),
            "MB": "稳定住所，落实就业",
        }
    )
    _visits(out, key, person, until=min(world.today, person.term_end), dice=dice)
    if dice.random() < 0.9:
        out["ZF_AZ"].append(_placement(key, person.released, dice))


def _placement(key: str, released: date, dice: Random) -> dict[str, Any]:
    return {
        "ZFBH": key,
        "XH": 1,
        "QK": f"0{dice.randrange(1, 8)}",
        "JD": "赣州市过渡性安置基地" if dice.random() < 0.3 else None,
        "QSRQ": (released + timedelta(days=20)).isoformat(),
        "ZZRQ": None,
        "BT": f"{dice.choice((0, 0, 3000, 10000))}.00",
    }


def _visits(out: Rows, key: str, person: Someone, *, until: date, dice: Random) -> None:
    assert person.released is not None
    every = timedelta(days=30 if person.key_person else 90)
    day, order = person.released + timedelta(days=7), 1
    while day < until and order <= 12:
        out["ZF_ZF"].append(
            {
                "ZFBH": key,
                "XH": order,
                "RQ": day.isoformat(),
                "FS": dice.choice("1123"),
                "ZY": dice.choice(("思想稳定", "求职中", "家庭和睦", "情绪低落，已疏导")),
                "XQ": dice.choice((None, "就业", "低保", "医保")),
                "XC": (day + every).isoformat(),
            }
        )
        day, order = day + every, order + 1


def _offices(out: Rows, key: str, person: Someone) -> None:
    """Responsible offices: household always, residence where it differs (joint assistance)."""
    assert person.released is not None
    since = (person.released - timedelta(days=30)).isoformat()
    out["ZF_GX"].append({"ZFBH": key, "XH": 1, "QH": person.township, "LX": "H", "QSRQ": since, "ZZRQ": None})
    if person.residence_county != person.county:
        out["ZF_GX"].append(
            {"ZFBH": key, "XH": 2, "QH": f"{person.residence_county}001", "LX": "J", "QSRQ": since, "ZZRQ": None}
        )
