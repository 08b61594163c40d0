"""Names of everything that officers do to the hub's own records: commands, lists that belong to them, looks at the log.

Policies name them as `Hub::Command`; what each does is `casework`'s business. A name that is not here is no command.
"""

CASE_COMMANDS = tuple(
    (
        "admitPerson endCorrection startVerification verifyIdentity changeSentence recordExitEducation assessRisk"
        " notifyRelease acknowledgeHandover dispatchCase tellFamily returnCase adjudicateCase planPickup recordRelease"
        " recordPickup recordSearch registerPerson applyHousehold restoreHousehold signResponsibility agreePlan"
        " recordVisit reportLostContact reportFound placePerson endPlacement recordTraining recordEmployment"
        " endEmployment grantSubsidy applyRelief addJointOffice endJointOffice transferCase acceptTransfer"
        " rejectTransfer closeCase recordReoffence recordDeath recordDeparture"
    ).split()
)
STATUTORY_COMMANDS = ("requestStatutoryQuery", "approveStatutoryQuery")
"""Steps towards records sealed by law: they have entries of their own kind."""
AUDIT_COMMANDS = ("requestAuditExport",)
COMMANDS = (
    "requestEmergencyAccess",
    "approveAccess",
    "withdrawEmergencyAccess",
    "closeAccessReview",
    "giveConsent",
    "withdrawConsent",
    *STATUTORY_COMMANDS,
    *CASE_COMMANDS,
    "issueSupervisionOrder",
    "replySupervisionOrder",
    "requestCorrection",
    "answerCorrection",
    "registerBase",
    "waitForBase",
    "registerWebhook",
    "enableWebhook",
    "replayWebhook",
    "decideIdentity",
    *AUDIT_COMMANDS,
)
LISTS = (
    "accessRequests",
    "accessReviews",
    "statutoryQueries",
    "statutoryRecords",
    "statutoryNotices",
    "case",
    "handoverForm",
    "caseload",
    "tasks",
    "changes",
    "supervisionOrders",
    "corrections",
    "myDay",
    "dueForecast",
    "whatIf",
    "bases",
    "webhooks",
    "webhookDeliveries",
    "identityReviews",
    "explainIdentity",
)
LOG = (
    "auditEntries",
    "auditCheckpoint",
    "auditProof",
    "auditStatistics",
    "auditStatus",
    "subjectReport",
    "auditExports",
)
"""Root fields that read the audit log."""
CONSOLE = ("exports", "findings", "reviewFinding", "samples", "policy")
"""What auditors do in the console besides."""
NAMES = (*COMMANDS, *LISTS, *LOG, *CONSOLE)
"""Everything that rules of the action `perform` can be about."""
