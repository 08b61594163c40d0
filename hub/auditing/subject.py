"""Who saw me: entries of the log about one person, in words that person understands, in Chinese and English. Pure."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.audit.entry import EFFECTS
from hub.auth.purposes import Purposes
from hub.clock import CHINA
from hub.domain.catalogue import Catalogue
from hub.errors import StartupError

WORDS_FILE = Path(__file__).with_name("words.toml")
MOST_FIELDS = 12  # named in a sentence; of more their number is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A text in Chinese and in English."""

    zh: str
    en: str


DEPUTY = Both(zh="，代理他人", en=", standing in for a colleague")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """A class of reads that is told only when `days` have passed."""

    purpose: str
    days: int
    text: Both


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One time somebody asked for data of the person. Coordinates by effect, as in the entry."""

    entry: str
    time: str
    agency: str
    role: str
    purpose: str | None
    coordinates: Mapping[str, Sequence[str]]
    text: Both


class Words:
    """Names of agencies, roles, purposes and fields in both languages."""

    def __init__(self, purposes: Purposes, catalogue: Catalogue, file: Path = WORDS_FILE) -> None:
        """Raises StartupError: the file lacks a word."""
        data = tomllib.loads(file.read_text("utf-8"))
        try:
            self._agencies, self._roles = _all(data["agencies"]), _all(data["roles"])
            self._effects = _all(data["effects"])
            self.delayed = tuple(
                Delayed(purpose=name, days=int(entry["days"]), text=Both(zh=entry["zh"], en=entry["en"]))
                for name, entry in sorted(data["delayed"].items())
            )
            missing = set(EFFECTS) - self._effects.keys()
        except (KeyError, TypeError, ValueError) as exc:
            raise StartupError("a word of the report is missing", file=file.name) from exc
        if missing:
            raise StartupError("an effect has no word", file=file.name, name=min(missing))
        self._purposes = {name: Both(zh=one.zh, en=one.en) for name, one in purposes.purposes.items()}
        self._fields = {name: Both(zh=one.zh, en=one.en) for name, one in catalogue.fields.items()}

    def agency(self, name: str) -> Both:
        return self._agencies.get(name, Both(zh=name, en=name))

    def role(self, name: str) -> Both:
        return self._roles.get(name, Both(zh=name, en=name))

    def purpose(self, name: str | None) -> Both:
        return self._purposes.get(name or "", Both(zh="未说明用途", en="no stated purpose"))

    def field(self, coordinate: str) -> Both:
        return self._fields.get(coordinate, Both(zh=coordinate, en=coordinate))

    def effect(self, name: str) -> Both:
        return self._effects[name]


def _all(entries: Mapping[str, Any]) -> dict[str, Both]:
    return {name: Both(zh=entry["zh"], en=entry["en"]) for name, entry in entries.items()}


def is_told(words: Words, shown: Mapping[str, Any], now: datetime) -> bool:
    """Whether the person may know of this entry by now."""
    made = datetime.fromisoformat(shown["time"])
    return not any(
        delayed.purpose == shown.get("purpose") and now - made < timedelta(days=delayed.days)
        for delayed in words.delayed
    )


def accesses(words: Words, person: str, entries: Iterable[Mapping[str, Any]], now: datetime) -> list[Access]:
    """What the person may know by now, in the order of `entries` (as `hub.audit.reader.show` gives them)."""
    return [_access(words, person, shown) for shown in entries if is_told(words, shown, now)]


def _access(words: Words, person: str, shown: Mapping[str, Any]) -> Access:
    asked: dict[str, list[str]] = {effect: [] for effect in EFFECTS}
    for one in shown.get("persons", ()):
        if one["person"] == person:
            for effect in EFFECTS:
                asked[effect] += one[effect]
    return Access(
        entry=shown["id"],
        time=shown["time"],
        agency=shown.get("agency", ""),
        role=shown.get("role", ""),
        purpose=shown.get("purpose"),
        coordinates=asked,
        text=_sentence(words, shown, asked),
    )


def _sentence(words: Words, shown: Mapping[str, Any], asked: Mapping[str, Sequence[str]]) -> Both:
    moment = datetime.fromisoformat(shown["time"]).astimezone(CHINA)
    agency, role = words.agency(shown.get("agency", "")), words.role(shown.get("role", ""))
    purpose = words.purpose(shown.get("purpose"))
    acting = DEPUTY if shown.get("onBehalfOf") else Both(zh="", en="")
    parts = [(words.effect(effect), [words.field(name) for name in asked[effect]]) for effect in EFFECTS]
    told = [(effect, names) for effect, names in parts if names]
    zh = "；".join(f"{effect.zh}：{_listed([name.zh for name in names], zh=True)}" for effect, names in told)
    en = "; ".join(f"{effect.en}: {_listed([name.en for name in names], zh=False)}" for effect, names in told)
    return Both(
        zh=f"{moment:%Y年%m月%d日 %H:%M}，{agency.zh}（{role.zh}{acting.zh}）因“{purpose.zh}”查询您的信息。"
        f"{zh or '未提供任何内容'}。",
        en=f"On {moment:%Y-%m-%d at %H:%M}, {agency.en} ({role.en}{acting.en}) asked for your data for: {purpose.en}. "
        f"They {en or 'were given nothing'}.",
    )


def _listed(names: Sequence[str], *, zh: bool) -> str:
    kept = list(dict.fromkeys(names))
    rest = len(kept) - MOST_FIELDS
    text = ("、" if zh else ", ").join(kept[:MOST_FIELDS])
    if rest <= 0:
        return text
    return f"{text}等另{rest}项" if zh else f"{text} and {rest} more"
