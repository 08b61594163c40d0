"""What misuse rules know beside the log, from a file that the operator hands in: `hub/misuse-facts.json`.

    {"officers": {"2001": {"person": PSEUDONYM, "surname": TOKEN, "household": TOKEN, "regions": ["3607"]}},
     "persons": {PSEUDONYM: {"surname": TOKEN, "household": TOKEN, "region": "360702", "marks": ["protected"]}}}

Tokens are compared, never shown; they need not be names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from hub.auditing.misuse import OfficerFacts, PersonFacts
from hub.errors import SettingsError


class FileFacts:
    def __init__(self, officers: Mapping[str, OfficerFacts], persons: Mapping[str, PersonFacts]) -> None:
        self._officers = officers
        self._persons = persons

    def officer(self, name: str) -> OfficerFacts | None:
        return self._officers.get(name)

    def person(self, pseudonym: str) -> PersonFacts | None:
        return self._persons.get(pseudonym)


def read_facts(path: Path) -> FileFacts:
    """Without a file nothing is known.

    Raises:
        SettingsError: the file does not have this form.
    """
    if not path.exists():
        return FileFacts({}, {})
    try:
        data = orjson.loads(path.read_bytes())
        officers = {name: _officer(entry) for name, entry in data["officers"].items()}
        persons = {name: _person(entry) for name, entry in data["persons"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SettingsError("does not have the form of docs/auditors-guide.md", name=path.name) from exc
    return FileFacts(officers, persons)


def _officer(entry: Mapping[str, Any]) -> OfficerFacts:
    return OfficerFacts(**{**entry, "regions": tuple(entry.get("regions", ()))})


def _person(entry: Mapping[str, Any]) -> PersonFacts:
    return PersonFacts(**{**entry, "marks": frozenset(entry.get("marks", ()))})
