"""One turn of each kind before the first caller, so that nobody waits for regular expressions to compile.

The dialogue engine compiles and caches on first use, which holds the event loop for 100 ms; here nobody hears it.
Nothing is confirmed, so nothing is stored. Run by `server.composition`.
"""

import asyncio
import contextlib

import structlog

from context.tenants.config import TenantConfig
from server.responders import ResponderFactory
from voice_core.responder import Cause, TurnRequest

REHEARSAL_S = 2.0
"""An answer that waits for its confirmation never comes here; it is given up after this."""

LINES = {
    "en": ("What time do you close on Saturday?", "Book a check-up tomorrow at ten, my name is Ann Lee, 0612345678."),
    "fr": ("À quelle heure fermez-vous samedi ?", "Un rendez-vous demain à dix heures, je suis Anne Roy, 0612345678."),
}
"""What is said: a question and everything of a booking. Other languages rehearse the greeting only."""

log = structlog.get_logger(__name__)


async def rehearse(responders: ResponderFactory, tenant: TenantConfig) -> None:
    """Let the tenant's dialogue answer its greeting and the lines of each language, unconfirmed."""
    for language in tenant.languages:
        responder = responders.dialogue(tenant, call_id="rehearsal", language=language)
        turns = [(Cause.GREETING, ""), *((Cause.TURN, line) for line in LINES.get(language, ()))]
        for number, (cause, text) in enumerate(turns):
            request = TurnRequest(number, cause, text, language, asyncio.Event())
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REHEARSAL_S):
                        async for _ in responder.respond(request):
                            pass
            except Exception:
                # A fault here will be met again in a call, which can apologise; it must not stop the start.
                log.exception("rehearsal_failed", language=language)
