"""What a sound over the agent's speech is: noise, a backchannel, or words that take the floor.

The second step of barge-in: the playout is paused already, a quick decode has come back, and the
verdict says whether the agent goes on or gives way. Called by the session.
"""

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


def verdict(text: str, language: str, *, spoken: str, answering: ExpectedSlot | None, final: bool) -> Verdict:
    """Judge a decode of the caller's sound.

    spoken: what the agent was saying, so that its own echo is not taken for the caller. answering: what
    the agent's question expects when all of the question was out already; then "yes" is an answer.
    final: the sound is over. Before that a single word may be half of another one, or of a cough.
    """
    words = split_words(text)
    if not words:
        return Verdict.NOISE
    lists = turn_words(language)
    joined = " ".join(words)
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


def _all_backchannel(words: list[str], known: frozenset[str]) -> bool:
    """Whether the words are only backchannels, of one or two words each."""
    position = 0
    while position < len(words):
        if " ".join(words[position : position + 2]) in known and position + 1 < len(words):
            position += 2
        elif words[position] in known:
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
