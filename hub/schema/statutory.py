"""The statutory query for the engine: two commands, and what is asked, given and told.

Refusals say no more than the desk does: the same for a person who has a sealed record and for one who has none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from hub.audit.entry import Pattern
from hub.auth.decision import DenialCode
from hub.auth.facts import Facts
from hub.auth.masks import mask_identity_number
from hub.casework.commands import ProblemCode
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.engine.execute import FieldCall
from hub.gateway.reading import Denied
from hub.gateway.statutory import (
    CONTENT,
    Refused,
    StatutoryDesk,
    StatutoryQuery,
    StatutoryRefusedError,
)
from hub.gateway.statutory_queries import Held, StatutoryBasis
from hub.identity.vault import VaultedRecord
from hub.schema.context import OperationContext
from hub.schema.problem import Problematic, check_mutation_id
from hub.schema.statutory_types import StatutoryState

LISTED = Pattern(masked=("StatutoryQuery.subject",))
GIVEN = Pattern(full=(CONTENT,))
MARK = "index.vaulted"  # says that the record is sealed, and nothing else
_TEXTS: Mapping[Refused, str] = {
    Refused.FORBIDDEN: StatutoryRefusedError.public,
    Refused.NOT_FOUND: "There is no such query.",
    Refused.SAME_OFFICER: "Another officer must approve this query.",
    Refused.ALREADY_DECIDED: "This query is approved.",
    Refused.EXPIRED: "This query has lapsed; ask again.",
    Refused.IDEMPOTENCY_CONFLICT: "This clientMutationId was used before, with other input.",
}
_FIELDS: Mapping[Refused, str] = {
    Refused.NOT_FOUND: "query",
    Refused.IDEMPOTENCY_CONFLICT: "clientMutationId",
}


class StatutoryFetcher:
    FIELDS = ("statutoryQueries", "statutoryRecords", "statutoryNotices")

    def __init__(self, desk: StatutoryDesk) -> None:
        self._desk = desk

    async def command(self, context: OperationContext, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give a command; its receipt, and beside it the audit entry as `entry`.

        Raises:
            Problematic: it came to nothing.
        """
        mutation_id = check_mutation_id(given)
        try:
            if name == "approveStatutoryQuery":
                held = await self._desk.approve(context.asker, str(given["query"]), context.request_id)
            else:
                held = await self._ask(context, given, mutation_id)
        except StatutoryRefusedError as error:
            refused = error.refused
            if refused is Refused.FORBIDDEN:
                context.reading.denied.add(Denied(coordinate=f"Mutation.{name}", code=DenialCode.FIELD_DENIED))
            raise Problematic(ProblemCode(refused.value), _TEXTS[refused], _FIELDS.get(refused)) from error
        context.reading.access.append((self._desk.person_of(held.number), Pattern()))
        return {**_shown(held), "entry": held.entry_id}

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        answers = {
            "statutoryQueries": self._queries,
            "statutoryRecords": self._records,
            "statutoryNotices": self._notices,
        }
        columns: list[Sequence[Any]] = []
        for call in calls:
            value = await answers[call.field.name](context, call.arguments)
            if value is None:
                coordinate = f"Query.{call.field.name}"
                context.reading.denied.add(Denied(coordinate=coordinate, code=DenialCode.FIELD_DENIED))
            columns.append([value] * len(call.parents))
        return columns

    async def _ask(self, context: OperationContext, given: Mapping[str, Any], mutation_id: str) -> Held:
        try:
            number = IdentityNumber.parse(given["identityNumber"])
        except IdentityNumberError as error:
            text = "This is not an identity number."
            raise Problematic(ProblemCode.INVALID_INPUT, text, "identityNumber") from error
        case = given.get("case")
        query = StatutoryQuery(
            number=number, case=None if case is None else str(case), basis=StatutoryBasis(given["basis"])
        )
        return await self._desk.ask(context.asker, query, context.request_id, mutation_id)

    async def _queries(self, context: OperationContext, _arguments: Mapping[str, Any]) -> Any:
        if not self._may(context, "statutoryQueries", own=True):
            return None
        held = await self._desk.queries.mine(
            context.principal,
            of_agency=self._may(context, "approveStatutoryQuery", own=True),
            of_subjects=self._may(context, "approveStatutoryQuery", own=False),
        )
        context.reading.access.extend((self._desk.person_of(each.number), LISTED) for each in held)
        return [_listed(each) for each in held]

    async def _records(self, context: OperationContext, arguments: Mapping[str, Any]) -> Any:
        query_id = str(arguments["query"])
        try:
            records = await self._desk.answer(context.asker, query_id, context.request_id)
        except StatutoryRefusedError:
            return None
        held = await self._desk.queries.one(query_id)
        assert held is not None
        context.reading.access.append((self._desk.person_of(held.number), GIVEN if records else Pattern()))
        return [_record(each) for each in records]

    async def _notices(self, context: OperationContext, _arguments: Mapping[str, Any]) -> Any:
        if not self._may(context, "statutoryNotices", own=True):
            return None
        found = await self._desk.queries.notices(context.principal.agency)
        return [
            {
                **msgspec.structs.asdict(each),
                "id": each.notice_id,
                "record": each.record_id,
                "query": each.query_id,
                "basis": each.basis,
            }
            for each in found
        ]

    @staticmethod
    def _may(context: OperationContext, name: str, *, own: bool) -> bool:
        asker, principal = context.asker, context.principal
        facts = Facts(subject=principal.subject is not None or not own)
        policies = asker.judge.may(
            name, agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts, own=own
        )
        context.reading.policies.update(policies)
        return bool(policies)


def _shown(held: Held) -> dict[str, Any]:
    return {
        "id": held.query_id,
        "state": StatutoryState(held.state.value),
        "basis": held.basis,
        "asked_at": held.asked_at,
        "open_until": held.open_until,
    }


def _listed(held: Held) -> dict[str, Any]:
    return {
        **_shown(held),
        "agency": held.agency,
        "officer": held.officer,
        "role": held.role,
        "case": held.case,
        "subject": mask_identity_number(held.number),
        "approver": held.approver,
        "approved_at": held.approved_at,
    }


def _record(record: VaultedRecord) -> dict[str, Any]:
    values = {
        name.removeprefix("index."): value
        for name, value in record.values.items()
        if name != MARK and value not in (None, "", [])
    }
    return {
        "id": record.record_id,
        "agency": record.agency,
        "key": record.key,
        "content": [{"name": name, "value": _text(value)} for name, value in sorted(values.items())],
        "imported_at": record.imported_at,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
