"""Everything that auditors work with, together."""

from dataclasses import dataclass

from hub.auditing.desk import AuditDesk
from hub.auditing.exports import Exports
from hub.auditing.figures import Figures
from hub.auditing.findings import Findings
from hub.auditing.policies import PolicyTexts
from hub.auditing.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOffice:
    desk: AuditDesk
    policies: PolicyTexts
    exports: Exports
    findings: Findings
    samples: Samples
    figures: Figures
