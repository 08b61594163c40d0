"""A released person as the value that the schema's resolvers read: plain dicts, nothing fetched, nothing decided."""

from hub.auth.decision import Effect
from hub.gateway.reading import PersonView, Provenance


def person_value(view: PersonView, asked: frozenset[str]) -> dict[str, object]:
    """Lay out `view` for the schema; the structural lists are built only where `asked` names them."""
    value: dict[str, object] = {"id": view.id, **view.values}
    merged: list[dict[str, object]] = []
    for name, provenance in view.provenance.items():
        record = value.get(name)
        if isinstance(record, dict):
            value[name] = {**record, "provenance": provenance}
        else:
            merged.append(_field_provenance(name, provenance))
    value["provenance"] = merged
    value["sources"] = view.sources
    value["conflicts"] = view.conflicts
    if "Person.access" in asked:
        value["access"] = _access(view)
    return value


def _field_provenance(name: str, provenance: Provenance) -> dict[str, object]:
    return {
        "field": name,
        "agency": provenance.agency,
        "record": provenance.record,
        "as_of": provenance.as_of,
        "received_at": provenance.received_at,
    }


def _access(view: PersonView) -> list[dict[str, object]]:
    return [
        {"coordinate": coordinate, "effect": Effect(decision.effect), "code": decision.denial}
        for coordinate, decision in view.table.decisions.items()
    ]
