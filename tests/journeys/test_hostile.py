"""What an attacker sends, over a real socket: the documented refusal, a small answer, a server that lives on."""

import json
import socket
import time
from urllib.parse import urlsplit

import psutil
import pytest

from tests.auth.test_token import HOSTILE as HOSTILE_TOKENS

GRAPHQL = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}


def body(query: str, **more) -> bytes:
    return json.dumps({"query": query, **more}).encode()


def nested(depth: int) -> str:
    return "{ people " + "{ edges { node " * depth + "{ id }" + "} }" * depth + " }"


ALIASES = "{ " + " ".join(f"a{n}: __typename" for n in range(10_000)) + " }"
ROOTS = "{ " + " ".join(f"a{n}: viewer {{ role }}" for n in range(25)) + " }"
FANOUT = (
    "{ people(first: 100) { edges { node { "
    + " ".join(f"r{n}: justice {{ visits {{ mode }} }}" for n in range(29))
    + " } } } }"
)
CYCLE = "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A role }"
LADDER = (
    "{ viewer { ...F0 } } "
    + " ".join(f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(18))
    + " fragment F18 on Viewer { role }"
)
INTROSPECTION_BOMB = "{ __schema { types " + "{ fields { type " * 7 + "{ name }" + " } }" * 7 + " } }"

CASES = {
    "10,000 aliases": (body(ALIASES), {}, 400, "COST_LIMIT"),
    "too many root fields": (body(ROOTS), {}, 400, "COST_LIMIT"),
    "nested fan-out": (body(FANOUT), {}, 400, "COST_LIMIT"),
    "fragment cycle": (body(CYCLE), {}, 400, "GRAPHQL_VALIDATION_FAILED"),
    "fragment ladder": (body(LADDER), {}, 400, "COST_LIMIT"),
    "deep nesting": (body(nested(20)), {}, 400, "COST_LIMIT"),
    "brackets": (body("{" * 500), {}, 400, "COST_LIMIT"),
    "nested list values": (body("{ persons(ids: " + "[" * 5000 + "]" * 5000 + ") { id } }"), {}, 400, "COST_LIMIT"),
    "many directives": (body("{ viewer { role " + "@skip(if: false) " * 60 + "} }"), {}, 400, "COST_LIMIT"),
    "introspection bomb": (body(INTROSPECTION_BOMB), {}, 400, "COST_LIMIT"),
    "first of a billion": (body("{ people(first: 1000000000) { edges { node { id } } } }"), {}, 400, "COST_LIMIT"),
    "10 MB body": (b'{"query": "' + b"x" * 10_000_000 + b'"}', {}, 413, "PAYLOAD_TOO_LARGE"),
    "duplicate keys": (b'{"query": "{a}", "query": "{b}"}', {}, 400, "BAD_REQUEST"),
    "invalid UTF-8": (b'{"query": "\xff\xfe"}', {}, 400, "BAD_REQUEST"),
    "100,000-deep JSON": (b"[" * 100_000 + b"]" * 100_000, {}, 400, "BAD_REQUEST"),
    "batch": (b'[{"query": "{a}"}]', {}, 400, "BAD_REQUEST"),
    "huge integer": (b'{"query": "{a}", "variables": {"a": ' + b"9" * 5000 + b"}}", {}, 400, "BAD_REQUEST"),
    "not GraphQL": (body("SELECT * FROM person"), {}, 400, "GRAPHQL_PARSE_FAILED"),
    "control characters": (body("{ viewer \x07 }"), {}, 400, "GRAPHQL_PARSE_FAILED"),
    "unknown field": (body("{ viewer { password } }"), {}, 400, "GRAPHQL_VALIDATION_FAILED"),
    "mutation": (body("mutation { dropEverything }"), {}, 400, "GRAPHQL_VALIDATION_FAILED"),
    "multipart": (b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    "form": (b"query=%7Ba%7D", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    "gzip": (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    "html wanted": (body("{ __typename }"), {"Accept": "text/html"}, 406, "NOT_ACCEPTABLE"),
    "200 headers": (body("{ __typename }"), {f"X-H{n}": "1" for n in range(120)}, 400, "BAD_REQUEST"),
    "variable of the wrong type": (
        body("query ($f: Int) { people(first: $f) { totalCount } }", variables={"f": {"a": 1}}), {}, 400, "BAD_REQUEST",
    ),
    "no operation": (body("fragment A on Viewer { role }"), {}, 400, "BAD_REQUEST"),
    "two operations, none named": (body("query A { __typename } query B { __typename }"), {}, 400, "BAD_REQUEST"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(demo):
    """The hub's own process among the children of the demo."""
    children = psutil.Process(demo.pid).children(recursive=True)
    return next(child for child in children if "serve" in child.cmdline())


@pytest.mark.parametrize("name", list(CASES))
def test_hostile_requests_are_refused(demo, server, name):
    raw, headers, status, code = CASES[name]
    token = demo.held["personas"]["judicial-office"]["token"]
    before = server.memory_info().rss
    sent = {**GRAPHQL, "Authorization": f"Bearer {token}", "Hub-Purpose": "HANDOVER", **headers}
    reply = demo.send("/graphql", raw, sent)
    assert (reply.status, reply.code) == (status, code)
    assert len(reply.raw) < 256 * 1024
    assert "Traceback" not in reply.raw.decode()
    assert server.memory_info().rss - before < 128 * 1024 * 1024
    assert demo.ask("developer", "{ __typename }").status == 200


def test_an_error_names_nothing_that_the_caller_did_not_send(demo):
    text = demo.ask("developer", "{ viewer { rol } }").raw.decode()
    assert "role" not in text
    assert "Viewer" not in text


def test_the_standard_introspection_query_passes(demo):
    from graphql import get_introspection_query

    assert demo.ask("developer", get_introspection_query()).json["data"]["__schema"]["types"]


def test_an_endless_body_is_cut(demo):
    parts = urlsplit(demo.url)
    token = demo.held["personas"]["tax"]["token"]
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            for _ in range(100):
                connection.sendall(chunk)
        except OSError:
            pass
        else:
            assert b" 413 " in connection.recv(4096)
    assert demo.ask("developer", "{ __typename }").status == 200


def test_without_a_token_the_answer_comes_before_the_body(demo):
    parts = urlsplit(demo.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert b" 401 " in connection.recv(4096)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_only_post_is_taken(demo, method):
    token = demo.held["personas"]["tax"]["token"]
    reply = demo.send("/graphql?query=%7B__typename%7D", None, {"Authorization": f"Bearer {token}"}, method)
    assert reply.status == 405
    assert reply.headers["allow"] == "POST"


def test_hostile_tokens_over_http_are_all_401(demo):
    refused = 0
    for header in HOSTILE_TOKENS.values():
        if header is None or not header.isprintable() or not header.isascii() or len(header) > 60_000:
            continue
        assert demo.send("/graphql", b"{}", {**GRAPHQL, "Authorization": header}).status == 401
        refused += 1
    assert refused >= 60


def operations(demo) -> int:
    return sum(entry["kind"] == "operation" for entry in demo.entries())


def test_refusals_before_a_token_are_counted_not_logged_one_by_one(demo):
    """At most a summary a minute (kind `refusals`) may come in between."""
    before = operations(demo)
    for _ in range(5):
        demo.send("/graphql", b"{}", GRAPHQL)
    time.sleep(0.1)
    assert operations(demo) == before
    assert 'hub_refusals_total{code="UNAUTHENTICATED"}' in demo.send("/metrics").raw.decode()
