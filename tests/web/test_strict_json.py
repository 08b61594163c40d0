import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.web.strict_json import MalformedBodyError, parse_body

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(variables=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=4))
def test_what_json_writes_is_read_as_it_was(variables):
    body = {"query": "{a}", "variables": variables}
    assert parse_body(json.dumps(body).encode()) == body
    assert parse_body(json.dumps(body, ensure_ascii=False).encode()) == body


@given(raw=st.binary(max_size=60))
def test_noise_is_refused_or_an_object(raw):
    with suppress(MalformedBodyError):
        assert isinstance(parse_body(raw), dict)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="batch"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b'{"query": "a", "query": "b"}', id="duplicate at the top"),
        pytest.param(b'{"variables": {"a": 1, "a": 2}}', id="duplicate below"),
        pytest.param(b'{"variables": {"a": NaN}}', id="NaN"),
        pytest.param(b'{"variables": {"a": Infinity}}', id="Infinity"),
        pytest.param(b'{"variables": {"a": 1e999}}', id="number beyond a double"),
        pytest.param(b'{"variables": {"a": ' + b"9" * 400 + b"}}", id="400 digits"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100,000 deep"),
        pytest.param(b'{"variables": ' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}", id="50 deep"),
        pytest.param(b'\xef\xbb\xbf{"query": "a"}', id="byte order mark"),
        pytest.param(b'{"query": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"query": "\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"query": "a"} x', id="trailing"),
        pytest.param(b'{"query": "a",}', id="trailing comma"),
        pytest.param(b"{'query': 'a'}", id="single quotes"),
        pytest.param(b'{"query": "a", "sql": 1}', id="unknown member"),
        pytest.param('{"query": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"query": "\x00"}', id="NUL"),
    ],
)
def test_malformed_bodies_are_refused(raw):
    with pytest.raises(MalformedBodyError):
        parse_body(raw)
