"""What a copy answers is what the agency itself would have answered."""

from datetime import UTC, datetime

import msgspec
import pytest

from hub.clock import FixedClock
from hub.connectors.base import Fetch, Moment, Part, SourceState
from hub.connectors.guard import silent
from hub.connectors.mapping import Mode
from hub.connectors.replica import reader as reader_module
from hub.connectors.replica.source import ReplicaSource
from hub.errors import StoreError
from hub.store.migration import migrate
from tests.connectors.replica.parts import CIVIL, POLICE, Agencies, ask, fetch_of, value


@pytest.mark.parametrize("agency", [POLICE, CIVIL])
async def test_a_copy_answers_what_the_agency_itself_answers(hub, agencies, agency):
    keys = agencies.keys(agency)
    assert len(keys) > 20
    question = fetch_of(hub, agency, *keys)
    itself = await hub.sources[agency].connector.fetch(question)
    copied = await hub.sources[agency].ask(question)
    assert copied.state is SourceState.OK
    assert copied.records.keys() == itself.keys()
    size = len(question.layout.fields) + len(question.layout.nested)
    for key, record in itself.items():
        held = copied.records[key]
        assert (held.record, held.as_of, held.quarantined) == (record.record, record.as_of, record.quarantined)
        assert _plain(held.values[:size]) == _plain(record.values[:size])


def _plain(values):
    """Rows as lists, whatever kind of sequence a reader gives; nested rows may be longer than their layout."""
    return [_plain(value) if isinstance(value, list | tuple) else value for value in values]


async def test_a_key_is_answered_with_its_own_part_alone(hub, agencies):
    first, second = agencies.keys(POLICE)[:2]
    codec = hub.copier.codec(POLICE)
    name = frozenset({"PoliceRecord.name"})
    everything = codec.coordinates
    question = Fetch(
        parts=(Part(keys=(first,), coordinates=name), Part(keys=(second,), coordinates=everything)),
        layout=codec.layout,
        timeout_s=5,
    )
    records = (await hub.sources[POLICE].ask(question)).records
    slots = range(len(codec.layout.fields))
    given = {codec.layout.fields[slot] for slot in slots if records[first].values[slot] is not None}
    assert given == {"name"}
    assert all(rows == [] for rows in records[first].values[len(slots) :])
    assert value(hub, POLICE, await ask(hub, POLICE, second), second, "householdNo") is not None


async def test_classes_that_nothing_is_asked_of_are_not_read(hub, agencies, monkeypatch):
    opened: list[int] = []
    place = reader_module.version_place
    monkeypatch.setattr(reader_module, "version_place", lambda *given: opened.append(given[-1]) or place(*given))
    key = agencies.keys(POLICE)[0]
    only = frozenset({"PoliceRecord.name"})
    assert (await hub.sources[POLICE].ask(fetch_of(hub, POLICE, key, only=only))).records
    assert opened == [2]


async def test_all_copies_are_read_by_one_statement(hub, agencies):
    source = hub.sources[POLICE]
    both = {agency: fetch_of(hub, agency, *agencies.keys(agency)) for agency in (POLICE, CIVIL)}
    shared = source.shared(both[POLICE])
    assert shared is hub.sources[CIVIL].shared(both[CIVIL])
    before = shared.statements
    answers = await shared.ask(both)
    assert shared.statements == before + 1
    assert all(len(answers[agency].records) == len(agencies.keys(agency)) for agency in both)


async def test_a_copy_that_was_never_made_is_no_answer(tmp_path, store_url, clock):
    hub = Agencies(tmp_path).hub(store_url, clock)
    await migrate(hub.store)
    answer = await ask(hub, POLICE, "11010519491231002X")
    assert (answer.state, answer.records) == (SourceState.DOWN, {})
    await hub.close()


async def test_an_old_copy_is_stale_and_then_none(hub, agencies, clock):
    key = agencies.keys(POLICE)[0]
    terms = hub.rules.mappings[POLICE].replica
    clock.advance(terms.fresh_for_s)
    answer = await ask(hub, POLICE, key)
    assert answer.state is SourceState.STALE
    assert answer.records
    clock.advance(terms.usable_for_s)
    answer = await ask(hub, POLICE, key)
    assert (answer.state, answer.records) == (SourceState.DOWN, {})


async def test_a_time_that_a_copy_does_not_reach_is_answered_as_stale_and_then_not_at_all(hub, agencies, clock):
    key = agencies.keys(POLICE)[0]
    terms = hub.rules.mappings[POLICE].replica
    reached = clock.now()
    for later_s, state in ((terms.fresh_for_s, SourceState.STALE), (terms.usable_for_s, SourceState.DOWN)):
        clock.advance(later_s)
        answer = await ask(hub, POLICE, key, valid=clock.now())
        assert (answer.state, bool(answer.records)) == (state, state is SourceState.STALE)
        for moments in ({"valid": reached}, {"known": reached}, {"valid": reached, "known": clock.now()}):
            answer = await ask(hub, POLICE, key, **moments)
            assert (answer.state, len(answer.records)) == (SourceState.OK, 1)


