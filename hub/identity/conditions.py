"""Conditions J, T, C and N of DOMAIN section 3.2 as SQL, in one place so that a list and a look-up cannot differ.

Everything that differs from request to request is a parameter, so that each statement is built once.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, String, and_, bindparam, false, func, literal_column, or_, select

from hub.auth.principal import Principal
from hub.identity.tables import case_reference, consent, jurisdiction, person

PAST_JURISDICTION_DAYS = 60
PAST_TERM_DAYS = 30
OFFICES = frozenset({"judicial-office", "county-office", "province-office"})


def text(name: str) -> ColumnElement[str]:
    return bindparam(name, type_=String)


def some_row(query: Select[Any]) -> ColumnElement[bool]:
    """Whether `query`, which reads the row around it, finds anything.

    Not EXISTS: PostgreSQL may answer that from a hash of the whole inner table, which a generic plan (whose parameters
    are unknown) takes for cheaper than a few index look-ups.
    """
    return query.limit(1).scalar_subquery().is_not(None)


def under(column: ColumnElement[str], prefix: str, count: int) -> ColumnElement[bool]:
    """Codes under one of the `count` region prefixes `{prefix}0` …, as ranges that an index serves."""
    ranges = [and_(column >= text(f"{prefix}{n}"), column < text(f"{prefix}{n}_end")) for n in range(count)]
    return or_(false(), *ranges)


def region_values(prefix: str, regions: tuple[str, ...]) -> dict[str, str]:
    """Values of `under`'s parameters. Codes are digits, so `:` is above them all."""
    values: dict[str, str] = {}
    for number, region in enumerate(regions):
        values[f"{prefix}{number}"] = region
        values[f"{prefix}{number}_end"] = region + ":"
    return values


def day_values(day: date, *, sqlite: bool) -> Mapping[str, object]:
    days = {
        "day": day,
        "term_ended": day - timedelta(days=PAST_TERM_DAYS),
        "office_ended": day - timedelta(days=PAST_JURISDICTION_DAYS),
    }
    return {name: value.isoformat() for name, value in days.items()} if sqlite else days


def current_office() -> ColumnElement[bool]:
    """A responsible office now or at most 60 days ago."""
    ended = bindparam("office_ended", type_=Date)
    return or_(jurisdiction.c.valid_to.is_(None), jurisdiction.c.valid_to > ended)


def in_jurisdiction(person_id: ColumnElement[str], prefix: str, count: int) -> ColumnElement[bool]:
    """J: a current responsible office of the person under one of the regions."""
    other = jurisdiction.alias("j")
    ended = bindparam("office_ended", type_=Date)
    return some_row(
        select(other.c.person_id).where(
            other.c.person_id == person_id,
            under(other.c.region, prefix, count),
            or_(other.c.valid_to.is_(None), other.c.valid_to > ended),
        )
    )


def in_term() -> ColumnElement[bool]:
    """T: the assistance term has begun and has ended at most 30 days ago."""
    return and_(
        person.c.term_start <= bindparam("day", type_=Date),
        or_(person.c.term_end.is_(None), person.c.term_end > bindparam("term_ended", type_=Date)),
    )


def assigned(regions: int, named: ColumnElement[bool]) -> ColumnElement[bool]:
    """C: an open case of the caller's agency among `named`; for offices (`regions` > 0) in one of their regions."""
    conditions = [named, case_reference.c.agency == text("agency"), case_reference.c.open.is_(True)]
    if regions:
        conditions.append(under(case_reference.c.region, "mine", regions))
    return and_(*conditions)


EVERYTHING = "*"


def consented() -> ColumnElement[Any]:
    """N: the scope of a consent on file for this agency and purpose, in force and not withdrawn; null: none."""
    day = bindparam("day", type_=Date)
    return (
        select(func.coalesce(consent.c.scope, literal_column(f"'{EVERYTHING}'")))
        .where(
            consent.c.person_id == person.c.person_id,
            consent.c.agency == text("agency"),
            consent.c.purpose == text("purpose"),
            consent.c.withdrawn_at.is_(None),
            or_(consent.c.valid_from.is_(None), consent.c.valid_from <= day),
            or_(consent.c.valid_to.is_(None), consent.c.valid_to > day),
        )
        .limit(1)
        .scalar_subquery()
    )


def allowed_cases(principal: Principal, cases: tuple[str, ...]) -> list[str]:
    """Cases of the request that the token allows."""
    return [case for case in cases if principal.cases is None or case in principal.cases]


def office_regions(principal: Principal) -> int:
    """How many regions bind a case to the caller: none but for offices. An office without regions has no case."""
    return max(1, len(principal.regions)) if principal.role in OFFICES else 0


def principal_values(principal: Principal, purpose: str) -> dict[str, Any]:
    mine = principal.regions or ("!",)  # no code begins like this
    return {"agency": principal.agency, "purpose": purpose, **region_values("mine", tuple(mine))}
