"""Explainable rules over reads in the log: who should be asked why. Rules are data (`misuse.toml`); this is pure.

The log names persons by pseudonym only, so what a rule must know of officers and persons is handed in as `Facts`.
"""

import tomllib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from hub.clock import CHINA
from hub.domain.grants import Grant
from hub.errors import StartupError

RULES_FILE = Path(__file__).with_name("misuse.toml")
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
WEEKEND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A person who was read under an approval, as the entry says, and the grants that it can have been."""

    person: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One entry of kind `operation`. Time in microseconds. `uses`: where an approval was what let the officer see."""

    entry: str
    seq: int
    time_us: int
    officer: str
    purpose: str
    cases: tuple[str, ...]
    persons: tuple[str, ...]
    denied: bool
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerFacts:
    """`person`: pseudonym of the officer. Surname and household may be any tokens that compare."""

    person: str | None = None
    surname: str | None = None
    household: str | None = None
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    surname: str | None = None
    household: str | None = None
    region: str | None = None
    marks: frozenset[str] = frozenset()


class Facts(Protocol):
    """What is known beside the log; None: nothing."""

    def officer(self, name: str) -> OfficerFacts | None: ...

    def person(self, pseudonym: str) -> PersonFacts | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    check: str
    limits: Mapping[str, Any]
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Reads of one officer that one rule found together; `key` tells them from others of the rule and officer."""

    rule: str
    officer: str
    key: str
    reads: tuple[Read, ...]
    figures: Mapping[str, Any]

    @property
    def finding_id(self) -> str:
        return sha256(f"{self.rule}\0{self.officer}\0{self.key}".encode()).hexdigest()[:24]


def read_misuse_rules(file: Path = RULES_FILE) -> Mapping[str, Rule]:
    """Raises StartupError: a rule without text, or with an unknown check; names the rule."""
    rules: dict[str, Rule] = {}
    for name, entry in tomllib.loads(file.read_text("utf-8")).items():
        if entry.get("check") not in CHECKS or not entry.get("zh") or not entry.get("en"):
            raise StartupError("needs zh, en and a known check", file=file.name, name=name)
        limits = {key: value for key, value in entry.items() if key not in ("check", "zh", "en")}
        rules[name] = Rule(name=name, check=entry["check"], limits=limits, zh=entry["zh"], en=entry["en"])
    return rules


def explain(rule: Rule, figures: Mapping[str, Any]) -> tuple[str, str]:
    """Why a read was found, in Chinese and English."""
    return rule.zh.format_map(dict(figures)), rule.en.format_map(dict(figures))


def detect(rules: Iterable[Rule], facts: Facts, reads: Sequence[Read], *, now_us: int) -> list[Found]:
    """What the rules find in `reads`, which stand in the order of the log. The same reads give the same findings."""
    by_officer: dict[str, list[Read]] = defaultdict(list)
    for read in reads:
        if read.officer:
            by_officer[read.officer].append(read)
    found: list[Found] = []
    for rule in rules:
        check = CHECKS[rule.check]
        for officer, own in sorted(by_officer.items()):
            seen = _Seen(rule=rule, officer=officer, reads=own, facts=facts, now_us=now_us)
            found += check(seen)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One rule looking at the reads of one officer."""

    rule: Rule
    officer: str
    reads: Sequence[Read]
    facts: Facts
    now_us: int

    def limit(self, name: str) -> Any:
        return self.rule.limits.get(name, 1)

    def found(self, key: str, reads: Sequence[Read], **figures: Any) -> Found:
        said = {"count": len(reads), **self.rule.limits, **figures}
        return Found(rule=self.rule.name, officer=self.officer, key=key, reads=tuple(reads), figures=said)

    def by_day(self, chosen: Callable[[Read], bool]) -> Iterator[Found]:
        """A finding for each day with at least `min` chosen reads."""
        for day, reads in _days([read for read in self.reads if chosen(read)]).items():
            if len(reads) >= self.limit("min"):
                yield self.found(day.isoformat(), reads)

    def persons(self, read: Read) -> Iterator[PersonFacts]:
        for person in read.persons:
            known = self.facts.person(person)
            if known is not None:
                yield known


def _own(seen: _Seen) -> Iterator[Found]:
    known = seen.facts.officer(seen.officer)
    if known is not None and known.person is not None:
        yield from seen.by_day(lambda read: known.person in read.persons)


