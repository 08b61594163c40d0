"""What resolvers of one operation share: who asks, what each root field asks for, and the one loader of persons."""

from collections.abc import Mapping
from dataclasses import dataclass

from strawberry.dataloader import DataLoader

from hub.auth.principal import Principal
from hub.gateway.reading import Ask, AskAnswer, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationContext:
    """`asked` maps the response key of a root field to the coordinates below it; `people` loads all roots at once."""

    principal: Principal
    asked: Mapping[str, frozenset[str]]
    people: DataLoader[Ask, AskAnswer]
    reading: Reading
