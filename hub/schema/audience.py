"""What of the schema is for whom, where the field catalogue does not say: root fields, arguments, fields of structure.

A coordinate of the catalogue is for roles that see it under some facts. A field of structure (provenance, pages, the
viewer) is for everybody for whom its type is. What is listed here is for fewer.
"""

from collections.abc import Mapping

from hub.domain.catalogue import Catalogue
from hub.domain.commands import COMMANDS, LISTS, LOG
from hub.gateway.sight import Sight
from hub.schema.filtering import Hidden

LISTS_MEMBERS = frozenset({"Query.people"})
"""Root fields that list who is in the hub."""
NEEDS_PURPOSE: Mapping[str, frozenset[str]] = {
    "Query.indicators": frozenset({"STATISTICS", "SUPERVISION"}),
}
"""Root fields for roles that have at least one of these purposes."""
ABOUT_PERSONS = frozenset({"Query.explainAccess"})
"""Root fields that only serve who sees something of somebody."""
OBSERVES: Mapping[str, str] = {
    "PeopleFilter.region": "Person.responsibleRegion",
    "PeopleFilter.sex": "Person.sex",
}
"""Arguments and input fields, by the field that they let one find out."""
COMMANDED: Mapping[str, str] = {
    **{f"Mutation.{name}": name for name in COMMANDS},
    **{f"Query.{name}": name for name in (*LISTS, *LOG)},
    "Subscription.caseEvents": "changes",
    "Subscription.taskEvents": "changes",
}
"""Root fields that the rules of the action `perform` decide on."""
PERSON = "Person"


def hidden_from(sight: Sight, catalogue: Catalogue, *, agency: str, role: str) -> Hidden:
    """Which coordinates a role never meets, under any purpose of its own and any facts."""
    ever = sight.ever(agency=agency, role=role)
    purposes = sight.purposes(role)
    lists = sight.lists(agency=agency, role=role)

    def hidden(coordinate: str) -> bool:
        if coordinate in catalogue.fields:
            return coordinate not in ever
        if coordinate in OBSERVES:
            return OBSERVES[coordinate] not in ever
        return root_hidden(coordinate)

    def root_hidden(coordinate: str) -> bool:
        if coordinate in LISTS_MEMBERS:
            return not lists
        if coordinate in ABOUT_PERSONS:
            return not ever
        if coordinate in COMMANDED:
            return not sight.may(COMMANDED[coordinate], agency=agency, role=role)
        return coordinate in NEEDS_PURPOSE and not NEEDS_PURPOSE[coordinate] & purposes

    return hidden


def says_nothing(catalogue: Catalogue, type_name: str, field: str) -> bool:
    """Whether a field of a record is about the record only: one that holds nothing else is empty."""
    if type_name not in catalogue.types or f"{type_name}.{field}" in catalogue.fields:
        return False
    return type_name != PERSON or field not in {top.person_field for top in catalogue.agency_types()}
