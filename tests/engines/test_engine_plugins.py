import pytest
from livekit.plugins import openai

from voice_core.engines.names import PluginEngine
from voice_core.engines.plugins import build_llm, build_stt, build_tts, installed, missing_keys
from voice_core.errors import EngineUnavailable

KEYS = {"OPENAI_API_KEY": "sk-test-0123456789"}


def test_a_plugin_is_built_with_its_model_and_options():
    engine = build_llm(PluginEngine("openai", "gpt-4.1-mini", {"temperature": 0.2}), KEYS)
    assert isinstance(engine, openai.LLM)
    assert engine.model == "gpt-4.1-mini"


def test_a_missing_plugin_says_what_to_install():
    assert not installed("deepgram")
    with pytest.raises(EngineUnavailable, match='pip install "livekit-plugins-deepgram"'):
        build_stt(PluginEngine("deepgram", "nova-3"), {"DEEPGRAM_API_KEY": "x"})


def test_a_missing_key_says_which_variable_to_set():
    with pytest.raises(EngineUnavailable, match="set the environment variable OPENAI_API_KEY"):
        build_llm(PluginEngine("openai", "gpt-4.1-mini"), {})


def test_a_named_key_variable_is_asked_for_instead_of_the_usual_one():
    name = PluginEngine("openai", "mixtral", {}, "MY_LLM_KEY")
    assert missing_keys(name, KEYS) == ("MY_LLM_KEY",)
    with pytest.raises(EngineUnavailable, match="set the environment variable MY_LLM_KEY"):
        build_llm(name, KEYS)
    assert build_llm(name, {"MY_LLM_KEY": "abc"}).model == "mixtral"


def test_a_server_of_ones_own_needs_no_key():
    engine = build_llm(PluginEngine("openai", "llama3", {"base_url": "http://127.0.0.1:11434/v1"}), {})
    assert engine.provider == "127.0.0.1:11434"


def test_an_unknown_provider_is_answered_with_the_known_ones():
    with pytest.raises(EngineUnavailable, match=r"unknown engine provider 'deepgramm'.*deepgram"):
        build_stt(PluginEngine("deepgramm", "nova-3"), {})


def test_a_provider_without_that_kind_of_engine_says_who_has_one():
    with pytest.raises(EngineUnavailable, match=r"anthropic has no TTS engine.*cartesia"):
        build_tts(PluginEngine("anthropic", "claude"), {})


def test_an_unlisted_plugin_without_that_kind_of_engine_says_so():
    with pytest.raises(EngineUnavailable, match="silero has no LLM engine"):
        build_llm(PluginEngine("silero"), {})


def test_an_option_that_the_engine_does_not_take_is_answered_with_those_it_takes():
    with pytest.raises(EngineUnavailable, match=r"does not take temprature; its options are: .*temperature"):
        build_llm(PluginEngine("openai", "gpt-4.1-mini", {"temprature": 0.2}), KEYS)


def test_a_key_never_appears_in_an_error():
    class Quoting(openai.STT):
        def __init__(self, **arguments: object) -> None:
            raise ValueError(f"cannot use {KEYS['OPENAI_API_KEY']}")

    original = openai.STT
    openai.STT = Quoting
    try:
        with pytest.raises(EngineUnavailable) as error:
            build_stt(PluginEngine("openai"), KEYS)
    finally:
        openai.STT = original
    assert KEYS["OPENAI_API_KEY"] not in str(error.value)
    assert "cannot use ***" in str(error.value)


def test_a_recogniser_is_built_for_the_tenants_language():
    engine = build_stt(PluginEngine("openai", "gpt-4o-mini-transcribe"), KEYS, "fr")
    assert isinstance(engine, openai.STT)
    assert engine._opts.languages == ["fr"]
