"""Identity on the simulated province: precision and recall by stratum, records a second, and one record online.

    python -m benchmarks.identity accuracy --people 3334     # 10,002 persons, about 33,000 records of other agencies
    python -m benchmarks.identity store --people 172000      # import and link into a store, then link one record at a time

`--cache DIR` keeps the simulated records, which take minutes to make in full, for the next run.

Prints counts, ratios and times beside the limits that bind; ends with 1 if a limit is missed.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path

import msgspec
import uvloop

from hub.bootstrap.build import build_hub
from hub.bootstrap.front import settle_garbage_collector
from hub.bootstrap.parts import Hub
from hub.demo.linkage import TrueRecord, records
from hub.demo.population import World, someone
from hub.domain.agencies import JUSTICE
from hub.identity.matching.candidates import Anchors
from hub.identity.matching.cluster import Contender, settle
from hub.identity.matching.decision import Outcome, Verdict
from hub.identity.matching.levels import name_level
from hub.identity.matching.traits import Traits
from hub.identity.matching.weights import Model, read_model
from hub.settings import load_settings
from hub.store.migration import migrate

LEAST_PRECISION, LEAST_RECALL = 0.999, 0.98
LEAST_RATE, MOST_MS, MOST_MB = 2_000, 20.0, 1_536
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


def made(people: int, seed: int, cache: Path | None) -> Iterator[TrueRecord]:
    """All records of a province, members' first; from the cache if it has them."""
    world = World(seed=seed, members=people, today=MADE_FOR)
    if cache is None:
        held = list(records(world))
        yield from (one for one in held if one.agency == JUSTICE)
        yield from (one for one in held if one.agency != JUSTICE)
        return
    file = cache / f"province-{people}-{seed}.bin"
    if not file.exists():
        _keep(file, made(people, seed, None))
    decoder = msgspec.msgpack.Decoder(tuple[str, str, int, Traits])
    with file.open("rb") as stream:
        while size := stream.read(4):
            agency, key, person, traits = decoder.decode(stream.read(int.from_bytes(size, "big")))
            yield TrueRecord(agency=agency, key=key, person=person, traits=traits)


def _keep(file: Path, held: Iterable[TrueRecord]) -> None:
    encoder = msgspec.msgpack.Encoder()
    with file.with_suffix(".new").open("wb") as stream:
        for one in held:
            raw = encoder.encode((one.agency, one.key, one.person, one.traits))
            stream.write(len(raw).to_bytes(4, "big") + raw)
    file.with_suffix(".new").replace(file)


def accuracy(people: int, seed: int, *, model: Model | None = None, cache: Path | None = None) -> Accuracy:
    """Links of a whole simulated province against its truth."""
    province = Province(model or read_model())
    held = made(people, seed, cache)
    first: list[TrueRecord] = []
    for one in held:
        if one.agency != JUSTICE:
            first.append(one)
            break
        province.add(one)
    return province.links(chain(first, held), twins_of(World(seed=seed, members=people, today=MADE_FOR)))


@dataclass(frozen=True, slots=True)
class Scanned:
    key: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """Records of one agency as a connector scans them."""

    held: Callable[[], Iterator[TrueRecord]]
    agency: str

    async def scan(self, _coordinates: frozenset[str], *, batch: int) -> AsyncIterator[Sequence[Scanned]]:
        wanted = (one for one in self.held() if one.agency == self.agency)
        while page := list(islice(wanted, batch)):
            yield [Scanned(one.key, values_of(one.traits)) for one in page]


def values_of(traits: Traits) -> dict[str, object]:
    values = {"number": traits.number, "called": traits.name, "birth": traits.birth, "sex": traits.sex}
    values |= dict(zip(("county", "residence_county"), traits.counties, strict=False))
    values |= dict(zip(("address", "residence"), traits.addresses, strict=False))
    return {f"index.{name}": value for name, value in (values | {"phone": traits.phone}).items()}


def _fill(people: int, seed: int, cache: Path) -> None:
    """Make the records that a cache does not have."""
    next(iter(made(people, seed, cache)), None)


