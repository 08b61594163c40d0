"""From the keys and coordinates that plans want of an agency to its one question, and the layout of its rows."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from hub.connectors.base import Fetch, Fetched, Layout, Moment, Part, SourceState
from hub.gateway.plan import BoundPlan, ClassPlan, bind
from hub.gateway.ports import Source, Together

LayoutOf = Callable[[str, frozenset[str]], Layout]
"""(agency, coordinates) → the layout of rows that hold exactly these."""
MAX_KEPT = 4096


class _Bound(NamedTuple):
    """A bound plan with the layouts that it was asked for by: while it is kept, nothing else has their ids."""

    plan: BoundPlan
    given: tuple[Layout, ...]


class Questions:
    """Questions of one request take the layout of everything that any of its persons is asked for at that agency.

    The layouts of an agency are kept, and so are plans bound to them.
    """

    def __init__(self, layout_of: LayoutOf, *, deadline_s: float) -> None:
        self._layout_of = layout_of
        self._deadline_s = deadline_s
        self._layouts: OrderedDict[tuple[str, frozenset[str]], Layout] = OrderedDict()
        self._bound: OrderedDict[tuple[int, tuple[int, ...]], _Bound] = OrderedDict()

    def fetch(self, agency: str, by_key: Mapping[str, frozenset[str]], at: Moment | None = None) -> Fetch:
        """One question for all keys, in parts of keys that are asked for the same."""
        by_coordinates: dict[frozenset[str], list[str]] = {}
        for key, coordinates in by_key.items():
            by_coordinates.setdefault(coordinates, []).append(key)
        return Fetch(
            parts=tuple(Part(keys=tuple(keys), coordinates=names) for names, keys in by_coordinates.items()),
            layout=self._layout(agency, frozenset().union(*by_coordinates)),
            timeout_s=self._deadline_s,
            at=at,
        )

    def bind(self, plan: ClassPlan, layouts: Mapping[str, Layout]) -> BoundPlan:
        """`plan` tied to the layouts of the request's questions.

        A layout that lacks some of the plan's coordinates is of a question about others: nobody of the plan's class
        has a key at that agency, which may not even be connected. All rows there are empty, and any layout of the plan
        does.
        """
        given = tuple(layouts[agency] for agency in plan.agencies)
        key = (id(plan), tuple(map(id, given)))
        kept = self._bound.get(key)
        if kept is None:
            fitting = {
                agency: layout if layout.covers(own := self._layout(agency, share.fetch)) else own
                for (agency, share), layout in zip(plan.agencies.items(), given, strict=True)
            }
            kept = self._bound[key] = _Bound(bind(plan, fitting), given)
            if len(self._bound) > MAX_KEPT:
                self._bound.popitem(last=False)
        return kept.plan

    def _layout(self, agency: str, coordinates: frozenset[str]) -> Layout:
        layout = self._layouts.get((agency, coordinates))
        if layout is None:
            layout = self._layouts[agency, coordinates] = self._layout_of(agency, coordinates)
            if len(self._layouts) > MAX_KEPT:
                self._layouts.popitem(last=False)
        return layout


async def ask_all(
    sources: Mapping[str, Source], questions: Mapping[str, Fetch], now: Callable[[], datetime]
) -> dict[str, Fetched]:
    """The answers by agency, all asked for at the same time; what can be asked together is.

    An agency of whom nobody is asked does not answer; one that is not connected is down, whoever is asked about.
    """

    async def ask(agency: str) -> Mapping[str, Fetched]:
        return {agency: await sources[agency].ask(questions[agency])}

    calls: list[Coroutine[Any, Any, Mapping[str, Fetched]]] = []
    together: dict[Together, dict[str, Fetch]] = {}
    absent: dict[str, Fetched] = {}
    for agency, question in questions.items():
        if agency not in sources:
            absent[agency] = _unconnected(agency, now())
            continue
        if not question.parts:
            continue
        shared = sources[agency].shared(question)
        if shared is None:
            calls.append(ask(agency))
        else:
            together.setdefault(shared, {})[agency] = question
    calls += [shared.ask(held) for shared, held in together.items()]
    answers = [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)
    return {agency: answer for part in (*answers, absent) for agency, answer in part.items()}


def _unconnected(agency: str, now: datetime) -> Fetched:
    """What is said of an agency that this deployment has no connector for."""
    return Fetched(agency=agency, state=SourceState.DOWN, as_of=None, received_at=now, latency_ms=0, records={})


def uncounted(answer: Fetched) -> Fetched:
    """`answer` without the counts of what was withheld: some of it the asker may not know of."""
    records = {
        key: msgspec.structs.replace(record, quarantined=0) if record.quarantined else record
        for key, record in answer.records.items()
    }
    return msgspec.structs.replace(answer, records=records)


def narrowed(answer: Fetched, keys: Collection[str]) -> Fetched:
    """`answer` as if nobody else had been asked for: how fresh it is must not tell of other records."""
    records = {key: record for key, record in answer.records.items() if key in keys}
    if len(records) == len(answer.records):
        return answer
    as_of = max((record.as_of for record in records.values()), default=None)
    return msgspec.structs.replace(answer, records=records, as_of=as_of)
