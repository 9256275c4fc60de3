"""Which of the session's languages the caller speaks.

One short word says little about its language, so evidence adds up over utterances until one language
is clearly ahead; from then on only an utterance that is clearly in another one changes it. Pure state,
owned by `WhisperRecognizer`.
"""

import math
from collections.abc import Mapping, Sequence

SETTLED_LOG_ODDS = math.log(20.0)
"""One clear utterance of about two seconds settles it; "oui" alone does not."""
FULL_EVIDENCE_S = 2.0
"""Evidence of a shorter utterance weighs less, in proportion."""
FIRST_LANGUAGE_LOG_ODDS = math.log(2.0)
"""Head start of the session's first language: the tenant's callers mostly speak it."""
SWITCH_PROBABILITY = 0.9
SWITCH_S = 1.0
"""A settled language changes on an utterance at least this long and this clear."""

_WHISPER_CODES = {"ary": "ar"}
"""Whisper knows no Moroccan Arabic; it writes it down as Arabic."""


def whisper_code(language: str) -> str:
    """Whisper's code for one of the product's languages."""
    return _WHISPER_CODES.get(language, language)


def clearly_another(probabilities: Mapping[str, float], current: str | None, duration_s: float) -> str | None:
    """The language, other than `current` (None: any), that an utterance is clearly in."""
    likeliest = max(probabilities, key=lambda language: probabilities[language])
    if likeliest == current or duration_s < SWITCH_S or probabilities[likeliest] < SWITCH_PROBABILITY:
        return None
    return likeliest


class LanguageTracker:
    """Languages by the session's codes; `current` is the best guess so far."""

    def __init__(self, languages: Sequence[str], fixed: str | None) -> None:
        """languages: of the session, likeliest first. fixed: the caller's, when it is known."""
        if not languages:
            raise ValueError("a session needs at least one language")
        if fixed is not None and fixed not in languages:
            raise ValueError(f"language {fixed!r} is not one of the session's: {', '.join(languages)}")
        # ar and ary sound alike to Whisper: the first of them speaks for both.
        self._by_code: dict[str, str] = {}
        for language in (fixed, *languages) if fixed else languages:
            self._by_code.setdefault(whisper_code(language), language)
        self._fixed = fixed is not None or len(self._by_code) == 1
        self._scores = dict.fromkeys(self._by_code.values(), 0.0)
        self.current = fixed or languages[0]
        self._scores[self.current] = FIRST_LANGUAGE_LOG_ODDS

    @property
    def codes(self) -> tuple[str, ...]:
        """Whisper's codes of the languages that may be spoken."""
        return (whisper_code(self.current),) if self._fixed else tuple(self._by_code)

    @property
    def settled(self) -> bool:
        """Whether detection is needed only in case of doubt."""
        if self._fixed:
            return True
        ranked = sorted(self._scores.values(), reverse=True)
        return ranked[0] - ranked[1] >= SETTLED_LOG_ODDS

    def named(self, code: str) -> str:
        """The session's language for Whisper's `code`."""
        return self._by_code.get(code, self.current)

    def observe(self, probabilities: Mapping[str, float], duration_s: float) -> None:
        """Take the detection of one utterance: Whisper's code -> probability."""
        if self._fixed or not probabilities:
            return
        if self.settled:
            other = clearly_another(probabilities, whisper_code(self.current), duration_s)
            if other is None:
                return
            self._scores = dict.fromkeys(self._scores, 0.0)
        weight = min(1.0, duration_s / FULL_EVIDENCE_S)
        for code, probability in probabilities.items():
            self._scores[self._by_code[code]] += weight * math.log(max(probability, 1e-3))
        self.current = max(self._scores, key=lambda language: self._scores[language])
