"""Which records are compared at all: those that share a token. Tokens are stored as keyed hashes only.

Each slip leaves one token whole: a wrong number leaves name and year of birth, a name misheard
sounds the same, a wrong date leaves telephone and place.
"""

from collections.abc import Iterable

from hub.identity.matching.traits import Traits, sound_of, surname_of


def tokens_of(traits: Traits) -> frozenset[str]:
    """Tokens of one record; at most a dozen."""
    found = set()
    if traits.number:
        found.add(f"number {traits.number}")
    if traits.phone:
        found.add(f"phone {traits.phone}")
    if traits.name:
        sound = sound_of(traits.name)
        if traits.birth:
            found.add(f"year {sound} {traits.birth[:4]}")
            found.add(f"day {sound} {traits.birth[5:]}")
            found.add(f"birth {surname_of(traits.name)} {traits.birth}")
        found.update(f"county {sound} {county}" for county in traits.counties)
        found.update(f"address {surname_of(traits.name)} {address}" for address in traits.addresses)
    return frozenset(found)


def tokens_of_all(records: Iterable[Traits]) -> frozenset[str]:
    return frozenset(token for traits in records for token in tokens_of(traits))


def share_a_token(one: Traits, two: Traits) -> bool:
    """Whether two records may share a token; False is certain. Cheaper than comparing all that a cut hash brings."""
    if (one.number and one.number == two.number) or (one.phone and one.phone == two.phone):
        return True
    if not one.name or not two.name:
        return False
    return surname_of(one.name) == surname_of(two.name) or sound_of(one.name) == sound_of(two.name)
