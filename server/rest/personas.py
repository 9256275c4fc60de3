"""Personas over REST: who answers on which channel, and the archetypes that they are built on.

A persona overrides any field of its archetype; what it leaves empty comes from there, and the answer shows both: what
the tenant said and what the agent will be. Part of `server.rest.api`.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from litestar import Controller, Request, delete, get, put
from litestar.types import ControllerRouterHandler

from agents.archetypes.library import Archetype, archetype, every_archetype
from agents.archetypes.personas import ResolvedPersona, is_operators_own, resolve_persona
from context.security.principal import Principal, Scope
from context.tenants.config import Channel, Persona, TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.etags import check_if_match
from server.rest.own_tenant import change_config, detail_of
from server.rest.problems import Problem, not_found
from server.rest.services import Services


class ArchetypeView(msgspec.Struct, frozen=True):
    """An archetype in the list."""

    id: str
    sensitivity: str
    channels: list[Channel]
    framework: str
    background: str


class PersonaPlace(StrEnum):
    """Where a persona answers: on one channel, or on every one without a persona of its own."""

    DEFAULT = "default"
    PHONE = "phone"
    WIDGET_B2B = "widget_b2b"
    WIDGET_B2C = "widget_b2c"
    WIDGET_ECOM = "widget_ecom"


class PersonaView(msgspec.Struct, frozen=True):
    """A persona as the tenant wrote it, null when the channel has none of its own, and what it comes to there.

    For the default, what it comes to on the telephone.
    """

    place: PersonaPlace
    own: Persona | None
    resolved: ResolvedPersona


class Archetypes(Controller):
    """The archetypes that personas are built on."""

    path = "/archetypes"
    tags: Sequence[str] = ["personas"]  # pyright: ignore[reportIncompatibleVariableOverride]
    guards = [requires(Scope.TENANT_READ)]  # noqa: RUF012 - Litestar's way

    @get("/", summary="List archetypes", sync_to_thread=True)
    def list_archetypes(self) -> list[ArchetypeView]:
        """Every archetype by name."""
        return [
            ArchetypeView(one.id, one.sensitivity, list(one.channels), one.framework, one.background)
            for one in every_archetype()
        ]

    @get("/{archetype_id:str}", summary="Get one archetype", sync_to_thread=True)
    def get_archetype(self, archetype_id: str) -> Archetype:
        """What it is like, when it passes a call on, and what it says, in every language."""
        try:
            return archetype(archetype_id)
        except LookupError as error:
            raise not_found("archetype") from error


class Personas(Controller):
    """Who answers for the tenant."""

    path = "/personas"
    tags: Sequence[str] = ["personas"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.TENANT_READ)], summary="List personas")
    async def list_personas(self, principal: Principal, services: Services) -> list[PersonaView]:
        """The default persona and what answers on each channel."""
        detail = await detail_of(services, tenant_of(principal))
        return [_view(detail.config, place) for place in PersonaPlace]

    @get("/{place:str}", guards=[requires(Scope.TENANT_READ)], summary="Get the persona of a channel")
    async def get_persona(self, place: PersonaPlace, principal: Principal, services: Services) -> PersonaView:
        """One persona."""
        detail = await detail_of(services, tenant_of(principal))
        return _view(detail.config, place)

    @put("/{place:str}", guards=[requires(Scope.TENANT_WRITE)], summary="Set the persona of a channel")
    async def put_persona(
        self,
        place: PersonaPlace,
        data: Persona,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> PersonaView:
        """Replace it; the next call has it."""
        detail = await detail_of(services, tenant_of(principal))
        check_if_match(request, _view(detail.config, place))
        if is_operators_own(data.archetype) and not principal.may(Scope.SERVER_ADMIN):
            raise Problem(403, "forbidden", f"archetype: {data.archetype} serves the operator's own tenant alone.")
        changed = await change_config(services, principal, detail, _placed(detail.config.personas, place, data))
        return _view(changed.config, place)

    @delete(
        "/{place:str}", status_code=200, guards=[requires(Scope.TENANT_WRITE)], summary="Take a channel's persona away"
    )
    async def delete_persona(self, place: PersonaPlace, principal: Principal, services: Services) -> PersonaView:
        """The default persona answers there again. 409 for the default itself."""
        if place is PersonaPlace.DEFAULT:
            raise Problem(409, "persona_needed", "A tenant needs its default persona: replace it with PUT instead.")
        detail = await detail_of(services, tenant_of(principal))
        if Channel(place.value) not in detail.config.personas:
            raise not_found("persona")
        left = {channel: persona for channel, persona in detail.config.personas.items() if channel != place.value}
        changed = await change_config(services, principal, detail, {"personas": left})
        return _view(changed.config, place)


def _view(config: TenantConfig, place: PersonaPlace) -> PersonaView:
    if place is PersonaPlace.DEFAULT:
        alone = msgspec.structs.replace(config, personas={})
        return PersonaView(place, config.persona, resolve_persona(alone, Channel.PHONE))
    channel = Channel(place.value)
    return PersonaView(place, config.personas.get(channel), resolve_persona(config, channel))


def _placed(personas: dict[Channel, Persona], place: PersonaPlace, persona: Persona) -> dict[str, Any]:
    if place is PersonaPlace.DEFAULT:
        return {"persona": persona}
    return {"personas": {**personas, Channel(place.value): persona}}


handlers: Sequence[ControllerRouterHandler] = (Archetypes, Personas)

EXAMPLES = (
    Persona(
        id="camille",
        name="Camille",
        archetype="DENTAL",
        greeting={
            "en": "Hello, Clinique du Parc, this is Camille, the virtual assistant. How can I help?",
            "fr": "Bonjour, Clinique du Parc, ici Camille, l'assistante virtuelle. Comment puis-je vous aider ?",
        },
        tone="warm, calm, brief",
    ),
)
