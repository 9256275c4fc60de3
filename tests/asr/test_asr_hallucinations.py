"""Noise must not become words, and words must not become noise."""

import pytest

from voice_core.asr.hallucinations import is_hallucination


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "duration_s"),
    [
        ("", -0.1, 0.0, 1.0),
        ("...", -3.2, 0.7, 2.0),
        ("Thank you.", -1.2, 0.9, 1.5),
        ("you", -2.9, 0.9, 0.6),
        ("Sous-titres réalisés par la communauté d'Amara.org", -0.2, 0.1, 3.0),
        ("¡Suscríbete!", -1.1, 0.7, 0.6),
        ("I'm gonna go to the beach.", -2.0, 0.8, 2.7),
    ],
)
def test_what_noise_makes_of_the_model_is_dropped(
    text: str, logprob: float, no_speech: float, duration_s: float
) -> None:
    assert is_hallucination(text, logprob, no_speech, duration_s)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "duration_s"),
    [
        ("Thank you.", -0.2, 0.1, 0.8),
        ("Thank you.", -0.2, 0.6, 0.8),
        ("one", -2.9, 0.8, 0.5),
        ("Merci, au revoir.", -0.5, 0.2, 1.5),
        ("What time do you close on Saturday?", -0.3, 0.02, 2.1),
        ("Yes", -1.4, 0.4, 0.5),
    ],
)
def test_what_callers_say_is_kept(text: str, logprob: float, no_speech: float, duration_s: float) -> None:
    assert not is_hallucination(text, logprob, no_speech, duration_s)


def test_a_loop_over_likely_silence_is_dropped_however_likely_its_words() -> None:
    assert is_hallucination("I'm in the car", -0.3, 0.8, 3.0, looped=True)
    assert not is_hallucination("I'm in the car", -0.3, 0.1, 3.0, looped=True)
