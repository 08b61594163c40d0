"""A command that came to nothing, where it is not the runner of cases that gives it."""

from collections.abc import Mapping
from typing import Any

from hub.casework.commands import ProblemCode
from hub.casework.runner import MAX_MUTATION_ID


class Problematic(Exception):
    """`code`, `field` and `text` make the problem that the caller is told."""

    def __init__(self, code: ProblemCode, text: str, field: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.field = field


def check_mutation_id(given: Mapping[str, Any]) -> str:
    """The caller's id of the command. Raises Problematic: it is none."""
    mutation_id = str(given["clientMutationId"])
    if not 0 < len(mutation_id) <= MAX_MUTATION_ID:
        text = f"A clientMutationId has 1 to {MAX_MUTATION_ID} characters."
        raise Problematic(ProblemCode.INVALID_INPUT, text, "clientMutationId")
    return mutation_id
