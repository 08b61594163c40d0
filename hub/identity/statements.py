"""Statements of the person index, each built and prepared once for what distinguishes its text."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy import column as named

from hub.auth.facts import Facts
from hub.identity.conditions import (
    assigned,
    consented,
    current_office,
    in_jurisdiction,
    in_term,
    some_row,
    text,
    under,
)
from hub.identity.tables import case_reference, jurisdiction, link, person, person_salt
from hub.store.reader import Prepared, Reader

LISTED_FACTS = ("jurisdiction", "term", "case", "key_person")
"""Facts that decide who stands in a list; all others are the same for everybody in it."""


class LookUp(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes look-ups. `by`: numbers or ids; `regions`: the caller's; `offices`: regions that bind C."""

    by: str
    regions: int
    cases: bool
    offices: int
    links: bool
    region: bool
    consent: bool


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes lists. `ranges`: regions that lead the list; `apart`: J is a condition of its own.

    `links`, `region`, `consent`: what is looked up of each person listed, as in `LookUp`.
    """

    regions: int
    ranges: int
    apart: bool
    cases: bool
    offices: int
    sex: bool
    allowed: frozenset[Facts]
    count: bool
    links: bool
    region: bool
    consent: bool


class Statements:
    """Prepared statements of one database."""

    def __init__(self, reader: Reader, natural: Sequence[str] = ()) -> None:
        """`natural`: agencies that are asked by identity number, so that their links are not looked up."""
        self._reader = reader
        self._natural = tuple(natural)
        self._kept: dict[Any, Prepared] = {}

    def look_up(self, kind: LookUp) -> Prepared:
        return self._prepare(kind, lambda: self._look_up(kind))

    def listing(self, kind: Listing) -> Prepared:
        return self._prepare(kind, lambda: self._listing(kind))

    def cases(self, offices: int) -> Prepared:
        """(case id, person id) of cases that may be named by their number."""
        return self._prepare(
            ("cases", offices),
            lambda: (
                select(case_reference.c.case_id, case_reference.c.person_id)
                .join(person, person.c.person_id == case_reference.c.person_id)
                .where(assigned(offices, self._one_of(case_reference.c.case_id, "cases")), person.c.vaulted.is_(False))
            ),
        )

    def many(self, values: Sequence[Any]) -> Any:
        """A list parameter as the driver takes it."""
        return orjson.dumps(values).decode() if self._reader.sqlite else list(values)

    def ids(self, ids: Sequence[str]) -> str:
        """Person ids as a look-up takes them. Ours have no comma; one that has is nobody's."""
        if self._reader.sqlite:
            return orjson.dumps(ids).decode()
        return ",".join([person_id for person_id in ids if "," not in person_id])

    def _prepare(self, key: Any, build: Any) -> Prepared:
        prepared = self._kept.get(key)
        if prepared is None:
            prepared = self._kept[key] = self._reader.prepare(build())
        return prepared

    def _one_of(self, column: ColumnElement[Any], name: str, *, numeric: bool = False) -> ColumnElement[bool]:
        if self._reader.sqlite:
            return column.in_(select(named("value")).select_from(func.json_each(bindparam(name, type_=Text))))
        return column == any_(bindparam(name, type_=ARRAY(BigInteger if numeric else String)))

    def _look_up(self, kind: LookUp) -> Select[Any]:
        if kind.by == "numbers":
            wanted = self._one_of(person.c.number_index, "keys", numeric=True)
        else:
            wanted = self._listed_ids()
        inside = in_jurisdiction(person.c.person_id, "mine", kind.regions)
        return select(*self._member(kind, inside)).where(wanted, person.c.vaulted.is_(False))

    def _member(self, kind: "LookUp | Listing", inside: ColumnElement[bool]) -> tuple[ColumnElement[Any], ...]:
        """id, sealed number, ambiguous, term start and end, key person, J, T, C, N, household region, links, salt."""
        return (
            person.c.person_id,
            person.c.number_sealed,
            person.c.ambiguous,
            person.c.term_start,
            person.c.term_end,
            person.c.key_person,
            inside.label("j"),
            func.coalesce(in_term(), false()).label("t"),
            self._case(kind.cases, kind.offices).label("c"),
            consented().label("n") if kind.consent else literal_column("0", Integer),
            self._household() if kind.region else literal(None, String),
            self._links() if kind.links else literal(None, String),
            select(person_salt.c.salt).where(person_salt.c.person_id == person.c.person_id).scalar_subquery(),
        )

    def _listed_ids(self) -> ColumnElement[bool]:
        if self._reader.sqlite:
            return self._one_of(person.c.person_id, "keys")
        given = bindparam("keys", type_=Text)
        return person.c.person_id == any_(func.string_to_array(given, literal_column("','", Text)))

    def _case(self, cases: bool, offices: int) -> ColumnElement[Any]:
        if not cases:
            return literal_column("0", Integer)
        among = self._one_of(case_reference.c.case_id, "cases")
        return some_row(
            select(case_reference.c.person_id).where(
                case_reference.c.person_id == person.c.person_id, assigned(offices, among)
            )
        )

    def _household(self) -> ColumnElement[Any]:
        return (
            select(jurisdiction.c.region)
            .where(jurisdiction.c.person_id == person.c.person_id)
            .where(jurisdiction.c.valid_to.is_(None), jurisdiction.c.kind == "household")
            .order_by(jurisdiction.c.region)
            .limit(1)
            .scalar_subquery()
        )

    def _links(self) -> ColumnElement[Any]:
        others = (link.c.agency != literal_column(_quoted(agency), String) for agency in self._natural)
        mine = and_(link.c.person_id == person.c.person_id, *others)
        if self._reader.sqlite:
            pairs = func.json_group_array(func.json_array(link.c.agency, func.hex(link.c.key_sealed)))
            return select(pairs).where(mine).scalar_subquery()
        # Bytes, because the driver decodes them faster than rows: agency, zero byte, sealed key.
        named_key = (
            func.convert_to(link.c.agency, literal_column("'UTF8'"))
            .op("||")(literal_column("'\\x00'::bytea"))
            .op("||")(link.c.key_sealed)
        )
        return func.array(select(named_key).where(mine).scalar_subquery())

    def _listing(self, kind: Listing) -> Select[Any]:
        """The count of the whole list or null, then what a look-up gives, of one page by person id.

        Where a person was vaulted meanwhile the look-up's values are null. Without cases everybody listed has J.
        """
        listed = self._listed(kind).cte("listed")
        count = select(func.count()).select_from(listed).scalar_subquery() if kind.count else literal(None, Integer)
        page = (
            select(listed.c.person_id, count.label("total"))
            .where(listed.c.person_id > text("after"))
            .order_by(listed.c.person_id)
            .limit(bindparam("limit", type_=Integer))
            .offset(bindparam("offset", type_=Integer))
            .subquery("page")
        )
        inside = in_jurisdiction(person.c.person_id, "mine", kind.regions) if kind.cases else true()
        here = and_(person.c.person_id == page.c.person_id, person.c.vaulted.is_(False))
        return (
            select(page.c.total, *self._member(kind, inside))
            .select_from(page.outerjoin(person, here))
            .order_by(page.c.person_id)
        )

    def _listed(self, kind: Listing) -> Select[Any]:
        facts = among(self._flags(kind), kind.allowed)
        if kind.cases:
            reach = or_(in_jurisdiction(person.c.person_id, "mine", kind.regions), self._case(True, kind.offices))
            conditions = [person.c.vaulted.is_(False), reach, facts]
            if kind.ranges:
                conditions.append(in_jurisdiction(person.c.person_id, "led", kind.ranges))
            if kind.sex:
                conditions.append(person.c.sex == text("sex"))
            return select(person.c.person_id).where(*conditions)
        conditions = [under(jurisdiction.c.region, "led", kind.ranges), current_office()]
        conditions.append(jurisdiction.c.vaulted.is_(False))
        if kind.apart:
            conditions.append(in_jurisdiction(jurisdiction.c.person_id, "mine", kind.regions))
        if kind.sex:
            conditions.append(jurisdiction.c.sex == text("sex"))
        source: Any = jurisdiction
        if facts is not True:
            source = jurisdiction.join(person, person.c.person_id == jurisdiction.c.person_id)
            conditions.append(facts)
        return select(jurisdiction.c.person_id).select_from(source).where(*conditions).distinct()

    def _flags(self, kind: Listing) -> Mapping[str, ColumnElement[Any] | bool]:
        inside: ColumnElement[Any] | bool = True
        if kind.cases:
            inside = in_jurisdiction(person.c.person_id, "mine", kind.regions)
        case: ColumnElement[Any] | bool = self._case(True, kind.offices) if kind.cases else False
        return {
            "jurisdiction": inside,
            "term": func.coalesce(in_term(), false()),
            "case": case,
            "key_person": person.c.key_person,
        }


