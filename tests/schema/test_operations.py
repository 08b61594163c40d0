"""Operations whose parts come later: one deadline and one budget for all of it, purposes checked before anything runs."""

import asyncio
from typing import Any

import pytest

from hub.auth.principal import Principal
from hub.errors import CostLimitError, DeadlineExceededError, PurposeRequiredError
from hub.gateway.reading import AskAnswer, Reading
from hub.gateway.survivorship import read_survivorship
from hub.rules import build_schema
from hub.schema.cost import CostModel
from hub.schema.documents import Documents
from hub.schema.operations import Operation, Operations
from hub.schema.weights import read_weights
from tests.auth.parts import catalogue, read_codes

SCHEMA = build_schema(catalogue(), read_codes())
COSTS = CostModel(SCHEMA, read_weights(catalogue(), {}, read_survivorship(catalogue())))
LATER = '{ viewer { role } ... @defer { person(lookup: {id: "x"}) { name } } }'
PRINCIPAL = Principal(
    agency="justice",
    role="judicial-office",
    officer="1",
    client="c",
    regions=("36",),
    purposes=frozenset({"HANDOVER"}),
    cases=None,
    token_id="t",
    expires_at=0,
)


class Gateway:
    """Knows nobody; takes its time."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self._takes_s = takes_s
        self.reads = 0
        self.cancelled = 0

    async def read(self, _asker: Any, asks: Any, _reading: Any) -> list[AskAnswer]:
        self.reads += 1
        try:
            await asyncio.sleep(self._takes_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [AskAnswer(persons=(None,)) for _ in asks]


def operations(gateway: Gateway, **limits: Any) -> Operations:
    purposes = frozenset({"HANDOVER"})
    return Operations(SCHEMA, gateway, None, purposes=purposes, **{"deadline_s": 5.0, **limits})


def operation(text: str, purpose: str | None = "HANDOVER") -> Operation:
    return Operation(
        prepared=Documents(SCHEMA, COSTS).prepare(text, None, {}),
        variables={},
        principal=PRINCIPAL,
        purpose=purpose,
        cases=(),
        judge=None,
    )


async def test_the_first_answer_reads_nothing_that_is_deferred():
    gateway = Gateway()
    mine = operations(gateway)
    begun = await mine.begin(operation(LATER), Reading())
    assert begun.executed.data == {"viewer": {"role": "judicial-office"}}
    assert gateway.reads == 0
    (late,) = begun.parts
    assert late.places == ((),)
    _, (delivery,) = await mine.finish(late, Reading())
    assert delivery.pieces[0].data == {"person": None}
    assert gateway.reads == 1


async def test_for_who_takes_it_at_once_it_is_one_answer():
    gateway = Gateway()
    executed = await operations(gateway).run(operation(LATER), Reading())
    assert executed.data == {"viewer": {"role": "judicial-office"}, "person": None}
    assert gateway.reads == 1


@pytest.mark.parametrize("text", ["{ viewer { role } }", LATER.replace("@defer", "@defer(if: false)")])
async def test_where_nothing_comes_later_it_is_one_answer(text):
    begun = await operations(Gateway()).begin(operation(text), Reading())
    assert (begun.split, begun.parts) == (None, ())


async def test_the_deadline_is_that_of_the_whole_operation_and_stops_the_read():
    gateway = Gateway(takes_s=60)
    mine = operations(gateway, deadline_s=0.05)
    begun = await mine.begin(operation(LATER), Reading())
    with pytest.raises(DeadlineExceededError):
        await mine.finish(begun.parts[0], Reading())
    assert gateway.cancelled == 1


async def test_a_cancelled_part_stops_its_read():
    gateway = Gateway(takes_s=60)
    mine = operations(gateway)
    begun = await mine.begin(operation(LATER), Reading())
    task = asyncio.create_task(mine.finish(begun.parts[0], Reading()))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gateway.cancelled == 1


async def test_a_purpose_is_asked_for_before_anything_runs():
    with pytest.raises(PurposeRequiredError):
        await operations(Gateway()).begin(operation(LATER, purpose=None), Reading())


async def test_parts_share_the_objects_of_one_answer():
    text = "{ viewer { role } ... @defer { again: viewer { role } } }"
    for most, enough in ((4, True), (3, False)):
        mine = operations(Gateway(), max_objects=most)
        begun = await mine.begin(operation(text), Reading())
        if enough:
            await mine.finish(begun.parts[0], Reading())
        else:
            with pytest.raises(CostLimitError):
                await mine.finish(begun.parts[0], Reading())


async def test_plans_are_split_once_for_the_same_values():
    mine = operations(Gateway())
    splits = [(await mine.begin(operation(LATER), Reading())).split for _ in range(2)]
    assert splits[0] is splits[1]
