"""Tenants over REST: the operator makes, suspends and removes them; a tenant's admin reads and changes its own.

A tenant that a file of the operator defines is shown here and changed in its file. What a change may not hold is said
field by field. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, UnsetType

from agents.archetypes.starter import NewTenant, StarterError
from context.security.principal import Principal, Scope
from context.tenants.config import (
    BookingPolicy,
    EngineChoice,
    Localised,
    OpeningHours,
    Policies,
    Service,
)
from context.tenants.directory import Source
from context.tenants.lifecycle import Change, TenantState
from context.tenants.removal import CallRecordings, RemovalCertificate, TenantRemoval
from server.provisioning import Provisioned, Provisioner
from server.rest.auth import own_origin, requires
from server.rest.etags import check_if_match
from server.rest.own_tenant import TenantDetail, change_config, detail_of, in_words
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, not_found
from server.rest.services import Services

LONGEST_TEXT = 200

Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]


class TenantView(msgspec.Struct, frozen=True):
    """A tenant in the list. managed_by: "file" when a file of the operator defines it, else "api"."""

    id: str
    name: str
    sector: str
    state: TenantState
    plan: str
    trial_ends_at: dt.datetime | None
    managed_by: str


class NewTenantBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant to make. sector: a trade in English, French or Spanish. id: made from the name when left out; with one
    the request may be repeated. timezone, currency: those of the country when left out."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
    sector: Text
    language: Text = "fr"
    country: Text = "FR"
    id: Text = ""
    number: Text = ""
    origin: Text = ""
    phone: Text = ""
    address: Text = ""
    email: Text = ""
    transfer_number: Text = ""
    timezone: Text = ""
    currency: Text = ""
    plan: Text = "starter"


class TenantPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; what is left out stays. plan and trial_ends_at are the operator's. Personas, numbers, origins and
    knowledge have addresses of their own."""

    name: Text | UnsetType = UNSET
    sector: Text | UnsetType = UNSET
    languages: list[str] | UnsetType = UNSET
    default_language: Text | UnsetType = UNSET
    timezone: Text | UnsetType = UNSET
    country: Text | UnsetType = UNSET
    currency: Text | UnsetType = UNSET
    phone: Text | UnsetType = UNSET
    address: Localised | UnsetType = UNSET
    hours: dict[str, list[OpeningHours]] | UnsetType = UNSET
    services: list[Service] | UnsetType = UNSET
    email: Text | UnsetType = UNSET
    website: Text | UnsetType = UNSET
    transfer_number: Text | UnsetType = UNSET
    booking: BookingPolicy | UnsetType = UNSET
    policies: Policies | UnsetType = UNSET
    engines: EngineChoice | UnsetType = UNSET
    engine_keys: dict[str, str] | UnsetType = UNSET
    terms: list[str] | UnsetType = UNSET
    plan: Text | UnsetType = UNSET
    trial_ends_at: dt.datetime | UnsetType | None = UNSET


OPERATORS_FIELDS = frozenset({"plan", "trial_ends_at"})
"""What a tenant cannot change about itself."""


class StateChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the state is changed, for whoever looks later."""

    reason: Text = ""


class Tenants(Controller):
    """Tenants of this installation."""

    path = "/tenants"
    tags: Sequence[str] = ["tenants"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.SERVER_ADMIN)], summary="List tenants by id")
    async def list_tenants(self, services: Services, page: PageQuery) -> Page[TenantView]:
        """Every tenant, of the database and of files, whatever its state."""
        key = page.key(str)
        after = "" if key is None else str(key[0])
        found = [
            TenantView(
                id=entry.config.id,
                name=entry.config.name,
                sector=entry.config.sector,
                state=entry.state,
                plan=entry.config.plan,
                trial_ends_at=entry.config.trial_ends_at,
                managed_by="api" if entry.source is Source.STORE else "file",
            )
            for entry in services.tenants.entries
            if entry.config.id > after
        ]
        return page.page(found[: page.limit + 1], lambda tenant: (tenant.id,), lambda tenant: tenant)

    @post("/", guards=[requires(Scope.SERVER_ADMIN)], summary="Make a tenant that works at once")
    async def create_tenant(
        self, data: NewTenantBody, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Provisioned:
        """Hours, services and persona of its sector, a trial, an API key and a widget key. Keys are shown this once."""
        files = [entry.config for entry in services.tenants.entries if entry.source is not Source.STORE]
        provisioner = Provisioner(services.stored_tenants, services.keys, services.now, files)
        asked = msgspec.convert(data, NewTenant, from_attributes=True)
        try:
            made = await provisioner.provision(asked, actor=principal.id, base_url=own_origin(request))
        except StarterError as error:
            raise Problem(422, error.code, str(error)) from error
        await services.tenants.refresh()
        return made

    @get("/{tenant_id:str}", guards=[requires(Scope.TENANT_READ)], summary="Get one tenant")
    async def get_tenant(self, tenant_id: str, principal: Principal, services: Services) -> TenantDetail:
        """State and configuration, your own; any tenant's for the operator."""
        return await _visible(services, principal, tenant_id)

    @patch("/{tenant_id:str}", guards=[requires(Scope.TENANT_WRITE)], summary="Change a tenant's configuration")
    async def change_tenant(
        self,
        tenant_id: str,
        data: TenantPatch,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> TenantDetail:
        """Change some fields; with `If-Match` only when nobody changed it since."""
        before = await _visible(services, principal, tenant_id)
        check_if_match(request, before)
        changes = {name: value for name in data.__struct_fields__ if (value := getattr(data, name)) is not UNSET}
        for name in sorted(OPERATORS_FIELDS & changes.keys()):
            if not principal.may(Scope.SERVER_ADMIN) and changes[name] != getattr(before.config, name):
                raise Problem(403, "forbidden", f"{name}: only the operator changes this.")
        return await change_config(services, principal, before, changes)

    @delete(
        "/{tenant_id:str}", status_code=200, guards=[requires(Scope.SERVER_ADMIN)], summary="Remove a tenant for good"
    )
    async def delete_tenant(self, tenant_id: str, principal: Principal, services: Services) -> RemovalCertificate:
        """Remove everything that is the tenant's: rows, recordings, keys. Repeated, the same certificate is shown."""
        removal = TenantRemoval(
            services.store, services.stored_tenants, services.now, [CallRecordings(services.store, services.recordings)]
        )
        certificate = await removal.certificate(tenant_id)
        if certificate is not None:
            return certificate
        await _require_stored(services, tenant_id)
        # Marked first and taken in, so that no new call begins while rows go.
        await services.stored_tenants.change(tenant_id, Change.DELETE, actor=principal.id)
        await services.tenants.refresh()
        certificate = await removal.remove(tenant_id, actor=principal.id)
        await services.tenants.refresh()
        return certificate

    @post(
        "/{tenant_id:str}/suspend", status_code=200, guards=[requires(Scope.SERVER_ADMIN)], summary="Suspend a tenant"
    )
    async def suspend_tenant(
        self, tenant_id: str, data: StateChange, principal: Principal, services: Services
    ) -> TenantDetail:
        """It takes no call and its keys open nothing, until it is resumed."""
        return await _change_state(services, principal, tenant_id, Change.SUSPEND, data.reason)

    @post("/{tenant_id:str}/resume", status_code=200, guards=[requires(Scope.SERVER_ADMIN)], summary="Resume a tenant")
    async def resume_tenant(
        self, tenant_id: str, data: StateChange, principal: Principal, services: Services
    ) -> TenantDetail:
        """Let a suspended tenant work again."""
        return await _change_state(services, principal, tenant_id, Change.RESUME, data.reason)

    @post("/{tenant_id:str}/activate", status_code=200, guards=[requires(Scope.SERVER_ADMIN)], summary="End a trial")
    async def activate_tenant(
        self, tenant_id: str, data: StateChange, principal: Principal, services: Services
    ) -> TenantDetail:
        """A tenant on trial becomes a customer."""
        return await _change_state(services, principal, tenant_id, Change.ACTIVATE, data.reason)


async def _visible(services: Services, principal: Principal, tenant_id: str) -> TenantDetail:
    if not principal.may(Scope.SERVER_ADMIN) and principal.tenant_id != tenant_id:
        raise not_found("tenant")
    return await detail_of(services, tenant_id)


async def _change_state(
    services: Services, principal: Principal, tenant_id: str, change: Change, reason: str
) -> TenantDetail:
    await _require_stored(services, tenant_id)
    await services.stored_tenants.change(tenant_id, change, actor=principal.id, reason=reason)
    await services.tenants.refresh()
    return await detail_of(services, tenant_id)


async def _require_stored(services: Services, tenant_id: str) -> None:
    if (await detail_of(services, tenant_id)).managed_by == "file":
        raise Problem(409, "managed_by_file", in_words(tenant_id))


handlers: Sequence[ControllerRouterHandler] = (Tenants,)

EXAMPLES = (
    NewTenantBody(
        name="Cabinet Lumière",
        sector="dentiste",
        language="fr",
        country="FR",
        number="+33186950150",
        origin="https://lumiere.example",
    ),
    TenantPatch(address={"fr": "4 rue des Lilas, 75011 Paris"}, transfer_number="+33186950151"),
    StateChange(reason="invoice overdue"),
    TenantView("cabinet-lumiere", "Cabinet Lumière", "dentiste", TenantState.TRIAL, "starter", None, "api"),
)
