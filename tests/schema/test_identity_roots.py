"""What is told of why records are a person's: nothing that levels which the asker may not see went into."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from hub.auth.facts import Facts
from hub.auth.principal import Principal
from hub.domain.agencies import HUB
from hub.engine.execute import FieldCall
from hub.gateway.reading import Asker, Reading
from hub.gateway.subjects import NamedPerson
from hub.identity.account import Account, FalseItem, LinkFacts, Question
from hub.schema.identity_roots import IdentityFetcher
from tests.auth.parts import catalogue, judge

WHEN = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEVELS = {
    "number": "differs", "name": "equal", "birth": "equal", "sex": "equal", "place": "address", "phone": "missing",
}  # fmt: skip
MERGED = {"edges": "3", "pairs": "4"}
SEEN = dict.fromkeys(LEVELS, frozenset({"Person.assistanceStatus"}))
OURS = Facts(jurisdiction=True)  # none of the six fields for a judicial office
TERM = Facts(jurisdiction=True, term=True)  # all of them


def question(
    agency="police", evidence=LEVELS, reasons=("SIBLINGS", "FOREIGN_NUMBER"), other=None, review="r1", person="p1"
) -> Question:
    return Question(
        review_id=review, kind="LINK" if other is None else "MERGE", agency=agency, record="a1", person_id=person,
        other_person=other, weight=7.25, model="1", evidence=evidence, reasons=reasons, high_impact=True,
        opened_at=WHEN, due_at=WHEN, overdue=False, first_by=None,
    )  # fmt: skip


def linked(evidence=LEVELS, method="weights") -> LinkFacts:
    return LinkFacts(
        agency="police", record="a1", method=method, weight=7.25, model="1", evidence=evidence, author="hub",
        linked_at=WHEN,
    )  # fmt: skip


@dataclass
class Memory:
    """Questions, an account, and the facts about persons: all ports of the fetcher, over memory."""

    facts: dict[str, Facts]
    asked: tuple[Question, ...] = ()
    account: Account = field(default_factory=lambda: Account(links=(), changes=(), false_items=()))

    async def questions(self, _regions, *, overdue, first, after):
        later = [one for one in self.asked if after is None or (one.due_at, one.review_id) > after]
        return tuple(later[:first])

    async def of(self, asker, _lookup=None):
        return self.account if isinstance(asker, str) else NamedPerson(
            key="k", member="p1", number=None, facts=self.facts["p1"]
        )  # fmt: skip

    async def members(self, _inquiry, ids):
        return {one: SimpleNamespace(facts=self.facts[one]) for one in ids if one in self.facts}

    def seal(self, _agency, kind, payload):
        return f"{kind}/{payload}"


async def told(name: str, memory: Memory, **arguments):
    return (await answered(name, memory, **arguments))[0]


async def answered(name: str, memory: Memory, **arguments):
    """The answer, and whom the audit entry would name."""
    who = Principal(
        agency="justice", role="judicial-office", officer="ann", client="c", regions=("360702",),
        purposes=frozenset({"VERIFY_IDENTITY"}), cases=None, token_id="t", expires_at=0,
    )  # fmt: skip
    asker = Asker(principal=who, purpose="VERIFY_IDENTITY", cases=(), judge=judge())
    fetcher = IdentityFetcher(
        accounts=memory, subjects=memory, people=memory, rules=judge(), ids=memory,
        names=SimpleNamespace(of=lambda kind, text: f"{kind}:{text}"), catalogue=catalogue(),
    )  # fmt: skip
    plan = SimpleNamespace(name=name, coordinates=frozenset())
    context = SimpleNamespace(asker=asker, reading=Reading())
    ((value,),) = await fetcher.fetch(context, [FieldCall(field=plan, parents=[None], arguments=arguments)])
    return value, [key for key, _ in context.reading.access]


async def node(facts: Facts, asked: Question, **others: Facts):
    found = await told("identityReviews", Memory({"p1": facts, **others}, (asked,)))
    (edge,) = found["edges"]
    return edge["node"]


async def link_of(facts: Facts, one: LinkFacts):
    memory = Memory({"p1": facts}, account=Account(links=(one,), changes=(), false_items=()))
    found = await told("explainIdentity", memory, person={"identityNumber": "110101199001010015"})
    (link,) = found["links"]
    return link


async def test_who_sees_every_field_is_told_weight_and_rules():
    one = await node(TERM, question())
    assert {item["field"]: item["level"] for item in one["evidence"]} == LEVELS
    assert (one["weight"], one["reasons"]) == (7.25, ("SIBLINGS", "FOREIGN_NUMBER"))
    assert (await link_of(TERM, linked()))["weight"] == 7.25


async def test_who_sees_no_field_learns_no_level_from_weight_or_rules():
    one = await node(OURS, question())
    assert (one["evidence"], one["weight"], one["reasons"]) == ([], None, [])
    link = await link_of(OURS, linked())
    assert (link["evidence"], link["weight"]) == ([], None)


async def test_one_field_that_is_withheld_withholds_what_it_went_into(monkeypatch):
    monkeypatch.setattr("hub.schema.identity_roots.FIELDS_OF", {**SEEN, "phone": frozenset({"Person.phone"})})
    one = await node(OURS, question())
    assert {item["field"] for item in one["evidence"]} == LEVELS.keys() - {"phone"}
    assert (one["weight"], one["reasons"]) == (None, [])
    assert (await link_of(OURS, linked()))["weight"] is None


@pytest.mark.parametrize("evidence", [MERGED, {}], ids=["a merge", "no levels kept"])
async def test_what_rests_on_all_fields_without_naming_them_is_told_to_who_sees_all(evidence):
    asked = question(HUB, evidence, ("TWO_VALID_NUMBERS",))
    one = await node(TERM, asked)
    assert {item["field"]: item["level"] for item in one["evidence"]} == evidence
    assert (one["weight"], one["reasons"]) == (7.25, ("TWO_VALID_NUMBERS",))
    one = await node(OURS, asked)
    assert (one["evidence"], one["weight"], one["reasons"]) == ([], None, [])


async def test_a_field_that_is_not_known_here_is_told_to_nobody():
    one = await node(TERM, question(evidence={**LEVELS, "iris": "equal"}))
    assert "iris" not in {item["field"] for item in one["evidence"]}
    assert (one["weight"], one["reasons"]) == (None, [])
    wrong = FalseItem(item="iris", level="differs", agency="police", found_at=WHEN)
    memory = Memory({"p1": TERM}, account=Account(links=(), changes=(), false_items=(wrong,)))
    found = await told("explainIdentity", memory, person={"identityNumber": "110101199001010015"})
    assert found["false_items"] == []


@pytest.mark.parametrize("method", ["number", "weights"])
async def test_a_method_that_tells_whether_the_number_is_equal_is_told_to_who_may_see_it(method):
    assert (await link_of(TERM, linked(method=method)))["method"] == method
    assert (await link_of(OURS, linked(method=method)))["method"] is None
    assert (await link_of(OURS, linked(method="merge")))["method"] == "merge"


async def test_of_a_merge_is_told_what_may_be_seen_of_both_and_both_are_in_the_entry():
    asked = question(HUB, MERGED, ("TWO_VALID_NUMBERS",), other="p2")
    found, named = await answered("identityReviews", Memory({"p1": TERM, "p2": TERM}, (asked,)))
    assert [edge["node"]["other_person"] for edge in found["edges"]] == ["m/p2"]
    assert found["edges"][0]["node"]["weight"] == 7.25
    assert named == ["member:p1", "member:p2"]
    for facts in ({"p1": TERM, "p2": OURS}, {"p1": OURS, "p2": TERM}):
        found = await told("identityReviews", Memory(facts, (asked,)))
        (edge,) = found["edges"]
        assert (edge["node"]["evidence"], edge["node"]["weight"], edge["node"]["reasons"]) == ([], None, [])


@pytest.mark.parametrize("facts", [{"p1": TERM}, {"p2": TERM}, {"p1": TERM, "p2": Facts(term=True)}])
async def test_a_merge_with_somebody_who_is_not_the_askers_is_not_told(facts):
    asked = question(HUB, MERGED, other="p2")
    found, named = await answered("identityReviews", Memory(facts, (asked,)))
    assert (found["edges"], named) == ([], [])


@pytest.mark.parametrize("hidden", [0, 1, 2, 3, 250])
async def test_a_page_does_not_tell_how_many_questions_are_not_told(hidden):
    """Questions that the asker may not know of shorten no page, and there is no next page because of them."""
    mine = [question(review=f"r{n:03}") for n in (1, 3, 998, 999)]
    others = [question(review=f"r{n:03}5", person="p2") for n in range(hidden)]
    asked = tuple(sorted((*mine, *others), key=lambda one: one.review_id))
    memory = Memory({"p1": OURS, "p2": Facts()}, asked)
    first = await told("identityReviews", memory, first=3)
    assert [edge["node"]["id"] for edge in first["edges"]] == ["r001", "r003", "r998"]
    assert first["page_info"] == {"has_next_page": True, "end_cursor": first["edges"][-1]["cursor"]}
    last = await told("identityReviews", memory, first=4)
    assert len(last["edges"]) == 4
    assert last["page_info"] == {"has_next_page": False, "end_cursor": last["edges"][-1]["cursor"]}