async def stored(people: int, seed: int, cache: Path | None, rounds: int) -> bool:
    """Import members and all agencies' records into a store; then link single records. Whether the limits are met."""
    counts: Counter[str] = Counter()
    singles: list[TrueRecord] = []
    every = max(1, 2 * people // rounds)
    with tempfile.TemporaryDirectory(prefix="hub-identity-") as folder:
        cache = cache or Path(folder)
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # whose memory is not what is measured
            apart.submit(_fill, people, seed, cache).result()
        for order, one in enumerate(made(people, seed, cache)):
            counts[one.agency] += 1
            if one.agency == "police" and order % every == 0:
                singles.append(one)
        hub = build_hub(load_settings(data_dir=Path(folder), demo=True, expected_persons=people))
        try:
            await migrate(hub.store)
            rate = await _imported(hub, counts, lambda: made(people, seed, cache))
            settle_garbage_collector()  # as a server does when it starts
            p99 = await _one_by_one(hub, singles)
        finally:
            await hub.close()
    print(f"one record online: p99 {p99:.1f} ms ({p99 / MOST_MS:.2f} of the most)")
    return rate >= LEAST_RATE and p99 < MOST_MS and _memory_mb() < MOST_MB


async def _imported(hub: Hub, counts: Mapping[str, int], held: Callable[[], Iterator[TrueRecord]]) -> float:
    """Import everything; records a second."""
    total, took = 0, 0.0
    for agency in (JUSTICE, *sorted(counts.keys() - {JUSTICE})):
        start = time.perf_counter()
        source, told = Source(held, agency), _told(agency, counts[agency])
        if agency == JUSTICE:
            said: object = await hub.importer.run(source, told)
        else:
            said = await hub.linking.linker.run(agency, source, told)
        spent = time.perf_counter() - start
        total, took = total + counts[agency], took + spent
        print(f"{agency}: {counts[agency]} in {spent:.1f} s, {counts[agency] / spent:.0f} a second; {said}", flush=True)
    print(f"all: {total} in {took:.1f} s, {total / took:.0f} a second ({total / took / LEAST_RATE:.2f} of the least)")
    print(f"memory: {_memory_mb():.0f} MB at most ({_memory_mb() / MOST_MB:.2f} of the most)", flush=True)
    return total / took


async def _one_by_one(hub: Hub, held: Sequence[TrueRecord]) -> float:
    """p99 in ms of placing single records under new keys, commit included: a third have their person, and a contest."""
    times: list[float] = []
    used = time.process_time()
    outcomes: Counter[str] = Counter()
    for one in held:
        start = time.perf_counter()
        verdict = await hub.linking.placing.place(
            hub.linking.placing.arrival(one.agency, f"again-{one.key}", one.traits)
        )
        times.append(1000 * (time.perf_counter() - start))
        outcomes[verdict.outcome.value] += 1
    used = 1000 * (time.process_time() - used) / max(1, len(times))
    times.sort()
    print(f"processor time: {used:.1f} ms a record")
    print(
        f"{len(times)} single records: {dict(outcomes)}; p50 {times[len(times) // 2]:.1f} ms, most {times[-1]:.1f} ms"
    )
    return times[int(0.99 * len(times))]


def _told(agency: str, total: int) -> Callable[[int], None]:
    step = max(1, total // 5)

    def told(done: int) -> None:
        if done // step != (done - 500) // step:
            print(f"  {agency}: {done} of {total}", flush=True)

    return told


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["accuracy", "store"])
    parser.add_argument("--people", type=int, default=3334)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--rounds", type=int, default=1000)
    given = parser.parse_args()
    if given.what == "store":
        met = uvloop.run(stored(given.people, given.seed, given.cache, given.rounds))
        print(f"limits: {'met' if met else 'MISSED'}")
        return 0 if met else 1
    found = accuracy(given.people, given.seed, cache=given.cache)
    print("\n".join(found.lines()))
    print(f"records a second: {found.records / found.took_s:.0f} (compared and settled, not stored)")
    print(f"why true links were not made: {dict(found.reasons.most_common())}")
    print(f"memory: {_memory_mb():.0f} MB")
    met = found.total.precision >= LEAST_PRECISION and found.total.recall >= LEAST_RECALL
    print(f"precision >= {LEAST_PRECISION}, recall >= {LEAST_RECALL}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
