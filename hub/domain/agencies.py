"""The agencies the hub knows by name. One that is not listed here may still be added by its catalogue file."""

JUSTICE = "justice"
POLICE = "police"
SOCIAL_SECURITY = "social-security"
CIVIL_AFFAIRS = "civil-affairs"
TAX = "tax"
HUB = "hub"
