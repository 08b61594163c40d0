"""Runs commands: each has one effect, however often and however parallel it is sent, and none without an audit entry.

Order of one command: the rules are asked; its audit entry (kind `command` or `approval`) is durable; one transaction
writes what the handler changes, its outbox events, and the row that claims the mutation id and keeps the receipt; where
the id is claimed already, nothing of it stays. A refusal undoes the transaction and is kept by another. So nothing is
ever visible whose entry is not in the log; an entry without a row of the same id says that the effect did not happen
(docs/adr/0011-commands.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit.entry import Draft, Outcome, Pattern, asked_by
from hub.audit.log import AuditLog
from hub.casework.commands import Call, Command, ProblemCode, Refusal, Work
from hub.casework.ports import Names, Rules, Sealer
from hub.casework.tables import command
from hub.clock import Clock, microseconds
from hub.errors import StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store

MAX_ATTEMPTS = 8
"""Times that another command on the same person may be faster before this one gives up."""
MAX_MUTATION_ID = 128
_EARLIER = select(command.c.input_digest, command.c.result, command.c.entry_id).where(
    *(command.c[name] == bindparam(name) for name in ("agency", "client", "officer", "mutation_id"))
)


class _TakenError(Exception):
    """The mutation id belongs to an earlier command."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a command came to: a receipt or a problem. `policies`: the rules that permitted it."""

    receipt: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    entry_id: str | None = None
    policies: tuple[str, ...] = ()
    denied: bool = False


