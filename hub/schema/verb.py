"""How a command is declared in the graph."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One command as it is declared. `inputs`: GraphQL name → (type, description, optional)."""

    name: str
    description: str
    inputs: dict[str, tuple[Any, str]]
    receipt_name: str
    receipt_type: Any
    receipt_description: str
    about_person: bool = False
    about_case: bool = False
    about_review: bool = False  # names an open question of identity, which is about a person
    opens: bool = False  # begins a case: the caller need not see the person yet, if its agency keeps the register
