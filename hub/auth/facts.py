"""The few facts about asker and person that access depends on (DOMAIN section 3.2, conditions J T C O N K 2 L).

A decision class is a value of `Facts`; two persons with equal facts get equal decisions from one asker.
"""

from dataclasses import dataclass


class _Hashed:
    """A place for the hash: a class of decisions is looked up many times for each person of an answer."""

    __slots__ = ("_hash",)
    _hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(_Hashed):
    jurisdiction: bool = False  # J: over a responsible office, current or up to 60 days past
    term: bool = False  # T: in the assistance term, or up to 30 days after it
    case: bool = False  # C: Hub-Case names an open case or task of this person at the asker's agency
    own: bool = False  # O: the asker's agency itself holds a record of this person
    consent: bool = False  # N: consent on file for this agency and purpose
    key_person: bool = False  # K: classed 01 (重点帮教)
    approved: bool = False  # 2: a second approver's time-boxed approval stands
    statutory: bool = False  # L: a statutory query for vaulted records stands (case, legal basis, approver)
    subject: bool = False  # the asker is the person (本人)

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            made = hash(tuple(getattr(self, name) for name in self.__dataclass_fields__))
            object.__setattr__(self, "_hash", made)
            return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedFacts(Facts):
    """Facts of which some hold for a part of the fields only; for every other field they do not hold.

    `approved_for`: coordinates that the approval covers, `approved_by`: who gave it, AGENCY/OFFICER. `consent_for`:
    field groups that the consent covers, or None for all of them.
    """

    approved_for: frozenset[str] = frozenset()
    approved_by: frozenset[str] = frozenset()
    consent_for: frozenset[str] | None = None

    def within(self, coordinate: str, group: str) -> Facts:
        """The plain facts for one field."""
        return Facts(
            jurisdiction=self.jurisdiction,
            term=self.term,
            case=self.case,
            own=self.own,
            consent=self.consent and (self.consent_for is None or group in self.consent_for),
            key_person=self.key_person,
            approved=self.approved and coordinate in self.approved_for,
            statutory=self.statutory,
            subject=self.subject,
        )
