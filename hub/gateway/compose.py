"""Fields of Person that the hub knows itself, from its index: status and term of assistance."""

from collections.abc import Sequence
from datetime import date

from hub.identity.index import IndexedMember

ENTITLED = "entitledGroup"


def compose(fields: Sequence[str], member: IndexedMember | None, day: date) -> dict[str, object]:
    """Values of the granted composed `fields` on `day`; of somebody who is not a member nothing is known.

    But for whether the person is entitled: the answer is no, as of a member whose term is over, or the two could be
    told apart by whoever may have the answer only.
    """
    nobody = {ENTITLED: False}
    return {field: nobody.get(field) if member is None else _value(field, member, day) for field in fields}


def _value(field: str, member: IndexedMember, day: date) -> object:
    match field:
        case "assistanceStatus":
            return _status(member, day)
        case "entitledGroup":
            return _status(member, day) == "IN_TERM"
        case "keyPerson":
            return member.key_person
        case "assistanceTermStart":
            return member.term_start
        case "assistanceTermEnd":
            return member.term_end
        case "responsibleRegion":
            return member.responsible_region
    raise KeyError(field)


def _status(member: IndexedMember, day: date) -> str:
    """The term includes its first day and excludes its last (DOMAIN section 4, Stock)."""
    if member.term_start is None or day < member.term_start:
        return "NOT_YET"
    return "IN_TERM" if member.term_end is None or day < member.term_end else "ENDED"
