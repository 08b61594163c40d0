"""Root fields of which the rules are asked as of commands: null and a denial for whoever may not, else the answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from hub.auth.decision import DenialCode
from hub.auth.facts import Facts
from hub.engine.execute import FieldCall
from hub.gateway.reading import Denied
from hub.schema.context import OperationContext
from hub.schema.roots import ArgumentError

MEMBER_KIND = "m"  # as ids of persons are sealed (gateway.resolve)
NO_FACTS = Facts()
Answer = Callable[[OperationContext, FieldCall], Awaitable[Any]]


class Rules(Protocol):
    def may(
        self, command: str, *, agency: str, role: str, purpose: str, facts: Facts, own: bool
    ) -> tuple[str, ...]: ...


class Ids(Protocol):
    def seal(self, agency: str, kind: str, payload: str) -> str: ...

    def open(self, agency: str, text: str) -> tuple[str, str] | None: ...


class Names(Protocol):
    def of(self, kind: str, text: str) -> str: ...


class RuledRoots:
    """A fetcher of such fields. `answers` by field; `facts`: with which the rules are asked before anything is read."""

    def __init__(self, rules: Rules, answers: Mapping[str, Answer], facts: Facts = NO_FACTS) -> None:
        self._rules = rules
        self._answers = answers
        self._facts = facts

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        columns: list[Sequence[Any]] = []
        for call in calls:
            try:
                value = await self._one(context, call)
            except ArgumentError as error:
                value = error
            columns.append([value] * len(call.parents))
        return columns

    async def _one(self, context: OperationContext, call: FieldCall) -> Any:
        name = call.field.name
        if not self.permitted(context, name, self._facts):
            context.reading.denied.add(Denied(coordinate=f"Query.{name}", code=DenialCode.FIELD_DENIED))
            return None
        return await self._answers[name](context, call)

    def permitted(self, context: OperationContext, name: str, facts: Facts) -> bool:
        """Whether the rules let the asker; those that do go into the audit entry."""
        asker = context.asker
        policies = self._rules.may(
            name,
            agency=asker.principal.agency,
            role=asker.principal.role,
            purpose=asker.purpose,
            facts=facts,
            own=True,
        )
        context.reading.policies.update(policies)
        return bool(policies)
