"""Who answers a call: the tenant's language models with the dialogue engine behind them, or that engine alone.

Made per call by `server.call_desk` and per text conversation; what calls of a tenant share is its runtime
(`server.tenant_runtimes`).
"""

import datetime as dt
from collections.abc import Callable

from agents.dialogue.responder import DialogueResponder
from agents.llm.responder import LlmResponder
from agents.llm.tools import Toolbox
from context.bookings.store import StoredBookingDesk
from context.store.database import Store
from context.tenants.config import TenantConfig
from server.tenant_runtimes import TenantRuntimes
from voice_core.responder import Responder


class ResponderFactory:
    """Builds the responder of each call. now: aware wall clock."""

    def __init__(self, store: Store, runtimes: TenantRuntimes, now: Callable[[], dt.datetime]) -> None:
        self._store = store
        self._runtimes = runtimes
        self._now = now

    def make(self, tenant: TenantConfig, *, call_id: str, language: str, known: str = "") -> Responder:
        """The responder of one call that begins in `language`.

        known: what is known of this caller from before, as the context box puts it for a model; "" for a stranger.
        """
        dialogue = self.dialogue(tenant, call_id=call_id, language=language)
        runtime = self._runtimes.of(tenant.id)
        if runtime is None or runtime.chain is None:
            return dialogue
        toolbox = Toolbox(tenant, self._desk(tenant), call_id=call_id, now=self._now, search=runtime.search)
        return LlmResponder(
            runtime.chain, tenant, toolbox, fallback=dialogue, search=runtime.search, now=self._now, known=known
        )

    def dialogue(self, tenant: TenantConfig, *, call_id: str, language: str) -> DialogueResponder:
        """The dialogue engine for one call, without any model."""
        return DialogueResponder(tenant, self._desk(tenant), call_id=call_id, language=language, now=self._now)

    def _desk(self, tenant: TenantConfig) -> StoredBookingDesk:
        return StoredBookingDesk(self._store, tenant, self._now)
