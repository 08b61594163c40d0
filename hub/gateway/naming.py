"""The persons that the root fields of an operation name, and what is told of them for quota and decisions."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from hub.auth.facts import Facts
from hub.gateway.reading import Ask, Page, PersonRef


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One ask with the persons it names, in answer order; None where nothing was found."""

    ask: Ask
    refs: Sequence[PersonRef | None]
    page: Page | None


def counted(named: Sequence[Named], visible: set[str]) -> Iterator[str]:
    """What counts against the quota: each visible person once, and each look-up that finds nobody for the asker.

    Who is unknown and who is not the asker's count alike, or what is left of the quota would tell them apart.
    """
    for item in named:
        for place, ref in enumerate(item.refs):
            if ref is not None and ref.key in visible:
                yield ref.key
            elif place < len(item.ask.lookups):
                lookup = item.ask.lookups[place]
                yield f"?{lookup.kind}:{lookup.text}"


def by_facts(refs: Sequence[PersonRef | None], keys: Mapping[str, object]) -> dict[Facts, list[str]]:
    """Keys of the persons among `keys`, by the facts that decide about them."""
    found: dict[Facts, list[str]] = {}
    for ref in refs:
        if ref is not None and ref.key in keys:
            found.setdefault(ref.facts, []).append(ref.key)
    return found
