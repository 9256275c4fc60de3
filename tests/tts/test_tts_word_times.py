"""Whether the transcript keeps up with the ear."""

import numpy as np
import pytest

from voice_core.tts.embedded import build_engine, render_clause
from voice_core.tts.espeak_voice import SETTINGS, EspeakVoice
from voice_core.tts.hibari_voice import with_output
from voice_core.tts.normalise import speakable
from voice_core.tts.shaping import OUTPUT_HZ, hop_levels_db, pauses_ms, shape
from voice_core.tts.word_times import SHORTEST_PAUSE_MS, estimate_ends, weight

PROMPTS = {
    "fr": [
        "Bonjour, Clinique du Parc, que puis-je faire pour vous ?",
        "Un détartrage coûte 65 €, et dure environ 40 minutes.",
        "Votre rendez-vous est confirmé pour mardi 24 novembre à 10 h 30.",
        "Quel est votre numéro de téléphone, s'il vous plaît ?",
    ],
    "es": [
        "Una limpieza cuesta 65 euros y dura unos 40 minutos.",
        "Cerramos a la una de la tarde los sábados.",
        "Su cita está confirmada para el martes 24 de noviembre.",
    ],
    "ar": ["مرحبا، عيادة الحديقة، كيف يمكنني مساعدتك؟", "تم تأكيد موعدك يوم الثلاثاء في الساعة العاشرة."],
}  # fmt: skip


@pytest.mark.parametrize("language", PROMPTS)
def test_estimated_word_times_are_close_to_true_ones(language: str) -> None:
    voice = EspeakVoice(SETTINGS[language])
    errors: list[float] = []
    for text in PROMPTS[language]:
        words = speakable(text, language)
        raw = voice.synthesise(words)
        shaped = shape(raw.samples, raw.rate_hz, text)
        true = np.clip(np.array(raw.word_ends_ms) - shaped.offset_ms, 0, shaped.speech_ms)
        pauses = pauses_ms(shaped.pcm, shaped.speech_ms, SHORTEST_PAUSE_MS)
        errors += list(np.abs(np.array(estimate_ends(words, language, shaped.speech_ms, pauses)) - true)[:-1])
    assert np.mean(errors) <= 85


def test_the_neural_voice_knows_where_its_words_end() -> None:
    """The silence after a comma begins where the word before the comma ends."""
    phrase = render_clause(build_engine("hibari", "en"), "I have you down for Tuesday at ten, is that right?", "en")
    ends = {word.text: word.end_ms for word in phrase.words}
    levels = hop_levels_db(phrase.pcm.astype(np.float32) / np.float32(32768), OUTPUT_HZ)
    (pause,) = [p for p in pauses_ms(phrase.pcm, ends["right?"], 100) if p[0] > ends["at"]]
    assert ends["ten,"] == pytest.approx(pause[0], abs=30)
    assert ends["right?"] == pytest.approx(float(np.flatnonzero(levels > -50)[-1]) * 5, abs=150)


def test_longer_words_take_longer_and_silent_letters_take_nothing() -> None:
    assert weight("clinique", "fr") > weight("du", "fr")
    assert weight("parlent", "fr") == weight("parle", "fr")
    assert weight("—", "en") == 0


def test_a_model_can_be_told_to_give_an_inner_value_out() -> None:
    assert with_output(b"model", "x") == b"model" + bytes([0x3A, 5, 0x62, 3, 0x0A, 1]) + b"x"
