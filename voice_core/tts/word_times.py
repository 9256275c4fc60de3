"""When each written word has been heard, for engines that only tell how long the whole clause is.

Every word weighs as much as the sounds its letters stand for, and pauses found in the audio are given to
the punctuation that caused them. Against espeak's own word events the error is 30-60 ms on average
(`benchmarks/tts.py` prints it). `EmbeddedTts` calls it once a clause.
"""

import re
import unicodedata
from collections.abc import Sequence

from voice_core.speech import WordMark
from voice_core.tts.normalise.spoken import SpokenWord

SHORTEST_PAUSE_MS = 90.0
"""Shorter silences are the closures of stops (p, t, k), which belong to words."""

_VOWELS = frozenset("aeiouyœæ")
_SILENT = {
    "fr": re.compile(r"(?<=[^\W\d_]{2})(?:es|e|ent|s|x|t|d|p|z)$|(?<=qu)|h"),
    "en": re.compile(r"(?<=[^\W\d_][^aeiouy\W])e$|gh|(?<=[^\W\d_])e(?=d$)"),
}
_DIGRAPHS = {
    "fr": re.compile(r"eau|au|ai|ei|ou|oi|eu|œu|on|an|en|in|un|ch|gn|ph|qu|ll|ss|tt|nn|mm"),
    "en": re.compile(r"ea|ee|oo|ou|ow|ai|ay|oa|ei|ie|th|sh|ch|ph|wh|ck|ng|qu|ll|ss|tt|nn|mm"),
    "es": re.compile(r"ch|ll|rr|qu|gu"),
}
_VOWEL_WEIGHT = 1.15
_CONSONANT_WEIGHT = 0.85
_WORD_WEIGHT = 0.25
"""Even "a" takes time: what a word costs on top of its sounds."""
_FINAL_LENGTHENING = 1.25
"""The last word before a pause is stretched (about a quarter, in all five languages)."""
_PAUSE_MARKS = ",;:.!?…،؛؟—–"


def weight(word: str, language: str) -> float:
    """How long a spoken word takes, in arbitrary units; 0 for one without letters or digits."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    total = 0.0
    for part in re.findall(r"[^\W_]+", plain):
        sounds = part
        if len(part) > 2 and language in _SILENT:
            sounds = _SILENT[language].sub("", part)
        if language in _DIGRAPHS:
            sounds = _DIGRAPHS[language].sub(lambda m: "a" if m.group()[0] in _VOWELS else "b", sounds)
        if language in ("ar", "ary"):
            # Unwritten short vowels: about every second consonant has one.
            total += len(sounds) * (_VOWEL_WEIGHT + _CONSONANT_WEIGHT) * 0.75
        else:
            total += sum(_VOWEL_WEIGHT if c in _VOWELS else _CONSONANT_WEIGHT for c in sounds)
        total += _WORD_WEIGHT
    return total


def estimate_ends(
    words: Sequence[SpokenWord], language: str, speech_ms: float, pauses: Sequence[tuple[float, float]]
) -> list[float]:
    """End of each spoken word in ms, rising, the last one `speech_ms`.

    pauses: (start, end) of the silences inside the clause. Those that punctuation inside the clause can
    explain split it into stretches of speech; within one, time is shared by weight.
    """
    weights = [weight(word.spoken, language) for word in words]
    for i, word in enumerate(words):
        if word.spoken[-1:] in _PAUSE_MARKS or i == len(words) - 1:
            weights[i] *= _FINAL_LENGTHENING
    total = sum(weights) or 1.0
    commas = [i for i, word in enumerate(words[:-1]) if word.spoken and word.spoken[-1] in _PAUSE_MARKS]
    silent = sum(end - start for start, end in pauses if end - start >= SHORTEST_PAUSE_MS)
    anchors = _match(commas, weights, total, speech_ms, silent, [p for p in pauses if p[1] - p[0] >= SHORTEST_PAUSE_MS])
    ends: list[float] = []
    first, begin = 0, 0.0
    for last, (pause_start, pause_end) in [*anchors, (len(words) - 1, (speech_ms, speech_ms))]:
        stretch = sum(weights[first : last + 1]) or 1.0
        said = 0.0
        for i in range(first, last + 1):
            said += weights[i]
            ends.append(begin + (pause_start - begin) * said / stretch)
        first, begin = last + 1, pause_end
    return ends


def _match(
    commas: Sequence[int],
    weights: Sequence[float],
    total: float,
    speech_ms: float,
    silent_ms: float,
    pauses: Sequence[tuple[float, float]],
) -> list[tuple[int, tuple[float, float]]]:
    """Pairs punctuated words with pauses, in order: each takes the nearest pause that is left, if near enough."""
    matched: list[tuple[int, tuple[float, float]]] = []
    per_weight = max(speech_ms - silent_ms, 1.0) / total
    free: list[tuple[float, float]] = list(pauses)
    said, shift = 0.0, 0.0
    for i, w in enumerate(weights):
        said += w * per_weight
        if i not in commas or not free:
            continue
        expected = said + shift
        near = min(free, key=lambda p: abs(p[0] - expected))
        if abs(near[0] - expected) > 0.12 * speech_ms + 120:
            continue
        matched.append((i, near))
        free = [p for p in free if p[0] > near[0]]
        shift = near[1] - said
    return matched


def written_marks(
    words: Sequence[SpokenWord], ends_ms: Sequence[float], offset_ms: float = 0.0
) -> tuple[WordMark, ...]:
    """One mark per written word; the words that one spoken group stands for share its time by length."""
    marks: list[WordMark] = []
    begin = offset_ms
    for word, end in zip(words, ends_ms, strict=True):
        end = max(begin, offset_ms + end)
        parts = word.written.split()
        letters = sum(len(part) for part in parts)
        said = 0
        for part in parts:
            said += len(part)
            marks.append(WordMark(part, round(begin + (end - begin) * said / letters, 1)))
        begin = end
    return tuple(marks)
