"""How much a pause sounds like the end of a turn, from what the recogniser knows anyway.

Four signs cost little: how sure the decoder is that a sentence ends, how far the voice has fallen at the
last word, whether the utterance was a short answer, and how sure the words are (they are less so when a
word was cut). They are joined by a logistic regression. `endpointing` turns the belief into a delay;
the engine asks for it with every final decode.

Fitted on 438 pauses of at least 220 ms (ends of turns among them) in 289 English, French and Spanish
recordings; `benchmarks.endpointing` measures what it is worth.
"""

import math

import numpy as np
from numpy.typing import NDArray

from voice_core.asr.log_mel import Frames

BIAS = -0.96
PER_FULL_STOP = 1.46
PER_FALL = -0.043
"""Per dB of the last 200 ms against the loud part of the utterance."""
PER_LOGPROB = 0.92
"""Per unit of the mean log probability of the words."""
SHORT_ANSWER = 1.03
SHORT_ANSWER_S = 1.3

_FALL_RANGE_DB = (-25.0, -5.0)
_LOGPROB_MIN = -1.2
_TAIL_FRAMES = 20
_LOUD_PERCENTILE = 80
_SPEECH_BELOW_LOUDEST_DB = 32.0
"""Frames within this of the loudest (95th percentile) are speech."""
_SPEECH_ABOVE_NOISE_DB = 6.0
_SPEECH_RANGE_DB = 10.0


def levels_db(frames: Frames) -> NDArray[np.float32]:
    """Level of each 10 ms frame, dB with no fixed reference, from its log10 mel energies."""
    return np.asarray(10.0 * np.log10(np.sum(np.power(10.0, frames), axis=1)), dtype=np.float32)


def speech_floor_db(level: NDArray[np.float32]) -> float:
    """The level above which a frame is speech: near the loudest, and above the quietest."""
    loudest = float(np.percentile(level, 95))
    noise = float(np.percentile(level, 5))
    # Without a pause in it, the quietest is speech itself.
    return min(max(loudest - _SPEECH_BELOW_LOUDEST_DB, noise + _SPEECH_ABOVE_NOISE_DB), loudest - _SPEECH_RANGE_DB)


def fall_db(frames: Frames) -> tuple[float, float]:
    """Level of the last 200 ms of speech against the loud part of it, dB, and the speech's length, s.

    (0, 0) when there is too little to tell.
    """
    if len(frames) < _TAIL_FRAMES:
        return 0.0, 0.0
    level = levels_db(frames)
    speech = np.flatnonzero(level > speech_floor_db(level))
    if len(speech) < 2:
        return 0.0, 0.0
    end = int(speech[-1]) + 1
    heard = level[speech[0] : end]
    return float(heard[-_TAIL_FRAMES:].mean() - np.percentile(heard, _LOUD_PERCENTILE)), len(heard) / 100.0


def end_probability(frames: Frames, full_stop: float, logprob: float) -> float:
    """Belief, 0..1, that the turn ends with this utterance.

    full_stop: the decoder's probability of closing punctuation after its last word. logprob: mean
    natural log probability of the words.
    """
    fall, length_s = fall_db(frames)
    fall = min(max(fall, _FALL_RANGE_DB[0]), _FALL_RANGE_DB[1])
    score = BIAS + PER_FULL_STOP * full_stop + PER_FALL * fall
    score += PER_LOGPROB * min(max(logprob, _LOGPROB_MIN), 0.0) + SHORT_ANSWER * (length_s < SHORT_ANSWER_S)
    return 1.0 / (1.0 + math.exp(-score))
