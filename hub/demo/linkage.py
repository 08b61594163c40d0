"""The records of the simulated systems as an import sees them, with the person whom each is truly about: for training
and evaluation. The same values reach the hub through connectors; a test compares both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.demo.agencies import civil_affairs_rows, justice_rows, police_rows, social_security_rows, tax_rows
from hub.demo.population import Someone, World, people
from hub.identity.matching.traits import Traits, traits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRecord:
    """`key` is the agency's own key of the record; `person` the index of whom it is about."""

    agency: str
    key: str
    person: int
    traits: Traits


_COLUMNS = {
    "justice": "number SFZH called XM sex XB birth CSRQ county HJDQH address HJDZ residence JZDZ phone LXDH",
    "police": "number gmsfhm called xm sex xbdm birth csrq county hjqh address hjdz",
    "social-security": "number certno called psn_name sex gend birth brdy county hsd_div residence live_addr phone mob",
    "civil-affairs": "number 身份证号 called 姓名 sex 性别 birth 出生日期 county 区划 address 户籍地址 residence 现住址 phone 联系电话",
    "tax": "number nsrsbh called nsrmc residence_county xzqh residence jzdz phone yddh",
}


def records(world: World) -> Iterator[TrueRecord]:
    """Every record of every agency, person after person."""
    for person in people(world):
        yield from records_of(world, person)


def records_of(world: World, person: Someone) -> Iterator[TrueRecord]:
    justice = justice_rows.rows(world, person)
    if justice is not None:
        yield _record("justice", "ZFBH", person, justice["ZF_JBXX"][0])
    police = police_rows.rows(world, person)
    if police is not None:
        yield _record("police", "rybh", person, police["rk_ryxx"][0])
    insured = social_security_rows.document(world, person)
    if insured is not None:
        yield _record("social-security", "psn_no", person, insured[1])
    relieved = civil_affairs_rows.rows(world, person)
    if relieved is not None:
        yield _record("civil-affairs", "申请人编号", person, relieved["基本信息.csv"][0])
    taxed = tax_rows.document(world, person)
    if taxed is not None:
        yield _record("tax", "djxh", person, taxed[1])


def _record(agency: str, key: str, person: Someone, row: dict[str, object]) -> TrueRecord:
    words = _COLUMNS[agency].split()
    values = {f"index.{name}": row[column] for name, column in zip(words[::2], words[1::2], strict=True)}
    return TrueRecord(agency=agency, key=str(row[key]), person=person.index, traits=traits_of(values))
