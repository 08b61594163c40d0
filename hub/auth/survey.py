"""Every decision class that rules can tell apart, and facts said in as few words as possible.

A judge could be asked for every purpose and every vector of facts; most of them it cannot tell apart. What stands here
leaves out only those, so that whoever walks over it has seen all.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from hub.auth.decision import DecisionClass
from hub.auth.facts import Facts
from hub.auth.policy_reader import Bundle
from hub.auth.purposes import Role
from hub.auth.rule_scope import facts_read, like_purposes

Vector = tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What to ask about one role: a representative of each of `parts`, under every vector of `facts`."""

    role: Role
    facts: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    @property
    def vectors(self) -> Iterator[Vector]:
        return product((False, True), repeat=len(self.facts))

    def decision_class(self, part: Sequence[str], vector: Vector) -> DecisionClass:
        facts = Facts(**dict(zip(self.facts, vector, strict=True)))
        return DecisionClass(agency=self.role.agency, role=self.role.name, purpose=part[0], facts=facts)

    def classes(self) -> Iterator[DecisionClass]:
        """The most favourable facts first."""
        for part, vector in product(self.parts, sorted(self.vectors, key=sum, reverse=True)):
            yield self.decision_class(part, vector)


def survey(bundles: Iterable[Bundle], role: Role, purposes: Iterable[str]) -> Survey:
    """What can differ for `role` under any of `bundles`."""
    rules = [rule for bundle in bundles for rule in bundle.rules.values()]
    return Survey(
        role=role,
        facts=tuple(sorted(facts_read(rules, role.name))),
        parts=tuple(like_purposes(rules, role.name, purposes)),
    )


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """A conjunction: the facts that must hold and those that must not."""

    holding: tuple[str, ...]
    lacking: tuple[str, ...]

    def __str__(self) -> str:
        words = [*self.holding, *(f"not {name}" for name in self.lacking)]
        return " and ".join(words) or "always"


def shortest(facts: Sequence[str], true: Collection[Vector]) -> tuple[Term, ...]:
    """A short list of terms, one of which holds exactly for the vectors in `true`.

    Prime implicants (Quine and McCluskey), then a greedy cover: exact in what it covers, not always the shortest list.
    Cost: 3 to the power of the number of facts at worst.
    """
    left = set(true)
    primes = _primes(left)
    chosen: list[tuple[bool | None, ...]] = []
    while left:
        best = max(
            sorted(primes, key=_key), key=lambda prime: (sum(_holds(prime, vector) for vector in left), _wide(prime))
        )
        chosen.append(best)
        left = {vector for vector in left if not _holds(best, vector)}
    return tuple(sorted(_term(facts, prime) for prime in chosen))


def holds(term: Term, facts: Sequence[str], vector: Vector) -> bool:
    held = dict(zip(facts, vector, strict=True))
    return all(held[name] for name in term.holding) and not any(held[name] for name in term.lacking)


_Pattern = tuple[bool | None, ...]


def _primes(true: Collection[Vector]) -> set[_Pattern]:
    level: set[_Pattern] = set(true)
    primes: set[_Pattern] = set()
    while level:
        merged: set[_Pattern] = set()
        used: set[_Pattern] = set()
        for pattern in level:
            for place, value in enumerate(pattern):
                if value is not False:
                    continue
                other = (*pattern[:place], True, *pattern[place + 1 :])
                if other in level:
                    merged.add((*pattern[:place], None, *pattern[place + 1 :]))
                    used.update((pattern, other))
        primes |= level - used
        level = merged
    return primes


def _holds(pattern: _Pattern, vector: Vector) -> bool:
    return all(wanted is None or wanted is value for wanted, value in zip(pattern, vector, strict=True))


def _wide(pattern: _Pattern) -> int:
    return pattern.count(None)


def _key(pattern: _Pattern) -> tuple[int, ...]:
    return tuple({None: 0, True: 1, False: 2}[value] for value in pattern)


def _term(facts: Sequence[str], pattern: _Pattern) -> Term:
    return Term(
        tuple(name for name, value in zip(facts, pattern, strict=True) if value is True),
        tuple(name for name, value in zip(facts, pattern, strict=True) if value is False),
    )
