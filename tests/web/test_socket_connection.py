"""What may come over a WebSocket: messages of the protocol, complete, of the right types, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.web.socket_connection import message_of
from hub.web.strict_json import MalformedBodyError

GOOD = [
    {"type": "connection_init"},
    {"type": "connection_init", "payload": None},
    {"type": "connection_init", "payload": {"Authorization": "Bearer x"}},
    {"type": "ping"},
    {"type": "pong", "payload": {"at": 1}},
    {"type": "complete", "id": "1"},
    {"type": "subscribe", "id": "e3", "payload": {"query": "{ a }", "variables": None, "operationName": None}},
    {"type": "subscribe", "id": "e3", "payload": {"query": "{ a }", "variables": {"a": [1]}, "extensions": {}}},
]
BAD = [
    "",
    "[]",
    "1",
    '{"type": "ping", "type": "ping"}',
    {"type": "next", "id": "1", "payload": {}},
    {"type": "x" * 200},
    {"type": ["ping"]},
    {"type": "ping", "more": 1},
    {"type": "ping", "payload": []},
    {"type": "complete"},
    {"type": "complete", "id": ["1"]},
    {"type": "complete", "id": ""},
    {"type": "complete", "id": "x" * 65},
    {"type": "complete", "id": "号"},
    {"type": "subscribe", "id": "1"},
    {"type": "subscribe", "id": "1", "payload": None},
    {"type": "subscribe", "payload": {"query": "{ a }"}},
    {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "extensions": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "other": 1}},
]


@pytest.mark.parametrize("message", GOOD, ids=str)
def test_a_message_of_the_protocol_is_taken(message):
    assert message_of(json.dumps(message))["type"] == message["type"]


@pytest.mark.parametrize("message", BAD, ids=lambda message: str(message)[:40])
def test_anything_else_is_refused(message):
    with pytest.raises(MalformedBodyError):
        message_of(message if isinstance(message, str) else json.dumps(message))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "payload", "query"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_message_raises_anything_else(message):
    try:
        found = message_of(json.dumps(message))
    except MalformedBodyError:
        return
    assert isinstance(found["type"], str)
