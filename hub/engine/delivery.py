"""Where the parts of a split operation stand in its first answer, and what of a part's own answer goes there.

The later answer is laid beside the first one. What does not stand there any more, or is another object by now, is
never delivered: its place fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.engine.columns import CompletionError
from hub.engine.deferral import IDENTITY_KEY, TYPE_KEY, Part, Spine
from hub.engine.execute import Executed
from hub.engine.faults import FieldFault, Path
from hub.engine.plan import FieldPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spot:
    """An object of the first answer on the way to a part. `below` is, by key, a Spot, a list of them, or None."""

    path: Path
    spine: Spine
    identity: Any
    below: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Data for the object at `path`."""

    path: Path
    data: dict[str, Any]
    faults: Sequence[FieldFault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What comes to one place of a part: pieces, or nothing because of `faults` (perhaps none that is known)."""

    place: Path
    pieces: Sequence[Piece]
    failed: bool
    faults: Sequence[FieldFault]


def locate(part: Part, data: dict[str, Any] | None) -> Spot | None:
    """The spots of `part` in the first answer, our own keys still in it."""
    return _spot(part.spine, data, ()) if data is not None else None


def places(spot: Spot | None) -> list[Path]:
    """Paths where the fragment stands and will bring something, in order of the answer."""
    return list(_places(spot))


def deliver(spot: Spot, executed: Executed) -> list[Delivery]:
    """Cut out of a part's answer what belongs to each of its places."""
    cutting = _Cutting()
    cutting.object(spot, executed.data, None)
    return [_delivery(place, cutting, executed.faults) for place in places(spot)]


def _spot(spine: Spine, data: dict[str, Any], path: Path) -> Spot:
    below = {step.key: _below(step.children, data.get(step.key), (*path, step.key)) for step in spine.steps}
    return Spot(path=path, spine=spine, identity=data.get(IDENTITY_KEY), below=below)


def _below(children: Any, value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [_below(children, item, (*path, index)) for index, item in enumerate(value)]
    return None if value is None else _spot(children[value[TYPE_KEY]], value, path)


def _places(found: Any) -> Iterator[Path]:
    if isinstance(found, list):
        for item in found:
            yield from _places(item)
    elif found is not None:
        if found.spine.stands and (found.spine.late or found.spine.steps):
            yield found.path
        for item in found.below.values():
            yield from _places(item)


@dataclass(slots=True)
class _Cutting:
    """Pieces by place; a place that is not in `pieces`, or is in `lost`, has failed."""

    pieces: dict[Path, list[tuple[Path, dict[str, Any]]]] = field(default_factory=dict)
    lost: set[Path] = field(default_factory=set)
    nulls: list[FieldFault] = field(default_factory=list)  # null for a Non-Null field of a place

    def object(self, spot: Spot, late: Any, place: Path | None) -> None:
        if not spot.spine.fields:
            return
        same = isinstance(late, dict) and (late[TYPE_KEY], late.get(IDENTITY_KEY)) == (
            spot.spine.type.name,
            spot.identity,
        )
        if not same:
            self._lose(place)
            return
        if spot.spine.stands:
            place = spot.path
            self.pieces[place] = []
        if spot.spine.late:
            assert place is not None, "what comes later stands in its fragment"
            data = {item.key: late[item.key] for item in spot.spine.late}
            missing = [item for item in spot.spine.late if item.key in spot.spine.required and data[item.key] is None]
            if missing:
                self.lost.add(place)
                self.nulls.extend(_null(spot, item) for item in missing)
            self.pieces[place].append((spot.path, data))
        for key, below in spot.below.items():
            self._value(below, late[key], place)

    def _value(self, below: Any, late: Any, place: Path | None) -> None:
        if isinstance(below, list):
            if not isinstance(late, list) or len(late) != len(below):
                self._lose(place)
                return
            for item, value in zip(below, late, strict=True):
                self._value(item, value, place)
        elif below is not None:
            self.object(below, late, place)

    def _lose(self, place: Path | None) -> None:
        if place is not None:
            self.lost.add(place)


def _delivery(place: Path, cutting: _Cutting, faults: Sequence[FieldFault]) -> Delivery:
    known = {fault.path for fault in faults}
    faults = [*faults, *(null for null in cutting.nulls if null.path not in known)]
    concerned = [fault for fault in faults if _under(fault.path, place) or _under(place, fault.path)]
    if place in cutting.lost or place not in cutting.pieces:
        return Delivery(place=place, pieces=(), failed=True, faults=concerned)
    cut = cutting.pieces[place]
    pieces = [
        Piece(path=path, data=data, faults=[fault for fault in concerned if _holds(path, data, fault.path)])
        for path, data in cut
    ]
    return Delivery(place=place, pieces=pieces, failed=False, faults=())


def _null(spot: Spot, item: FieldPlan) -> FieldFault:
    error = CompletionError("null for a Non-Null field")
    return FieldFault(error=error, path=(*spot.path, item.key), order=(), nulled=spot.path, nodes=item.nodes)


def _under(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _holds(path: Path, data: dict[str, Any], fault: Path) -> bool:
    return _under(fault, path) and len(fault) > len(path) and fault[len(path)] in data
