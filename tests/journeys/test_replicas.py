"""docs/replicas.md over HTTP: an agency answered for by its copy, earlier times, and an agency that is away."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.journeys.conftest import Demo, start, stop

PAGE = Path(__file__).parents[2] / "docs" / "replicas.md"
(QUERY,) = re.findall(r"```graphql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
(OPTIONS,) = re.findall(r"hub demo (--replica .*)\n", PAGE.read_text("utf-8"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A demo as the page starts it."""
    directory = tmp_path_factory.mktemp("copied") / "data"
    process, port = start(directory, 200, *OPTIONS.split())
    try:
        yield Demo(directory, f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


def told(demo, **moments: datetime):
    """The person, and the state of each source."""
    texts = {name: moment.isoformat() for name, moment in moments.items()}
    number = demo.held["people"]["in"][0]
    answer = demo.ask("judicial-office", QUERY, {"number": number, **texts})
    assert answer.status == 200, answer.raw
    states = {source["agency"]: source["status"] for source in answer.hub["sources"]}
    entry = demo.entry(answer.hub["auditEntry"])
    assert {source["agency"]: source["status"] for source in entry["sources"]} == states
    return answer.json["data"]["person"], states


def test_the_page_is_true(copied):
    now = datetime.now(UTC)
    person, states = told(copied)
    assert person["police"]["name"]
    assert person["police"]["provenance"]["stale"] is False
    assert set(states.values()) == {"OK"}

    then, states = told(copied, asOf=now)
    assert then["police"]["name"] == person["police"]["name"]
    assert then["socialSecurity"] is None
    assert (states["police"], states["social-security"]) == ("OK", "NO_HISTORY")

    long_ago, _ = told(copied, asOf=now - timedelta(days=365 * 60))
    assert long_ago["police"] is None
    not_known_yet, _ = told(copied, knownAt=now - timedelta(days=30))
    assert not_known_yet["police"] is None

    status = copied.hub("replica", "status").stdout
    assert "agency=police" in status
    assert "agency=civil-affairs" in status
    assert copied.hub("replica", "copy", "police").stdout.endswith("0 records gone\n")
    refused = copied.hub("replica", "copy", "tax", check=False)
    assert refused.returncode == 2
    assert "no such copy" in refused.stderr


def test_a_time_without_an_offset_is_refused(copied):
    number = copied.held["people"]["in"][0]
    answer = copied.ask("judicial-office", QUERY, {"number": number, "asOf": "2026-05-06T00:00:00"})
    assert answer.code == "BAD_REQUEST"


def at(number: str, *times: datetime | None) -> str:
    """A query for the person at each time."""
    given = [f', asOf: "{time.isoformat()}"' if time else "" for time in times]
    fields = "name keyPerson predicates { inCustody { __typename } } police { name }"
    roots = [
        f'p{place}: person(lookup: {{identityNumber: "{number}"}}{moment}) {{ {fields} }}'
        for place, moment in enumerate(given)
    ]
    return f"{{ {' '.join(roots)} }}"


def test_one_operation_asks_about_several_times(copied):
    number, now = copied.held["people"]["in"][0], datetime.now(UTC)
    answer = copied.ask("judicial-office", at(number, None, now - timedelta(days=365 * 60), now))
    today, long_ago, lately = answer.json["data"].values()
    assert today["police"] == lately["police"] is not None
    assert long_ago["police"] is None
    assert (long_ago["name"], long_ago["keyPerson"], lately["keyPerson"]) == (
        None,
        None,
        None,
    )  # what the hub tells is of now
    states = {source["agency"]: source["status"] for source in answer.hub["sources"]}
    assert states["police"] == "OK"
    too_many = copied.ask("judicial-office", at(number, *(now - timedelta(days=days) for days in range(5))))
    assert too_many.code == "BAD_REQUEST"


def test_an_agency_that_is_away_is_answered_for_and_marked(copied):
    before, states = told(copied)
    assert states["civil-affairs"] == "OK"
    assert before["civilAffairs"]["provenance"]["stale"] is False
    shutil.move(copied.directory / "agencies" / "civil-affairs", copied.directory / "agencies" / "away")
    try:
        after, states = told(copied)
    finally:
        shutil.move(copied.directory / "agencies" / "away", copied.directory / "agencies" / "civil-affairs")
    assert states["civil-affairs"] == "STALE"
    assert after["civilAffairs"]["provenance"]["stale"] is True
    assert after["civilAffairs"]["name"] == before["civilAffairs"]["name"]


def test_the_page_tells_every_term_and_trouble():
    from hub.connectors.mapping_reader import _TERMS_KEYS

    page = PAGE.read_text("utf-8")
    assert all(f"`{name}`" in page for name in _TERMS_KEYS)
    assert "MOST_GONE" in page
