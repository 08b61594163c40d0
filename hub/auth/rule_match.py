"""Whether a rule can ever apply: asked of Cedar with that rule alone, over everything it could bear on."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import product
from typing import Any

import cedarpy

from hub.auth.facts import Facts
from hub.auth.purposes import Purposes, Role
from hub.auth.rule_scope import Rule, actions_of, bears_on, covers, facts_of, like_purposes
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue, Sensitivity
from hub.domain.catalogue_reader import FACETS

Kind = tuple[str, str, str, str]
"""Group, facet, sensitivity, owner."""


def kinds_of(catalogue: Catalogue) -> tuple[Kind, ...]:
    """Kinds of field, and of what is no field of a person view but has rules: vault (FG17) and log (FG18)."""
    kinds = [(field.group, field.facet, field.sensitivity.value, field.owner) for field in catalogue.fields.values()]
    held = {kind[0] for kind in kinds}
    owners = sorted({HUB, *(field.owner for field in catalogue.fields.values())})
    apart = [
        (group, facet, Sensitivity.SPECIAL.value, owner)
        for group, facets in FACETS.items()
        if group not in held
        for facet, owner in product(sorted(facets), owners)
    ]
    return tuple(dict.fromkeys(kinds + apart))


def applies(rule: Rule, kinds: Iterable[Kind], purposes: Purposes) -> bool:
    """Whether some role, purpose, facts and kind of field meet scope and conditions of `rule`."""
    alone = json.dumps({"templates": {}, "staticPolicies": {"it": {**rule, "effect": "permit"}}, "templateLinks": []})
    policies = cedarpy.PolicySet.from_json_str(alone)
    reached = [kind for kind in kinds if covers(rule, group=kind[0], facet=kind[1])]
    entities = cedarpy.Entities.from_json_str(json.dumps([_entity(kind) for kind in reached]))
    for role in purposes.roles.values():
        if not bears_on(rule, role.name):
            continue
        requests = list(_requests(rule, role, purposes, reached))
        if any(answer.allowed for answer in cedarpy.is_authorized_batch(requests, policies, entities)):
            return True
    return False


def _requests(rule: Rule, role: Role, purposes: Purposes, kinds: list[Kind]) -> Iterator[dict[str, Any]]:
    names = sorted(facts_of(rule))
    parts = like_purposes([rule], role.name, purposes.purposes)
    for part, bits in product(parts, product((True, False), repeat=len(names))):
        facts = Facts(**dict(zip(names, bits, strict=True)))
        for kind, action in product(kinds, sorted(actions_of(rule))):
            yield {
                "principal": f'Hub::Role::"{role.name}"',
                "action": f'Hub::Action::"{action}"',
                "resource": f'Hub::Field::"{_uid(kind)}"',
                "context": {
                    "purpose": {"__entity": {"type": "Hub::Purpose", "id": part[0]}},
                    "own": facts.own and kind[3] == role.agency,
                    "facts": asdict(facts),
                },
            }


def _uid(kind: Kind) -> str:
    return "/".join(kind)


def _entity(kind: Kind) -> dict[str, Any]:
    group, facet, sensitivity, owner = kind
    return {
        "uid": {"type": "Hub::Field", "id": _uid(kind)},
        "attrs": {"owner": {"__entity": {"type": "Hub::Agency", "id": owner}}, "sensitivity": int(sensitivity)},
        "parents": [{"type": "Hub::Group", "id": group}, {"type": "Hub::Facet", "id": f"{group}/{facet}"}],
    }
