"""Subscriptions over graphql-transport-ws, by a client of another make against the running server."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_exceptions import WSMessageTypeError
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.journeys.test_casework import admitted, dispatched
from tests.journeys.test_oversight import offices

SUBPROTOCOL = "graphql-transport-ws"
EVENTS = 'subscription { caseEvents(after: "0") { kind case office } }'


@asynccontextmanager
async def connected(demo, protocols=(SUBPROTOCOL,), **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{demo.url}/graphql", protocols=protocols, headers=headers, max_msg_size=0) as socket,
    ):
        yield socket


def token_of(demo, persona):
    return demo.held["personas"][persona]["token"]


def minted(demo, persona, *, lives_s=3600, officer="9001"):
    """A token of the demo's issuer, as the persona."""
    held = demo.held
    claims = json.loads(urlsafe_b64decode(token_of(demo, persona).split(".")[1] + "=="))
    now = int(time.time())
    claims |= {"sub": f"officer:{officer}", "jti": f"ws-{now}-{officer}", "iat": now, "nbf": now, "exp": now + lives_s}
    key = ECKey.import_key(Path(held["signingKey"]).read_bytes())
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": held["kid"]}, claims, key)


def hello(demo, persona="county-office", purpose="HANDOVER", token=None):
    payload = {"Authorization": f"Bearer {token or token_of(demo, persona)}", "Hub-Purpose": purpose}
    return {"type": "connection_init", "payload": payload}


async def greeted(socket, demo, **who):
    await socket.send_json(hello(demo, **who))
    assert await socket.receive_json() == {"type": "connection_ack"}


async def closed(socket):
    """The code that the server closes with."""
    async with asyncio.timeout(30):
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
            assert message.type is aiohttp.WSMsgType.TEXT, message
    return message.data


def asking(query, name="1", **variables):
    return {"type": "subscribe", "id": name, "payload": {"query": query, "variables": variables}}


async def test_events_arrive_each_after_its_own_entry(demo):
    case = admitted(offices(demo), demo, 30)
    dispatched(offices(demo), case)
    demo.hub("worker", "--once")
    async with connected(demo) as socket:
        assert socket.protocol == SUBPROTOCOL
        await greeted(socket, demo)
        await socket.send_json(asking(EVENTS))
        seen = None
        while seen is None or seen["payload"]["data"]["caseEvents"]["case"] != case:
            seen = await socket.receive_json()
            assert (seen["type"], seen["id"]) == ("next", "1")
        await socket.send_json({"type": "complete", "id": "1"})
    entry = demo.entry(seen["payload"]["extensions"]["hub"]["auditEntry"])
    assert demo.entry(entry["parent"])["role"] == "county-office"


async def test_what_happens_while_it_listens_arrives(demo):
    async with connected(demo, Authorization=f"Bearer {token_of(demo, 'county-office')}") as socket:
        await socket.send_json({"type": "connection_init", "payload": {"Hub-Purpose": "HANDOVER"}})
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json(asking("subscription { caseEvents { case kind } }"))
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json() == {"type": "pong"}
        await asyncio.sleep(1)
        case = await asyncio.to_thread(admitted, offices(demo), demo, 31)
        await asyncio.to_thread(dispatched, offices(demo), case)
        await asyncio.to_thread(demo.hub, "worker", "--once")
        async with asyncio.timeout(30):
            assert (await socket.receive_json())["payload"]["data"]["caseEvents"]["case"] == case


async def test_the_end_of_the_token_closes_with_forbidden(demo):
    async with connected(demo) as socket:
        await greeted(socket, demo, token=minted(demo, "county-office", lives_s=3))
        await socket.send_json(asking("subscription { taskEvents { case kind } }"))
        assert await closed(socket) == 4403
    async with connected(demo) as socket:  # also where nothing is asked
        await greeted(socket, demo, token=minted(demo, "county-office", lives_s=2))
        assert await closed(socket) == 4403


async def test_a_client_that_is_switched_off_is_closed(demo):
    async with connected(demo) as socket:
        await greeted(socket, demo, persona="police-station", purpose="RISK_CONTROL")
        client = json.loads(urlsafe_b64decode(token_of(demo, "police-station").split(".")[1] + "=="))["client_id"]
        await asyncio.to_thread(demo.hub, "client", "disable", client)
        try:
            assert await closed(socket) == 4403
        finally:
            await asyncio.to_thread(demo.hub, "client", "enable", client)


