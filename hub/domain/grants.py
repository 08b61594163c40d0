"""An emergency access as an auditor must know it: who could see more of whom, from when to when. Pure."""

from dataclasses import dataclass

ANSWERED_WITHIN_US = 60_000_000
"""A read is logged when it is answered: it may have begun, at most this much before, under a grant that ended since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`person` is a pseudonym, `approver` AGENCY/OFFICER, `on_behalf_of` empty for who asked in their own name.

    It holds from `from_us` to `to_us`; its review is due at `due_us`. Times in microseconds.
    """

    request: str
    person: str
    agency: str
    officer: str
    role: str
    purpose: str
    approver: str
    from_us: int
    to_us: int
    due_us: int
    reviewed_us: int | None = None
    on_behalf_of: str = ""

    def covers(
        self, *, agency: str, officer: str, on_behalf_of: str, role: str, purpose: str, person: str, time_us: int
    ) -> bool:
        """Whether a read that is logged at `time_us` can have been made under it."""
        mine = (self.agency, self.officer, self.on_behalf_of, self.role, self.purpose, self.person)
        in_time = self.from_us <= time_us <= self.to_us + ANSWERED_WITHIN_US
        return in_time and mine == (agency, officer, on_behalf_of, role, purpose, person)
