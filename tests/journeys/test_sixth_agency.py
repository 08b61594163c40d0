"""A sixth agency, market supervision, is added by TOML and a policy alone: no line of the hub knows its name."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.bootstrap.build import build_hub
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings

PLUGIN = Path(__file__).parent.parent / "plugins" / "market-supervision"
QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) {
  name marketSupervision { blacklisted licences { name issuedOn } provenance { agency } } } }"""


@pytest.fixture
async def hub(demo, tmp_path):
    shutil.copytree(demo.directory / "hub", tmp_path / "hub")
    registry = tmp_path / "registry.db"
    with closing(sqlite3.connect(registry)) as database, database:
        database.execute("CREATE TABLE registry (owner_id TEXT, registry_no TEXT, bad TEXT, updated TEXT)")
        database.execute("CREATE TABLE licence (registry_no TEXT, n INT, trade_name TEXT, issued TEXT)")
        number = demo.held["people"]["in"][0].lower()
        database.execute("INSERT INTO registry VALUES (?, 'M1', 'N', '2026-11-01T00:00:00+08:00')", (number,))
        database.executemany(
            "INSERT INTO licence VALUES ('M1', ?, ?, ?)", [(2, "郭记小吃", "2025-03-01"), (1, "郭记五金", "2024-01-01")]
        )
    with (tmp_path / "hub" / "agencies.toml").open("a") as file:
        file.write(f'\n[agencies."market-supervision"]\nurl = "sqlite+aiosqlite:///{registry}"\n')
    settings = load_settings(data_dir=tmp_path, url=demo.url, demo=True, plugins_dir=PLUGIN, agency_deadline_s=5)
    built = build_hub(settings)
    yield built
    await built.close()


async def ask(hub, demo, persona, purpose):
    asker = hub.issuer.principal_of(hub.rules.personas[persona])
    request = GraphQLRequest(
        query=QUERY, variables={"n": demo.held["people"]["in"][0]}, purpose=purpose, request_id="six"
    )
    return json.loads((await hub.service.answer(asker, request)).body)


async def test_its_records_are_part_of_the_person_view(hub, demo):
    body = await ask(hub, demo, "judicial-office", "HANDOVER")
    assert body["data"]["person"]["marketSupervision"] == {
        "blacklisted": False,
        "licences": [
            {"name": "郭记五金", "issuedOn": "2024-01-01"},
            {"name": "郭记小吃", "issuedOn": "2025-03-01"},
        ],
        "provenance": {"agency": "market-supervision"},
    }


async def test_no_rule_for_a_role_is_no_such_field(hub, demo):
    body = await ask(hub, demo, "tax", "TAX_RELIEF")
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert hub.sources["market-supervision"].connector.calls == 0
