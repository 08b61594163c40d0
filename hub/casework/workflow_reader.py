"""Reads `rules/workflow.toml` and refuses a workflow that leads nowhere."""

from pathlib import Path

from hub.casework.workflow import EventRule, State, Workflow
from hub.domain.located import Document, load_toml
from hub.errors import CaseworkRulesError

WORKFLOW_FILE = Path(__file__).with_name("rules") / "workflow.toml"


def read_workflow(path: Path = WORKFLOW_FILE) -> Workflow:
    """Read states and events.

    Raises:
        CaseworkRulesError: not TOML, a state that does not exist, a state that no event leads to, an event that leads
            out of a terminal state, two states of one rank; names file, line and name.
    """
    document = load_toml(path, CaseworkRulesError)
    states = {name: _state(document, name) for name in document.data.get("state", {})}
    events = {name: _event(document, name, states) for name in document.data.get("event", {})}
    reached = {rule.to for rule in events.values()}
    for name, state in states.items():
        if name not in reached:
            raise _error(document, "no event leads to this state", "state", name)
        if sum(other.rank == state.rank for other in states.values()) > 1:
            raise _error(document, "another state has this rank", "state", name)
    if not any(rule.first for rule in events.values()):
        raise _error(document, "no event begins a case", "event")
    return Workflow(states=states, events=events)


def _state(document: Document, name: str) -> State:
    entry = document.data["state"][name]
    try:
        return State(
            name=name, rank=entry["rank"], terminal=entry.get("terminal", False), zh=entry["zh"], en=entry["en"]
        )
    except KeyError as exc:
        raise _error(document, f"lacks {exc}", "state", name) from exc


def _event(document: Document, name: str, states: dict[str, State]) -> EventRule:
    entry = document.data["event"][name]
    try:
        rule = EventRule(
            kind=name,
            before=frozenset(entry["from"]),
            to=entry.get("to"),
            first=entry.get("first", False),
            back=entry.get("back", False),
            seen=entry.get("seen", False),
            zh=entry["zh"],
            en=entry["en"],
        )
    except KeyError as exc:
        raise _error(document, f"lacks {exc}", "event", name) from exc
    for state in sorted(rule.before | ({rule.to} if rule.to else set())):
        if state not in states:
            raise _error(document, f"names the unknown state {state}", "event", name)
    for state in sorted(rule.before):
        if states[state].terminal:
            raise _error(document, f"leads out of the terminal state {state}", "event", name)
    return rule


def _error(document: Document, text: str, *path: str) -> CaseworkRulesError:
    return CaseworkRulesError(text, file=document.file, line=document.line(*path), name=path[-1])