def _surname(seen: _Seen) -> Iterator[Found]:
    known = seen.facts.officer(seen.officer)
    if known is None or known.surname is None:
        return
    yield from seen.by_day(
        lambda read: any(one.surname == known.surname and _outside(known, one) for one in seen.persons(read))
    )


def _household(seen: _Seen) -> Iterator[Found]:
    known = seen.facts.officer(seen.officer)
    if known is None or known.household is None:
        return
    yield from seen.by_day(
        lambda read: (
            known.person not in read.persons and any(one.household == known.household for one in seen.persons(read))
        )
    )


def _jurisdiction(seen: _Seen) -> Iterator[Found]:
    known = seen.facts.officer(seen.officer)
    if known is not None and known.regions:
        yield from seen.by_day(lambda read: any(_outside(known, one) for one in seen.persons(read)))


def _outside(officer: OfficerFacts, person: PersonFacts) -> bool:
    return person.region is not None and not person.region.startswith(officer.regions)


def _case(seen: _Seen) -> Iterator[Found]:
    yield from seen.by_day(
        lambda read: bool(read.persons) and not read.cases and read.purpose in seen.limit("purposes")
    )


def _hours(seen: _Seen) -> Iterator[Found]:
    start, end = seen.limit("from"), seen.limit("to")

    def is_late(read: Read) -> bool:
        moment = _local(read.time_us)
        return bool(read.persons) and (moment.weekday() >= WEEKEND or not start <= moment.hour < end)

    yield from seen.by_day(is_late)


def _mark(seen: _Seen) -> Iterator[Found]:
    mark = seen.limit("mark")
    yield from seen.by_day(lambda read: any(mark in one.marks for one in seen.persons(read)))


def _denied(seen: _Seen) -> Iterator[Found]:
    yield from seen.by_day(lambda read: read.denied)


def _volume(seen: _Seen) -> Iterator[Found]:
    """Days with many more persons than the officer's own earlier days had; such days are no measure for later ones."""
    before: list[int] = []
    for day, reads in _days(seen.reads).items():
        count = len({person for read in reads for person in read.persons})
        usual = median(before) if before else 0
        much = count >= max(seen.limit("min"), seen.limit("factor") * usual)
        if len(before) >= seen.limit("days") and much:
            yield seen.found(day.isoformat(), reads, count=count, usual=int(usual))
        else:
            before.append(count)


def _burst(seen: _Seen) -> Iterator[Found]:
    """Runs of reads that each stand within a window with many different persons."""
    reads = [read for read in seen.reads if read.persons]
    window, least = seen.limit("minutes") * MINUTE_US, seen.limit("min")
    times = [read.time_us for read in reads]
    inside: set[int] = set()
    for end, time_us in enumerate(times):
        start = bisect_left(times, time_us - window)
        if len({person for read in reads[start : end + 1] for person in read.persons}) >= least:
            inside.update(range(start, end + 1))
    run: list[int] = []
    for rank, following in pairwise([*sorted(inside), len(reads) + 1]):
        run.append(rank)
        if following != rank + 1:
            chosen = [reads[one] for one in run]
            count = len({person for read in chosen for person in read.persons})
            yield seen.found(chosen[0].entry, chosen, count=count)
            run = []


def _unreviewed(seen: _Seen) -> Iterator[Found]:
    """A finding for each grant that was used and whose review came after its day, or has not come."""
    used: dict[Grant, list[Read]] = defaultdict(list)
    for read in seen.reads:
        for grant in dict.fromkeys(grant for use in read.uses for grant in use.grants):
            used[grant].append(read)
    for grant, reads in used.items():
        if (grant.reviewed_us or seen.now_us) > grant.due_us:
            yield seen.found(grant.request, reads)


def _ungranted(seen: _Seen) -> Iterator[Found]:
    yield from seen.by_day(lambda read: any(not use.grants for use in read.uses))


def _days(reads: Iterable[Read]) -> dict[date, list[Read]]:
    days: dict[date, list[Read]] = defaultdict(list)
    for read in reads:
        days[_local(read.time_us).date()].append(read)
    return days


def _local(time_us: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).astimezone(CHINA)


CHECKS: Mapping[str, Callable[[_Seen], Iterator[Found]]] = {
    "own": _own,
    "surname": _surname,
    "household": _household,
    "case": _case,
    "jurisdiction": _jurisdiction,
    "hours": _hours,
    "volume": _volume,
    "burst": _burst,
    "mark": _mark,
    "unreviewed": _unreviewed,
    "ungranted": _ungranted,
    "denied": _denied,
}
