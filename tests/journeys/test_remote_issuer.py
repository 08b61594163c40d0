"""A hub whose tokens are another's: it reads the issuer's keys, takes its tokens, and officers sign in there."""

import asyncio
import json
import os
import subprocess
import sys

import aiohttp
import pytest

from tests.auth.issuing import StandIn
from tests.journeys.conftest import free_port

QUERY = "query ($number: String!) { person(lookup: {identityNumber: $number}) { name } }"
AUDITOR = {
    "sub": "officer:aud", "client_id": "console", "act": {"sub": "client:console"}, "agency": "audit",
    "role": "auditor", "regions": ["36"], "purposes": ["AUDIT"],
}  # fmt: skip
OFFICE = {
    "sub": "officer:ann", "client_id": "office", "act": {"sub": "client:office"}, "agency": "justice",
    "role": "judicial-office", "regions": ["360702"], "purposes": ["HANDOVER"],
}  # fmt: skip


@pytest.fixture
async def issuer():
    stand_in = StandIn("", **AUDITOR)
    async with stand_in.serving():
        yield stand_in


@pytest.fixture
async def url(demo, issuer):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    issuer.audience = f"{url}/graphql"
    environment = {**os.environ, "HUB_URL": url, "HUB_ISSUER": issuer.url}
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    try:
        async with asyncio.timeout(240), aiohttp.ClientSession() as session:
            while process.poll() is None:
                try:
                    async with session.get(f"{url}/readyz") as answer:
                        if answer.status == 200:
                            assert (await answer.json())["checks"]["issuer"] is True
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


async def test_its_tokens_are_taken_and_the_built_in_issuer_is_none(demo, issuer, url):
    body = {"query": QUERY, "variables": {"number": demo.held["people"]["in"][0]}}
    own = demo.held["personas"]["judicial-office"]["token"]
    async with aiohttp.ClientSession() as session:
        for token, status in ((issuer.token(**OFFICE), 200), (own, 401)):
            headers = {"Authorization": f"Bearer {token}", "Hub-Purpose": "HANDOVER"}
            async with session.post(f"{url}/graphql", json=body, headers=headers) as answer:
                assert answer.status == status
                if status == 200:
                    assert json.loads(await answer.text())["data"]["person"]["name"]
        async with session.get(f"{url}/.well-known/oauth-protected-resource") as answer:
            assert (await answer.json())["authorization_servers"] == [issuer.url]
        for path in ("/.well-known/oauth-authorization-server", "/oauth/token", "/oauth/authorize"):
            async with session.get(url + path) as answer:
                assert answer.status == 404
        async with session.get(f"{demo.url}/.well-known/oauth-authorization-server") as answer:
            said = await answer.json()
    assert said["issuer"] == demo.url
    assert said["token_endpoint"] == f"{demo.url}/oauth/token"


async def test_an_auditor_signs_in_there_with_a_challenge(issuer, url):
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{url}/console/login") as answer:  # to the issuer, and back with a code
            assert answer.status == 200
            assert str(answer.url).startswith(f"{url}/console/")
            assert "aud" in await answer.text()
        async with session.get(f"{url}/console/callback?code=made-up&state=made-up") as answer:
            assert answer.status == 401
    (form,) = issuer.asked
    assert form["grant_type"] == "authorization_code"
    assert form["resource"] == f"{url}/graphql"
    assert len(form["code_verifier"]) >= 43


async def test_while_it_is_away_nobody_new_signs_in(demo):
    port, nobody = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "HUB_URL": url, "HUB_ISSUER": f"http://127.0.0.1:{nobody}"}
    command = [sys.executable, "-m", "hub.cli.main", "serve", "--data", str(demo.directory), "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(240), aiohttp.ClientSession() as session:
            while process.poll() is None:
                try:
                    async with session.get(f"{url}/console/login", allow_redirects=False) as answer:
                        assert answer.status == 503
                        assert "issuer of tokens does not answer" in await answer.text()
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
            async with session.get(f"{url}/readyz") as answer:
                assert (answer.status, (await answer.json())["checks"]["issuer"]) == (503, False)
    finally:
        process.terminate()
        process.wait(30)
