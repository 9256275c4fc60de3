"""What each tenant's calls share: its engines, its models, the index of its facts; renewed while calls go on.

A call keeps what it began with, so a tenant may be changed, added or removed at any time; a change whose engines cannot
be had leaves the last good ones at work. Filled by `server.composition`, asked by `server.call_desk` and
`server.responders`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from agents.dialogue.responder import common_phrases
from agents.llm.completion import LlmChain
from agents.llm.fact_search import FactSearch
from context.tenants.config import TenantConfig
from context.tenants.directory import ChangeKind, TenantChange
from voice_core.engines.registry import EngineRegistry, TenantEngines
from voice_core.errors import EngineUnavailable

EMBEDDED = "embedded"
VAULT_PREFIX = "vault:"

log = structlog.get_logger(__name__)


class TenantRuntime(msgspec.Struct, frozen=True):
    """One tenant, ready for calls. chain: its language models, None when the dialogue engine answers alone."""

    tenant: TenantConfig
    engines: TenantEngines
    search: FactSearch
    chain: LlmChain | None


class TenantRuntimes:
    """The tenants that can be answered for now.

    prerender: speaks (texts, language) into the cache; blocks. secret_of: tenant id and name -> a secret of the vault.
    """

    def __init__(
        self,
        registry: EngineRegistry,
        prerender: Callable[[Sequence[str], str], object],
        secret_of: Callable[[str, str], Awaitable[str | None]],
    ) -> None:
        self._registry = registry
        self._prerender = prerender
        self._secret_of = secret_of
        self._ready: dict[str, TenantRuntime] = {}
        self._speaking: set[asyncio.Task[None]] = set()

    def of(self, tenant_id: str) -> TenantRuntime | None:
        """The tenant's runtime, None when it cannot be answered for."""
        return self._ready.get(tenant_id)

    @property
    def tenants(self) -> tuple[TenantConfig, ...]:
        """Every tenant that can be answered for."""
        return tuple(runtime.tenant for runtime in self._ready.values())

    async def prepare(self, tenant: TenantConfig) -> None:
        """Build the tenant's engines, or renew them. Raises EngineUnavailable, which leaves what was there, and what
        the vault raises."""
        choice = tenant.engines
        keys = {provider: await self._own_key(tenant, text) for provider, text in tenant.engine_keys.items()}
        engines = self._registry.prepare(
            stt_names=choice.stt,
            tts_names=choice.tts,
            llm_names=choice.llm,
            languages=tenant.languages,
            default_language=tenant.default_language,
            terms=tenant.terms,
            keys=keys,
        )
        chain = LlmChain(engines.llms, self._registry.book, self._registry.host) if engines.llms else None
        self._ready[tenant.id] = TenantRuntime(tenant, engines, FactSearch(tenant), chain)

    def speak_ahead(self, tenant: TenantConfig) -> None:
        """Render what every call says first and most, so that the first caller does not wait for it. Blocks."""
        if EMBEDDED in tenant.engines.tts:
            for language in tenant.languages:
                self._prerender(common_phrases(tenant, language), language)

    async def follow(self, change: TenantChange) -> None:
        """Take over a change of the directory. Raises EngineUnavailable, which leaves what was there."""
        if change.kind is ChangeKind.CLOSED:
            self._ready.pop(change.tenant.id, None)
            return
        await self.prepare(change.tenant)
        # Rendering takes seconds, and the tenant can take calls without it.
        task = asyncio.create_task(asyncio.to_thread(self.speak_ahead, change.tenant), name="speak ahead")
        self._speaking.add(task)
        task.add_done_callback(self._spoken)

    async def _own_key(self, tenant: TenantConfig, reference: str) -> str:
        name = reference.removeprefix(VAULT_PREFIX)
        key = await self._secret_of(tenant.id, name)
        if key is None:
            raise EngineUnavailable(
                f"engine_keys: the vault has no secret {name!r} of the tenant {tenant.id!r}; "
                f"keep it with  parley vault put {name} --tenant {tenant.id}"
            )
        return key

    def _spoken(self, task: asyncio.Task[None]) -> None:
        self._speaking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nothing is lost but the head start: the phrases are rendered when they are first said.
            log.warning("phrases_not_rendered", error=str(error))
