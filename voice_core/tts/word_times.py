"""When each written word has been heard, for engines that only tell how long the whole clause is.

Every word weighs as much as its letters usually take, and pauses found in the audio are given to the
punctuation that caused them. Against espeak's own word events the error is 60-70 ms on average in French
and Spanish and 80-90 in English, where only Piper needs it (`benchmarks/tts.py` prints it).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

from voice_core.speech import WordMark
from voice_core.tts.normalise.spoken import SpokenWord

SHORTEST_PAUSE_MS = 90.0
"""Shorter silences are the closures of stops (p, t, k), which belong to words."""

_SILENT = {
    "fr": re.compile(r"(?<=[^\W\d_]{2})(?:es|e|ent|s|x|t|d|p|z)$|h"),
    "en": re.compile(r"(?<=[^\W\d_][^aeiouy\W])e$|gh|(?<=[^\W\d_])e(?=d$)"),
}
_SOUNDS = {
    "en": "a54 ai91 ay109 b80 c90 ch88 ck119 d85 e45 ea76 ee95 ei68 f89 g83 h60 i68 ie44 j80 k95 l67 ll95 m100 n65 "
    "ng49 o53 oo61 ou51 ow99 p86 ph89 qu153 r52 s94 sh105 ss99 t87 th72 u56 v102 w39 wh53 x159 y39",
    "fr": "a66 ai70 an96 au77 b47 c96 ch88 d57 e49 eau77 ei70 en77 eu88 f88 g77 gn70 i86 in104 j63 l48 ll37 m51 mm60 "
    "n30 nn40 o80 oi161 on97 ou73 p61 ph88 qu100 r61 s81 ss88 t71 tt71 u84 un71 v72 y79 z81",
    "es": "a64 b73 c95 ch95 d73 e73 f87 g70 gu70 h10 i82 j113 l54 ll70 m63 n35 o75 p58 qu87 r48 rr75 s85 t61 u80 v71 "
    "y67 z94",
    "ar": "",
}
"""Milliseconds that a letter or group of letters adds to a word: least squares over espeak's durations of 700-1,050
words a language. Only their proportions matter, the clause's true length scales them."""
_UNKNOWN_SOUND_MS = {"ar": 130}
_WORD_MS = {"en": 57, "fr": 40, "es": 28, "ar": 100}
"""What a word costs on top of its letters, from the same fit (Arabic: short vowels are not written)."""
_FINAL_LENGTHENING = 1.25
"""The last word before a pause is stretched (about a quarter, in all five languages)."""
_PAUSE_MARKS = ",;:.!?…،؛؟—–"


@cache
def _sounds(language: str) -> tuple[Mapping[str, float], re.Pattern[str]]:
    """Durations of a language's letter groups, and what finds them in a word."""
    table = {name: float(ms) for name, ms in re.findall(r"([a-z]+)(\d+)", _SOUNDS[language])}
    groups = "|".join(sorted(table, key=len, reverse=True))
    return table, re.compile(f"{groups}|\\w" if groups else r"\w")


def weight(word: str, language: str) -> float:
    """How long a spoken word takes in ms at espeak's pace; 0 for one without letters or digits."""
    family = "ar" if language == "ary" else language
    table, finder = _sounds(family)
    unknown = _UNKNOWN_SOUND_MS.get(family, 75)
    plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    total = 0.0
    for part in re.findall(r"[^\W_]+", plain):
        audible = _SILENT[family].sub("", part) if family in _SILENT and len(part) > 2 else part
        total += _WORD_MS[family] + sum(table.get(sound, unknown) for sound in finder.findall(audible))
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


def before_pauses(ends_ms: Sequence[float], pauses: Sequence[tuple[float, float]]) -> list[float]:
    """Ends that fall into a silence moved to where it begins: the word was heard by then."""
    return [next((a for a, b in pauses if a < end < b), end) for end in ends_ms]


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
