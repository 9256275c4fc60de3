"""Makes a tenant that works at once: its configuration, trial, event and keys.

The tenant, its numbers and `tenant.provisioned` are one transaction; its keys come after it, so a process that was
killed in between finishes when it is asked again with the same id. Called by `parley tenant new` and POST /v1/tenants.
"""

import datetime as dt
import html
from collections.abc import Callable, Iterator, Sequence

import msgspec

from agents.archetypes.sectors import unknown_sector
from agents.archetypes.starter import SPOKEN_BY_THE_DIALOGUE_ENGINE, NewTenant, StarterError, starter_config
from billing.plans import Plans, shipped_plans
from context.security.keys import WIDGET_SCOPES, ApiKeys, KeyKind
from context.security.principal import SCOPES_OF_ROLE, Role
from context.tenants.checks import Check, Finding
from context.tenants.config import TenantConfig
from context.tenants.errors import NumberTakenError, TenantExistsError, TenantSuspendedError
from context.tenants.folder import TenantFolder
from context.tenants.lifecycle import TAKING_CALLS
from context.tenants.numbers import origin_of
from context.tenants.store import StoredTenant, StoredTenants

API_KEY = "api"
WIDGET_KEY = "widget"
"""Names of the two keys that a new tenant gets."""


def unspoken(tenant: TenantConfig) -> Iterator[Finding]:
    """The fault of a tenant that the dialogue engine, which every call falls back on, could not answer for."""
    if not set(tenant.languages) & set(SPOKEN_BY_THE_DIALOGUE_ENGINE):
        yield ("languages",), f"expected one of {', '.join(SPOKEN_BY_THE_DIALOGUE_ENGINE)} among them"


TENANT_CHECKS: tuple[Check, ...] = (unknown_sector, unspoken, lambda tenant: shipped_plans().findings(tenant))
"""What a tenant's configuration must meet besides its own checks: for `StoredTenants` and `TenantDirectory`."""


class Provisioned(msgspec.Struct, frozen=True):
    """A tenant, ready. api_key, widget_key: the whole texts, shown this once; "" when it had them before.

    page: address to talk to it at. snippet: HTML for the tenant's own pages. next_steps: what is still to be told.
    """

    tenant_id: str
    plan: str
    trial_ends_at: dt.datetime | None
    persona: str
    archetype: str
    api_key: str
    widget_key: str
    page: str
    snippet: str
    next_steps: tuple[str, ...]


