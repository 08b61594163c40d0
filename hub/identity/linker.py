"""Links all records of an agency to members: decided in memory, written in batches; running it again changes nothing.

Records of people who are not members are compared and forgotten: nothing of them is stored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, tuple_

from hub.domain.agencies import HUB, JUSTICE
from hub.failpoints import failpoint
from hub.identity.importer import erased_digest
from hub.identity.ledger import Change, Held, Ledger
from hub.identity.links import BY_HUB, is_anchor, read, state_text, trait_row
from hub.identity.matching.candidates import Anchors
from hub.identity.matching.decision import ORDERED, Order, Outcome, Verdict
from hub.identity.matching.traits import traits_of
from hub.identity.matching.weights import Model
from hub.identity.orders import Orders
from hub.identity.placing import LINK, Arrival, Placing
from hub.identity.ports import Digests, IndexRecord, IndexSource, Opener
from hub.identity.tables import erased_key, false_item, link, link_event, person_salt, review, trait
from hub.store.engine import Store

BATCH = 500


@dataclass(slots=True, kw_only=True)
class LinkReport:
    """Records `seen`; `linked` now that were not, `kept` as they were, `asked` of people, of `nobody` here."""

    seen: int = 0
    linked: int = 0
    kept: int = 0
    asked: int = 0
    nobody: int = 0


@dataclass(slots=True, kw_only=True)
class _Book:
    """What an import knows while it runs."""

    anchors: Anchors
    salts: dict[str, bytes]
    links: dict[str, tuple[str, str]]  # record → person, method
    places: set[tuple[str, str]]
    unsure: set[str]  # persons with several anchors, or one without a valid number: their records settle one by one
    orders: Mapping[str, Mapping[str, Order]]
    asked: set[str] = field(default_factory=set)


class Linker:
    def __init__(
        self, *, store: Store, opener: Opener, ledger: Ledger, orders: Orders, placing: Placing, erased: Digests
    ) -> None:
        self._store = store
        self._open_traits = opener.of_persons(HUB, trait.name, trait.c.traits_sealed.name)
        self._ledger = ledger
        self._orders = orders
        self._placing = placing
        self._erased = erased

    async def run(
        self, agency: str, source: IndexSource, progress: Callable[[int], None] = lambda _count: None
    ) -> LinkReport:
        """Link every record of one agency. Memory: all anchors, about 2 KB a member, and one batch."""
        book = await self._book(agency, self._placing.model)
        report = LinkReport()
        async for batch in source.scan(frozenset(), batch=BATCH):
            await self._batch(book, await self._arrivals(agency, batch), report)
            report.seen += len(batch)
            failpoint("link.committed")
            progress(report.seen)
        return report

    async def shadow(self, agency: str, source: IndexSource, model: Model) -> "Shadow":
        """What another model would link otherwise, before it goes live; writes nothing."""
        book = await self._book(agency, model)
        found = Shadow(version=model.version)
        async for batch in source.scan(frozenset(), batch=BATCH):
            for arrival in await self._arrivals(agency, batch):
                held = book.links.get(arrival.record)
                verdict = self._decide(book, arrival)
                would = verdict.best.person if verdict.outcome is Outcome.JOIN and verdict.best else None
                found.count(arrival.record, held[0] if held else None, would)
        return found

    async def _arrivals(self, agency: str, batch: Sequence[IndexRecord]) -> list[Arrival]:
        """Records that have a key, without those of erased persons."""
        keyed = [(own_key(record), record) for record in batch]
        digests = {erased_digest(self._erased, agency, key): (key, record) for key, record in keyed if key}
        async with self._store.read() as connection:
            rows = await connection.execute(select(erased_key.c.digest).where(erased_key.c.digest.in_(digests)))
            gone = {row[0] for row in rows}
        return [
            self._placing.arrival(agency, key, traits_of(record.values))
            for digest, (key, record) in digests.items()
            if digest not in gone
        ]

    def _decide(self, book: _Book, arrival: Arrival) -> Verdict:
        held = book.links.get(arrival.record)
        orders = book.orders.get(arrival.record, {})
        return book.anchors.decide(arrival.traits, orders, linked=held[0] if held else None)

    async def _batch(self, book: _Book, arrivals: Sequence[Arrival], report: LinkReport) -> None:
        plain: list[tuple[Arrival, Verdict]] = []
        others: list[tuple[Arrival, Verdict]] = []
        asked: list[tuple[Arrival, Verdict]] = []
        for arrival in arrivals:
            verdict = self._decide(book, arrival)
            held = book.links.get(arrival.record)
            if held is not None and _as_it_is(held, verdict):
                report.kept += 1
            elif held is None and verdict.outcome is Outcome.NOBODY and arrival.record not in book.asked:
                report.nobody += 1
            elif held is None and verdict.outcome is Outcome.REVIEW and verdict.best is not None:
                report.asked += 1
                if arrival.record not in book.asked:
                    asked.append((arrival, verdict))
            elif held is None and self._is_plain(book, arrival, verdict):
                plain.append((arrival, verdict))
                book.places.add((verdict.best.person, arrival.agency))  # type: ignore[union-attr]
            else:
                others.append((arrival, verdict))
        report.linked += len(plain)
        await self._write(book, plain, asked)
        for arrival, verdict in others:
            await self._one(book, arrival, verdict, report)

    @staticmethod
    def _is_plain(book: _Book, arrival: Arrival, verdict: Verdict) -> bool:
        """Whether nothing can stand against a link: the place is free and the number is the anchor's or none."""
        best = verdict.best
        if verdict.outcome is not Outcome.JOIN or best is None or verdict.method == ORDERED:
            return False
        free = (best.person, arrival.agency) not in book.places
        return free and best.person not in book.unsure and arrival.record not in book.asked

    async def _write(
        self, book: _Book, plain: Sequence[tuple[Arrival, Verdict]], asked: Sequence[tuple[Arrival, Verdict]]
    ) -> None:
        """Plain links and questions of one batch, in one transaction and four statements."""
        links, traits, events, wrong, reviews = [], [], [], [], []
        async with self._store.write() as connection:
            change = self._ledger.change(connection, author=BY_HUB)
            for order, (arrival, verdict) in enumerate(plain):
                assert verdict.best is not None
                best = verdict.best
                held = self._placing.held(arrival, best.person, best.weight, best.evidence, verdict.method)
                linked, known = self._ledger.rows(held, book.salts[best.person])
                links.append(linked)
                traits.append(known)
                events.append(_event(change, order, held))
                wrong += self._placing.false_rows(arrival, best.person, best.evidence)
                book.links[arrival.record] = best.person, verdict.method
            for arrival, verdict in asked:
                assert verdict.best is not None
                best, salt = verdict.best, book.salts[verdict.best.person]
                reviews.append(
                    self._placing.review_row(
                        LINK, arrival, best.person, salt, best.weight, best.evidence, verdict.reasons
                    )
                )
                book.asked.add(arrival.record)
            made = ((link, links), (trait, traits), (link_event, events), (false_item, wrong), (review, reviews))
            for table, rows in made:
                if rows:
                    await connection.execute(insert(table), rows)
            failpoint("link.batch")

    async def _one(self, book: _Book, arrival: Arrival, verdict: Verdict, report: LinkReport) -> None:
        """A record whose link changes or is contested: settled with all that wait for the same person."""
        async with self._store.write() as connection:
            held = await self._ledger.of_record(connection, arrival.record)
            await self._placing.carry_out(connection, arrival, verdict, held)
            now = await self._ledger.of_record(connection, arrival.record)
        if now is None:
            book.links.pop(arrival.record, None)
            report.asked += 1
        else:
            book.links[arrival.record] = now.person_id, now.state.method
            book.places.add((now.person_id, arrival.agency))
            report.linked += held is None

    async def _book(self, agency: str, model: Model) -> _Book:
        book = _Book(anchors=Anchors(model), salts={}, links={}, places=set(), unsure=set(), orders={})
        after = "", ""
        async with self._store.read() as connection:
            while rows := (await connection.execute(_anchors_after(after))).all():
                self._read_anchors(book, rows)
                after = rows[-1][0], rows[-1][1]
            for record, person_id, method in await connection.execute(
                select(link.c.record, link.c.person_id, link.c.method).where(link.c.agency == agency)
            ):
                book.links[record] = person_id, method
                book.places.add((person_id, agency))
            waiting = await connection.execute(
                select(review.c.record).where(review.c.agency == agency, review.c.decided_at.is_(None))
            )
            book.asked.update(row[0] for row in waiting)
            book.orders = await self._orders.by_person(connection)
        return book

    def _read_anchors(self, book: _Book, rows: Iterable[Any]) -> None:
        for person_id, record, sealed, salt in rows:
            text = self._open_traits(trait_row(person_id, record), sealed, salt)
            if is_anchor(text):
                traits = read(text)
                if not traits.verified or person_id in book.anchors:
                    book.unsure.add(person_id)
                book.anchors.add(person_id, traits)
                book.salts[person_id] = salt


