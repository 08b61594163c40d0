"""A hub in this process, its log filled with known operations, and an auditor who asks it."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.reader import dump
from hub.auth.principal import Principal
from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.clock import FixedClock
from hub.rules import read_rules
from hub.schema.request import GraphQLRequest
from hub.settings import load_settings
from hub.store.migration import migrate

RULES = read_rules(load_settings(demo=True))
NUMBER = "11010519491231002X"
NAMES = Pattern(
    full=("Person.name",), masked=("Person.identityNumber",), denied=("TaxRecord.arrears",), facts="case jurisdiction"
)


def principal(persona: str) -> Principal:
    one = RULES.personas[persona]
    return Principal(
        agency=one.agency,
        role=one.name,
        officer=one.officer,
        client=f"demo-{persona}",
        regions=one.regions,
        purposes=frozenset(one.purposes),
        cases=None,
        token_id="t",
        expires_at=4_000_000_000,
    )


@dataclass
class Office:
    """`ask` posts as a persona; `person` is the pseudonym of the bearer of `NUMBER`."""

    hub: Hub
    clock: FixedClock
    person: str

    async def ask(self, query: str, variables: dict | None = None, persona: str = "auditor", **request: Any) -> Any:
        purpose = request.pop("purpose", RULES.personas[persona].purpose)
        sent = GraphQLRequest(
            query=query, variables=variables or {}, request_id="req", purpose=purpose, cases=(), **request
        )
        answer = await self.hub.service.answer(principal(persona), sent)
        return orjson.loads(answer.body)

    async def entries(self) -> list[dict]:
        return [shown async for shown in dump(self.hub.store)]

    async def write(self, count: int) -> None:
        for number in range(count):
            purpose = ("TAX_RELIEF", "CASE_HANDLING")[number % 2]
            draft = Draft(
                request_id=f"r{number}",
                agency="tax",
                officer=f"{number % 3}",
                role="tax",
                purpose=purpose,
                cases=(f"C{number % 5}",),
                persons=((self.person, NAMES), (f"other-{number}", NAMES)),
                outcome=Outcome.OK if number % 4 else Outcome.DENIED,
            )
            await self.hub.log.append(draft)
            self.clock.advance(60)


@pytest.fixture
async def office(tmp_path, clock):
    hub = build_hub(load_settings(data_dir=tmp_path, demo=True), clock=clock, rules=RULES)
    await migrate(hub.store)
    yield Office(hub, clock, hub.pseudonyms.of("number", NUMBER))
    await hub.close()