async def test_nobody_is_served_without_saying_who(demo):
    async with connected(demo) as socket:
        await socket.send_json(asking("{ viewer { role } }"))
        assert await closed(socket) == 4401
    async with connected(demo) as socket:
        await socket.send_json({"type": "connection_init"})
        assert await closed(socket) == 4403
    async with connected(demo) as socket:
        await socket.send_json(hello(demo, token="x.y.z"))
        assert await closed(socket) == 4403
    async with connected(demo, Authorization=f"Bearer {token_of(demo, 'tax')}") as socket:
        await socket.send_json(hello(demo))  # two who are not the same
        assert await closed(socket) == 4403
    async with connected(demo) as socket:
        assert await closed(socket) == 4408  # connection_init in time
    async with connected(demo) as socket:
        await greeted(socket, demo)
        await socket.send_json(hello(demo))
        assert await closed(socket) == 4429


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer x.y.z"}, 401),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({f"X-{n}": "1" for n in range(100)}, 400),
    ],
    ids=["token", "origin", "headers"],
)
async def test_the_handshake_itself_is_refused(demo, headers, status):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(demo, **headers):
            pass
    assert refused.value.status == status
    assert ("WWW-Authenticate" in refused.value.headers) is (status == 401)


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",)], ids=["none", "the old one"])
async def test_another_subprotocol_is_not_spoken(demo, protocols):
    async with connected(demo, protocols) as socket:
        assert await closed(socket) == 4406


async def test_a_page_of_the_hub_itself_may_connect(demo):
    async with connected(demo, Origin=demo.url) as socket:
        await greeted(socket, demo)


@pytest.mark.parametrize(
    "text", ["{", '{"type": "other"}', '{"type": "ping", "type": "ping"}', '{"type": "subscribe", "id": "1"}', b"{}"]
)
async def test_what_is_no_message_closes_with_bad_request(demo, text):
    async with connected(demo) as socket:
        await greeted(socket, demo)
        await (socket.send_bytes(text) if isinstance(text, bytes) else socket.send_str(text))
        assert await closed(socket) == 4400


async def test_too_large_a_message_is_not_taken(demo):
    async with connected(demo) as socket:
        await greeted(socket, demo)
        await socket.send_str('{"type": "ping", "payload": {"x": "%s"}}' % ("x" * 300_000))
        assert await closed(socket) == 1009


async def test_queries_are_answered_by_the_same_rules_and_refusals_are_errors(demo):
    async with connected(demo) as socket:
        await greeted(socket, demo)
        await socket.send_json(asking("{ viewer { role } }"))
        answer = await socket.receive_json()
        assert answer["payload"]["data"] == {"viewer": {"role": "county-office"}}
        assert demo.entry(answer["payload"]["extensions"]["hub"]["auditEntry"])["role"] == "county-office"
        assert await socket.receive_json() == {"id": "1", "type": "complete"}
        await socket.send_json(asking("{ nothing }", "2"))
        refused = await socket.receive_json()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "GRAPHQL_VALIDATION_FAILED")
        await socket.send_json(asking("{ viewer { ... @defer { role } } }", "3"))
        assert (await socket.receive_json())["payload"]["data"] == {"viewer": {"role": "county-office"}}
    async with connected(demo) as socket:
        await greeted(socket, demo, persona="tax", purpose="TAX_RELIEF")
        await socket.send_json(asking(EVENTS))
        assert (await socket.receive_json())["type"] == "error"


async def seated(demo, token):
    """An accepted connection, still open. The server may need a moment to see that an earlier one is gone."""
    for _ in range(200):
        held = connected(demo)
        socket = await held.__aenter__()
        try:
            await greeted(socket, demo, token=token)
            return held
        except WSMessageTypeError:
            await held.__aexit__(None, None, None)
            await asyncio.sleep(0.1)
    raise AssertionError("no seat became free")


async def test_operations_and_connections_have_a_bound(demo):
    token = minted(demo, "county-office", officer="bound-9002")
    async with connected(demo) as socket:
        await greeted(socket, demo, token=token)
        for number in range(11):
            await socket.send_json(asking("subscription { taskEvents { case } }", str(number)))
        refused = await socket.receive_json()
        assert (refused["id"], refused["type"]) == ("10", "error")
        await socket.send_json(asking("subscription { taskEvents { case } }", "3"))
        assert await closed(socket) == 4409
    held = [await seated(demo, token) for _ in range(10)]
    async with connected(demo) as socket:
        await socket.send_json(hello(demo, token=token))
        assert await closed(socket) == 1013
    for each in held:
        await each.__aexit__(None, None, None)
    again = await seated(demo, token)
    await again.__aexit__(None, None, None)
    refused = [entry for entry in await asyncio.to_thread(demo.entries) if entry["officer"] == "bound-9002"]
    codes = [entry["code"] for entry in refused if entry["outcome"] == "DENIED"]
    assert codes[:2] == ["RATE_LIMITED", "BAD_REQUEST"]  # the operation, and the id that was taken
    assert set(codes[2:]) == {"RATE_LIMITED"}  # the connection
