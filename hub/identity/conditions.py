"""Conditions J and T as SQL expressions and as plain rules, in one place so that a list and a look-up cannot differ."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, exists, false, or_

from hub.identity.tables import jurisdiction, person

PAST_JURISDICTION_DAYS = 60
PAST_TERM_DAYS = 30


def in_jurisdiction(regions: Sequence[str], day: date) -> ColumnElement[bool]:
    """J: a responsible office under one of the region prefixes, now or at most 60 days ago."""
    if not regions:
        return false()
    return exists().where(
        jurisdiction.c.person_id == person.c.person_id,
        or_(*(under_region(jurisdiction.c.region, prefix) for prefix in regions)),
        or_(
            jurisdiction.c.valid_to.is_(None),
            jurisdiction.c.valid_to > day - timedelta(days=PAST_JURISDICTION_DAYS),
        ),
    )


def under_region(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Codes that begin with `prefix`, as a range that an index serves. Codes are digits, so `:` is above them all."""
    return and_(column >= prefix, column < prefix + ":")


def in_term(day: date) -> ColumnElement[bool]:
    """T: the assistance term has begun and has ended at most 30 days ago."""
    return and_(
        person.c.term_start <= day,
        or_(person.c.term_end.is_(None), person.c.term_end > day - timedelta(days=PAST_TERM_DAYS)),
    )
