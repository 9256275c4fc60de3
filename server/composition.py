"""Puts together what calls share: engines, responders, recordings, built once.

The only place that knows which implementation stands behind each border. What is wrong (a missing model, plugin or
key) is an error here, before the first call. Called by `server.running`, which lays the ground first.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import structlog

from context.bookings.store import utc_now
from context.contacts.boxes import ContextBoxes
from context.contacts.view import viewed
from context.errors import StoreError
from context.tenants.config import LANGUAGES, TenantConfig
from server.call_desk import Equipment
from server.callers import Callers
from server.embedded import Embedded
from server.ground import Ground
from server.loading import Progress
from server.rehearsal import rehearse
from server.responders import ResponderFactory
from server.tenant_runtimes import TenantRuntimes
from voice_core.asr.engine import WhisperEngine
from voice_core.engines.host import plugin_host
from voice_core.engines.registry import EngineRegistry
from voice_core.pacer import Pacer
from voice_core.smart_turn import HearingTheEnd, SmartTurn
from voice_core.speech import Recognizer
from voice_core.tts.embedded import EmbeddedTts
from voice_core.vad_hub import VadHub

PHRASES = "phrases"
"""Folder, beside the models, of phrases rendered by an earlier start."""

LANGUAGE_NAMES = {"en": "English", "fr": "French", "es": "Spanish", "ar": "Arabic", "ary": "Darija"}

log = structlog.get_logger(__name__)


async def build_equipment(
    stack: AsyncExitStack, ground: Ground, progress: Progress, clock: Callable[[], float] = time.monotonic
) -> Equipment:
    """Build what calls share on the ground they stand on; `stack` closes it again.

    Raises EngineUnavailable, whose message says what to do.
    """
    home, tenants = ground.home, ground.tenants
    progress.note(f"Loading the speech engines for {', '.join(LANGUAGE_NAMES[code] for code in LANGUAGES)}:")
    whisper, tts = await asyncio.gather(
        progress.step("speech recognition", lambda: WhisperEngine.load(home.models, LANGUAGES)),
        progress.step("voices", lambda: EmbeddedTts.load(LANGUAGES, home.models / PHRASES)),
    )
    embedded = Embedded(whisper, tts)
    stack.callback(embedded.close)
    vad = VadHub(clock)
    await vad.start()
    stack.push_async_callback(vad.close)
    pacer = Pacer()
    await pacer.start()
    stack.push_async_callback(pacer.close)
    host = await stack.enter_async_context(plugin_host())
    registry = EngineRegistry(embedded, host, os.environ, clock=clock)
    stack.push_async_callback(registry.aclose)
    runtimes = TenantRuntimes(registry, tts.prerender, ground.vault.get)
    for tenant in tenants.tenants:
        await runtimes.prepare(tenant)
    await progress.step("greetings and common phrases", lambda: _speak_ahead(runtimes))
    for name, fault in (await registry.warm_up()).items():
        progress.note(f"Warning: {name} does not answer ({fault}); calls begin with the next engine")
        log.warning("engine_not_answering", engine=name)
    responders = ResponderFactory(ground.store, runtimes, utc_now)
    progress.note("  rehearsing...")
    for tenant in tenants.tenants:
        await rehearse(responders, tenant)
    smart_turn = await load_smart_turn(stack, tenants.tenants, progress)
    tenants.on_change(runtimes.follow)
    return Equipment(
        callers=Callers(tenants, ground.keys),
        embedded=embedded,
        runtimes=runtimes,
        responders=responders,
        vad=vad,
        pacer=pacer,
        calls=ground.calls,
        recordings=home.recordings,
        wall_clock=utc_now,
        known_caller=lambda tenant_id, number: _known(ground.boxes, tenant_id, number),
        smart_turn=smart_turn,
    )


async def load_smart_turn(
    stack: AsyncExitStack, tenants: Sequence[TenantConfig], progress: Progress
) -> Callable[[Recognizer], Recognizer] | None:
    """The audio model of the end of a turn, when a tenant asks for it. Raises EngineUnavailable."""
    if all(tenant.engines.turn_end != "smart-turn" for tenant in tenants):
        return None
    model = await progress.step("end-of-turn model", SmartTurn)
    executor = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="smart-turn"))
    return lambda recognizer: HearingTheEnd(recognizer, model, executor)


def settle_memory() -> None:
    """Collect the garbage of the start, then keep what is left out of every later collection.

    A full collection over the models' objects would stop the loop for tens of ms in the middle of calls.
    """
    gc.collect()
    gc.freeze()


async def _known(boxes: ContextBoxes, tenant_id: str, number: str) -> str:
    """What is known of who calls from this number. A database that fails must not cost the call."""
    try:
        box = await boxes.for_caller(tenant_id, number)
    except StoreError:
        log.exception("caller_not_looked_up")
        return ""
    return viewed(box).text if box else ""


def _speak_ahead(runtimes: TenantRuntimes) -> None:
    for tenant in runtimes.tenants:
        runtimes.speak_ahead(tenant)
