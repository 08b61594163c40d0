"""Identity on the simulated province: precision and recall by stratum, records a second, and one record online.

    python -m benchmarks.identity accuracy --people 3334     # 10,002 persons, about 33,000 records of other agencies
    python -m benchmarks.identity online --people 172000

Prints counts, ratios and times beside the limits that bind; ends with 1 if a limit is missed.
"""

import argparse
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from hub.demo.linkage import TrueRecord, records
from hub.demo.population import World, someone
from hub.identity.matching.candidates import Anchors
from hub.identity.matching.cluster import Contender, settle
from hub.identity.matching.decision import Order, Outcome, Verdict
from hub.identity.matching.levels import name_level
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model, read_model

LEAST_PRECISION, LEAST_RECALL = 0.999, 0.98
MADE_FOR = date(2026, 11, 1)


@dataclass(slots=True)
class Counts:
    """`right` and `wrong` links made, `missed` true ones; `asked`: missed ones that wait for people's decision."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    asked: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


@dataclass(slots=True)
class Accuracy:
    strata: dict[str, Counts] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    records: int = 0
    took_s: float = 0.0

    @property
    def total(self) -> Counts:
        return self.strata["all"]

    def lines(self) -> Iterable[str]:
        yield f"{'stratum':28}{'links':>9}{'wrong':>7}{'missed':>8}{'asked':>7}{'precision':>11}{'recall':>9}"
        for name, counts in sorted(self.strata.items()):
            yield (
                f"{name:28}{counts.right + counts.wrong:9}{counts.wrong:7}{counts.missed:8}{counts.asked:7}"
                f"{counts.precision:11.5f}{counts.recall:9.5f}"
            )


class Province:
    """Anchors of all members, the true person of each, and the pairs whose numbers tell twins apart."""

    def __init__(self, model: Model) -> None:
        self.anchors = Anchors(model)
        self.names: dict[int, str] = {}
        self.numbers: dict[int, str] = {}

    def add(self, record: TrueRecord) -> None:
        self.anchors.add(str(record.person), record.traits)
        self.names[record.person] = record.traits.name
        self.numbers[record.person] = record.traits.number

    def links(self, others: Iterable[TrueRecord], twins: frozenset[int]) -> Accuracy:
        """Decide every record, settle every person, and hold the links against the truth."""
        found = Accuracy()
        pending: dict[str, list[Contender]] = {}
        kept: list[tuple[str, int, str, Verdict, tuple[str, ...]]] = []
        began = time.perf_counter()
        for other in others:
            verdict = self.anchors.decide(other.traits)
            found.records += 1
            record = f"{other.agency}/{other.key}"
            if verdict.outcome is Outcome.JOIN and verdict.best is not None:
                number = other.traits.number if other.traits.verified else ""
                contender = Contender(record=record, agency=other.agency, weight=verdict.best.weight, number=number)
                pending.setdefault(verdict.best.person, []).append(contender)
            if verdict.outcome is not Outcome.NOBODY or other.person in self.names:
                kept.append((record, other.person, other.agency, verdict, self._strata(other, twins)))
        joined = {
            (record, person): True
            for person, contenders in pending.items()
            for record in settle(
                contenders, margin=self.anchors.model.margin, number=_verified(self.anchors.traits(person))
            ).joined
        }
        found.took_s = time.perf_counter() - began
        for record, person, agency, verdict, strata in kept:
            chosen = verdict.best.person if verdict.best is not None else ""
            made = (record, chosen) in joined
            self._count(found, (*strata, agency, "all"), chosen == str(person), made, person in self.names, verdict)
        return found

    def _strata(self, other: TrueRecord, twins: frozenset[int]) -> tuple[str, ...]:
        number = "missing" if not other.traits.number else "present" if other.traits.verified else "wrong"
        held = self.names.get(other.person, other.traits.name)
        found = [f"number {number}"]
        if name_level(held, other.traits.name) != "equal":
            found.append("name variant")
        if other.person in twins:
            found.append("twins")
        return tuple(found)

    @staticmethod
    def _count(
        found: Accuracy, strata: tuple[str, ...], same: bool, made: bool, member: bool, verdict: Verdict
    ) -> None:
        for stratum in strata:
            counts = found.strata.setdefault(stratum, Counts())
            if made and same:
                counts.right += 1
                continue
            counts.wrong += made
            if member:
                counts.missed += 1
                counts.asked += verdict.outcome is Outcome.REVIEW
        if not (made and same) and member:
            found.reasons.update(verdict.reasons or (verdict.outcome.value,))


def _verified(traits: Traits) -> str:
    return traits.number if traits.verified else ""


def twins_of(world: World) -> frozenset[int]:
    """Members who were born on one day in one household, by pairs that follow each other."""
    found: set[int] = set()
    before = someone(world, 0)
    for index in range(1, world.members):
        person = someone(world, index)
        if person.birth == before.birth and person.address == before.address:
            found |= {index - 1, index}
        before = person
    return frozenset(found)


def accuracy(people: int, seed: int, model: Model | None = None) -> Accuracy:
    """Links of a whole simulated province against its truth."""
    world = World(seed=seed, members=people, today=MADE_FOR)
    province = Province(model or read_model())
    others = []
    for held in records(world):
        if held.agency == "justice":
            province.add(held)
        else:
            others.append(held)
    return province.links(others, twins_of(world))


NO_ORDERS: Mapping[str, Order] = {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["accuracy"])
    parser.add_argument("--people", type=int, default=3334)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    found = accuracy(given.people, given.seed)
    print("\n".join(found.lines()))
    print(f"records a second: {found.records / found.took_s:.0f} (compared and settled, not stored)")
    print(f"why true links were not made: {dict(found.reasons.most_common())}")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    met = found.total.precision >= LEAST_PRECISION and found.total.recall >= LEAST_RECALL
    print(f"precision >= {LEAST_PRECISION}, recall >= {LEAST_RECALL}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
