"""Who answers a call: the tenant's language models with the dialogue engine behind them, or that engine alone.

Made per call by `server.call_desk`; what calls of a tenant share (the chain of models, the index of its facts) is made
once at start-up.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from agents.dialogue.responder import DialogueResponder
from agents.llm.completion import LlmChain
from agents.llm.fact_search import FactSearch
from agents.llm.responder import LlmResponder
from agents.llm.tools import Toolbox
from context.bookings.store import StoredBookingDesk
from context.store.database import Store
from context.tenants.config import TenantConfig
from voice_core.engines.registry import EngineRegistry, TenantEngines
from voice_core.responder import Responder


class ResponderFactory:
    """Builds the responder of each call. engines: by tenant id. now: aware wall clock."""

    def __init__(
        self,
        store: Store,
        tenants: Sequence[TenantConfig],
        engines: Mapping[str, TenantEngines],
        registry: EngineRegistry,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._store = store
        self._now = now
        self._facts = {tenant.id: FactSearch(tenant) for tenant in tenants}
        self._chains = {
            tenant.id: LlmChain(engines[tenant.id].llms, registry.book, registry.host)
            for tenant in tenants
            if engines[tenant.id].llms
        }

    def make(self, tenant: TenantConfig, *, call_id: str, language: str) -> Responder:
        """The responder of one call that begins in `language`."""
        dialogue = self.dialogue(tenant, call_id=call_id, language=language)
        chain = self._chains.get(tenant.id)
        if chain is None:
            return dialogue
        search = self._facts[tenant.id]
        toolbox = Toolbox(tenant, self._desk(tenant), call_id=call_id, now=self._now, search=search)
        return LlmResponder(chain, tenant, toolbox, fallback=dialogue, search=search, now=self._now)

    def dialogue(self, tenant: TenantConfig, *, call_id: str, language: str) -> DialogueResponder:
        """The dialogue engine for one call, without any model."""
        return DialogueResponder(tenant, self._desk(tenant), call_id=call_id, language=language, now=self._now)

    def _desk(self, tenant: TenantConfig) -> StoredBookingDesk:
        return StoredBookingDesk(self._store, tenant, self._now)
