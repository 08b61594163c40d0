"""`identityReviews` and `explainIdentity` for the engine: who is who and why, as far as the asker may see its fields.

The rules are asked of every person by its facts. An agency of which the asker may see nothing of this person is left
out, and so is the level of a field that the asker may see nothing of. What was computed of levels (weight, reasons) is
told to who may see all of them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from hub.audit.entry import Pattern
from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.clock import microseconds
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue
from hub.engine.execute import FieldCall
from hub.gateway.plan import RELEASABLE
from hub.gateway.ports import People
from hub.gateway.reading import Asker
from hub.gateway.subjects import NamedPerson
from hub.identity.account import Account, Question
from hub.identity.index import Inquiry
from hub.schema.commands import Finds
from hub.schema.context import OperationContext
from hub.schema.roots import DEFAULT_FIRST, MAX_PERSONS, ArgumentError, lookup_of
from hub.schema.ruled_roots import MEMBER_KIND, Ids, Names, RuledRoots, Rules

CURSOR_KIND = "i"
READ = MAX_PERSONS + 1
"""Questions of one statement where those before did not fill the page."""
HERE = Facts(jurisdiction=True)
"""What a role needs at most to be answered at all."""
_PERSON: Mapping[str, frozenset[str]] = {
    "number": frozenset({"Person.identityNumber"}),
    "name": frozenset({"Person.name"}),
    "birth": frozenset({"Person.birthDate"}),
    "sex": frozenset({"Person.sex"}),
    "place": frozenset({"Person.registeredAddress"}),
    "phone": frozenset({"Person.phone"}),
}
_ALL = frozenset().union(*_PERSON.values())
FIELDS_OF: Mapping[str, frozenset[str]] = {**_PERSON, "edges": _ALL, "pairs": _ALL}
"""What each part of the evidence tells of: a level of one field, the counts of a merge of all. Others are not told."""
_OF_LEVELS: Mapping[str, str] = {"number": "number", "weights": "number"}
"""Methods that tell a level by themselves: `number` is how a record is linked whose number is equal, else `weights`."""


class Tells(Protocol):
    async def questions(
        self, regions: Sequence[str], *, overdue: bool, first: int, after: tuple[datetime, str] | None
    ) -> tuple[Question, ...]: ...

    async def of(self, person_id: str) -> Account: ...


class IdentityFetcher(RuledRoots):
    FIELDS = ("identityReviews", "explainIdentity")

    def __init__(
        self,
        *,
        accounts: Tells,
        subjects: Finds,
        people: People,
        rules: Rules,
        ids: Ids,
        names: Names,
        catalogue: Catalogue,
    ) -> None:
        super().__init__(rules, {"identityReviews": self._reviews, "explainIdentity": self._explained}, HERE)
        self._accounts = accounts
        self._subjects = subjects
        self._people = people
        self._ids = ids
        self._names = names
        self._records = {
            top.agency: frozenset(field.coordinate for field in top.fields)
            for top in catalogue.agency_types()
            if top.agency is not None
        }

    async def _reviews(self, context: OperationContext, call: FieldCall) -> Any:
        asker = context.asker
        first = call.arguments.get("first")
        first = DEFAULT_FIRST if first is None else int(first)
        if not 1 <= first <= MAX_PERSONS:
            raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
        overdue = call.arguments.get("overdue") is True
        found: list[tuple[Question, _Seen]] = []
        after, size = self._opened(asker, call.arguments.get("after")), first + 1
        while True:  # until the page is full: what is not told may not show in the length of a page, nor in its end
            asked = await self._accounts.questions(asker.principal.regions, overdue=overdue, first=size, after=after)
            found += await self._told(context, asked)
            if len(found) > first or len(asked) < size:
                break
            after, size = (asked[-1].due_at, asked[-1].review_id), READ
        edges = []
        for one, seen in found[:first]:
            for person in _persons(one):
                self._note(context, call, self._names.of("member", person))
            edges.append({"cursor": self._cursor(asker, one), "node": self._question(asker, seen, one)})
        end = edges[-1]["cursor"] if edges else None
        return {"edges": edges, "page_info": {"has_next_page": len(found) > first, "end_cursor": end}}

    async def _told(self, context: OperationContext, asked: Sequence[Question]) -> list[tuple[Question, "_Seen"]]:
        """Those of the questions that the asker may know of, and what the asker may see of all whom each is about."""
        asker = context.asker
        inquiry = Inquiry(principal=asker.principal, purpose=asker.purpose, cases=asker.cases, keys=False)
        known = await self._people.members(inquiry, dict.fromkeys(who for one in asked for who in _persons(one)))
        found = []
        for one in asked:
            facts = [known[who].facts if who in known else Facts() for who in _persons(one)]
            seen = _Seen(asker, facts, self._records)
            if all(self.permitted(context, "identityReviews", each) for each in facts) and seen.agency(one.agency):
                found.append((one, seen))
        return found

    async def _explained(self, context: OperationContext, call: FieldCall) -> Any:
        asker = context.asker
        found = await self._subjects.of(asker, lookup_of(call.arguments["person"]))
        if found is None:
            return None
        self._note(context, call, found.key)
        if found.member is None or not self.permitted(context, "explainIdentity", found.facts):
            return None
        return self._account(asker, found, await self._accounts.of(found.member))

    def _account(self, asker: Asker, person: NamedPerson, account: Account) -> dict[str, Any]:
        seen = _Seen(asker, (person.facts,), self._records)
        return {
            "person": self._ids.seal(asker.principal.agency, MEMBER_KIND, person.member or ""),
            "links": [
                {
                    **msgspec.structs.asdict(one),
                    "record": self._record(asker, one.agency, one.record),
                    "method": seen.method(one.method),
                    "evidence": seen.evidence(one.evidence),
                    "weight": one.weight if seen.whole(one.evidence) else None,
                }
                for one in account.links
                if seen.agency(one.agency)
            ],
            "changes": [
                {
                    **msgspec.structs.asdict(one),
                    "id": one.change_id,
                    "record": self._record(asker, one.agency, one.record),
                }
                for one in account.changes
                if seen.agency(one.agency)
            ],
            "false_items": [one for one in account.false_items if seen.agency(one.agency) and seen.field(one.item)],
        }

    def _question(self, asker: Asker, seen: "_Seen", one: Question) -> dict[str, Any]:
        agency = asker.principal.agency
        other = None if one.other_person is None else self._ids.seal(agency, MEMBER_KIND, one.other_person)
        whole = seen.whole(one.evidence)
        return {
            **msgspec.structs.asdict(one),
            "id": one.review_id,
            "person": self._ids.seal(agency, MEMBER_KIND, one.person_id),
            "other_person": other,
            "record": self._record(asker, one.agency, one.record),
            "evidence": seen.evidence(one.evidence),
            "weight": one.weight if whole else None,
            "reasons": one.reasons if whole else [],
        }

    def _record(self, asker: Asker, agency: str, record: str) -> str:
        return self._names.of("record", f"{asker.principal.agency}/{agency}/{record}")

    def _note(self, context: OperationContext, call: FieldCall, key: str) -> None:
        context.reading.access.append((key, Pattern(full=tuple(sorted(call.field.coordinates)))))

    def _cursor(self, asker: Asker, one: Question) -> str:
        place = f"{microseconds(one.due_at)}/{one.review_id}"
        return self._ids.seal(asker.principal.agency, CURSOR_KIND, place)

    def _opened(self, asker: Asker, text: str | None) -> tuple[datetime, str] | None:
        if text is None:
            return None
        opened = self._ids.open(asker.principal.agency, text)
        if opened is None or opened[0] != CURSOR_KIND:
            raise ArgumentError("This cursor does not belong to this list.")
        due_us, _, review_id = opened[1].partition("/")
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(due_us)), review_id


class _Seen:
    """What an asker may see of each of some persons, by agency and by what a level tells of."""

    def __init__(self, asker: Asker, facts: Sequence[Facts], records: Mapping[str, frozenset[str]]) -> None:
        who = asker.principal
        self._decisions = [
            asker.judge.table(
                DecisionClass(agency=who.agency, role=who.role, purpose=asker.purpose, facts=each)
            ).decisions
            for each in facts
        ]
        self._records = records

    def agency(self, agency: str) -> bool:
        return agency == HUB or any(self._given(name) for name in self._records.get(agency, ()))

    def field(self, name: str) -> bool:
        return name in FIELDS_OF and all(self._given(one) for one in FIELDS_OF[name])

    def whole(self, levels: Mapping[str, str]) -> bool:
        """Whether what was computed of `levels` may be told; where none were kept it was of all fields."""
        return all(self.field(name) for name in levels or _PERSON)

    def method(self, name: str) -> str | None:
        return name if name not in _OF_LEVELS or self.field(_OF_LEVELS[name]) else None

    def evidence(self, levels: Mapping[str, str]) -> list[dict[str, str]]:
        return [{"field": name, "level": level} for name, level in levels.items() if self.field(name)]

    def _given(self, coordinate: str) -> bool:
        found = [decisions.get(coordinate) for decisions in self._decisions]
        return all(one is not None and one.effect in RELEASABLE and one.effect is not Effect.SEALED for one in found)


def _persons(one: Question) -> tuple[str, ...]:
    """Whom a question is about."""
    return (one.person_id,) if one.other_person is None else (one.person_id, one.other_person)
