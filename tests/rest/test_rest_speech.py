"""Speech over REST: the tenant's ears and voice for files and texts."""

import asyncio
import io
import struct
import wave

import numpy as np
import pytest
import soundfile

from benchmarks.fake_engines import FakeVoice
from server.rest.sound import LONGEST_SOUND_S, SoundFormat, SoundWriter, decoded
from server.rest.turnstile import INSIDE_AT_MOST, Turnstile
from tests.rest.rest_server import HEARD, RestServer
from voice_core import g711
from voice_core.errors import EngineError
from voice_core.frames import AudioFormat


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)


def wav(pcm: np.ndarray, rate_hz: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(np.repeat(pcm, channels).tobytes())
    return file.getvalue()


def pitch_hz(pcm: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    return float(np.argmax(spectrum)) * rate_hz / len(pcm)


@pytest.mark.parametrize(
    ("media_type", "body", "rate"),
    [
        ("audio/wav", wav(tone(1.0, 44_100), 44_100, channels=2), ""),
        ("audio/x-wav", wav(tone(1.0, 8_000), 8_000), ""),
        ("audio/pcm", tone(1.0, 16_000).tobytes(), ""),
        ("audio/pcm; charset=x", tone(1.0, 48_000).tobytes(), "?rate_hz=48000"),
        ("audio/basic", g711.encode(AudioFormat.MULAW, tone(1.0, 8_000)).tobytes(), ""),
    ],
)
async def test_every_usual_sound_is_heard(rest: RestServer, media_type: str, body: bytes, rate: str) -> None:
    answer = await rest.ask("POST", f"/v1/stt{rate}", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"text": HEARD, "language": "en", "confidence": 1.0, "duration_s": 1.0}


@pytest.mark.parametrize(
    ("media_type", "body", "status", "code"),
    [
        ("audio/wav", b"RIFFnothing", 400, "bad_audio"),
        ("audio/wav", b"", 400, "bad_audio"),
        ("audio/wav", wav(tone(LONGEST_SOUND_S + 1, 8_000), 8_000), 400, "bad_audio"),
        ("audio/wav", wav(tone(1, 4_000), 4_000), 400, "bad_audio"),
        ("audio/pcm", b"\x00", 400, "bad_audio"),
        ("audio/mpeg", b"ID3", 415, "unsupported_media_type"),
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("audio/pcm", bytes(12_000_001), 413, "body_too_large"),
    ],
)
async def test_what_cannot_be_heard_is_refused(
    rest: RestServer, media_type: str, body: bytes, status: int, code: str
) -> None:
    answer = await rest.ask("POST", "/v1/stt", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_sound_keeps_its_pitch_on_the_way_in() -> None:
    for rate_hz in (8_000, 22_050, 44_100, 48_000):
        heard = decoded(wav(tone(1.0, rate_hz), rate_hz), "audio/wav", 16_000)
        assert len(heard) == pytest.approx(16_000, abs=2)
        assert pitch_hz(heard, 16_000) == pytest.approx(440, abs=2)


async def test_text_becomes_a_sound_file_that_others_can_read(rest: RestServer) -> None:
    answer = await rest.ask("POST", "/v1/tts", json={"text": "Hello there. How are you?"})
    assert answer.headers["content-type"] == "audio/wav"
    samples, rate_hz = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert rate_hz == 24_000
    assert len(samples) == 24_000 * 5 * 0.25, "five words of a quarter of a second"


async def test_text_becomes_telephone_sound(rest: RestServer) -> None:
    answer = await rest.ask("POST", "/v1/tts", json={"text": "Hello there", "format": "mulaw", "language": "fr"})
    assert answer.headers["content-type"] == "audio/basic"
    pcm = g711.decode(AudioFormat.MULAW, answer.content)
    assert len(pcm) == pytest.approx(8_000 * 0.5, abs=40)
    assert pitch_hz(pcm, 8_000) == pytest.approx(220, abs=3)


async def test_raw_samples_say_their_rate(rest: RestServer) -> None:
    answer = await rest.ask("POST", "/v1/tts", json={"text": "Hello", "format": "pcm16"})
    assert answer.headers["content-type"] == "audio/pcm; rate=24000"
    assert len(answer.content) == 2 * 24_000 // 4


async def test_a_voice_that_fails_is_an_error_and_no_empty_file(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = FakeVoice(failure=lambda text: EngineError("no sound card for you"))
    runtime = rest.services.runtimes.of("park")
    assert runtime
    monkeypatch.setattr(runtime.engines, "_voices", lambda: broken)
    answer = await rest.ask("POST", "/v1/tts", json={"text": "Hello"})
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_failed")
    assert "sound card" not in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert broken.closed


async def test_a_language_that_the_tenant_does_not_speak_is_refused(rest: RestServer) -> None:
    spoken = await rest.ask("POST", "/v1/tts", json={"text": "Hola", "language": "es"})
    heard = await rest.ask("POST", "/v1/stt?language=es", content=wav(tone(1, 8000), 8000))
    for answer in (spoken, heard):
        assert (answer.status_code, answer.json()["errors"][0]["allowed"]) == (400, "one of en, fr")


async def test_one_is_served_at_a_time_and_a_long_queue_is_turned_away() -> None:
    gate, turnstile = asyncio.Event(), Turnstile()
    inside = 0
    most = 0

    async def visit() -> int:
        nonlocal inside, most
        from server.rest.problems import Problem

        try:
            async with turnstile.turn():
                inside += 1
                most = max(most, inside)
                await gate.wait()
                inside -= 1
        except Problem as problem:
            return problem.status
        return 200

    visits = [asyncio.create_task(visit()) for _ in range(INSIDE_AT_MOST + 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.set()
    statuses = await asyncio.gather(*visits)
    assert sorted(statuses) == [200] * INSIDE_AT_MOST + [503] * 3
    assert most == 1
    assert await visit() == 200


def test_a_streamed_file_says_that_its_end_is_not_known() -> None:
    header = SoundWriter(SoundFormat.WAV, 16_000).begin()
    assert len(header) == 44
    assert struct.unpack_from("<I", header, 40)[0] > 1 << 31
