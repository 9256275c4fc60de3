"""Every voice that Parley can speak with: shipped, Piper files at hand, and providers' engines.

What a voice is called here is what its engine calls it, with its licence and how to get it. Read by
`parley voices`.
"""

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from context.tenants.config import LANGUAGES
from voice_core.engines.names import PluginEngine
from voice_core.engines.plugins import installed as plugin_installed
from voice_core.engines.plugins import missing_keys, package_of
from voice_core.engines.providers import PROVIDERS, EngineKind

ANY_LANGUAGE = "many"
PIPER_PACKAGE = "piper-tts"


class ListedVoice(msgspec.Struct, frozen=True):
    """One voice. engine: what a tenant's `engines.tts` calls it. name: what `--voice` calls it, "" when the
    provider decides. ready: whether it can speak now. default: spoken when nothing else is asked for.
    get: how to make it ready."""

    engine: str
    name: str
    language: str
    quality: str
    licence: str
    ready: bool
    default: bool = False
    get: str = ""


class _Shipped(msgspec.Struct, frozen=True):
    """An engine of the embedded set. module: that its package brings."""

    name: str
    languages: tuple[str, ...]
    quality: str
    licence: str
    package: str
    module: str


class _PiperAudio(msgspec.Struct, frozen=True):
    """The part of a Piper voice's .json that names its quality."""

    quality: str = "unknown"


class _PiperLanguage(msgspec.Struct, frozen=True):
    """The part of a Piper voice's .json that names its language."""

    family: str = ANY_LANGUAGE


class _PiperConfig(msgspec.Struct, frozen=True):
    """What is read of the .json beside a Piper voice."""

    audio: _PiperAudio = _PiperAudio()
    language: _PiperLanguage = _PiperLanguage()


def listed(language: str | None, models: Path, environment: Mapping[str, str] = os.environ) -> Iterator[ListedVoice]:
    """Every voice, or those that can speak `language`; shipped ones first. models: where Piper files are looked for."""
    for voice in (*_embedded(), *_piper(models), *_providers(environment)):
        if language is None or voice.language in (language, ANY_LANGUAGE):
            yield voice


def _embedded() -> Iterator[ListedVoice]:
    # Imported here: the engines take a second to import, and `parley --help` needs none of them.
    from voice_core.tts.embedded import DEFAULT_VOICES
    from voice_core.tts.espeak_voice import SETTINGS
    from voice_core.tts.pico_voice import VOICES

    shipped = (
        _Shipped("hibari", ("en",), "neural, 24 kHz", "Apache-2.0", "hibari-tts", "hibari"),
        _Shipped("pico", tuple(VOICES), "clear, 16 kHz", "Apache-2.0", "py-nanotts", "py_nanotts"),
        _Shipped(
            "espeak", tuple(SETTINGS), "robotic, 22 kHz", "GPL-3.0-or-later", "espeakng-loader", "espeakng_loader"
        ),
    )
    for engine in shipped:
        ready = find_spec(engine.module) is not None
        for code in LANGUAGES:
            if code in engine.languages:
                yield ListedVoice(
                    engine="embedded",
                    name=engine.name,
                    language=code,
                    quality=engine.quality,
                    licence=engine.licence,
                    ready=ready,
                    default=DEFAULT_VOICES[code] == engine.name,
                    get="" if ready else f"pip install {engine.package}",
                )


def _piper(models: Path) -> Iterator[ListedVoice]:
    """Piper voices below `models`: any .onnx with its .onnx.json beside it."""
    ready = find_spec("piper") is not None
    for path in sorted(models.rglob("*.onnx")):
        config = _piper_config(Path(f"{path}.json"))
        if config:
            yield ListedVoice(
                engine=f"piper:{path}",
                name=f"piper:{path}",
                language=config.language.family,
                quality=f"neural, {config.audio.quality}",
                licence="see its model card",
                ready=ready,
                get="" if ready else f"pip install {PIPER_PACKAGE}",
            )


def _piper_config(path: Path) -> _PiperConfig | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_PiperConfig)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _providers(environment: Mapping[str, str]) -> Iterator[ListedVoice]:
    for provider, facts in PROVIDERS.items():
        if EngineKind.TTS in facts.kinds:
            missing = missing_keys(PluginEngine(provider), environment)
            steps = [f"pip install {package_of(provider)}"] if not plugin_installed(provider) else []
            steps += [f"set {' and '.join(missing)}"] if missing else []
            yield ListedVoice(
                engine=provider,
                name="",
                language=ANY_LANGUAGE,
                quality="in the cloud",
                licence="the provider's terms",
                ready=not steps,
                get=", ".join(steps),
            )
