"""The providers whose plugins are known by name: package and environment variables of the key.

A provider that is not listed still works when its plugin is installed; the list is what makes an
error say exactly what to install and what to set. `voice_core.engines.plugins` and `parley doctor`
read it.
"""

from enum import Enum

import msgspec


class EngineKind(Enum):
    """What an engine does; the value is the name of its class in a livekit plugin."""

    STT = "STT"
    TTS = "TTS"
    LLM = "LLM"


class Provider(msgspec.Struct, frozen=True):
    """One provider. keys: environment variables that must all be set. package: on PyPI."""

    kinds: frozenset[EngineKind]
    keys: tuple[str, ...]
    package: str


def _provider(module: str, kinds: str, *keys: str) -> Provider:
    return Provider(
        kinds=frozenset(EngineKind(kind) for kind in kinds.split()),
        keys=keys,
        package=f"livekit-plugins-{module.replace('_', '-')}",
    )


PROVIDERS: dict[str, Provider] = {
    "anthropic": _provider("anthropic", "LLM", "ANTHROPIC_API_KEY"),
    "assemblyai": _provider("assemblyai", "STT", "ASSEMBLYAI_API_KEY"),
    "azure": _provider("azure", "STT TTS", "AZURE_SPEECH_KEY", "AZURE_SPEECH_REGION"),
    "cartesia": _provider("cartesia", "STT TTS", "CARTESIA_API_KEY"),
    "cerebras": _provider("cerebras", "LLM", "CEREBRAS_API_KEY"),
    "deepgram": _provider("deepgram", "STT TTS", "DEEPGRAM_API_KEY"),
    "elevenlabs": _provider("elevenlabs", "STT TTS", "ELEVEN_API_KEY"),
    "fal": _provider("fal", "STT", "FAL_KEY"),
    "gladia": _provider("gladia", "STT", "GLADIA_API_KEY"),
    "google": _provider("google", "STT TTS LLM"),
    "groq": _provider("groq", "STT TTS LLM", "GROQ_API_KEY"),
    "hume": _provider("hume", "TTS", "HUME_API_KEY"),
    "inworld": _provider("inworld", "STT TTS", "INWORLD_API_KEY"),
    "lmnt": _provider("lmnt", "TTS", "LMNT_API_KEY"),
    "mistralai": _provider("mistralai", "STT TTS LLM", "MISTRAL_API_KEY"),
    "openai": _provider("openai", "STT TTS LLM", "OPENAI_API_KEY"),
    "rime": _provider("rime", "TTS", "RIME_API_KEY"),
    "sarvam": _provider("sarvam", "STT TTS", "SARVAM_API_KEY"),
    "soniox": _provider("soniox", "STT", "SONIOX_API_KEY"),
    "speechmatics": _provider("speechmatics", "STT TTS", "SPEECHMATICS_API_KEY"),
}
"""Module name under `livekit.plugins` -> provider. Google's credentials differ per engine, so its own
constructor names what is missing."""
