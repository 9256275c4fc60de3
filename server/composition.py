"""Puts the server together: state, tenants, engines, everything that calls share, built once.

The only place that knows which implementation stands behind each border. What is wrong (a missing model, plugin or
key, a database that is too new) is an error here, before the first call. Called by `server.running`.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import structlog

import agents.demo
from agents.dialogue.responder import common_phrases
from context.bookings.store import utc_now
from context.errors import ContextError
from context.home import Home
from context.store.database import Store
from context.tenants.config import LANGUAGES, TenantConfig
from context.tenants.files import TenantDirectory
from server.call_desk import Equipment
from server.embedded import Embedded
from server.loading import Progress
from server.rehearsal import rehearse
from server.responders import ResponderFactory
from voice_core.asr.engine import WhisperEngine
from voice_core.engines.host import plugin_host
from voice_core.engines.registry import EngineRegistry, TenantEngines
from voice_core.pacer import Pacer
from voice_core.smart_turn import HearingTheEnd, SmartTurn
from voice_core.speech import Recognizer
from voice_core.tts.embedded import EmbeddedTts
from voice_core.vad_hub import VadHub

PHRASES = "phrases"
"""Folder, beside the models, of phrases rendered by an earlier start."""

LANGUAGE_NAMES = {"en": "English", "fr": "French", "es": "Spanish", "ar": "Arabic", "ary": "Darija"}

log = structlog.get_logger(__name__)


class NoTenantError(ContextError):
    """There is nobody to answer for."""

    code = "no_tenant"


class StateSettings(msgspec.Struct, frozen=True):
    """Where state lives. home: folder, None for PARLEY_HOME. database_url: SQLAlchemy URL, None for SQLite there."""

    home: str | None = None
    database_url: str | None = None


async def build_equipment(
    stack: AsyncExitStack, state: StateSettings, progress: Progress, clock: Callable[[], float] = time.monotonic
) -> Equipment:
    """Build what calls share; `stack` closes it again.

    Raises ContextError and EngineUnavailable, whose messages say what to do.
    """
    home = await asyncio.to_thread(Home.open, state.home)
    store = await Store.open(state.database_url or home.database_url)
    stack.push_async_callback(store.aclose)
    tenants = _load_tenants(home, progress)
    languages = tuple(code for code in LANGUAGES if any(code in tenant.languages for tenant in tenants.tenants))
    spoken = ", ".join(LANGUAGE_NAMES[code] for code in languages)
    progress.note(f"Loading the speech engines for {spoken}:")
    whisper, tts = await asyncio.gather(
        progress.step("speech recognition", lambda: WhisperEngine.load(home.models, languages)),
        _load_voices(home, languages, tenants.tenants, progress),
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
    engines = {tenant.id: _engines_of(registry, tenant) for tenant in tenants.tenants}
    for name, fault in (await registry.warm_up()).items():
        progress.note(f"Warning: {name} does not answer ({fault}); calls begin with the next engine")
        log.warning("engine_not_answering", engine=name)
    responders = ResponderFactory(store, tenants.tenants, engines, registry, utc_now)
    progress.note("  rehearsing...")
    for tenant in tenants.tenants:
        await rehearse(responders, tenant)
    return Equipment(
        tenants=tenants,
        embedded=embedded,
        engines=engines,
        responders=responders,
        vad=vad,
        pacer=pacer,
        store=store,
        recordings=home.recordings,
        smart_turn=await load_smart_turn(stack, tenants.tenants, progress),
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


def _load_tenants(home: Home, progress: Progress) -> TenantDirectory:
    demo = Path(agents.demo.__file__ or "").parent
    tenants = TenantDirectory(home.tenants, sorted(demo.glob("*.yaml")))
    for problem in tenants.reload():
        progress.note(f"Warning: {problem}")
        log.warning("tenant_file_unusable", code=problem.code)
    if not tenants.tenants:
        raise NoTenantError(f"no tenant to answer for: put a tenant's YAML file into {home.tenants}")
    return tenants


def _engines_of(registry: EngineRegistry, tenant: TenantConfig) -> TenantEngines:
    choice = tenant.engines
    return registry.prepare(
        stt_names=choice.stt,
        tts_names=choice.tts,
        llm_names=choice.llm,
        languages=tenant.languages,
        default_language=tenant.default_language,
        terms=tenant.terms,
    )


async def _load_voices(
    home: Home, languages: Sequence[str], tenants: Sequence[TenantConfig], progress: Progress
) -> EmbeddedTts:
    tts = await progress.step("voices", lambda: EmbeddedTts.load(languages, home.models / PHRASES))
    await progress.step("greetings and common phrases", lambda: _prerender(tts, tenants))
    return tts


def _prerender(tts: EmbeddedTts, tenants: Sequence[TenantConfig]) -> None:
    """Speak what every call says first and most, so that the first caller does not wait for it."""
    for tenant in tenants:
        if "embedded" in tenant.engines.tts:
            for language in tenant.languages:
                tts.prerender(common_phrases(tenant, language), language)
