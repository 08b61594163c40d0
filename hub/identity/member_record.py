"""What a scanned record of the justice system says of its member, in the index's own terms."""

from collections.abc import Mapping
from datetime import date

from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.identity.names import MAX_NAME, normalised
from hub.identity.ports import IndexRecord

NAMES = {"name": "index.called", "former": "index.formerly_called", "alias": "index.also_called"}
_KINDS = {"H": "household", "J": "residence", "G": "work"}


def number_of(raw: object) -> IdentityNumber | None:
    try:
        return IdentityNumber.parse(raw) if isinstance(raw, str) else None
    except IdentityNumberError:
        return None


def day_of(raw: object) -> date | None:
    try:
        return date.fromisoformat(raw[:10]) if isinstance(raw, str) else None
    except ValueError:
        return None


def offices_of(row: Mapping[str, object], record: IndexRecord) -> list[dict[str, object]]:
    """Responsible offices. Of several spells at one office the one that ends last counts: J asks until when."""
    raw = record.values.get("index.offices")
    offices: dict[tuple[str, str], dict[str, object]] = {}
    for region, kind, since, until in raw if isinstance(raw, list) else []:
        named = _KINDS.get(str(kind), "household")
        end = day_of(until)
        held = offices.get((str(region), named))
        if held is not None and not _ends_later(end, held["valid_to"]):
            continue
        offices[str(region), named] = {
            "person_id": row["person_id"],
            "sex": row["sex"],
            "vaulted": row["vaulted"],
            "region": str(region),
            "kind": named,
            "valid_from": day_of(since),
            "valid_to": end,
        }
    return list(offices.values())


def _ends_later(end: date | None, other: object) -> bool:
    """Whether `end` is after `other`; None has no end."""
    return isinstance(other, date) and (end is None or end > other)


def names_of(record: IndexRecord) -> dict[str, str]:
    """Kind → name, without those that are empty; one that says the same again is not kept twice."""
    found: dict[str, str] = {}
    for kind, named in NAMES.items():
        raw = record.values.get(named)
        if isinstance(raw, str) and normalised(raw) and normalised(raw) not in map(normalised, found.values()):
            found[kind] = raw.strip()[:MAX_NAME]
    return found
