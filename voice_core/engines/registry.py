"""All engines that the tenants name, built once at start-up and shared by their calls.

A name that cannot be built stops the start with a message that says what to do; a call only ever
takes ready engines from here, already chained for fallback. Used by `server.composition`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from livekit.agents import APIConnectOptions, llm, stt, tts

from voice_core.engines.api_errors import engine_error
from voice_core.engines.credentials import Credentials
from voice_core.engines.fallback_recognizer import FallbackRecognizer, RecognizerCandidate
from voice_core.engines.fallback_voice import FallbackVoice, VoiceCandidate
from voice_core.engines.health import EngineEvent, HealthBook, HealthEvent
from voice_core.engines.host import PluginHost
from voice_core.engines.livekit_recognizer import LivekitRecognizer, engine_language
from voice_core.engines.livekit_voice import LivekitVoice
from voice_core.engines.names import EmbeddedEngine, EngineName, PiperEngine, PluginEngine, parse_engine
from voice_core.engines.plugins import build_llm, build_stt, build_tts
from voice_core.errors import EngineUnavailable
from voice_core.speech import Recognizer, Voice

EMBEDDED_TIMEOUT_S = 10.0
"""For engines of this machine: slow only when the machine is overloaded, and then nothing else is faster."""

WARM_UP_TIMEOUT_S = 10.0
"""A model that is loaded on its first request (Ollama) takes seconds once."""


class EmbeddedEngines(Protocol):
    """The engines that ship with Parley, loaded."""

    def recognizer(self, languages: Sequence[str], language: str) -> Recognizer:
        """A recogniser for one call."""
        ...

    def voice(self) -> Voice:
        """A voice for one call."""
        ...

    def piper(self, path: str) -> Callable[[], Voice]:
        """Load a Piper voice file; the result makes a voice for one call. Raises EngineUnavailable."""
        ...


class LlmCandidate(msgspec.Struct, frozen=True):
    """One language model of a chain. name: in the health book."""

    name: str
    engine: llm.LLM[Any]


class TenantEngines:
    """A tenant's engines, ready for its calls. llms: first choice first, empty for none."""

    def __init__(
        self,
        recognizers: Callable[[str], Recognizer],
        voices: Callable[[], Voice],
        llms: tuple[LlmCandidate, ...],
    ) -> None:
        self._recognizers = recognizers
        self._voices = voices
        self.llms = llms

    def recognizer(self, language: str) -> Recognizer:
        """A recogniser for one call that begins in `language`."""
        return self._recognizers(language)

    def voice(self) -> Voice:
        """A voice for one call."""
        return self._voices()


