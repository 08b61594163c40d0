"""Names of everything that officers do to the hub's own records: commands, and the lists that belong to them.

Policies name them as `Hub::Command`; what each does is `casework`'s business. A name that is not here is no command.
"""

COMMANDS = (
    "requestEmergencyAccess",
    "approveAccess",
    "withdrawEmergencyAccess",
    "closeAccessReview",
    "giveConsent",
    "withdrawConsent",
)
LISTS = ("accessRequests", "accessReviews")
