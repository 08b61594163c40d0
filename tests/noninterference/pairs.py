"""One example of the two-run property: an asker, two worlds alike to them, some operations, and what came of it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from hub.auth.decision import Reach
from hub.auth.principal import Principal
from tests.conftest import FULL
from tests.noninterference.harness import Call, Seen, Shop, key_of
from tests.noninterference.operations import KINDS, Operation, Writer
from tests.noninterference.sight import OWNERS, PREDICATES, RELEASED, Blur, Sight
from tests.noninterference.worlds import CASES, SLOTS, Maker, World, number_of

SEEING = (
    "prison judicial-office county-office province-office police-station social-security civil-affairs tax"
    " medical-insurance market-supervision bank base volunteer procurator data-subject"
).split()
BLIND = "auditor statistician developer approver sysadmin".split()
"""Roles that see nobody, whatever the facts: they get nothing that worlds could differ in, and few examples suffice."""
ROLES = [*SEEING, *BLIND]
SLOT_OF = {number_of(slot): slot for slot in range(SLOTS)} | {key_of(slot): slot for slot in range(SLOTS)}


@dataclass(frozen=True)
class Pair:
    principal: Principal
    purpose: str | None
    operations: tuple[Operation, ...]
    quota: int
    one: World
    other: World


@dataclass(frozen=True)
class Outcome:
    """`first` and `second`: what was seen of each operation in each world."""

    pair: Pair
    first: tuple[Seen, ...]
    second: tuple[Seen, ...]

    @property
    def same_answers(self) -> bool:
        return [seen.answers for seen in self.first] == [seen.answers for seen in self.second]

    @property
    def same_calls(self) -> bool:
        return [seen.calls for seen in self.first] == [seen.calls for seen in self.second]

    def difference(self) -> str:
        """The first operation that tells the worlds apart, for whoever reads a failure."""
        for operation, one, other in zip(self.pair.operations, self.first, self.second, strict=True):
            if one != other:
                return f"\n{self.pair.principal.role} for {self.pair.purpose}: {operation}\n--- {one}\n--- {other}"
        return "none"


def principal_of(shop: Shop, role: str) -> Principal:
    persona = shop.rules.personas[role]
    return Principal(
        agency=persona.agency, role=role, officer=persona.officer, client="c", regions=persona.regions,
        purposes=frozenset(persona.purposes), cases=None, token_id="", expires_at=0,
    )  # fmt: skip


def draw(
    shop: Shop, role: str, seed: int, *, operations: int = 3, density: float = 0.4, kinds: Sequence[str] = KINDS
) -> Pair:
    """An example for `role`; the same seed draws the same."""
    dice = Random(f"{role}/{seed}")
    principal = principal_of(shop, role)
    persona = shop.rules.personas[role]
    purposes = sorted(principal.purposes)
    others = purposes if FULL else purposes[-1:]  # every purpose has decision tables of its own to be made first
    purpose = dice.choice([*[persona.purpose] * 5, *others]) if purposes else None
    maker = Maker(shop.catalogue, dice)
    one = maker.world(principal.agency, purpose or "")
    schema = shop.schema_of(principal)
    cases = tuple(name for name in CASES if dice.random() < 0.5)
    written = tuple(
        Writer(
            schema, shop.rules.schema, dice, dice.choice((density / 2, density)), cases=cases, kinds=kinds
        ).operation()
        for _ in range(operations)
    )
    quota = dice.choice((1000, 1000, 1000, 2, 4))
    blurred = Blur(maker, Sight(shop.rules.judge, principal, purpose or "", cases)).world(one)
    return Pair(principal, purpose, written, quota, one, blurred)


async def run(shop: Shop, pair: Pair) -> Outcome:
    seen = []
    for world in (pair.one, pair.other):
        shop.put(world, quota=pair.quota)
        seen.append(tuple([await shop.run(pair.principal, pair.purpose, item) for item in pair.operations]))
    return Outcome(pair, *seen)


def denied_but_asked(shop: Shop, outcome: Outcome) -> Iterator[tuple[Call, str, str]]:
    """Coordinates that an agency was asked for though the asker may not have them of that person."""
    pair = outcome.pair
    for world, runs in ((pair.one, outcome.first), (pair.other, outcome.second)):
        for operation, seen in zip(pair.operations, runs, strict=True):
            sight = Sight(shop.rules.judge, pair.principal, pair.purpose or "", operation.cases)
            for call in seen.calls:
                predicates = [bound for bound in PREDICATES.values() if bound.predicate.name in operation.text]
                for key, coordinates in call.asked:
                    slot = SLOT_OF.get(key)
                    if sight.reach is Reach.NOBODY:
                        yield call, key, "anything"
                    if slot is None:
                        continue
                    answered = sight.answered(world, slot)
                    computed = {name for bound in predicates if bound in answered for name in bound.fetch}
                    for name in coordinates:
                        denied = sight.effect(world, slot, name) not in RELEASED and name not in computed
                        if OWNERS[name] != call.agency or denied:
                            yield call, key, name


def wait(loop: asyncio.AbstractEventLoop, shop: Shop, pair: Pair) -> Outcome:
    return loop.run_until_complete(run(shop, pair))
