"""The Cedar schema that policies are validated against, generated from catalogue and purposes.

Groups, facets, agencies, roles and purposes are enumerated, so that a rule naming an unknown one is an error.
"""

from collections.abc import Iterable
from dataclasses import fields

from hub.auth.facts import Facts
from hub.auth.purposes import Purposes
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import FACETS
from hub.domain.commands import NAMES

ACTIONS = ("readFull", "readMasked", "readPredicate", "readSealed")
FACT_NAMES = tuple(field.name for field in fields(Facts))


def cedar_schema(catalogue: Catalogue, purposes: Purposes) -> str:
    """The schema in Cedar's own syntax, stable for equal input."""
    facts = ", ".join(f"{name}: Bool" for name in FACT_NAMES)
    facets = [f"{group}/{facet}" for group, names in FACETS.items() for facet in sorted(names)]
    owners = sorted({field.owner for field in catalogue.fields.values()})
    lines = [
        "// Generated from the field catalogue and purposes.toml by `hub policy schema`; do not edit.",
        "namespace Hub {",
        f"  entity Agency enum [{_names(owners)}];",
        f"  entity Role enum [{_names(purposes.roles)}];",
        f"  entity Purpose enum [{_names(purposes.purposes)}];",
        f"  entity Group enum [{_names(FACETS)}];",
        f"  entity Facet enum [{_names(facets)}];",
        "  entity Field in [Group, Facet] { owner: Agency, sensitivity: Long };",
        *(
            f"  action {action} appliesTo {{\n"
            f"    principal: [Role],\n"
            f"    resource: [Field],\n"
            f"    context: {{ purpose: Purpose, own: Bool, facts: {{ {facts} }} }}\n"
            f"  }};"
            for action in ACTIONS
        ),
        f"  entity Command enum [{_names(NAMES)}];",
        "  action perform appliesTo {",
        "    principal: [Role],",
        "    resource: [Command],",
        f"    context: {{ purpose: Purpose, own: Bool, facts: {{ {facts} }} }}",
        "  };",
        "}",
        "",
    ]
    return "\n".join(lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
