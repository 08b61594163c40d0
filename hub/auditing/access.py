"""Who may look at the audit log: one question with one answer, no unless said otherwise."""

from collections.abc import Mapping

from hub.auth.principal import Principal

LOG = frozenset({"auditEntries", "auditCheckpoint", "auditProof", "auditStatistics", "auditStatus", "subjectReport"})
"""Fields of the API."""
CONSOLE = frozenset({"exports", "findings", "reviewFinding", "samples", "policy"})
"""What the console can do besides."""
NAMES = LOG | CONSOLE

_ALLOWED: Mapping[tuple[str, str], frozenset[str]] = {
    ("auditor", "AUDIT"): NAMES,
    ("county-office", "SUPERVISION"): frozenset({"auditStatus", "auditCheckpoint", "policy"}),
    ("province-office", "SUPERVISION"): frozenset({"auditStatus", "auditCheckpoint", "policy"}),
}


def may_audit(principal: Principal, purpose: str | None, name: str) -> bool:
    """Whether `principal` may do `name` (of `NAMES`) for `purpose`, which must be one of the token's own."""
    if purpose is None or purpose not in principal.purposes:
        return False
    return name in _ALLOWED.get((principal.role, purpose), frozenset())


def may_ever(role: str, name: str) -> bool:
    """Whether the role may do `name` for some purpose."""
    return any(name in names for (allowed, _), names in _ALLOWED.items() if allowed == role)
