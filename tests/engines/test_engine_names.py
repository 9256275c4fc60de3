from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.engines.names import EmbeddedEngine, EngineNameError, PiperEngine, PluginEngine, parse_engine


def test_the_word_embedded_means_the_engines_that_ship():
    assert parse_engine("embedded") == EmbeddedEngine()


def test_a_piper_voice_is_named_by_its_file():
    assert parse_engine("piper:/voices/marie.onnx") == PiperEngine("/voices/marie.onnx")


@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        ("deepgram/nova-3", "deepgram", "nova-3"),
        ("openai/gpt-4.1-mini", "openai", "gpt-4.1-mini"),
        ("groq/meta-llama/llama-4-scout", "groq", "meta-llama/llama-4-scout"),
        ("deepgram", "deepgram", ""),
    ],
)
def test_a_plugin_is_named_by_provider_and_model(text: str, provider: str, model: str):
    assert parse_engine(text) == PluginEngine(provider, model)


def test_options_become_arguments_with_their_types():
    engine = parse_engine('openai/llama3?base_url=http://localhost:11434/v1&temperature=0.3&store=false&user="7"')
    assert engine == PluginEngine(
        "openai",
        "llama3",
        {"base_url": "http://localhost:11434/v1", "temperature": 0.3, "store": False, "user": "7"},
    )


def test_the_variable_that_holds_the_key_can_be_named():
    engine = parse_engine("openai/mixtral?base_url=https://llm.example/v1&key_env=MY_LLM_KEY")
    assert engine == PluginEngine("openai", "mixtral", {"base_url": "https://llm.example/v1"}, "MY_LLM_KEY")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Deepgram/nova-3",
        "openai/",
        "/gpt-4",
        "piper:voice.wav",
        "open ai/x",
        "openai/x?temperature",
        "openai/x?a=1&a=2",
        "openai/x?key_env=1",
        "openai/x?__class__=y",
    ],
)
def test_what_cannot_be_read_is_quoted_in_the_error(text: str):
    with pytest.raises(EngineNameError) as error:
        parse_engine(text)
    assert repr(text) in str(error.value)
    assert error.value.code == "bad_engine_name"


@pytest.mark.parametrize("option", ["api_key", "token", "password"])
def test_a_key_in_the_string_is_refused_without_repeating_it(option: str):
    with pytest.raises(EngineNameError) as error:
        parse_engine(f"openai/gpt-4.1?{option}=sk-very-secret")
    assert "sk-very-secret" not in str(error.value)
    assert "key_env" in str(error.value)


@given(st.text(max_size=80))
def test_any_text_gives_an_engine_or_a_clear_error(text: str):
    with suppress(EngineNameError):
        assert isinstance(parse_engine(text), EmbeddedEngine | PiperEngine | PluginEngine)