class EngineRegistry:
    """Builds and keeps engines. One per process, used on the event loop.

    environment: where API keys are read from. observer: told of every request's result, for metrics.
    """

    def __init__(
        self,
        embedded: EmbeddedEngines,
        host: PluginHost,
        environment: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
        observer: Callable[[EngineEvent], None] = lambda event: None,
    ) -> None:
        self.book = HealthBook(clock, observer)
        self.host = host
        self._embedded = embedded
        self._environment = environment
        self._clock = clock
        self._stts: dict[tuple[str, tuple[str, ...]], stt.STT[Any]] = {}
        self._ttss: dict[tuple[str, str], tts.TTS[Any]] = {}
        self._llms: dict[str, llm.LLM[Any]] = {}
        self._pipers: dict[str, Callable[[], Voice]] = {}

    def prepare(
        self,
        *,
        stt_names: Sequence[str],
        tts_names: Sequence[str],
        llm_names: Sequence[str],
        languages: Sequence[str],
        default_language: str,
        terms: Sequence[str] = (),
        keys: Mapping[str, str] | None = None,
    ) -> TenantEngines:
        """Build a tenant's engines, first choice first. terms: words its recognisers prefer. keys: provider -> API
        key of the tenant's own; other providers are used on the installation's account.

        Raises EngineUnavailable, which says what to install, set or change.
        """
        if not stt_names or not tts_names:
            raise EngineUnavailable('a tenant needs at least one stt and one tts engine, such as "embedded"')
        credentials = Credentials(self._environment, keys or {})
        for text in stt_names:
            self._check_stt(text, tuple(terms), credentials)
        voice_candidates = [self._voice_candidate(text, languages, default_language, credentials) for text in tts_names]
        only_embedded_stt = [parse_engine(text) for text in stt_names] == [EmbeddedEngine()]

        def recognizer(language: str) -> Recognizer:
            if only_embedded_stt:
                return self._embedded.recognizer(languages, language)
            candidates = [
                self._recognizer_candidate(text, languages, language, tuple(terms), credentials) for text in stt_names
            ]
            return FallbackRecognizer(candidates, self.book, language)

        def voice() -> Voice:
            return (
                voice_candidates[0].make() if len(voice_candidates) == 1 else FallbackVoice(voice_candidates, self.book)
            )

        return TenantEngines(recognizer, voice, tuple(self._llm_candidate(text, credentials) for text in llm_names))

    async def warm_up(self) -> dict[str, str]:
        """Ask every language model for a word and open the other plugins' connections, at start-up.

        Models import and connect on first use, which would stall every live call for 0.3 s; and a
        wrong key is found now rather than by a caller. Returns name -> fault of each model that did
        not answer; it counts as failing, so calls begin with the next engine.
        """
        for engine in (*self._stts.values(), *self._ttss.values()):
            prewarm: Callable[[], None] | None = getattr(engine, "prewarm", None)
            if prewarm is not None:
                self.host.run(prewarm)
        faults = await asyncio.gather(*(self._try_llm(f"llm:{text}", llm) for text, llm in self._llms.items()))
        return {name: fault for name, fault in faults if fault}

    async def aclose(self) -> None:
        """Close every plugin."""
        engines = [*self._stts.values(), *self._ttss.values(), *self._llms.values()]
        await asyncio.gather(*(engine.aclose() for engine in engines), return_exceptions=True)

    async def _try_llm(self, name: str, engine: llm.LLM[Any]) -> tuple[str, str]:
        began_s = self._clock()
        context = llm.ChatContext.empty()
        context.add_message(role="user", content="Say yes.")
        options = APIConnectOptions(max_retry=0, timeout=WARM_UP_TIMEOUT_S)
        stream: llm.LLMStream | None = None
        fault = ""
        try:
            stream = self.host.run(engine.chat, chat_ctx=context, conn_options=options)
            async with asyncio.timeout(WARM_UP_TIMEOUT_S):
                await anext(stream)
        except StopAsyncIteration:
            fault = "the model said nothing"
        except TimeoutError:
            fault = f"no answer within {WARM_UP_TIMEOUT_S:.0f} s"
        except Exception as error:  # a plugin may raise anything
            fault = str(engine_error("model", error))
        finally:
            if stream is not None:
                await stream.aclose()
        self.book.note(name, HealthEvent.FAILED if fault else HealthEvent.SUCCEEDED, began_s, fault)
        return name, fault

    def _check_stt(self, text: str, terms: tuple[str, ...], credentials: Credentials) -> None:
        name = parse_engine(text)
        if isinstance(name, PluginEngine):
            self._stt(text, name, terms, credentials)
        elif isinstance(name, PiperEngine):
            raise EngineUnavailable(f"engine {text!r} is a voice: it cannot recognise speech")

    def _stt(self, text: str, name: PluginEngine, terms: tuple[str, ...], credentials: Credentials) -> stt.STT[Any]:
        named = text + credentials.tag(name.provider)
        engine = self._stts.get((named, terms))
        if engine is None:
            engine = self.host.run(build_stt, name, credentials.environment(name.provider))
            if terms and engine.capabilities.keyterms:
                # livekit's own session sets its key terms with this hook; plugins have no common public one.
                engine._update_session_keyterms(list(terms))  # pyright: ignore[reportPrivateUsage]
            self._stts[named, terms] = engine
        return engine

    def _recognizer_candidate(
        self, text: str, languages: Sequence[str], language: str, terms: tuple[str, ...], credentials: Credentials
    ) -> RecognizerCandidate:
        name = parse_engine(text)
        key = f"stt:{text}"
        if not isinstance(name, PluginEngine):
            return RecognizerCandidate(key, lambda: self._embedded.recognizer(languages, language), EMBEDDED_TIMEOUT_S)
        engine = self._stt(text, name, terms, credentials)
        key += credentials.tag(name.provider)
        ask_language = not any("language" in option for option in name.options)
        return RecognizerCandidate(
            key,
            lambda: LivekitRecognizer(
                engine, self.host, languages=languages, language=language, ask_language=ask_language, clock=self._clock
            ),
        )

    def _voice_candidate(
        self, text: str, languages: Sequence[str], default_language: str, credentials: Credentials
    ) -> VoiceCandidate:
        name = parse_engine(text)
        key = f"tts:{text}"
        match name:
            case EmbeddedEngine():
                return VoiceCandidate(key, self._embedded.voice, EMBEDDED_TIMEOUT_S, EMBEDDED_TIMEOUT_S)
            case PiperEngine(path):
                make = self._pipers.get(path)
                if make is None:
                    make = self._pipers[path] = self._embedded.piper(path)
                return VoiceCandidate(key, make, EMBEDDED_TIMEOUT_S, EMBEDDED_TIMEOUT_S)
            case PluginEngine():
                engines = {language: self._tts(text, name, language, credentials) for language in languages}
                key += credentials.tag(name.provider)
                return VoiceCandidate(key, lambda: LivekitVoice(engines, default_language, self.host))

    def _tts(self, text: str, name: PluginEngine, language: str, credentials: Credentials) -> tts.TTS[Any]:
        code, named = engine_language(language), text + credentials.tag(name.provider)
        engine = self._ttss.get((named, code))
        if engine is None:
            environment = credentials.environment(name.provider)
            engine = self._ttss[named, code] = self.host.run(build_tts, name, environment, code)
        return engine

    def _llm_candidate(self, text: str, credentials: Credentials) -> LlmCandidate:
        name: EngineName = parse_engine(text)
        if not isinstance(name, PluginEngine):
            raise EngineUnavailable(
                f"engine {text!r} is not a language model; leave llm empty to let the dialogue engine answer alone"
            )
        named = text + credentials.tag(name.provider)
        engine = self._llms.get(named)
        if engine is None:
            engine = self._llms[named] = self.host.run(build_llm, name, credentials.environment(name.provider))
        return LlmCandidate(f"llm:{named}", engine)
