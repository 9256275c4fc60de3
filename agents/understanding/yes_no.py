"""Whether a turn agrees or refuses, in the many ways people do on the telephone.

Called by `agents.understanding.understand`. Only the words that open a turn decide, so that "no, at
eleven" is a refusal whose rest is a correction.
"""

from enum import Enum

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import Words

OPENING_TOKENS = 6
"""How far into a turn the answer is looked for: "well I think that is right"."""


class Answer(Enum):
    """Agreement, refusal, or neither."""

    YES = "yes"
    NO = "no"
    NONE = "none"


def read_answer(words: Words, pack: LanguagePack) -> Answer:
    """What the turn answers to a yes/no question."""
    opening = Words(words.tokens[:OPENING_TOKENS]).text
    if pack.find(pack.no_but_fine, opening):
        return Answer.YES
    no = pack.find(pack.no, opening)
    yes = pack.find(pack.yes, opening)
    if no and (not yes or no.start() <= yes.start() or no.end() >= yes.end()):
        return Answer.NO
    return Answer.YES if yes else Answer.NONE
