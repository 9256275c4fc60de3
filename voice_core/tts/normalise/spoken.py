"""Spoken words beside the written words they stand for.

The transcript shows "€65" while the caller hears "sixty-five euros", so every replacement keeps what it
replaced. The normalisers of each language make these, the engines speak them, word times map them back.
"""

from collections.abc import Sequence

import msgspec

_GLUED = ",.;:!?…،؛؟"


class SpokenWord(msgspec.Struct, frozen=True):
    """written: one or more words of the text, as written. spoken: how they are said, with their
    punctuation; "" when they are not said at all (a bullet, a lone dash).
    """

    written: str
    spoken: str


def spoken_text(words: Sequence[SpokenWord]) -> str:
    """What an engine is given: the spoken words, punctuation attached to the word before it."""
    text = ""
    for word in words:
        if not word.spoken:
            continue
        glue = "" if not text or word.spoken[0] in _GLUED else " "
        text += glue + word.spoken
    return text