async def test_a_copy_of_drops_is_stale_when_the_next_one_is_late(hub, agencies, clock):
    key = agencies.keys(CIVIL)[0]
    clock.advance(hub.rules.mappings[CIVIL].replica.fresh_for_s)
    assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == ""
    answer = await ask(hub, CIVIL, key)
    assert (answer.state, len(answer.records)) == (SourceState.STALE, 1)
    agencies.next_drop(clock.now().date().isoformat())
    assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == ""
    assert (await ask(hub, CIVIL, key)).state is SourceState.OK


async def test_a_state_of_the_source_is_never_later_than_what_is_asked_about(hub, agencies, clock):
    key = agencies.keys(CIVIL)[0]
    first, known = (await ask(hub, CIVIL, key)).records[key].as_of, clock.now()
    clock.advance(2 * 24 * 3600)
    agencies.next_drop(clock.now().date().isoformat())
    assert (await hub.copier.copy(CIVIL, anyway=True)).trouble == ""
    now = (await ask(hub, CIVIL, key)).records[key].as_of
    assert now > known
    for moments in ({"known": known}, {"valid": known}, {"valid": known, "known": clock.now()}):
        assert first <= (await ask(hub, CIVIL, key, **moments)).records[key].as_of <= known


async def test_a_database_that_does_not_answer_is_a_state_not_an_error(hub, agencies, monkeypatch):
    async def broken(*_given, **_more):
        raise StoreError("database does not answer")

    monkeypatch.setattr(hub.store.driver, "rows", broken)
    answer = await ask(hub, POLICE, agencies.keys(POLICE)[0])
    assert (answer.state, answer.records) == (SourceState.DOWN, {})


@pytest.fixture
async def fallen(tmp_path, store_url, clock):
    """A hub whose police is asked live and copied for the time when it does not answer."""
    agencies = Agencies(tmp_path, modes={POLICE: "fallback"})
    hub = agencies.hub(store_url, clock)
    await migrate(hub.store)
    assert (await hub.copier.copy(POLICE, anyway=True)).added
    yield hub, agencies
    await hub.close()


async def test_a_live_agency_that_is_down_is_answered_for_by_what_was_last_known(fallen, clock):
    hub, agencies = fallen
    key = agencies.keys(POLICE)[0]
    agencies.change("UPDATE rk_ryxx SET xm = '新名'")
    live = await ask(hub, POLICE, key)
    assert (live.state, value(hub, POLICE, live, key, "name")) == (SourceState.OK, "新名")
    agencies.change("ALTER TABLE rk_ryxx RENAME TO away")
    kept = await ask(hub, POLICE, key)
    assert kept.state is SourceState.STALE
    assert value(hub, POLICE, kept, key, "name") not in (None, "新名")
    assert kept.records[key].received_at is not None
    clock.advance(hub.rules.mappings[POLICE].replica.usable_for_s + 60)
    gone = await ask(hub, POLICE, key)
    assert (gone.state, gone.records) == (SourceState.DOWN, {})


@pytest.mark.parametrize(("allowed_s", "used_s", "left_s"), [(2.0, 1.7, 0.3), (0.5, 0.4, 0.1), (2.0, 0.0, 2.0)])
async def test_agency_and_copy_together_keep_to_the_time_allowed(fallen, allowed_s, used_s, left_s):
    hub, agencies = fallen
    clock, given = FixedClock(datetime(2026, 7, 20, tzinfo=UTC)), []

    class Late:
        agency = POLICE

        async def ask(self, fetch):
            given.append(fetch.timeout_s)
            clock.advance(used_s)
            return silent(POLICE, SourceState.TIMEOUT, clock)

    class Copy:
        async def ask(self, fetches):
            given.append(fetches[POLICE].timeout_s)
            return {POLICE: silent(POLICE, SourceState.DOWN, clock)}

    question = msgspec.structs.replace(fetch_of(hub, POLICE, agencies.keys(POLICE)[0]), timeout_s=allowed_s)
    answer = await ReplicaSource(Late(), Copy(), Mode.FALLBACK, clock).ask(question)
    assert answer.state is SourceState.TIMEOUT
    assert given == pytest.approx([allowed_s - min(0.3, allowed_s / 5), left_s])


async def test_an_agency_without_a_copy_knows_nothing_of_earlier_times(fallen, clock):
    hub, agencies = fallen
    moment = Moment(valid=clock.now(), known=None)
    key = agencies.keys(CIVIL)[0]
    live = hub.sources[CIVIL]
    question = Fetch(
        parts=(Part(keys=(key,), coordinates=frozenset({"CivilAffairsRecord.name"})),),
        layout=fetch_of(hub, POLICE, key).layout,
        timeout_s=5,
        at=moment,
    )
    answer = await live.ask(question)
    assert (answer.state, answer.records) == (SourceState.NO_HISTORY, {})
    assert live.connector.calls == 0
    kept = await ask(hub, POLICE, agencies.keys(POLICE)[0], valid=clock.now())
    assert (kept.state, len(kept.records)) == (SourceState.OK, 1)
