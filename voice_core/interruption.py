"""What a sound over the agent's speech is: noise, a backchannel, or words that take the floor.

The second step of barge-in: the playout is paused already, a quick decode has come back, and the
verdict says whether the agent goes on or gives way. Called by the session.
"""

import re
from enum import Enum

from voice_core.expectation import ExpectedSlot, SlotKind
from voice_core.turn_words import split_words, turn_words


class Verdict(Enum):
    """What the caller's sound over the agent was."""

    NOISE = "noise"
    BACKCHANNEL = "backchannel"
    WORDS = "words"


_BACKCHANNEL_WORDS_MAX = 4
"""More words than "yes yes okay great" are somebody who wants to speak."""

_WORDS_MIN_UNFINISHED = 2

_HUM = re.compile(r"[hm]+(?:-[hm]+)*")
"""However a recogniser spells it: "mhm", "mm-mm", "m-h-m"."""

_HUM_WRITTEN = frozenset({"no", "non", "لا", "la"})
"""Stops that hums are often taken for; the others are believed however unsure."""

_HUM_MAX_MS = 700.0
"""Hums of three voices lasted 250 to 460 ms; a caller who wants the floor does not stop after one."""

_HUM_CONFIDENCE = 0.25
"""Recognisers know no hums and write a word for them: "Mm-hmm" became "Mama", "more", "No." and "Come with
me", in 36 decodes with a confidence of 0.03 to 0.23 but for four ("A house", "Uh-oh", 0.26 to 0.36). Of 21 short
words by the same voices, those that are neither backchannels nor stops had 0.25 to 0.68. Real lone digits
lie as low as hums: so this is asked only while the caller has not been asked anything."""


def verdict(
    text: str,
    language: str,
    *,
    spoken: str,
    answering: ExpectedSlot | None,
    final: bool,
    confidence: float,
    length_ms: float,
) -> Verdict:
    """Judge a decode of the caller's sound.

    spoken: what the agent was saying, so that its own echo is not taken for the caller. answering: what
    the agent's question expects when all of the question was out already; then "yes" is an answer.
    final: the sound is over. Before that a single word may be half of another one, or of a cough.
    confidence: of the decode, 0..1. length_ms: of the sound so far.
    """
    words = split_words(text)
    if not words:
        return Verdict.NOISE
    lists = turn_words(language)
    joined = " ".join(words)
    unsure = _of_one_saying(confidence, words) < _HUM_CONFIDENCE
    hummed = answering is None and length_ms < _HUM_MAX_MS and unsure
    if hummed and (words[0] not in lists.stops or words[0] in _HUM_WRITTEN):
        return Verdict.BACKCHANNEL
    if words[0] in lists.stops or any(joined.startswith(stop) for stop in lists.stops if " " in stop):
        return Verdict.WORDS
    if len(words) <= _BACKCHANNEL_WORDS_MAX and _all_backchannel(words, lists.backchannels | lists.fillers):
        expects_one_word = answering is not None and answering.kind in (SlotKind.YES_NO, SlotKind.CHOICE)
        return Verdict.WORDS if expects_one_word and words[0] in lists.answers else Verdict.BACKCHANNEL
    if _is_echo(words, split_words(spoken)):
        return Verdict.NOISE
    if not final and len(words) < _WORDS_MIN_UNFINISHED:
        return Verdict.BACKCHANNEL
    return Verdict.WORDS


def _of_one_saying(confidence: float, words: list[str]) -> float:
    """The confidence without the recogniser's habit of writing a short sound twice.

    The second time is sure once the first is written, so the geometric mean over both has lost its power:
    "Mama. Mama." had 0.36 where "Mama." had 0.18.
    """
    for length in range(1, len(words) // 2 + 1):
        times, rest = divmod(len(words), length)
        if not rest and words == words[:length] * times:
            return confidence**times
    return confidence


def _all_backchannel(words: list[str], known: frozenset[str]) -> bool:
    """Whether the words are only backchannels, of one or two words each."""
    position = 0
    while position < len(words):
        if " ".join(words[position : position + 2]) in known and position + 1 < len(words):
            position += 2
        elif words[position] in known or _HUM.fullmatch(words[position]):
            position += 1
        else:
            return False
    return True


_ECHO_WORDS_MIN = 3


def _is_echo(words: list[str], spoken: list[str]) -> bool:
    """Whether the words stand in the agent's own text, in order: its voice came back through the line.

    Shorter runs are not judged: a caller may well repeat two words of the agent.
    """
    if len(words) < _ECHO_WORDS_MIN:
        return False
    width = len(words)
    return any(spoken[start : start + width] == words for start in range(len(spoken) - width + 1))
