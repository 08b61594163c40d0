"""The commands of a case as data: which event each adds, and what it must be told (`rules/verbs.toml`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub.casework.office import Office
from hub.casework.workflow import Workflow
from hub.domain.commands import CASE_COMMANDS
from hub.domain.located import Document, load_toml
from hub.errors import CaseworkRulesError

VERBS_FILE = Path(__file__).with_name("rules") / "verbs.toml"
MAX_TEXT = 200
MAX_WORDS = 2_000
_CODE = re.compile(r"[\w.\- /:（）()]*")


class InputKind(StrEnum):
    TEXT = "text"
    WORDS = "words"
    DATE = "date"
    INT = "int"
    BOOL = "bool"
    OFFICE = "office"
    ENUM = "enum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    name: str
    kind: InputKind
    optional: bool
    values: tuple[str, ...]
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseVerb:
    """`event` is what it adds; where `choose` is set, the value of that input picks it from `events`."""

    name: str
    opens: bool
    event: str | None
    choose: str | None
    events: Mapping[str, str]
    fixed: Mapping[str, str]
    inputs: tuple[Input, ...]
    en: str
    zh: str

    def event_of(self, given: Mapping[str, Any]) -> str:
        """The kind of event that a command with these inputs adds."""
        if self.choose is None:
            assert self.event is not None
            return self.event
        value = given.get(self.choose)
        return self.events[str(value).lower() if isinstance(value, bool) or value is None else value]


class InputError(ValueError):
    """An input that the verb cannot take; `field` is its name."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def checked(verb: CaseVerb, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What an event keeps in the clear, and its personal words, from the inputs of a command (plain JSON).

    Raises:
        InputError: too long, no code, no office, or a number below zero.
    """
    data: dict[str, Any] = dict(verb.fixed)
    words: dict[str, str] = {}
    for item in verb.inputs:
        value = given.get(item.name)
        if value is None:
            continue
        if item.kind is InputKind.WORDS:
            if len(value) > MAX_WORDS:
                raise InputError(item.name, f"At most {MAX_WORDS} characters.")
            words[item.name] = value
        else:
            data[item.name] = _value(item, value)
    return data, words


def _value(item: Input, value: Any) -> Any:
    if item.kind is InputKind.TEXT and (len(value) > MAX_TEXT or not _CODE.fullmatch(value)):
        raise InputError(item.name, f"At most {MAX_TEXT} letters, digits, spaces and . - / :")
    if item.kind is InputKind.INT and value < 0:
        raise InputError(item.name, "Not below zero.")
    if item.kind is InputKind.DATE:
        return date.fromisoformat(value).isoformat()
    if item.kind is InputKind.OFFICE:
        try:
            return str(Office.parse(value))
        except ValueError as exc:
            raise InputError(item.name, "An office is named role/region.") from exc
    return value


def read_verbs(workflow: Workflow, path: Path = VERBS_FILE) -> tuple[CaseVerb, ...]:
    """Read the verbs.

    Raises:
        CaseworkRulesError: not TOML, an unknown event or kind, a verb without event, an event that no verb leads
            to; names file, line and verb.
    """
    document = load_toml(path, CaseworkRulesError)
    if tuple(document.data) != CASE_COMMANDS:
        raise CaseworkRulesError("names other commands than policies may name, or in another order", file=document.file)
    verbs = tuple(_verb(document, name, workflow) for name in document.data)
    made = {event for verb in verbs for event in (verb.event, *verb.events.values()) if event}
    for event in sorted(kind for kind, rule in workflow.events.items() if kind not in made and not rule.seen):
        raise CaseworkRulesError(f"no verb leads to the event {event}", file=document.file)
    return verbs


def _verb(document: Document, name: str, workflow: Workflow) -> CaseVerb:
    entry = document.data[name]
    try:
        choose = dict(entry.get("choose", {}))
        chosen = choose.pop("input", None)
        if chosen is not None and "false" in choose:
            choose["none"] = choose["false"]
        verb = CaseVerb(
            name=name,
            opens=entry.get("opens", False),
            event=entry.get("event"),
            choose=chosen,
            events=choose,
            fixed=entry.get("fixed", {}),
            inputs=tuple(_input(key, row) for key, row in entry.get("inputs", {}).items()),
            en=entry["en"],
            zh=entry["zh"],
        )
    except (KeyError, ValueError, TypeError) as exc:
        raise _error(document, name, f"lacks or misstates {exc}") from exc
    if (verb.event is None) == (verb.choose is None):
        raise _error(document, name, "has either an event or a choice of events")
    for event in (*verb.events.values(), *([verb.event] if verb.event else [])):
        if event not in workflow.events:
            raise _error(document, name, f"names the unknown event {event}")
    return verb


def _input(name: str, row: list[str]) -> Input:
    kind, en, zh = row
    head, _, values = kind.partition(":")
    return Input(
        name=name,
        kind=InputKind(head.removesuffix("?")),
        optional=head.endswith("?"),
        values=tuple(values.split("|")) if values else (),
        en=en,
        zh=zh,
    )


def _error(document: Document, name: str, text: str) -> CaseworkRulesError:
    return CaseworkRulesError(text, file=document.file, line=document.line(name), name=name)
