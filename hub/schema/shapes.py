"""How the engine reads released persons: the shape of a view, read off its plan, its layouts and the catalogue.

The slots of a shape are exactly the release tree: a coordinate that is not in it has no slot and is null.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.connectors.base import Layout
from hub.domain.catalogue import Catalogue, ValueType
from hub.domain.catalogue_reader import PREDICATES
from hub.engine.shape import Shape, Slot
from hub.gateway.plan import AgencyPlan, BoundPlan, ReleaseNode
from hub.gateway.release import Releaser


def _name(value: Any) -> Any:
    return value.name


def _decimal(value: Decimal) -> str:
    return str(value)


def _plain(*names: str) -> dict[str, Slot]:
    """Slots of attributes by their GraphQL names; never null."""
    return {_camel(name): Slot(path="{row}." + name, never_null=True) for name in names}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_PROVENANCE = _plain("agency", "record", "as_of", "received_at", "stale")
PROVENANCE = Shape(type_name="Provenance", slots=_PROVENANCE)
FIELD_PROVENANCE = Shape(type_name="FieldProvenance", slots={**_PROVENANCE, **_plain("field", "verified_by")})
SOURCE_STATUS = Shape(
    type_name="SourceStatus",
    slots={
        **_plain("agency", "latency_ms", "quarantined"),
        "status": Slot(path="{row}.state.name", never_null=True),
        "asOf": Slot(path="{row}.as_of"),
    },
)
CONFLICT_VALUE = Shape(
    type_name="ConflictValue",
    slots=_plain("agency", "value", "record", "as_of", "received_at", "verified_by", "chosen"),
)
CONFLICT = Shape(
    type_name="Conflict",
    slots={
        **_plain("coordinate"),
        "values": Slot(path="{row}.values", shape=CONFLICT_VALUE, many=True, never_null=True),
    },
)
FIELD_ACCESS = Shape(
    type_name="FieldAccess",
    slots={
        **_plain("coordinate"),
        "effect": Slot(path="{row}.effect.name", never_null=True),
        "code": Slot(path="{row}.code", convert=_name),
        "remedy": Slot(path="{row}.remedy"),
    },
)
PREDICATE = Shape(
    type_name="Predicate",
    slots={**_plain("holds", "basis", "valid_until", "proof"), "asOf": Slot(path="{row}.as_of")},
)
_STRUCTURE: Mapping[str, Slot] = {
    "id": Slot(path="{row}.id", never_null=True),
    "sources": Slot(path="{row}.sources", shape=SOURCE_STATUS, many=True, never_null=True),
    "conflicts": Slot(path="{row}.conflicts", shape=CONFLICT, many=True, never_null=True),
    "access": Slot(path="{row}.access", shape=FIELD_ACCESS, many=True, never_null=True),
    "provenance": Slot(path="{row}.provenance", shape=FIELD_PROVENANCE, many=True, never_null=True),
}


class PersonShapes:
    """Shapes of persons for one catalogue."""

    def __init__(self, catalogue: Catalogue, releaser: Releaser) -> None:
        self._catalogue = catalogue
        self._releaser = releaser

    def prepare(self, bound: BoundPlan) -> None:
        """Give `bound` its shape, once."""
        if bound.shape is None:
            bound.shape = self._person(bound)

    def _person(self, bound: BoundPlan) -> Shape:
        slots = dict(_STRUCTURE)
        for number, merge in enumerate(bound.merged):
            plan = merge.plan
            node = ReleaseNode(
                name=plan.name,
                coordinate=plan.coordinate,
                mask=plan.mask,
                many=False,
                children=None,
                sealed_to=plan.sealed_to,
            )
            slots[plan.name] = self._leaf(node, f"{{row}}.merged[{number}]")
        for number, name in enumerate(bound.plan.composed):
            slots[name] = Slot(path=f"{{row}}.composed[{number}]")
        if bound.plan.predicates:
            inner = {
                item.predicate.name: Slot(path=f"{{row}}[{number}]", shape=PREDICATE)
                for number, item in enumerate(bound.plan.predicates)
            }
            slots["predicates"] = Slot(path="{row}.predicates", shape=Shape(type_name=PREDICATES, slots=inner))
        for number, (agency, share) in enumerate(bound.plan.agencies.items()):
            if share.release or f"{self._type_of(agency)}.provenance" in bound.plan.structural:
                slots[share.person_field] = self._record(number, share, bound.layouts[agency])
        return Shape(type_name="Person", slots=slots)

    def _type_of(self, agency: str) -> str:
        return next(record.name for record in self._catalogue.agency_types() if record.agency == agency)

    def _record(self, number: int, share: AgencyPlan, layout: Layout) -> Slot:
        slots = self._tree(share.release, layout)
        slots["provenance"] = Slot(
            path=f"({{top}}.record_provenance[{number}] if {{top}}.record_provenance else None)", shape=PROVENANCE
        )
        return Slot(path=f"{{row}}.rows[{number}]", shape=Shape(type_name=self._type_of(share.agency), slots=slots))

    def _tree(self, nodes: Sequence[ReleaseNode], layout: Layout) -> dict[str, Slot]:
        slots: dict[str, Slot] = {}
        for node in nodes:
            path = f"{{row}}[{layout.slot(node.name)}]"
            if node.children is None:
                slots[node.name] = self._leaf(node, path)
                continue
            inner = Layout(fields=layout.inner(node.name))
            record_type = self._catalogue.fields[node.coordinate].record_type
            assert record_type is not None
            slots[node.name] = Slot(
                path=path, shape=Shape(type_name=record_type, slots=self._tree(node.children, inner)), many=node.many
            )
        return slots

    def _leaf(self, node: ReleaseNode, path: str) -> Slot:
        conversion = self._releaser.conversion(node)
        convert, whole_row = (None, False) if conversion is None else (conversion.apply, conversion.whole_row)
        if self._catalogue.fields[node.coordinate].value_type is ValueType.DECIMAL:
            assert convert is None, "a decimal has no mask and is never sealed"
            convert = _decimal
        return Slot(path=path, convert=convert, whole_row=whole_row, many=node.many)
