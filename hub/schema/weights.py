"""What everything costs: agency prices, sizes of lists, and which agencies a field of Person asks.

Read off catalogue, mappings and survivorship rules once. The unit is one object of an answer; a scalar is free. How the
weights add up over a document is `cost`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.connectors.mapping import DEFAULT_ASSUMED, AgencyMapping, Price
from hub.domain.catalogue import Catalogue, Shape
from hub.gateway.predicates import bind_predicates
from hub.gateway.survivorship import MergeRule
from hub.identity.account import MAX_CHANGES

PERSON = "Person"
CONFLICTS = "conflicts"
UNMAPPED = Price(call=10, record=1)
"""The price of an agency whose mapping is not here: it is in the catalogue, so it can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """`sizes`: worst-case lengths of lists by coordinate. `asks`: agencies that a field of Person asks, by field name.

    `witnesses`: agencies that a merged field asks besides, where conflicts are wanted.
    """

    prices: Mapping[str, Price]
    sizes: Mapping[str, int]
    asks: Mapping[str, frozenset[str]]
    witnesses: Mapping[str, frozenset[str]]

    def size(self, coordinate: str) -> int:
        """How many items a list is taken to hold."""
        return self.sizes.get(coordinate, DEFAULT_ASSUMED)

    def asked(self, fields: Iterable[str]) -> frozenset[str]:
        """The agencies asked for a person of whom the operation wants `fields`."""
        names = set(fields)
        asked = {agency for name in names for agency in self.asks.get(name, ())}
        if CONFLICTS in names:
            asked.update(agency for name in names for agency in self.witnesses.get(name, ()))
        return frozenset(asked)


def read_weights(
    catalogue: Catalogue, mappings: Mapping[str, AgencyMapping], rules: Mapping[str, MergeRule]
) -> Weights:
    """The weights of one catalogue; lists of the hub's own are as long as the catalogue lets them be."""
    tops = [(top.agency, top.person_field) for top in catalogue.agency_types() if top.agency and top.person_field]
    agencies = [agency for agency, _ in tops]
    sizes = {field.coordinate: DEFAULT_ASSUMED for field in catalogue.fields.values() if field.shape is Shape.RECORDS}
    for mapping in mappings.values():
        sizes.update((nested.field.coordinate, nested.assumed) for nested in mapping.nested.values())
    sizes |= {
        "Person.access": len(catalogue.fields),
        "Viewer.access": len(catalogue.fields),
        "Query.explainAccess": 100,
        "Person.sources": len(agencies),
        "Person.provenance": len(rules),
        "Person.conflicts": len(rules),
        "Conflict.values": len(agencies),
        "IdentityExplanation.changes": MAX_CHANGES,
    }
    asks = {field: frozenset({agency}) for agency, field in tops}
    if predicates := bind_predicates(catalogue):
        asks["predicates"] = frozenset().union(*(bound.agencies for bound in predicates.values()))
    asks |= {name: frozenset(provider.agency for provider in rule.providers) for name, rule in rules.items()}
    return Weights(
        prices={agency: mappings[agency].price if agency in mappings else UNMAPPED for agency in agencies},
        sizes=sizes,
        asks=asks,
        witnesses={name: frozenset(provider.agency for provider in rule.witnesses) for name, rule in rules.items()},
    )
