"""Builds a livekit-agents plugin from its name, at start-up, so that no call meets a missing key.

Every way in which it can fail ends in an EngineUnavailable that says what to install, set or
change. Called by `voice_core.engines.registry`; keys are read from the environment and never
repeated in a message.
"""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar, cast

from livekit.agents import llm, stt, tts

from voice_core.engines.names import OptionValue, PluginEngine
from voice_core.engines.providers import PROVIDERS, EngineKind, Provider
from voice_core.errors import EngineUnavailable

_Engine = TypeVar("_Engine", stt.STT[Any], tts.TTS[Any], llm.LLM[Any])

KEYLESS = "none"
"""Sent as the key to an OpenAI-compatible server of one's own (Ollama, vLLM), which asks for none."""


def build_stt(name: PluginEngine, environment: Mapping[str, str], language: str = "") -> stt.STT[Any]:
    """The plugin's recogniser, for `language` when its constructor takes one and the name sets none.

    Raises EngineUnavailable.
    """
    return _build(name, EngineKind.STT, stt.STT, environment, language)


def build_tts(name: PluginEngine, environment: Mapping[str, str], language: str = "") -> tts.TTS[Any]:
    """The plugin's voice, for `language` when its constructor takes one and the name sets none.

    Raises EngineUnavailable.
    """
    return _build(name, EngineKind.TTS, tts.TTS, environment, language)


def build_llm(name: PluginEngine, environment: Mapping[str, str]) -> llm.LLM[Any]:
    """The plugin's language model. Raises EngineUnavailable."""
    return _build(name, EngineKind.LLM, llm.LLM, environment, "")


def missing_keys(name: PluginEngine, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Environment variables that this engine needs and that are not set."""
    if name.key_env:
        return () if environment.get(name.key_env) else (name.key_env,)
    provider = PROVIDERS.get(name.provider)
    if provider is None or _own_server(name):
        return ()
    return tuple(key for key in provider.keys if not environment.get(key))


def package_of(provider: str) -> str:
    """The PyPI package that brings a provider's plugin."""
    known = PROVIDERS.get(provider)
    return known.package if known else f"livekit-plugins-{provider.replace('_', '-')}"


def installed(provider: str) -> bool:
    """Whether the provider's plugin can be imported."""
    try:
        return importlib.util.find_spec(f"livekit.plugins.{provider}") is not None
    except ModuleNotFoundError:
        return False


def _build(
    name: PluginEngine, kind: EngineKind, base: type[_Engine], environment: Mapping[str, str], language: str
) -> _Engine:
    engine_class = _engine_class(name.provider, kind, base)
    make = cast(Callable[..., _Engine], engine_class)
    missing = missing_keys(name, environment)
    if missing:
        variables = " and ".join(missing)
        raise EngineUnavailable(f"{_title(name, kind)} needs a key: set the environment variable {variables}")
    arguments = _arguments(name, kind, engine_class, environment, language)
    try:
        return make(**arguments)
    except Exception as error:  # a plugin may raise anything; start-up must say which engine it was
        raise EngineUnavailable(
            f"{_title(name, kind)} cannot be built: {_without_secrets(str(error), environment)}"
        ) from None


def _engine_class(provider: str, kind: EngineKind, base: type[_Engine]) -> type[_Engine]:
    module = _module(provider, PROVIDERS.get(provider), kind)
    found = getattr(module, kind.value, None)
    if not inspect.isclass(found) or not issubclass(found, base):
        offered = [k.value for k in EngineKind if inspect.isclass(getattr(module, k.value, None))]
        raise EngineUnavailable(f"{provider} has no {kind.value} engine; it offers {', '.join(offered) or 'none'}")
    return found


def _module(provider: str, known: Provider | None, kind: EngineKind) -> ModuleType:
    if known is not None and kind not in known.kinds:
        others = ", ".join(sorted(name for name, p in PROVIDERS.items() if kind in p.kinds))
        raise EngineUnavailable(f"{provider} has no {kind.value} engine; providers that have one: {others}")
    if not installed(provider):
        if known is None:
            names = ", ".join(sorted(PROVIDERS))
            raise EngineUnavailable(
                f"unknown engine provider {provider!r}; known are: embedded, piper, {names}; "
                f'any other livekit plugin works once its package is installed (pip install "{package_of(provider)}")'
            )
        raise EngineUnavailable(
            f'the {provider} engine is not installed: run  pip install "{known.package}"  and start again'
        )
    try:
        return importlib.import_module(f"livekit.plugins.{provider}")
    except ImportError as error:
        raise EngineUnavailable(
            f'the {provider} plugin is installed but cannot be imported ({error}): run  pip install -U "'
            f'{package_of(provider)}"'
        ) from error


def _arguments(
    name: PluginEngine,
    kind: EngineKind,
    engine_class: type[Any],
    environment: Mapping[str, str],
    language: str,
) -> dict[str, OptionValue]:
    accepted, takes_any = _accepted(engine_class)
    arguments: dict[str, OptionValue] = dict(name.options)
    if name.model:
        arguments["model"] = name.model
    if name.key_env:
        arguments["api_key"] = environment[name.key_env]
    elif "api_key" in accepted and (keys := _keys(name)):
        arguments["api_key"] = environment.get(keys[0]) or KEYLESS
    if language and "language" in accepted and not _sets_language(name):
        arguments["language"] = language
    unknown = sorted(set(arguments) - accepted)
    if unknown and not takes_any:
        options = ", ".join(sorted(accepted - {"api_key", "client", "http_session"}))
        raise EngineUnavailable(
            f"{_title(name, kind)} does not take {', '.join(unknown)}; its options are: {options or 'none'}"
        )
    return arguments


def _accepted(engine_class: type[Any]) -> tuple[frozenset[str], bool]:
    parameters = list(inspect.signature(engine_class.__init__).parameters.values())[1:]
    named = frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _sets_language(name: PluginEngine) -> bool:
    return any("language" in option for option in name.options)


def _own_server(name: PluginEngine) -> bool:
    return "base_url" in name.options


def _keys(name: PluginEngine) -> tuple[str, ...]:
    provider = PROVIDERS.get(name.provider)
    return provider.keys if provider else ()


def _title(name: PluginEngine, kind: EngineKind) -> str:
    return f"{kind.value} engine {name.provider}{'/' + name.model if name.model else ''}"


def _without_secrets(message: str, environment: Mapping[str, str]) -> str:
    """The message without the value of any key-like variable, should a plugin have quoted one."""
    for variable, value in environment.items():
        if len(value) >= 8 and variable.endswith(("KEY", "TOKEN", "SECRET", "CREDENTIALS")):
            message = message.replace(value, "***")
    return message
