"""Lists above cases for the engine: orders, corrections, the day of an office, forecasts, bases, webhooks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.audit.entry import Pattern
from hub.casework.deadline import DueUnit, Light
from hub.casework.oversight_lists import OversightLists, TooManyError
from hub.casework.queries import CaseQueries, TaskFilter, TaskRow
from hub.casework.reach import reference
from hub.engine.execute import FieldCall
from hub.events.places import Places
from hub.events.webhooks import Webhooks
from hub.schema.case_lists import Today
from hub.schema.context import OperationContext
from hub.schema.roots import DEFAULT_FIRST, MAX_PERSONS, ArgumentError
from hub.schema.ruled_roots import MEMBER_KIND, Ids, Names, RuledRoots, Rules

MAX_DAYS = 92


class OversightFetcher(RuledRoots):
    """Whoever the rules let ask gets what lies in its regions; each person in a list stands in the audit entry."""

    FIELDS = (
        "supervisionOrders",
        "corrections",
        "myDay",
        "dueForecast",
        "whatIf",
        "bases",
        "webhooks",
        "webhookDeliveries",
    )

    def __init__(
        self,
        *,
        lists: OversightLists,
        cases: CaseQueries,
        webhooks: Webhooks,
        rules: Rules,
        ids: Ids,
        names: Names,
        today: Today,
    ) -> None:
        answers = {
            "supervisionOrders": self._orders,
            "corrections": self._corrections,
            "myDay": self._day,
            "dueForecast": self._forecast,
            "whatIf": self._what_if,
            "bases": self._bases,
            "webhooks": self._endpoints,
            "webhookDeliveries": self._deliveries,
        }
        super().__init__(rules, answers)
        self._lists = lists
        self._cases = cases
        self._webhooks = webhooks
        self._ids = ids
        self._places = Places(ids)
        self._names = names
        self._today = today

    async def _orders(self, context: OperationContext, call: FieldCall) -> Any:
        only_open = call.arguments.get("open") is not False
        regions = context.asker.principal.regions
        views = await self._lists.orders(regions, only_open=only_open, today=self._today())
        self._note(context, call, [view.person_id for view in views])
        return [{**msgspec.structs.asdict(view), "case": view.case_id} for view in views]

    async def _corrections(self, context: OperationContext, call: FieldCall) -> Any:
        principal = context.asker.principal
        only_open = call.arguments.get("open") is not False
        views = await self._lists.corrections(
            principal.agency, principal.role, principal.regions, only_open=only_open, today=self._today()
        )
        self._note(context, call, [view.person_id for view in views])
        named = {view.id: reference(view.case_id, principal.role) for view in views}
        return [{**msgspec.structs.asdict(view), "case": named[view.id]} for view in views]

    async def _day(self, context: OperationContext, call: FieldCall) -> Any:
        principal, today = context.asker.principal, self._today()
        first = call.arguments.get("first")
        first = DEFAULT_FIRST if first is None else int(first)
        if not 1 <= first <= MAX_PERSONS:
            raise ArgumentError(f"`first` is from 1 to {MAX_PERSONS}.")
        mine = TaskFilter(regions=principal.regions, role=principal.role)
        pressing = msgspec.structs.replace(mine, lights=(Light.RED, Light.YELLOW))
        rows = (await self._cases.tasks(pressing, today, first=first, after=None))[:first]
        self._note(context, call, [row.person_id for row in rows])
        counted = await self._cases.lights(mine, today)
        orders = await self._lists.orders(principal.regions, only_open=True, today=today)
        return {
            "day": today,
            "steps": [
                {"step": step, "green": of[Light.GREEN], "yellow": of[Light.YELLOW], "red": of[Light.RED]}
                for step, of in counted.items()
            ],
            "pressing": [self._task(principal.agency, row) for row in rows],
            "orders": sum(order.office.startswith(f"{principal.role}/") for order in orders),
        }

    async def _forecast(self, context: OperationContext, call: FieldCall) -> Any:
        days = call.arguments.get("days")
        days = 30 if days is None else int(days)
        if not 1 <= days <= MAX_DAYS:
            raise ArgumentError(f"`days` is from 1 to {MAX_DAYS}.")
        regions = context.asker.principal.regions
        return list(await self._lists.due(regions, _region(call), self._today(), days))

    async def _what_if(self, context: OperationContext, call: FieldCall) -> Any:
        given, regions = call.arguments, context.asker.principal.regions
        count, unit = int(given["count"]), DueUnit(given["unit"])
        if not -366 <= count <= 366:
            raise ArgumentError("`count` is from -366 to 366.")
        try:
            return await self._lists.what_if(regions, _region(call), given["step"], count, unit, self._today())
        except TooManyError as error:
            raise ArgumentError("Too many open cases: name a smaller region.") from error
        except (LookupError, ValueError) as error:
            raise ArgumentError("There is no such step, or not with this unit.") from error

    async def _bases(self, _context: OperationContext, call: FieldCall) -> Any:
        return list(await self._lists.bases(_region(call)))

    async def _endpoints(self, context: OperationContext, _call: FieldCall) -> Any:
        found = await self._webhooks.endpoints(context.asker.principal.agency)
        return [
            {
                "id": each.webhook_id,
                "url": each.url,
                "kinds": list(each.kinds),
                "secret": await self._webhooks.secret(each.webhook_id),
                "failures": each.failures,
                "disabled": each.disabled,
            }
            for each in found
            if set(each.regions) <= set(context.asker.principal.regions)
        ]

    async def _deliveries(self, context: OperationContext, call: FieldCall) -> Any:
        principal = context.asker.principal
        logged = await self._webhooks.log(str(call.arguments["webhook"]), agency=principal.agency, first=MAX_PERSONS)
        return [
            {
                "position": self._places.seal(principal.agency, each.position),
                "kind": each.kind,
                "attempts": each.attempts,
                "delivered_at": _moment(each.delivered_us),
                "next_at": _moment(each.next_us),
                "dead": each.dead,
                "answer": each.answer,
            }
            for each in logged
        ]

    def _note(self, context: OperationContext, call: FieldCall, persons: Sequence[str]) -> None:
        pattern = Pattern(full=tuple(sorted(call.field.coordinates)))
        context.reading.access.extend((self._names.of("member", each), pattern) for each in dict.fromkeys(persons))

    def _task(self, agency: str, row: TaskRow) -> dict[str, Any]:
        person = self._ids.seal(agency, MEMBER_KIND, row.person_id)
        fields = msgspec.structs.asdict(row)
        return {**fields, "id": row.task_id, "case": row.case_id, "rule": row.rule_id, "person": person}


def _region(call: FieldCall) -> str:
    region = str(call.arguments["region"])
    if not (region.isascii() and region.isdigit() and 2 <= len(region) <= 12):
        raise ArgumentError("A region is 2 to 12 digits.")
    return region


def _moment(value_us: int | None) -> datetime | None:
    return None if value_us is None else datetime.fromtimestamp(value_us / 1_000_000, UTC)
