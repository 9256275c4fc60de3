"""The embedded voices inside a LiveKit session."""

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from voice_core.tts.embedded import EmbeddedTts
from voice_core.tts.livekit_tts import EmbeddedTTS


async def test_frames_and_timed_words_come_out(embedded: EmbeddedTts) -> None:
    voice = EmbeddedTTS(embedded, "fr")
    seconds, words = 0.0, ""
    async with voice.synthesize("Bonjour. Comment allez-vous ?") as stream:
        async for audio in stream:
            assert audio.frame.sample_rate == 24_000
            seconds += audio.frame.duration
            words += "".join(audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []))
    assert 1.0 < seconds < 5.0
    assert words.split() == ["Bonjour.", "Comment", "allez-vous", "?"]
    assert voice.capabilities.aligned_transcript


async def test_a_failing_voice_is_reported_the_way_livekit_expects() -> None:
    closed = EmbeddedTts.load(("fr",))
    closed.close()
    async with EmbeddedTTS(closed, "fr").synthesize("Non.", conn_options=APIConnectOptions(max_retry=0)) as stream:
        with pytest.raises(APIConnectionError):
            await stream.collect()
