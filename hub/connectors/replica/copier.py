"""Copies agencies' records into the hub's store: by file drop, by time stamps of changes, by a pass over everything.

Records are read through the agency's connector, so that they are coerced, checked and quarantined as when it is asked
itself. What a pass over everything did not meet was deleted. Nothing that was put is put again: a copy that was cut off
anywhere is made good by the next one.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog

from hub.clock import Clock, microseconds
from hub.connectors.base import (
    Changes,
    Connector,
    Drops,
    Fetch,
    KeyKind,
    Part,
    Quarantine,
    SourceFailure,
    SourceState,
)
from hub.connectors.mapping import ReplicaTerms
from hub.connectors.replica.content import ContentCodec
from hub.connectors.replica.state import CopyStates, CopyStatus, DropSeen, Progress, TurnLostError
from hub.connectors.replica.timeline import FOREVER
from hub.connectors.replica.writer import Fact, ReplicaWriter
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.errors import SealedValueError
from hub.failpoints import failpoint

TIMEOUT_S = 60.0
MOST_GONE, TAKEN_OVER, UNREADABLE = "MOST_GONE", "TAKEN_OVER", "UNREADABLE"
_REFUSED = frozenset({SourceState.INVALID.value, MOST_GONE})
Told = Callable[[int], None]

logger = structlog.get_logger(__name__)


class Misfits:
    """A quarantine that also counts what it is told, until it is asked."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._counted: dict[str, Counter[str]] = {}

    def report(self, *, agency: str, record: str, coordinate: str, value: str, reason: str) -> None:
        self._counted.setdefault(record, Counter())[coordinate] += 1
        self._quarantine.report(agency=agency, record=record, coordinate=coordinate, value=value, reason=reason)

    def taken(self) -> Mapping[str, Mapping[str, int]]:
        counted, self._counted = self._counted, {}
        return counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One agency that is copied. `dated`: its records have time stamps of their own."""

    agency: str
    connector: Connector
    misfits: Misfits
    codec: ContentCodec
    terms: ReplicaTerms
    dated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What one copy did: statements added, records that were found gone; `trouble`: why it did not end well, if so."""

    agency: str
    added: int = 0
    gone: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One copy of one agency by one copier, `id` by which it writes, and who hears of it."""

    of: Copied
    id: str
    told: Told

    @property
    def agency(self) -> str:
        return self.of.agency


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The time that a pass speaks of, and when it began; microseconds."""

    valid_from: int
    valid_to: int
    began: int


