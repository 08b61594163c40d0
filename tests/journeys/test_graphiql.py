"""The console page of the demo: served by the hub itself, its personas and prepared queries fit."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from hub.demo.run import QUERY_FILE
from hub.rules import read_rules
from hub.settings import load_settings
from hub.web.app import ASSETS

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
def test_prepared_queries_fit_the_schema(query):
    assert validate(read_rules(load_settings()).schema, parse(query)) == []


def test_the_first_prepared_query_is_the_printed_one():
    assert len(QUERIES) >= 5
    assert QUERIES[0].split() == QUERY_FILE.read_text("utf-8").split()
