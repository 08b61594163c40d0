"""Field errors of one execution: where they happened, and which of them an answer shows.

The specification (September 2025, section 6.4.4) executes a selection in order; once an error has nulled a position,
nothing more happens below it. A breadth-first executor meets errors in another order, so they are put back in order and
those below a position that an earlier one had nulled are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import FieldNode

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """One field error. `order` sorts faults as depth-first execution meets them; `nulled` is the place set to null."""

    error: Exception
    path: Path
    order: tuple[int, ...]
    nulled: Path
    nodes: tuple[FieldNode, ...]


class Level:
    """The values of one breadth: for each its place in the level above, and the step from there.

    `step` is a response key (whose place in its selection is `rank`), the list index of every value, or None where the
    values were only picked from the level above. `nullable`: whether an error may stop here.
    """

    __slots__ = ("nullable", "origin", "parent", "rank", "step")

    def __init__(
        self,
        parent: "Level | None",
        *,
        origin: Sequence[int] | None = None,
        step: str | Sequence[int] | None = None,
        rank: int = 0,
        nullable: bool = True,
    ) -> None:
        self.parent = parent
        self.origin = origin
        self.step = step
        self.rank = rank
        self.nullable = nullable

    def fault(self, position: int, error: Exception, nodes: tuple[FieldNode, ...]) -> FieldFault:
        """The fault of the value at `position`. Cost: depth; only errors pay it."""
        steps: list[tuple[str | int, int]] = []
        stops_at: int | None = None  # how many steps below the nulled place
        level: Level | None = self
        while level is not None:
            if level.step is not None:
                if stops_at is None and level.nullable:
                    stops_at = len(steps)
                steps.append(level._step(position))
            if level.origin is not None:
                position = level.origin[position]
            level = level.parent
        steps.reverse()
        path = tuple(step for step, _ in steps)
        kept = 0 if stops_at is None else len(path) - stops_at
        return FieldFault(
            error=error, path=path, order=tuple(rank for _, rank in steps), nulled=path[:kept], nodes=nodes
        )

    def _step(self, position: int) -> tuple[str | int, int]:
        if isinstance(self.step, str):
            return self.step, self.rank
        assert self.step is not None
        return self.step[position], self.step[position]


def shown(faults: Sequence[FieldFault]) -> list[FieldFault]:
    """The faults of an answer, in order. Cost: a sort, and the depth of each fault."""
    kept: list[FieldFault] = []
    nulled: set[Path] = set()
    for fault in sorted(faults, key=lambda item: item.order):
        if not any(fault.path[:length] in nulled for length in range(len(fault.path) + 1)):
            kept.append(fault)
            nulled.add(fault.nulled)
    return kept
