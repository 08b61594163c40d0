"""Rules that stop by themselves: on the first day on which they are not in force, without a restart."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from hub.auth.cedar_schema import cedar_schema
from hub.auth.decision import DecisionClass, Effect, Reach
from hub.auth.facts import Facts
from hub.auth.judge import CedarJudge
from hub.auth.policy_reader import read_bundle
from hub.clock import CHINA, FixedClock
from hub.errors import PolicyError
from tests.auth.parts import POLICIES, catalogue, purposes

SCHEMA = cedar_schema(catalogue(), purposes())
RULE = """@id("{name}")
@basis("law")
@explain("why / 为何")
{expires}
{effect} (principal == Hub::Role::"tax", action == Hub::Action::"readFull", resource in Hub::Group::"{group}");
"""
ASKED = DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=Facts())
EVE = datetime(2027, 12, 31, 23, 59, 59, tzinfo=CHINA)  # the last second, as counted in China


def rule(name: str, group: str, expires: str | None = None, effect: str = "permit") -> str:
    return RULE.format(name=name, group=group, effect=effect, expires=f'@expires("{expires}")' if expires else "")


def judge_of(folder, *rules: str, at: datetime = EVE) -> tuple[CedarJudge, FixedClock]:
    (folder / "x.cedar").write_text("".join(rules), "utf-8")
    clock = FixedClock(at)
    return CedarJudge(read_bundle([folder], SCHEMA), catalogue(), purposes(), clock=clock), clock


def taxpayer(judge: CedarJudge) -> Effect:
    return judge.table(ASKED).decisions["TaxRecord.taxpayerNo"].effect


def test_a_rule_stops_on_its_day_and_the_digest_stays(tmp_path):
    judge, clock = judge_of(tmp_path, rule("a", "FG13", "2028-01-01"), rule("b", "FG1"))
    digest, edition = judge.policy_digest, judge.edition
    assert taxpayer(judge) is Effect.FULL
    clock.advance(1)
    assert taxpayer(judge) is Effect.DENIED
    assert judge.table(ASKED).decisions["Person.name"].effect is Effect.FULL
    assert judge.policy_digest == digest
    assert judge.edition != edition
    assert judge.table(ASKED).edition == judge.edition  # so that plans made of the old table are not used again


def test_a_forbid_that_expires_gives_way(tmp_path):
    judge, clock = judge_of(tmp_path, rule("a", "FG13"), rule("b", "FG13", "2028-01-01", "forbid"))
    assert taxpayer(judge) is Effect.DENIED
    clock.advance(1)
    assert taxpayer(judge) is Effect.FULL


def test_each_of_several_rules_stops_on_its_own_day(tmp_path):
    judge, clock = judge_of(
        tmp_path, rule("a", "FG13", "2028-01-01"), rule("b", "FG13", "2028-01-03"), rule("c", "FG1")
    )
    editions = [judge.edition]
    for seconds, effect in ((1, Effect.FULL), (86_400, Effect.FULL), (86_400, Effect.DENIED), (86_400, Effect.DENIED)):
        clock.advance(seconds)
        assert taxpayer(judge) is effect
        editions.append(judge.edition)
    assert [first == second for first, second in pairwise(editions)] == [False, True, False, True]


def test_what_was_never_in_force_decides_nothing(tmp_path):
    judge, _ = judge_of(tmp_path, rule("a", "FG13", "2020-01-01"))
    assert taxpayer(judge) is Effect.DENIED
    assert judge.reach(agency="tax", role="tax", purpose="TAX_RELIEF") is Reach.NOBODY


def test_how_far_a_role_reaches_and_what_it_depends_on_follow(tmp_path):
    conditional = rule("a", "FG13", "2028-01-01").replace(");", ") when { context.facts.consent };")
    judge, clock = judge_of(tmp_path, conditional)
    assert judge.reach(agency="tax", role="tax", purpose="TAX_RELIEF") is Reach.REGISTERS
    assert judge.reads_consent("tax")
    clock.advance(1)
    assert judge.reach(agency="tax", role="tax", purpose="TAX_RELIEF") is Reach.NOBODY
    assert not judge.reads_consent("tax")


@pytest.mark.parametrize("text", ["2028", "2028-1-1", "2028-02-30", "tomorrow", "20280101"])
def test_an_expiry_that_is_no_day_does_not_start(tmp_path, text):
    with pytest.raises(PolicyError, match=r"x\.cedar:1: a: @expires is no day"):
        judge_of(tmp_path, rule("a", "FG13", text))


def test_the_tax_relief_of_the_shipped_rules_ends_with_its_notice():
    """Notice 2023/15 is in force to the end of 2027; what rests on it falls with it."""
    bundle = read_bundle([POLICIES], SCHEMA)
    clock = FixedClock(EVE)
    judge = CedarJudge(bundle, catalogue(), purposes(), clock=clock)
    eligible = "SocialSecurityRecord.keyGroupEligible"
    assert judge.table(ASKED).decisions[eligible].effect is Effect.PREDICATE
    clock.advance(1)
    assert judge.table(ASKED).decisions[eligible].effect is Effect.DENIED
    assert bundle.next_expiry(date(2028, 1, 1)) is None
    assert clock.now() == datetime(2027, 12, 31, 16, 0, tzinfo=UTC)