class Copier:
    def __init__(
        self, *, states: CopyStates, writer: ReplicaWriter, copied: Sequence[Copied], clock: Clock, batch: int
    ) -> None:
        """`batch`: records of one question; with all their lists they must fit in an agency's answer."""
        self._batch = batch
        self._states = states
        self.writer = writer
        self._copied = {one.agency: one for one in copied}
        self._clock = clock

    @property
    def agencies(self) -> tuple[str, ...]:
        return tuple(self._copied)

    def codec(self, agency: str) -> ContentCodec:
        """How records of an agency are packed; its layout holds all that is copied."""
        return self._copied[agency].codec

    def connector(self, agency: str) -> Connector:
        """What an agency is copied through."""
        return self._copied[agency].connector

    async def run(self) -> int:
        """Copy every agency whose turn it is; how many statements were added."""
        return sum([(await self.copy(agency)).added for agency in self._copied])

    async def copy(
        self,
        agency: str,
        *,
        anyway: bool = False,
        whole: bool = False,
        accept: bool = False,
        told: Told = lambda _seen: None,
    ) -> Copy:
        """Copy one agency if it is time to, or `anyway`. An agency that does not answer leaves the copy as it is.

        Where what is kept does not open the copy ends as `UNREADABLE`, and other agencies' go on.

        Whoever is copying it when another one begins `anyway` ends with `TAKEN_OVER` and writes no more.

        Args:
            whole: compare everything, and look again at a drop that was refused.
            accept: take the copy however many records would be gone.
            told: hears how many records were met.
        """
        taken = await self._states.take(agency, anyway=anyway)
        if not taken:
            return Copy(agency=agency)
        one = self._copied[agency]
        if accept:
            one = replace(one, terms=replace(one.terms, most_gone_percent=100))
        try:
            done = await self._copy(_Turn(of=one, id=taken, told=told), whole=whole)
        except TurnLostError:
            done = Copy(agency=agency, trouble=TAKEN_OVER)
        if done.trouble:
            logger.warning("replica.trouble", agency=agency, kind=done.trouble)
        return done

    async def _copy(self, turn: _Turn, *, whole: bool) -> Copy:
        next_us = self._now() + turn.of.terms.every_s * 1_000_000
        try:
            done, after = await self._ways(turn, next_us, whole=whole)
        except SourceFailure as failure:
            done, after = Copy(agency=turn.agency, trouble=failure.state.value), None
        except TimeoutError:
            done, after = Copy(agency=turn.agency, trouble=SourceState.TIMEOUT.value), None
        except SealedValueError as error:
            logger.error("replica.unreadable", agency=turn.agency, kind=str(error))
            done, after = Copy(agency=turn.agency, trouble=UNREADABLE), None
        if after is None:
            await self._states.fail(turn.agency, turn.id, done.trouble, next_us=next_us)
        else:
            await self._states.keep(msgspec.structs.replace(after, trouble=done.trouble), turn.id)
        failpoint("replica.kept")
        return done

    async def _ways(self, turn: _Turn, next_us: int, *, whole: bool) -> tuple[Copy, Progress | None]:
        """Copy in the way that is the agency's; how far it has come, or None if no further than before.

        Who compares everything needs no place among the changes.
        """
        before = await self._states.read(turn.agency, place=not whole)
        after = msgspec.structs.replace(before, next_us=next_us)
        connector = turn.of.connector
        if isinstance(connector, Drops):
            return await self._drops(turn, connector, after, again=whole)
        if whole or not isinstance(connector, Changes) or self._wants_whole(turn.of, before, self._now()):
            return await self._whole(turn, after)
        return await self._changes(turn, connector, after)

    async def status(self, agency: str) -> CopyStatus:
        return await self._states.status(agency)

    async def close(self) -> None:
        for one in self._copied.values():
            await one.connector.close()

    def _wants_whole(self, one: Copied, progress: Progress, now: int) -> bool:
        return progress.to is None or now - progress.whole_us >= one.terms.whole_every_s * 1_000_000

    async def _drops(self, turn: _Turn, feed: Drops, progress: Progress, *, again: bool) -> tuple[Copy, Progress]:
        """Every drop that was not looked at, in order; a late one speaks of its own day only.

        The first copy begins with the newest drop. `again`: look once more at the newest one if it was refused. Each
        drop is kept as looked at before the next one: told once more, it would take the place of what that one says.
        """
        there = await feed.drops()
        if not there:
            raise SourceFailure(turn.agency, SourceState.DOWN, "no drop")
        seen = dict(progress.drops)
        if not seen:
            seen = {name: DropSeen(written_ns=written) for name, written in there.items() if name != max(there)}
        added = gone = 0
        trouble = ""
        for name in sorted(there):
            refused = again and name == max(there) and name in seen and not seen[name].usable
            if name in seen and seen[name].written_ns == there[name] and not refused:
                continue
            done, created = await self._drop(turn, feed.pinned(name), name, seen)
            added, gone, trouble = added + done.added, gone + done.gone, done.trouble
            if done.trouble and done.trouble not in _REFUSED:
                continue  # it will be looked at again
            earlier = seen[name].created_us if name in seen else 0
            seen[name] = DropSeen(written_ns=there[name], created_us=created or earlier, refused=not created)
            if created:
                newest = max(item.created_us for item in seen.values())
                progress = msgspec.structs.replace(progress, as_of_us=newest, whole_us=self._now())
            progress = msgspec.structs.replace(progress, drops=_worth(seen, there))
            await self._states.keep(progress, turn.id, more=True)
            failpoint("replica.dropped")
        unusable = trouble or ("" if seen.get(max(there), DropSeen(written_ns=0)).usable else progress.trouble)
        copied = progress.copied_us if unusable else self._now()
        done = Copy(agency=turn.agency, added=added, gone=gone, trouble=unusable)
        return done, msgspec.structs.replace(progress, drops=_worth(seen, there), copied_us=copied)

    async def _drop(self, turn: _Turn, pinned: Connector, name: str, seen: Mapping[str, DropSeen]) -> tuple[Copy, int]:
        """One drop, and when it was made; 0 if it could not be used."""
        assert isinstance(pinned, Drops)
        try:
            created = microseconds(await pinned.created())
            later = [item.created_us for other, item in seen.items() if other > name and item.created_us > created]
            span = _Span(valid_from=created, valid_to=min(later, default=FOREVER), began=self._now())
            done = await self._pass(turn, pinned, span)
            return done, 0 if done.trouble else created
        except SourceFailure as failure:
            return Copy(agency=turn.agency, trouble=failure.state.value), 0
        finally:
            await pinned.close()

    async def _whole(self, turn: _Turn, progress: Progress) -> tuple[Copy, Progress | None]:
        began, connector = self._now(), turn.of.connector
        newest = await connector.newest() if isinstance(connector, Changes) else None
        done = await self._pass(turn, connector, _Span(valid_from=began, valid_to=FOREVER, began=began))
        if done.trouble:
            return done, None
        return done, msgspec.structs.replace(
            progress, as_of_us=began, copied_us=began, whole_us=began, since=newest, to=newest
        )

    async def _changes(self, turn: _Turn, feed: Changes, progress: Progress) -> tuple[Copy, Progress]:
        """What carries a time stamp from the beginning of the time before last on."""
        began, added, seen = self._now(), 0, 0
        after, newest = (progress.since, ""), progress.to
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                keys, last = await feed.changes(after, batch=self._batch)
            if last is None:
                break
            span = _Span(valid_from=began, valid_to=FOREVER, began=self._now())
            asked = _distinct(keys, turn.of.connector.key_kind)
            added += await self._put(turn, turn.of.connector, asked, span)
            seen, after, newest = seen + len(keys), last, last[0]
            turn.told(seen)
            await self._states.renew(turn.agency, turn.id)
        place = {"since": progress.to, "to": newest}
        return Copy(agency=turn.agency, added=added), msgspec.structs.replace(
            progress, as_of_us=began, copied_us=began, **place
        )

    async def _pass(self, turn: _Turn, connector: Connector, span: _Span) -> Copy:
        """Everything that the source holds, then what it does not hold any more; nothing if too much is gone."""
        spoken = {"valid_from": span.valid_from, "valid_to": span.valid_to}
        async with aclosing(self._keys(turn, connector)) as pages:
            async for keys in pages:
                await self.writer.see(turn.agency, keys, span.began, turn=turn.id)
        met, missed = await self.writer.missed(turn.agency, span.began, **spoken)
        if missed * 100 > turn.of.terms.most_gone_percent * (met + missed):
            return Copy(agency=turn.agency, trouble=MOST_GONE)
        added = seen = 0
        async with aclosing(self._keys(turn, connector)) as pages:
            async for keys in pages:
                added += await self._put(turn, connector, keys, span)
                seen += len(keys)
                turn.told(seen)
        failpoint("replica.passed")
        gone = await self.writer.bury(turn.agency, span.began, **spoken, turn=turn.id)
        return Copy(agency=turn.agency, added=added, gone=gone)

    async def _keys(self, turn: _Turn, connector: Connector) -> AsyncGenerator[Sequence[str]]:
        """Keys of all that the source holds, in batches; keeps the turn meanwhile."""
        scan = connector.scan(frozenset(), batch=self._batch)
        async with aclosing(scan) as pages:  # type: ignore[type-var]  # every scan is a generator
            async for page in pages:
                yield _distinct([record.key for record in page], connector.key_kind)
                await self._states.renew(turn.agency, turn.id)

    async def _put(self, turn: _Turn, connector: Connector, keys: Sequence[str], span: _Span) -> int:
        """Ask for the records of these keys and put them; a key that is gone meanwhile is found by a pass."""
        one = turn.of
        if not keys:
            return 0
        part = Part(keys=tuple(keys), coordinates=one.codec.coordinates)
        fetch = Fetch(parts=(part,), layout=one.codec.layout, timeout_s=TIMEOUT_S)
        async with asyncio.timeout(TIMEOUT_S):
            records = await connector.fetch(fetch)
        misfits = one.misfits.taken()
        facts = [
            Fact(
                key=key,
                valid_from=_us(record.as_of) if one.dated else span.valid_from,
                valid_to=span.valid_to,
                content=one.codec.pack(record, misfits.get(record.record, {}), dated=one.dated),
            )
            for key, record in records.items()
        ]
        return await self.writer.put(one.agency, facts, seen_us=span.began, turn=turn.id)

    def _now(self) -> int:
        return microseconds(self._clock.now())


def _worth(seen: Mapping[str, DropSeen], there: Mapping[str, int]) -> Mapping[str, DropSeen]:
    """What must be remembered: drops that are there, not to copy them again, and for good when each one was made that
    was copied, as a late one before it may not speak of its time. Some 70 bytes a drop.
    """
    return {name: item for name, item in seen.items() if item.created_us or name in there}


def _distinct(raw: Sequence[str], kind: KeyKind) -> Sequence[str]:
    return list(dict.fromkeys(_canonical(key, kind) for key in raw if key))


def _canonical(key: str, kind: KeyKind) -> str:
    """The key as the hub asks with it; a number that is none stays as it is."""
    if kind is KeyKind.OWN:
        return key
    try:
        return IdentityNumber.parse(key).text
    except IdentityNumberError:
        return key


def _us(moment: datetime) -> int:
    return microseconds(moment)
