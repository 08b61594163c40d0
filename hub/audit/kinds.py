"""What an entry can be about. Names and numbers are stable: a number is never used for another kind."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """docs/audit-log.md says of each kind when it is written and what its members mean."""

    OPERATION = "operation"
    REFUSALS = "refusals"  # refusals before a valid token, one summary a minute
    STARTUP = "startup"
    AUDITOR_READ = "auditor-read"
    SUBJECT_REPORT = "subject-report"
    EXPORT = "export"
    CONSOLE_VIEW = "console-view"
    LOGIN = "login"
    LOGOUT = "logout"
    POLICY = "policy"  # policies came into force, or were refused
    KEYS = "keys"  # keys were rotated, retired, destroyed, put into escrow or restored
    APPROVAL = "approval"
    FINDING_REVIEW = "finding-review"
    RETENTION = "retention"
    LEGAL_HOLD = "legal-hold"
    STATUTORY = "statutory"  # a step of a query for records sealed by law
    COMMAND = "command"  # before the effect of a command; the operation has an entry of its own
    SWEEP = "sweep"  # the hub looks by itself, batch by batch, whether something changed at an agency
    ERASURE = "erasure"  # an approval of the erasure of a person, the second of which erases
    IDENTITY = "identity"  # the operator linked records, asked whether two persons are one, or undid a change of links


NUMBERS: Mapping[Kind, int] = {
    Kind.OPERATION: 1,
    Kind.REFUSALS: 2,
    Kind.STARTUP: 3,
    Kind.AUDITOR_READ: 4,
    Kind.SUBJECT_REPORT: 5,
    Kind.EXPORT: 6,
    Kind.CONSOLE_VIEW: 7,
    Kind.LOGIN: 8,
    Kind.LOGOUT: 9,
    Kind.POLICY: 10,
    Kind.KEYS: 11,
    Kind.APPROVAL: 12,
    Kind.FINDING_REVIEW: 13,
    Kind.RETENTION: 14,
    Kind.LEGAL_HOLD: 15,
    Kind.STATUTORY: 16,
    Kind.COMMAND: 17,
    Kind.ERASURE: 18,
    Kind.SWEEP: 19,
    Kind.IDENTITY: 20,
}
BY_NUMBER: Mapping[int, Kind] = {number: kind for kind, number in NUMBERS.items()}
