"""The sealed columns of commands, as rotation goes over them. What is added to the tables is added here."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from hub.casework.case_tables import case_event
from hub.casework.oversight_tables import correction, supervision_order
from hub.crypto.envelope import Place
from hub.crypto.kept import Kept
from hub.domain.agencies import HUB
from hub.events.tables import outbox
from hub.identity.tables import consent, emergency_access


def kept_of_commands() -> Sequence[Kept]:
    return (
        Kept(
            table=consent,
            column=consent.c.evidence_sealed.name,
            place=lambda key: _place("consent", "evidence_sealed", _joined(key, "person_id", "agency", "purpose")),
        ),
        *(
            _row(emergency_access, "request_id", column)
            for column in ("reason_sealed", "number_sealed", "decision_sealed", "review_sealed")
        ),
        Kept(
            table=case_event,
            column=case_event.c.words_sealed.name,
            place=lambda key: _place("case_event", "words_sealed", _joined(key, "case_id", "event_id")),
        ),
        *(_row(supervision_order, "order_id", column) for column in ("text_sealed", "reply_sealed")),
        *(_row(correction, "correction_id", column) for column in ("reason_sealed", "answer_sealed")),
        Kept(
            table=outbox,
            column=outbox.c.body_sealed.name,
            place=lambda key: _place("outbox", "body_sealed", _joined(key, "person_key", "sequence")),
        ),
    )


def _row(table: Table, name: str, column: str) -> Kept:
    return Kept(table=table, column=column, place=lambda key: _place(table.name, column, key[name]))


def _place(table: str, column: str, row: str) -> Place:
    return Place(agency=HUB, table=table, column=column, row=row)


def _joined(key: Mapping[str, Any], *names: str) -> str:
    return "/".join(str(key[name]) for name in names)
