"""Written text to spoken words, in five languages.

"€65 at 10:00" becomes "sixty-five euros at ten o'clock", each spoken group still tied to what was
written. `EmbeddedVoice` calls `speakable` once per clause, for every engine alike.
"""

import re
from functools import cache

from voice_core.tts.normalise.ar import Arabic
from voice_core.tts.normalise.ary import Darija
from voice_core.tts.normalise.en import English
from voice_core.tts.normalise.es import Spanish
from voice_core.tts.normalise.fr import French
from voice_core.tts.normalise.grammar import Grammar
from voice_core.tts.normalise.rules import Rule, rules_for
from voice_core.tts.normalise.spoken import SpokenWord

__all__ = ["LANGUAGES", "SpokenWord", "speakable"]

_GRAMMARS: dict[str, Grammar] = {g.code: g for g in (English(), French(), Spanish(), Arabic(), Darija())}
LANGUAGES = tuple(_GRAMMARS)
"""Codes of the languages that can be spoken."""

_EASTERN_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٪", "01234567890123456789%")
_OPENING = re.compile(r"[(\[«\"“‘'*_`#~>•\-–—]*[¿¡]*[(\[«\"“‘'*_`]*")
_CLOSING = re.compile(r"[^\w\s%€$£°º²³+&@/]*")
_PAUSES = ",;:.!?…،؛؟"
_DASHES = frozenset("-–—")

_FIGURES = re.compile(r"[0-9]+")
_CARDINAL_DIGITS_MAX = 4
"""A longer run out of context is a code, said digit by digit."""


@cache
def _rules(language: str) -> list[Rule]:
    return rules_for(_GRAMMARS[language])


def speakable(text: str, language: str) -> tuple[SpokenWord, ...]:
    """Spoken words of a clause. Joined by spaces, the written sides are `text` with its white space evened out.

    Raises KeyError for a language outside LANGUAGES.
    """
    grammar, rules = _GRAMMARS[language], _rules(language)
    plain = text.translate(_EASTERN_DIGITS)
    words: list[SpokenWord] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        end, spoken = _take(plain, at, grammar, rules)
        written = text[at:end].split()
        if isinstance(spoken, list):
            words += [SpokenWord(w, s) for w, s in zip(written, spoken, strict=True)]
        else:
            words.append(SpokenWord(" ".join(written), spoken))
        at = end
    return tuple(words)


def _take(text: str, at: int, grammar: Grammar, rules: list[Rule]) -> tuple[int, str | list[str]]:
    """End of the written form at `at`, with the punctuation around it, and what it is spoken as."""
    opening = _OPENING.match(text, at)
    begin = opening.end() if opening else at
    for start in (begin, at):
        for pattern, speak in rules:
            match = pattern.match(text, start)
            if match is None or match.end() == start:
                continue
            closing = _CLOSING.match(text, match.end())
            end = closing.end() if closing else match.end()
            if end < len(text) and not text[end].isspace():
                continue
            spoken = speak(match)
            if spoken is None:
                continue
            pause = _pause(text[match.end() : end])
            if isinstance(spoken, list):
                return end, [*spoken[:-1], spoken[-1] + pause]
            return end, _voiced_opening(text[at:start]) + spoken + pause
    end = at + len(re.split(r"\s", text[at:], maxsplit=1)[0])
    return end, _word(text[at:end], grammar)


def _word(token: str, grammar: Grammar) -> str:
    """A token that no rule knows: an abbreviation, a sign, or a word without the marks that are not spoken."""
    if all(c in _DASHES for c in token):
        return ","
    if token in grammar.symbols:
        return grammar.symbols[token]
    core = token.lstrip("(\"«“'‘[*_#¿¡")
    asked = _voiced_opening(token[: len(token) - len(core)])
    stripped = core.rstrip(')"»”]*_,;:!?،؛؟…')
    for candidate in (stripped, stripped.rstrip(".")):
        if candidate.lower() in grammar.abbreviations:
            rest = core[len(candidate) :]
            return asked + grammar.abbreviations[candidate.lower()] + _pause(rest)
    if not any(c.isalnum() for c in token):
        return _pause(token)
    body = re.match(r"(.*?\w)([^\w]*)$", core, re.DOTALL)
    if body is None:
        return asked + core
    inner = "".join(f" {grammar.symbols[c]} " if c in grammar.symbols else c for c in body.group(1))
    inner = re.sub(r"[*_`~#|\"“”«»()\[\]{}<>\\]", "", inner).replace("/", " ")
    # Figures that stand where no rule expects them (",0", "a,5") are still said in words.
    inner = _FIGURES.sub(lambda m: f" {_figures(m.group(), grammar)} ", inner)
    return asked + " ".join(inner.split()) + _pause(body.group(2))


def _figures(digits: str, grammar: Grammar) -> str:
    return grammar.cardinal(int(digits)) if len(digits) <= _CARDINAL_DIGITS_MAX else grammar.digits(digits)


def _pause(punctuation: str) -> str:
    """The mark that decides how the voice moves, of several."""
    marks = [c for c in punctuation if c in _PAUSES]
    if "..." in punctuation or "…" in marks:
        return "…"
    for strong in "؟?!":
        if strong in marks:
            return strong
    return marks[0] if marks else ""


def _voiced_opening(opening: str) -> str:
    """Spanish voices need the opening mark to know that a question begins."""
    return "".join(c for c in opening if c in "¿¡")
