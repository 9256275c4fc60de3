"""How much silence ends this turn: a function of what was said, not a constant.

Four things decide (design: "Turn-taking"): how complete the words are, what the agent is waiting for,
the caller's own rhythm, and the recogniser's belief that the turn sounds over (where it has one). The
session calls it with each transcript that follows a pause; more evidence of an end means less waiting.
"""

import re

import msgspec

from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot, SlotKind
from voice_core.policy import EndpointPolicy
from voice_core.turn_words import split_words, turn_words


class Endpoint(msgspec.Struct, frozen=True):
    """The silence after which the turn is over, counted from the last speech sample, and why."""

    delay_ms: float
    reason: str


class Rhythm:
    """How long this caller pauses inside a turn: a running average of pauses that did not end one."""

    __slots__ = ("pause_ms", "pauses")

    _WEIGHT = 0.4
    """Of the newest pause: three pauses are enough to know a slow speaker."""

    def __init__(self) -> None:
        self.pause_ms = 0.0
        self.pauses = 0

    def paused(self, pause_ms: float) -> None:
        """The caller went on after this silence."""
        self.pauses += 1
        self.pause_ms = pause_ms if self.pauses == 1 else self.pause_ms + self._WEIGHT * (pause_ms - self.pause_ms)

    def stretch(self, delay_ms: float) -> float:
        """The delay for this caller: a quarter longer than the pauses heard twice or more, at most doubled."""
        if self.pauses < 2:
            return delay_ms
        return min(max(delay_ms, 1.25 * self.pause_ms), 2 * delay_ms)


_SENTENCE_END = re.compile(r"[.!?؟。…]['\"”’)]*\s*$")
_TRAILING_OFF = re.compile(r"(\.\.\.|…|[,;:،\-–—])\s*$")
_QUESTION = re.compile(r"[?؟]\s*$")
_DIGIT = re.compile(r"\d")
_DIGIT_WORDS = {
    "en": "zero oh one two three four five six seven eight nine",
    "fr": "zéro un une deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "ar": "صفر واحد اثنان اثنين ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة",
}
_TEENS = {
    "en": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "fr": "dix onze douze treize quatorze quinze seize",
    "es": "diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve veintiuno veintidós",
    "ar": "عشرة",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "fr": "vingt vingts trente quarante cinquante soixante",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "ar": "",
}
_ONES_OF, _TEENS_OF, _TENS_OF = (
    {language: frozenset(words.split()) for language, words in table.items()} for table in (_DIGIT_WORDS, _TEENS, _TENS)
)
_TEENS_FOLLOW = frozenset({"soixante", "vingt", "vingts"})
"""French 70-79 and 90-99: "soixante-dix", "quatre-vingt-douze"."""
_AND = frozenset({"et", "y"})
BELIEF_SURE, BELIEF_DOUBT = 0.7, 0.55
"""Beliefs at which the delay is shortest and longest; see EndpointPolicy."""
_DIGIT_RUN_MIN = 3
"""Digits at the end of a turn that make it look like dictation even when no number was asked for."""
_LONE_DIGITS_MIN = 2
_DIGIT_RUN_WHOLE = 9
"""From here on a dictated number may be whole: national numbers have 9 or 10 digits (E.164 plans of the locales)."""


def count_digits(text: str, language: str) -> int:
    """Digits dictated so far: figures, digit words, and two for every number from 10 to 99."""
    base = "ar" if language == "ary" else language
    ones, teens, tens = (table.get(base, table["en"]) for table in (_ONES_OF, _TEENS_OF, _TENS_OF))
    total = 0
    before = ""
    for word in (part for hyphened in split_words(text) for part in hyphened.split("-")):
        if figures := len(_DIGIT.findall(word)):
            total += figures
        elif word in tens:
            # "quatre-vingt": the four was counted and is no digit of its own.
            total += 1 if before == "quatre" and word.startswith("vingt") else 2
        elif word in teens:
            total += 0 if before in _TEENS_FOLLOW else 2
        elif word in ones:
            # "dix-sept" is one number; a ten and a lone digit are rarely dictated one after the other.
            total += 0 if before in tens or before == "dix" else 1
        elif word in _AND and before in tens:
            continue
        before = word
    return total


