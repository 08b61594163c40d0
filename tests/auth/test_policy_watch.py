import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.auth.decision import DecisionClass, Effect
from hub.auth.facts import Facts
from hub.auth.policy_bundle import open_signed, pack, unpack
from hub.auth.policy_holder import Policy
from hub.auth.policy_watch import STALE_AFTER_S, first_policy
from hub.errors import AuditUnavailableError, PolicyError
from tests.auth.parts import POLICIES, judge
from tests.auth.signed import KEY, STRANGER, Watched, files, signed, store

TAX = DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=Facts())


def name_effect(judge) -> Effect:
    return judge.table(TAX).decisions["Person.name"].effect


async def test_a_published_bundle_comes_into_force_and_who_runs_keeps_what_was(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    running = watched.holder.current
    told = []
    watched.holder.on_swap(told.append)
    await watched.publish(signed(1))
    assert name_effect(watched.holder.current) is Effect.MASKED
    assert name_effect(running) is Effect.DENIED
    assert watched.holder.policy.version == 1
    assert told == [watched.holder.policy]
    assert [(change.version, change.refused) for change in watched.changes] == [(1, None)]


async def test_a_newer_bundle_replaces_it(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    await watched.publish(signed(1))
    await watched.publish(signed(2, files("readFull", "full")))
    assert name_effect(watched.holder.current) is Effect.FULL


REFUSED = {
    "a stranger's signature": (lambda: signed(2, key=STRANGER), "trusted"),
    "no bundle at all": (lambda: b"\xff\x00", "no signed bundle"),
    "an empty file": (lambda: b"", "no signed bundle"),
    "not Cedar": (lambda: signed(2, {**files(), "hub.cedar": "permit ("}), "not Cedar"),
    "an unknown group": (lambda: signed(2, {**files(), "hub.cedar": files()["hub.cedar"].replace("FG1", "FG99")}), "FG99"),
    "no basis": (lambda: signed(2, {**files(), "hub.cedar": files()["hub.cedar"].replace("@basis", "@b")}), "@basis"),
    "its own cases do not hold": (lambda: signed(2, files("readMasked", "full")), "expected full, found masked"),
    "no cases": (lambda: signed(2, {"hub.cedar": files()["hub.cedar"]}), "needs cases"),
    "no rules": (lambda: signed(2, {"cases/tax.toml": files()["cases/tax.toml"]}), "empty"),
    "a name outside the directory": (lambda: signed(2, {**files(), "../x.cedar": ""}), "no bundle may hold"),
    "an older version": (lambda: signed(0 + 1, files("readFull", "full")), "ROLL_BACK"),
    "the same version with other rules": (lambda: signed(1, files("readFull", "full")), "ROLL_BACK"),
    "other roles": (
        lambda: signed(2, {**files(), "purposes.toml": (POLICIES / "purposes.toml").read_text().replace("[\"TAX_RELIEF\"]", "[\"LOAN\"]")}),
        "roles and purposes differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "text"), REFUSED.values(), ids=REFUSED)
async def test_what_is_wrong_never_replaces_what_is_valid(tmp_path, clock, make, text):
    watched = Watched(tmp_path, clock)
    await watched.publish(signed(1))
    before = watched.holder.policy
    await watched.publish(make())
    assert watched.holder.policy is before
    assert text in watched.changes[-1].refused
    assert watched.changes[-1].version == 1
    assert open_signed(watched.store.accepted.read_bytes(), watched.store.trusted).version == 1


async def test_a_refused_file_is_judged_once_and_the_next_good_one_is_taken(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    await watched.publish(b"nonsense")
    await watched.watcher.look()
    assert len(watched.changes) == 1
    await watched.publish(signed(1))
    assert watched.holder.policy.version == 1


async def test_a_roll_back_is_refused_after_a_restart_too(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    await watched.publish(signed(7))
    watched.store.published.write_bytes(signed(6, files("readFull", "full")))
    again = first_policy(watched.store, watched.watcher._loader, Policy(judge=judge()), signed_only=False)
    assert again.version == 7
    restarted = Watched(tmp_path, clock, again)
    await restarted.watcher.look()
    assert restarted.holder.policy.version == 7
    assert "ROLL_BACK" in restarted.changes[-1].refused


async def test_a_change_that_the_log_does_not_take_waits_for_the_next_look(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    watched.fails = AuditUnavailableError("full")
    await watched.publish(signed(1))
    assert watched.holder.policy.version == 0
    watched.fails = None
    await watched.watcher.look()
    assert watched.holder.policy.version == 1


def test_the_rules_of_the_tree_do_not_stand_in_for_a_bundle_that_is_wrong(tmp_path):
    held = store(tmp_path)
    embedded = Policy(judge=judge())
    loader = Watched(tmp_path, _Still()).watcher._loader
    assert first_policy(held, loader, embedded, signed_only=False) is embedded
    with pytest.raises(PolicyError, match="HUB_POLICY_SIGNED_ONLY"):
        first_policy(held, loader, embedded, signed_only=True)
    held.published.write_bytes(signed(1, key=STRANGER))
    with pytest.raises(PolicyError, match="trusted"):
        first_policy(held, loader, embedded, signed_only=False)


def test_the_first_bundle_published_before_the_start_is_kept_as_accepted(tmp_path):
    held = store(tmp_path)
    held.published.write_bytes(signed(3))
    loader = Watched(tmp_path, _Still()).watcher._loader
    assert first_policy(held, loader, Policy(judge=judge()), signed_only=True).version == 3
    assert held.accepted.read_bytes() == held.published.read_bytes()


async def test_a_watcher_that_does_not_look_is_known(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    await watched.watcher.look()
    assert watched.watcher.watching
    clock.advance(STALE_AFTER_S)
    assert not watched.watcher.watching


async def test_a_listener_that_fails_stops_nothing(tmp_path, clock):
    watched = Watched(tmp_path, clock)
    told = []

    def fail(_policy):
        raise ValueError

    end = watched.holder.on_swap(fail)
    watched.holder.on_swap(told.append)
    await watched.publish(signed(1))
    end()
    await watched.publish(signed(2))
    assert [policy.version for policy in told] == [1, 2]


class _Still:
    @staticmethod
    def monotonic() -> float:
        return 0.0


def test_a_directory_survives_packing_and_signing(tmp_path):
    packed = pack([POLICIES])
    opened = open_signed(signed(4, packed), store(tmp_path).trusted)
    assert (opened.version, opened.signer) == (4, KEY.thumbprint())
    unpack(opened.files, tmp_path / "out")
    assert pack([tmp_path / "out"]) == packed


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0), bit=st.integers(0, 7))
def test_no_altered_bundle_opens_as_something_else(at, bit):
    """A changed bit is refused, or is in the file's own envelope and changes nothing that is signed."""
    data = bytearray(signed(1))
    data[at % len(data)] ^= 1 << bit
    trusted = {KEY.thumbprint(): KEY}
    try:
        opened = open_signed(bytes(data), trusted)
    except PolicyError:
        return
    assert (opened.version, dict(opened.files)) == (1, files())


def test_members_beside_the_signed_ones_are_refused(tmp_path):
    data = json.dumps({**json.loads(signed(1)), "header": {}}).encode()
    with pytest.raises(PolicyError):
        open_signed(data, store(tmp_path).trusted)
