"""What a line such as "deepgram/nova-3" in a tenant's configuration means.

Parsing is apart from building, so that a tenant file can be checked without importing a plugin.
`context.tenants.checks` checks with it; `voice_core.engines.registry` builds from the result.

    embedded                                              the engines that need no key and no network
    piper:/path/voice.onnx                                a Piper voice file
    deepgram                                              a livekit plugin with its default model
    openai/gpt-4.1-mini                                   a plugin and its model
    openai/llama3?base_url=http://localhost:11434/v1      ... and options of its constructor
"""

import re
from urllib.parse import parse_qsl

import msgspec

from voice_core.errors import EngineUnavailable

OptionValue = str | int | float | bool | list[str]

SECRET_OPTIONS = ("api_key", "token", "secret", "password", "credentials", "speech_key", "auth_token")
"""Constructor arguments that would put a secret into a configuration file."""

_PROVIDER = re.compile(r"[a-z][a-z0-9_]*")
_OPTION = re.compile(r"[a-z][a-z0-9_]*")


class EngineNameError(EngineUnavailable):
    """An engine string that cannot be read: the message quotes it and says what is expected."""

    code = "bad_engine_name"


class EmbeddedEngine(msgspec.Struct, frozen=True):
    """The engine that ships with Parley."""


class PiperEngine(msgspec.Struct, frozen=True):
    """A Piper voice. path: of its .onnx file; the .onnx.json lies beside it."""

    path: str


class PluginEngine(msgspec.Struct, frozen=True):
    """A livekit-agents plugin.

    provider: module under `livekit.plugins`. model: "" for the plugin's default.
    options: arguments of the plugin's class. key_env: environment variable that holds the API key,
    "" for the provider's usual one.
    """

    provider: str
    model: str = ""
    options: dict[str, OptionValue] = {}
    key_env: str = ""


EngineName = EmbeddedEngine | PiperEngine | PluginEngine


def parse_engine(text: str) -> EngineName:
    """Read one engine string. Raises EngineNameError."""
    stripped = text.strip()
    if stripped == "embedded":
        return EmbeddedEngine()
    if stripped.startswith("piper:"):
        path = stripped.removeprefix("piper:")
        if not path.endswith(".onnx"):
            raise EngineNameError(f"engine {text!r}: expected piper:/path/to/voice.onnx")
        return PiperEngine(path)
    head, _, query = stripped.partition("?")
    provider, slash, model = head.partition("/")
    if not _PROVIDER.fullmatch(provider) or (slash and not model):
        raise EngineNameError(
            f'engine {text!r}: expected "embedded", "piper:/path/voice.onnx" or "provider/model", '
            'such as "deepgram/nova-3" or "openai/llama3?base_url=http://localhost:11434/v1"'
        )
    options = _options(text, query)
    key_env = options.pop("key_env", "")
    if not isinstance(key_env, str):
        raise EngineNameError(f"engine {text!r}: key_env names an environment variable")
    return PluginEngine(provider=provider, model=model, options=options, key_env=key_env)


def _options(text: str, query: str) -> dict[str, OptionValue]:
    options: dict[str, OptionValue] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise EngineNameError(f"engine {text!r}: options are written ?name=value&name=value") from error
    for name, value in pairs:
        if name in SECRET_OPTIONS:
            # The message must not repeat the value, so it does not quote the string either.
            raise EngineNameError(
                f"an engine string sets {name}: keys are read from the environment; "
                "name the variable with key_env=VARIABLE instead"
            )
        if not _OPTION.fullmatch(name):
            raise EngineNameError(f"engine {text!r}: {name!r} is not the name of an option")
        if name in options:
            raise EngineNameError(f"engine {text!r}: {name} is given twice")
        options[name] = _value(value)
    return options


def _value(text: str) -> OptionValue:
    """A number, true, false or a list when it is written like one in JSON, else the text itself."""
    try:
        return msgspec.json.decode(text, type=OptionValue)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return text