@dataclass(slots=True, kw_only=True)
class Shadow:
    """Differences of clusters under a model that is not live: records by name, persons before and after."""

    version: str
    same: int = 0
    moved: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def count(self, record: str, now: str | None, would: str | None) -> None:
        if now == would:
            self.same += 1
        else:
            self.moved.append((record, now, would))

    @property
    def clusters(self) -> int:
        """Persons whose set of records would be another."""
        return len({one for _, now, would in self.moved for one in (now, would) if one is not None})

    @property
    def joined(self) -> int:
        return sum(now is None for _, now, _ in self.moved)

    @property
    def parted(self) -> int:
        return sum(would is None for _, _, would in self.moved)


def own_key(record: IndexRecord) -> str:
    """An agency's own key: `index.key` where the mapping names one, else the record's id."""
    if "index.key" in record.values:
        key = record.values["index.key"]
        return key if isinstance(key, str) else ""
    return str(getattr(record, "record", "") or record.key)


def _as_it_is(held: tuple[str, str], verdict: Verdict) -> bool:
    same = verdict.outcome is Outcome.JOIN and verdict.best is not None and verdict.best.person == held[0]
    return same and (held[1] == ORDERED) == (verdict.method == ORDERED)


def _event(change: Change, order: int, held: Held) -> dict[str, Any]:
    return {
        "change_id": change.change_id, "order": order, "kind": "LINK", "record": held.record, "agency": held.agency,
        "person_before": None, "person_after": held.person_id, "before": None, "after": state_text(held.state),
        "author": change.author, "at": change.at, "undoes": None,
    }  # fmt: skip


def _anchors_after(after: tuple[str, str]) -> Any:
    return (
        select(trait.c.person_id, trait.c.record, trait.c.traits_sealed, person_salt.c.salt)
        .join(person_salt, person_salt.c.person_id == trait.c.person_id)
        .where(trait.c.agency == JUSTICE, tuple_(trait.c.person_id, trait.c.record) > tuple_(*after))
        .order_by(trait.c.person_id, trait.c.record)
        .limit(5_000)
    )