class Provisioner:
    """Provisions tenants. files: tenants of the operator's files, whose ids and numbers are taken. now: aware."""

    def __init__(
        self,
        tenants: StoredTenants,
        keys: ApiKeys,
        now: Callable[[], dt.datetime],
        files: Sequence[TenantConfig] = (),
        plans: Plans | None = None,
    ) -> None:
        self._tenants = tenants
        self._keys = keys
        self._now = now
        self._files = tuple(files)
        self._plans = plans or shipped_plans()

    async def provision(self, asked: NewTenant, *, actor: str, base_url: str) -> Provisioned:
        """Make the tenant, or finish one that was begun with the same id. base_url: where this server is reached.

        Raises StarterError, TenantInvalidError, TenantExistsError (the id is used for something else),
        NumberTakenError, TenantSuspendedError.
        """
        if self._plans.plan(asked.plan) is None:
            known = ", ".join(plan.id for plan in self._plans.plans)
            raise StarterError(f"plan: {asked.plan!r} is none; one of {known} is")
        now = self._now().astimezone(dt.UTC).replace(microsecond=0)
        config = starter_config(asked, trial_ends_at=now + dt.timedelta(days=self._plans.trial_days))
        self._check_files(config)
        tenant = await self._made(config, again=bool(asked.id), actor=actor)
        api_key, widget_key = await self._new_keys(tenant.config, actor, base_url)
        page = f"{base_url.rstrip('/')}/" + (f"#key={widget_key}" if widget_key else "")
        return Provisioned(
            tenant_id=tenant.config.id,
            plan=tenant.config.plan,
            trial_ends_at=tenant.config.trial_ends_at,
            persona=tenant.config.persona.name,
            archetype=tenant.config.persona.archetype,
            api_key=api_key,
            widget_key=widget_key,
            page=page,
            snippet=widget_snippet(tenant.config, page) if widget_key else "",
            next_steps=next_steps(tenant.config),
        )

    async def _made(self, config: TenantConfig, *, again: bool, actor: str) -> StoredTenant:
        found = await self._tenants.get(config.id)
        if found is None:
            return await self._tenants.create(config, actor=actor)
        if not again or found.config.name != config.name:
            raise TenantExistsError(f"id: there is a tenant {config.id!r} already; choose another id")
        if found.state not in TAKING_CALLS:
            raise TenantSuspendedError(f"the tenant {config.id!r} is {found.state}")
        return found

    async def _new_keys(self, tenant: TenantConfig, actor: str, base_url: str) -> tuple[str, str]:
        """The API key and the widget key; "" for one that exists already."""
        now = self._now().timestamp()
        working = {key.name for key in await self._keys.list(tenant.id) if key.works_at(now)}
        api_key = widget_key = ""
        if API_KEY not in working:
            scopes = SCOPES_OF_ROLE[Role.ADMIN]
            api_key = (await self._keys.create(tenant.id, API_KEY, scopes, actor=actor)).key
        if WIDGET_KEY not in working:
            # The page to talk from is on this server, so its own origin is one of the widget's.
            origins = dict.fromkeys((*tenant.origins, origin_of(base_url)))
            made = await self._keys.create(
                tenant.id,
                WIDGET_KEY,
                WIDGET_SCOPES,
                origins=[o for o in origins if o],
                kind=KeyKind.WIDGET,
                actor=actor,
            )
            widget_key = made.key
        return api_key, widget_key

    def _check_files(self, config: TenantConfig) -> None:
        for file in self._files:
            if file.id == config.id:
                raise TenantExistsError(f"id: a tenant file defines {config.id!r} already; choose another id")
            for number in config.numbers:
                if number in file.numbers:
                    raise NumberTakenError(f"$.numbers: {number} reaches the tenant {file.id!r} of a file already")


def file_tenants(folder: TenantFolder) -> tuple[TenantConfig, ...]:
    """The tenants of the operator's files, for a command that runs beside the server."""
    folder.read_all()
    return tuple(file.config for file in folder.tenants)


def widget_snippet(tenant: TenantConfig, page: str) -> str:
    """A button for the tenant's own pages, that opens the page to talk from in a window of its own."""
    label = {"fr": "Parler à", "es": "Hablar con", "ar": "تحدث مع", "ary": "هضر مع"}.get(
        tenant.default_language, "Talk to"
    )
    return (
        f'<a href="{html.escape(page)}" target="parley" rel="noopener" '
        "onclick=\"window.open(this.href,'parley','width=420,height=640');return false\">"
        f"{label} {html.escape(tenant.name)}</a>"
    )


def next_steps(tenant: TenantConfig) -> tuple[str, ...]:
    """What the agent cannot know yet, most useful first."""
    steps: list[str] = []
    if not tenant.address:
        steps.append("Tell the address: until then the agent says that it does not know it.")
    if not tenant.phone:
        steps.append("Tell the business's telephone number.")
    if not tenant.transfer_number:
        steps.append("Name a transfer_number for callers who want a person; until then messages are taken.")
    if not tenant.numbers:
        steps.append("Add the number that callers dial: POST /v1/numbers.")
    if not tenant.origins:
        steps.append("Add the origin of the page that will hold the widget: POST /v1/origins.")
    steps.append("Check opening hours and services, and give prices: PATCH /v1/tenants/" + tenant.id)
    return tuple(steps)
