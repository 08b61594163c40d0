"""The console page of the demo: served by the hub itself, its personas and prepared queries fit."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from hub.demo.run import QUERY_FILES
from hub.web.app import ASSETS
from tests.fitting import view_of

SOURCES = Path(__file__).parents[2] / "hub" / "web" / "assets" / "src"
QUERIES = [a or b for a, b in re.findall(r"query: (?:`([^`]*)`|'([^']*)')", (SOURCES / "start.js").read_text("utf-8"))]


def test_the_page_is_served_under_a_strict_policy_or_says_what_is_missing(demo):
    reply = demo.send("/graphiql")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    if not ASSETS.is_dir():
        assert (reply.status, "npm" in reply.raw.decode()) == (503, True)
        return
    page = reply.raw.decode()
    assert reply.status == 200
    for path in re.findall(r'(?:src|href)="(/[^"]*)"', page):
        assert demo.send(path).status == 200, path
    assert "http" not in page  # nothing loads from elsewhere


def test_the_picker_has_every_persona(demo):
    found = demo.send("/graphiql/personas").json
    assert found.keys() == {"personas", "people"}
    assert found["personas"].keys() == demo.held["personas"].keys()
    assert demo.held["signingKey"] not in str(found)


@pytest.mark.parametrize("query", QUERIES)
def test_prepared_queries_fit_the_view_of_the_persona_that_is_picked_first(query):
    assert validate(view_of("judicial-office"), parse(query)) == []


def test_the_first_prepared_query_is_the_printed_one():
    assert len(QUERIES) >= 5
    assert QUERIES[0].split() == QUERY_FILES["judicial-office"].read_text("utf-8").split()


@pytest.mark.parametrize("persona", QUERY_FILES)
def test_the_printed_query_of_a_persona_fits_its_view(persona):
    assert validate(view_of(persona), parse(QUERY_FILES[persona].read_text("utf-8"))) == []