class Runner:
    def __init__(
        self,
        commands: Sequence[Command],
        *,
        store: Store,
        log: AuditLog,
        rules: Rules,
        sealer: Sealer,
        names: Names,
        clock: Clock,
    ) -> None:
        self._commands = {item.name: item for item in commands}
        self._store = store
        self._log = log
        self._rules = rules
        self._sealer = sealer
        self._names = names
        self._clock = clock
        insert = (sqlite if store.dialect == "sqlite" else postgresql).insert
        self._claim = insert(command).on_conflict_do_nothing()
        self._earlier = store.driver.prepare(_EARLIER)

    async def run(self, call: Call) -> Done:
        """Give one command.

        Raises:
            AuditUnavailableError: nothing was done, because it could not be recorded.
            StoreError: the database does not answer; whether the command had its effect, the same command tells.
        """
        item = self._commands[call.name]
        if not 0 < len(call.mutation_id) <= MAX_MUTATION_ID:
            text = f"A clientMutationId has 1 to {MAX_MUTATION_ID} characters."
            return Done(problem=_problem(Refusal(ProblemCode.INVALID_INPUT, text, field="clientMutationId")))
        policies = self._permitted(item, call)
        if not policies:
            return Done(problem=_problem(Refusal(ProblemCode.FORBIDDEN, "You may not do this.")), denied=True)
        digest = self._digest(call)
        kept = await self._kept(call)
        if kept is not None:
            return _again(kept, call, digest, policies)
        entry_id = await self._record(item, call, policies)
        failpoint("command.before-transaction")
        for attempt in range(MAX_ATTEMPTS):
            try:
                done = await self._attempt(item, call, digest, entry_id, policies)
            except StoreError as error:
                if attempt + 1 == MAX_ATTEMPTS or not _overtaken(error):
                    raise
                done = None
            if done is not None:
                return done
            kept = await self._kept(call)  # another was faster, perhaps with this id
            if kept is not None:
                return _again(kept, call, digest, policies)
        raise StoreError("other commands leave no gap")

    async def _attempt(
        self, item: Command, call: Call, digest: str, entry_id: str, policies: tuple[str, ...]
    ) -> Done | None:
        """One transaction; None if the mutation id is taken."""
        now_us = microseconds(self._clock.now())
        result: dict[str, Any] = {}
        row = {**_mine(call), "name": call.name, "input_digest": digest, "entry_id": entry_id, "commanded_us": now_us}
        try:
            async with self._store.write() as connection:
                work = Work(connection=connection, call=call, entry_id=entry_id, now_us=now_us, sealer=self._sealer)
                result["receipt"] = await item.handler(work)
                await self._keep(connection, row, result)
        except Refusal as refusal:
            result = {"problem": _problem(refusal)}
            try:
                async with self._store.write() as connection:
                    await self._keep(connection, row, result)
            except _TakenError:
                return None
        except _TakenError:
            return None
        failpoint("command.after-commit")
        return Done(receipt=result.get("receipt"), problem=result.get("problem"), entry_id=entry_id, policies=policies)

    async def _keep(self, connection: AsyncConnection, row: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Claim the mutation id with what came of it; waits for whoever is about to.

        Raises:
            _TakenError: the id is claimed; what was done in this transaction must be undone.
        """
        values = {**row, "result": orjson.dumps(result).decode()}
        if not (await connection.execute(self._claim, values)).rowcount:
            raise _TakenError
        failpoint("command.before-commit")

    def _permitted(self, item: Command, call: Call) -> tuple[str, ...]:
        facts, own = item.facing(call)
        others = call.subject.others if call.subject else ()
        principal = call.principal
        found = [
            self._rules.may(
                call.name, agency=principal.agency, role=principal.role, purpose=call.purpose, facts=each, own=own
            )
            for each in (facts, *(one.facts for one in others))
        ]
        return tuple(sorted({name for names in found for name in names})) if all(found) else ()

    def _digest(self, call: Call) -> str:
        """Keyed, because inputs hold numbers and words that could be guessed."""
        said = {"command": call.name, "purpose": call.purpose, "input": call.given}
        if call.principal.on_behalf_of is not None:  # the same words in another's name are another command
            said["onBehalfOf"] = call.principal.on_behalf_of
        return self._names.of("command", orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode())

    async def _kept(self, call: Call) -> tuple[str, str, str] | None:
        """(name and digest, result, entry) of an earlier command with this id."""
        rows = await self._store.driver.rows(self._earlier, _mine(call))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    async def _record(self, item: Command, call: Call, policies: tuple[str, ...]) -> str:
        principal = call.principal
        asked = Pattern(predicate=(), full=tuple(sorted(item.asked(call))))
        draft = Draft(
            kind=item.kind,
            request_id=call.request_id,
            **asked_by(principal),
            purpose=call.purpose,
            cases=call.cases,
            document=call.document,
            operation=call.name,
            persons=[(one.key, asked) for one in (call.subject, *call.subject.others)] if call.subject else (),
            policy_digest=self._rules.policy_digest,
            policies=policies,
            outcome=Outcome.OK,
            looked_at=item.about(call),
        )
        return (await self._log.append(draft)).entry_id


def _mine(call: Call) -> dict[str, str]:
    """What makes a command the same one."""
    principal = call.principal
    return {
        "agency": principal.agency,
        "client": principal.client,
        "officer": principal.officer,
        "mutation_id": call.mutation_id,
    }


def _again(kept: tuple[str, str, str], call: Call, digest: str, policies: tuple[str, ...]) -> Done:
    if kept[0] != digest:
        text = "This clientMutationId was used before, with other input."
        refusal = Refusal(ProblemCode.IDEMPOTENCY_CONFLICT, text, field="clientMutationId")
        return Done(problem=_problem(refusal), policies=policies)
    result = orjson.loads(kept[1])
    return Done(receipt=result.get("receipt"), problem=result.get("problem"), entry_id=kept[2], policies=policies)


def _problem(refusal: Refusal) -> dict[str, Any]:
    return {"code": refusal.code.value, "field": refusal.field, "message": refusal.text}


def _overtaken(error: StoreError) -> bool:
    """Whether another transaction was faster, so that trying again may do."""
    cause = error.__cause__
    if isinstance(cause, IntegrityError):
        return True
    return isinstance(cause, OperationalError) and "serializ" in str(cause).lower()
