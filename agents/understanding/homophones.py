"""Words that a recogniser wrote as other words that sound the same, put right before anything is read.

Small recognisers write what they hear, not what makes sense: "Je dis à 15h30" for "Jeudi à 15h30". A rule stands in
the language pack only where the written words make no sense in a call, so that nothing is lost when it
applies. Called by `agents.understanding.understand`; the transcript itself stays as it was heard.
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import plain

WEEKDAY_MIN_LETTERS = 6
"""Shorter names of days are one letter away from too many words ("lundi", "lundis")."""

_WORD = re.compile(r"[^\W\d_]+")


def put_right(text: str, pack: LanguagePack) -> str:
    """`text` as it was meant: the pack's homophones, and names of days with one letter wrong ("merpredi")."""
    for pattern, meant in pack.homophones:
        text = _pattern(pattern).sub(meant, text)
    return _WORD.sub(lambda found: _weekday(found.group(), pack) or found.group(), text)


def _weekday(word: str, pack: LanguagePack) -> str:
    """The day that a word, not written as a name, is one letter away from; else ""."""
    if not word.islower() or len(word) < WEEKDAY_MIN_LETTERS or plain(word) in pack.common:
        return ""
    for spellings in pack.weekdays:
        day = spellings[0]
        if len(day) >= WEEKDAY_MIN_LETTERS and plain(word) not in spellings and OSA.distance(plain(word), day) == 1:
            return day
    return ""


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)
