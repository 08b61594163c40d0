"""What each part of an operation with `@defer` costs: the first answer without all parts, a part what it adds to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import REMOVE, OperationDefinitionNode, Visitor, visit
from graphql.language import DocumentNode, Node

from hub.schema.cost import CostModel, CostPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCost:
    """`with_part`: the plans of the first answer and one part, in the order of the parts."""

    first: CostPlan
    with_part: Sequence[CostPlan]

    def evaluate(self, variables: Mapping[str, Any]) -> tuple[int, list[int]]:
        """The static cost of the first answer, and of each part."""
        first = self.first.evaluate(variables).total
        return first, [plan.evaluate(variables).total - first for plan in self.with_part]


def split_cost(
    model: CostModel, document: DocumentNode, operation: OperationDefinitionNode, nodes: Sequence[Node]
) -> SplitCost:
    """Compile the costs. Cost: as many compilations as there are `nodes`, and one."""
    rank = next(number for number, item in enumerate(document.definitions) if item is operation)

    def without(left_out: Sequence[Node]) -> CostPlan:
        rest = visit(document, _Without(left_out))
        return model.compile(rest, rest.definitions[rank])

    return SplitCost(
        first=without(nodes), with_part=[without([other for other in nodes if other is not node]) for node in nodes]
    )


class _Without(Visitor):
    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        self._ids = {id(node) for node in nodes}

    def enter(self, node: Node, *_args: Any) -> Any:
        return REMOVE if id(node) in self._ids else None