def endpoint(
    text: str,
    language: str,
    expected: ExpectedSlot,
    rhythm: Rhythm,
    policy: EndpointPolicy,
    *,
    end_probability: float | None = None,
) -> Endpoint:
    """How long to wait after the last speech sample before the turn is over.

    text: the whole turn so far. end_probability: belief that the turn sounds over, 0..1, or None.
    """
    delay_ms, reason = _by_slot(text, language, expected, policy) or _by_words(
        text, language, expected, policy, end_probability
    )
    if not reason.startswith("answered"):
        delay_ms = rhythm.stretch(delay_ms)
    return Endpoint(delay_ms=min(max(delay_ms, policy.min_ms), policy.max_ms), reason=reason)


def _by_slot(text: str, language: str, expected: ExpectedSlot, policy: EndpointPolicy) -> tuple[float, str] | None:
    """What the agent waits for decides alone when the answer has begun and is, or is not, whole."""
    words = split_words(text)
    lists = turn_words(language)
    if expected.kind in (SlotKind.PHONE, SlotKind.NUMBER):
        digits = count_digits(text, language)
        if expected.digits and digits >= expected.digits:
            return policy.min_ms, "answered"
        if digits and (expected.digits or expected.kind is SlotKind.PHONE):
            return policy.slot_ms, "half_number"
    if expected.kind is SlotKind.YES_NO and words and words[0] in lists.answers and len(words) <= 2:
        return policy.min_ms, "answered"
    if expected.kind is SlotKind.CHOICE and any(choice.lower() in text.lower() for choice in expected.choices):
        return policy.min_ms, "answered"
    if expected.kind is SlotKind.EMAIL and words:
        spoken_at = "@" in text or bool(lists.spoken_symbols & set(words) & {"at", "arobase", "arroba"})
        if (
            not spoken_at
            or words[-1] in lists.spoken_symbols
            or not re.search(r"[.]\s?\w{2,}\W*$|dot|point|punto", text)
        ):
            return policy.slot_ms, "half_email"
        return policy.unsure_ms, "email"
    if expected.kind is SlotKind.SPELLING and words:
        return (policy.slot_ms if len(words[-1]) == 1 else policy.unsure_ms), "spelling"
    return None


def _by_words(
    text: str, language: str, expected: ExpectedSlot, policy: EndpointPolicy, belief: float | None
) -> tuple[float, str]:
    """How complete the words are by themselves, and how much they sound like it."""
    words = split_words(text)
    lists = turn_words(language)
    if not words:
        return policy.unsure_ms, "unsure"
    ended = bool(_SENTENCE_END.search(text)) and not _TRAILING_OFF.search(text)
    last = words[-1]
    if last in lists.fillers and last not in lists.answers:
        return policy.dangling_ms, "dangling"
    if _lone_digits_at_end(words, language) >= _LONE_DIGITS_MIN:
        return policy.dangling_ms, "digits"
    if _QUESTION.search(text):
        return policy.question_ms, "question"
    if all(word in lists.greetings for word in words):
        return policy.unsure_ms, "greeting"
    if len(words) <= 2 and last in lists.answers:
        return (policy.complete_ms if expected == NOTHING_EXPECTED else policy.question_ms), "answer"
    if not ended and (last in lists.dangling or last.endswith("'") or _TRAILING_OFF.search(text)):
        return policy.dangling_ms, "dangling"
    if _DIGIT_RUN_MIN <= _digits_at_end(words, language) < _DIGIT_RUN_WHOLE:
        return policy.dangling_ms, "digits"
    if _digits_at_end(words, language) >= _DIGIT_RUN_WHOLE:
        return policy.unsure_ms, "whole_number"
    if belief is not None:
        doubt = (BELIEF_SURE - belief) / (BELIEF_SURE - BELIEF_DOUBT)
        return policy.sure_ms + (policy.doubt_ms - policy.sure_ms) * min(max(doubt, 0.0), 1.0), "belief"
    if last in lists.dangling:
        return policy.unsure_ms, "unsure"
    if ended and len(words) >= 2:
        return policy.complete_ms, "complete"
    return policy.unsure_ms, "unsure"


def _lone_digits_at_end(words: list[str], language: str) -> int:
    """Digits said one by one at the end, unless they make a whole number already."""
    lone = 0
    for word in reversed(words):
        if count_digits(word, language) != 1:
            break
        lone += 1
    return lone if lone < _DIGIT_RUN_WHOLE else 0


def _digits_at_end(words: list[str], language: str) -> int:
    """Length of the run of digits that the words end in."""
    run = 0
    for word in reversed(words):
        digits = count_digits(word, language)
        if not digits:
            break
        run += digits
    return run
