"""Workers and servers that tell each other of events over a nats-server: settings, and an event from end to end."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from hub.errors import SettingsError
from hub.settings import load_settings
from tests.events.test_jetstream import NATS, TOKEN, Server, published
from tests.journeys.conftest import free_port
from tests.journeys.test_casework import Officer, admitted
from tests.journeys.test_workers import wait_ready


@pytest.mark.parametrize("url", ["nats://mq.example:4222", "http://127.0.0.1:4222", "tls://", "mq"])
def test_events_do_not_travel_in_the_clear(url):
    with pytest.raises(SettingsError) as refused:
        load_settings(nats_url=url)
    assert "HUB_NATS_URL" in str(refused.value)


@pytest.mark.skipif(NATS is None, reason="nats-server is not installed (Debian: nats-server)")
async def test_a_server_hears_from_a_worker_over_jetstream(demo, tmp_path):
    server = Server(tmp_path / "nats")
    await server.start()
    (tmp_path / "token").write_text(TOKEN)
    environment = {**os.environ, "HUB_URL": demo.url, "HUB_ISSUER": demo.url, "HUB_DEMO": "true"}
    environment |= {"HUB_NATS_URL": server.url, "HUB_NATS_TOKEN_FILE": str(tmp_path / "token")}
    command, port = [sys.executable, "-m", "hub.cli.main"], free_port()
    data = ["--data", str(demo.directory)]
    serving = subprocess.Popen([*command, "serve", *data, "--port", str(port)], env=environment)
    try:
        wait_ready(serving, url := f"http://127.0.0.1:{port}")
        case = admitted({"prison": Officer(demo, "prison", "HANDOVER")}, demo, 40)
        subprocess.run([*command, "worker", "--once", *data], env=environment, check=True, stdout=subprocess.DEVNULL)
        known = demo.held["personas"]["province-office"]
        headers = {
            "Authorization": f"Bearer {known['token']}",
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Hub-Purpose": "SUPERVISION",
        }
        body = json.dumps({"query": 'subscription { caseEvents(after: "0") { kind case } }'}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{url}/graphql", body, headers), timeout=30) as answer:
            seen = ""
            while f'"case":"{case}"' not in seen:
                seen = answer.readline().decode()
        places = [place for _, place in await published(server)]
        assert places
        assert places == sorted(set(places))
    finally:
        serving.terminate()
        serving.wait(30)
        server.kill()
