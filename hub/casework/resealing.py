"""The sealed columns of commands, as rotation goes over them. What is added to the tables is added here."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.casework.tables import outbox
from hub.crypto.envelope import Place
from hub.crypto.rotation import Kept
from hub.domain.agencies import HUB
from hub.identity.tables import consent, emergency_access


def kept_of_commands() -> Sequence[Kept]:
    return (
        Kept(
            table=consent,
            column=consent.c.evidence_sealed.name,
            place=lambda key: _place("consent", "evidence_sealed", _joined(key, "person_id", "agency", "purpose")),
        ),
        *(_emergency(column) for column in ("reason_sealed", "number_sealed", "decision_sealed", "review_sealed")),
        Kept(
            table=outbox,
            column=outbox.c.body_sealed.name,
            place=lambda key: _place("outbox", "body_sealed", _joined(key, "person_key", "sequence")),
        ),
    )


def _emergency(column: str) -> Kept:
    return Kept(
        table=emergency_access,
        column=column,
        place=lambda key: _place("emergency_access", column, key["request_id"]),
    )


def _place(table: str, column: str, row: str) -> Place:
    return Place(agency=HUB, table=table, column=column, row=row)


def _joined(key: Mapping[str, Any], *names: str) -> str:
    return "/".join(str(key[name]) for name in names)
