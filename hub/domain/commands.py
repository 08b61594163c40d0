"""Names of everything that officers do to the hub's own records: commands, and the lists that belong to them.

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
COMMANDS = (
    "requestEmergencyAccess",
    "approveAccess",
    "withdrawEmergencyAccess",
    "closeAccessReview",
    "giveConsent",
    "withdrawConsent",
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
)
LISTS = (
    "accessRequests",
    "accessReviews",
    "case",
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
