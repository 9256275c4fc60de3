"""In which language to answer: what the recogniser heard, checked against the words themselves.

A recogniser tells the language of "ok" or "Marie Curie" by a guess; the call changes its language only
when the words belong more to the new one than to the present one. Called by `agents.dialogue.policy`.
"""

from agents.understanding.language_pack import LanguagePack

MIN_EVIDENCE = 2
"""Marker words of the new language beyond those of the present one, unless every word is one."""


def choose_language(text: str, heard: str, current: LanguagePack, packs: dict[str, LanguagePack]) -> str:
    """The language to go on in: `current.code`, or another of `packs` when the words are in it."""
    scores = {code: _markers(text, pack) for code, pack in packs.items()}
    best = max(scores, key=lambda code: (scores[code], code == heard, code == current.code))
    lead = scores[best] - scores[current.code]
    if best == current.code or lead <= 0:
        return current.code
    words = len(packs[best].words(text))
    agreed = best == heard
    return best if lead >= (1 if agreed and scores[best] * 2 >= words else MIN_EVIDENCE) else current.code


def _markers(text: str, pack: LanguagePack) -> int:
    return sum(word in pack.markers for word in pack.words(text).plains)