def _quoted(name: str) -> str:
    """A name of the configuration as SQL text: a statement is prepared once, and these never change."""
    return "'" + name.replace("'", "''") + "'"


def among(flags: Mapping[str, ColumnElement[Any] | bool], allowed: frozenset[Facts]) -> Any:
    """The facts of a row are among `allowed`; True where that holds for every row.

    Facts that are constant here are put in first, then every fact on which the answer does not depend is left out.
    """
    vectors = {
        tuple(getattr(facts, name) for name in LISTED_FACTS)
        for facts in allowed
        if all(getattr(facts, name) is flags[name] for name in LISTED_FACTS if isinstance(flags[name], bool))
    }
    open_names = [n for n, name in enumerate(LISTED_FACTS) if not isinstance(flags[name], bool)]
    cases = {tuple(vector[n] for n in open_names) for vector in vectors}
    names = [LISTED_FACTS[n] for n in open_names]
    for name in list(names):
        place = names.index(name)
        rest = {case[:place] + case[place + 1 :] for case in cases}
        if all((*case[:place], value, *case[place:]) in cases for case in rest for value in (False, True)):
            cases, names = rest, [other for other in names if other != name]
    if not cases:
        return false()
    if not names:
        return True
    tests: list[ColumnElement[bool]] = []
    for case in sorted(cases):
        pairs = [(flags[name], wanted) for name, wanted in zip(names, case, strict=True)]
        tests.append(and_(true(), *(flag if wanted else ~flag for flag, wanted in pairs)))  # type: ignore[arg-type]
    return or_(*tests)
