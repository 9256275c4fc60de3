"""Who answers for a tenant on a channel: its own persona, filled up from the archetype of its trade.

The order of product facts, section 3: the tenant's persona for the channel, else its general one, over the archetype
that it names, else that of its sector, else that of the channel. A tenant overrides any field; what it left empty comes
from the archetype. Called when a call or a text turn begins.
"""

from typing import Literal

import msgspec

from agents.archetypes.library import Archetype, archetype
from agents.archetypes.sectors import archetype_of_sector
from context.tenants.archetypes import OPERATORS_OWN
from context.tenants.config import Channel, Complaint, Escalation, Localised, TenantConfig

CHANNEL_DEFAULTS = {
    Channel.PHONE: "UNIVERSAL_SME",
    Channel.WIDGET_B2B: "UNIVERSAL_SME",
    Channel.WIDGET_B2C: "UNIVERSAL_SME",
    Channel.WIDGET_ECOM: "UNIVERSAL_ECOMMERCE",
}
"""Archetypes of channels that neither persona nor sector decides."""


class ResolvedPersona(msgspec.Struct, frozen=True):
    """A persona with nothing left open. framework: "none" for no marketing guidance."""

    id: str
    name: str
    archetype: str
    channel: Channel
    sensitivity: Literal["normal", "high"]
    greeting: Localised
    voice: dict[str, str]
    tone: str
    personality: str
    background: str
    forbidden: tuple[str, ...]
    escalations: tuple[Escalation, ...]
    complaints: tuple[Complaint, ...]
    framework: str


def resolve_persona(tenant: TenantConfig, channel: Channel) -> ResolvedPersona:
    """Who answers for `tenant` on `channel`."""
    persona = tenant.personas.get(channel, tenant.persona)
    base = archetype_for(tenant, channel)
    return ResolvedPersona(
        id=persona.id,
        name=persona.name,
        archetype=base.id,
        channel=channel,
        sensitivity=base.sensitivity,
        greeting=persona.greeting,
        voice=persona.voice,
        tone=persona.tone or base.tone,
        personality=persona.personality or base.personality,
        background=persona.background or base.background,
        forbidden=tuple(dict.fromkeys((*base.forbidden, *persona.forbidden))),
        escalations=persona.escalations or base.escalations,
        complaints=persona.complaints or base.complaint_responses(),
        framework=persona.framework or base.framework,
    )


def archetype_for(tenant: TenantConfig, channel: Channel) -> Archetype:
    """The archetype behind a tenant's persona on a channel.

    One that the tenant names itself counts wherever it is used; that of the sector only on the channels it is made for.
    """
    persona = tenant.personas.get(channel, tenant.persona)
    named = persona.archetype if channel in tenant.personas else ""
    if named:
        return archetype(named)
    for candidate in (persona.archetype, archetype_of_sector(tenant.sector)):
        if candidate and channel in archetype(candidate).channels:
            return archetype(candidate)
    return archetype(CHANNEL_DEFAULTS[channel])


def is_operators_own(archetype_id: str) -> bool:
    """Whether only the operator's own tenant may use this archetype."""
    return archetype_id == OPERATORS_OWN
