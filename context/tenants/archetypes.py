"""The names of the archetypes that a persona can be built on (product facts, section 3).

Here, because a tenant's file names one and must be checked without the room that knows what each says:
`agents.archetypes` holds that, one file for each of these names.
"""

ARCHETYPES = frozenset(
    """
    ACCOUNTANT AGENCY ARCHITECT BAKERY BUILDER CLEANER COLLECTOR CONCIERGE CONSULTANT CONTRACTOR COUNSELOR DENTAL
    DISPATCHER DOCTOR FUNERAL GROCERY GYM HAIRDRESSER HEALER INSURER IT_SERVICES LOGISTICIAN MANUFACTURER MECHANIC
    NOTARY PHARMACIST PLANNER PRODUCER PROPERTY REAL_ESTATE_AGENT RECRUITER RENTER RESTAURATEUR RETAILER SPECIALIST
    STYLIST TRAINER TRAVEL_AGENT UNIVERSAL_ECOMMERCE UNIVERSAL_SME
    """.split()
)

OPERATORS_OWN = "AGENCY"
"""Serves the tenant of the operator alone: it sells Parley itself."""

FRAMEWORKS = ("none", "AIDA", "PAS", "SB7", "CIALDINI", "UVP", "BANT")
"""Marketing frameworks by name; "none" gives no guidance."""
