"""The civil affairs drop: Chinese headers, several files, one row a fact."""

from datetime import timedelta
from random import Random
from typing import Any

from hub.demo.population import Someone, World, known_to, recorded_name, recorded_number, recorded_traits

FILES: dict[str, tuple[str, ...]] = {
    "基本信息.csv": (
        "身份证号", "申请人编号", "姓名", "家庭人口", "与申请人关系", "火化日期", "监护类别", "福利机构", "低收入", "在保", "残疾", "更新日期",
        "性别", "出生日期", "区划", "户籍地址", "现住址", "联系电话",
    ),
    "社会救助.csv": (
        "身份证号", "救助类型", "救助证号", "申请日期", "受理日期", "审批结果", "有效期起", "有效期止", "月金额", "卡尾号", "停发原因",
    ),
    "残疾人.csv": ("身份证号", "残疾类别", "残疾等级", "残疾证号", "发证日期"),
    "婚姻登记.csv": ("身份证号", "婚姻状态", "登记日期", "解除日期", "登记证号"),
    "家庭成员.csv": ("身份证号", "姓名", "关系", "在校"),
    "高龄津贴.csv": ("身份证号", "起始日期", "月金额"),
}  # fmt: skip


Row = dict[str, Any]


def rows(world: World, person: Someone) -> dict[str, list[Row]] | None:
    """Rows of every file for one person; None for who is unknown to civil affairs."""
    dice = person.rng(world, "civil-affairs")
    if not known_to(person, "civil-affairs", dice):
        return None
    number = recorded_number(person, dice) or ""
    relief, disabled, married = dice.random() < 0.4, dice.random() < 0.08, dice.random() < 0.7
    out: dict[str, list[Row]] = {name: [] for name in FILES}
    out["基本信息.csv"].append(_basic(world, person, dice, number, relief=relief, disabled=disabled))
    if relief:
        out["社会救助.csv"] += [_relief(world, dice, number) for _ in range(1 + dice.randrange(2))]
    if disabled:
        out["残疾人.csv"].append(_disability(world, dice, number))
    if married:
        out["婚姻登记.csv"].append(_marriage(world, dice, number))
    for relation in dice.sample(("配偶", "子", "女", "父母"), dice.randrange(1, 4)):
        out["家庭成员.csv"].append(
            {
                "身份证号": number,
                "姓名": person.name[:1] + dice.choice("平安喜乐"),
                "关系": relation,
                "在校": dice.choice("是否否"),
            }
        )
    if person.birth.year < world.today.year - 70:
        out["高龄津贴.csv"].append({"身份证号": number, "起始日期": _day(world, dice, 30, 900), "月金额": "100.00"})
    return out


def _basic(world: World, person: Someone, dice: Random, number: str, *, relief: bool, disabled: bool) -> Row:
    traits = recorded_traits(world, person, "civil-affairs")
    return {
        "身份证号": number,
        "申请人编号": f"MZ{person.serial('civil-affairs', 10)}",
        "姓名": recorded_name(person, dice),
        "家庭人口": dice.randrange(1, 7),
        "与申请人关系": dice.choice(("本人", "本人", "配偶", "子")),
        "火化日期": _day(world, dice, 10, 700) if person.deceased else "",
        "监护类别": dice.choice(("无", "无", "无", "留守")),
        "福利机构": "",
        "低收入": "是" if relief else "否",
        "在保": "是" if relief else "否",
        "残疾": "是" if disabled else "否",
        "更新日期": world.today.strftime("%Y/%m/%d"),
        "性别": "男" if traits.male else "女",
        "出生日期": traits.birth.strftime("%Y/%m/%d"),
        "区划": traits.county,
        "户籍地址": traits.address or "",
        "现住址": traits.residence or "",
        "联系电话": traits.phone or "",
    }


def _relief(world: World, dice: Random, number: str) -> Row:
    return {
        "身份证号": number,
        "救助类型": dice.choice(("低保", "低保", "特困", "低保边缘", "临时救助")),
        "救助证号": f"DB{dice.randrange(10**8):08d}",
        "申请日期": _day(world, dice, 400, 900),
        "受理日期": _day(world, dice, 380, 390),
        "审批结果": dice.choice(("批准", "批准", "停发")),
        "有效期起": _day(world, dice, 300, 370),
        "有效期止": _day(world, dice, -300, -10),
        "月金额": f"{dice.randrange(300, 900)}.00",
        "卡尾号": f"{dice.randrange(10**4):04d}",
        "停发原因": "",
    }


def _disability(world: World, dice: Random, number: str) -> Row:
    return {
        "身份证号": number,
        "残疾类别": dice.choice(("视力", "听力", "肢体", "智力")),
        "残疾等级": dice.choice(("一级", "二级", "三级", "四级")),
        "残疾证号": f"CJ{dice.randrange(10**8):08d}",
        "发证日期": _day(world, dice, 300, 3000),
    }


def _marriage(world: World, dice: Random, number: str) -> Row:
    ended = dice.random() < 0.25
    return {
        "身份证号": number,
        "婚姻状态": "离婚" if ended else "已婚",
        "登记日期": _day(world, dice, 3000, 8000),
        "解除日期": _day(world, dice, 100, 2900) if ended else "",
        "登记证号": f"J360{dice.randrange(10**8):08d}",
    }


def _day(world: World, dice: Random, low: int, high: int) -> str:
    """A day from `low` to `high` days ago, as the drop writes it."""
    return (world.today - timedelta(days=dice.randrange(low, high))).strftime("%Y/%m/%d")
