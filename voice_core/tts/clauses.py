"""Cuts streamed text into clauses that can be spoken on their own.

The first clause of a reply decides how soon the caller hears something, so it leaves at the first
certain boundary, however short; later ones play behind it and may be longer, which sounds better.
`VoiceCall` feeds it the reply's text as it is produced, and `EmbeddedVoice` cuts long texts with it.
"""

import re
from enum import Enum

MIN_WORDS_FIRST_AT_COMMA = 2
"""Words before a comma may end the first clause: "Yes, of course," leaves, "Yes," waits for more."""

MIN_WORDS_LATER_AT_COMMA = 9
"""Later clauses keep enumerations whole: a list of days cut at each comma sounds like a list of sentences."""

MAX_WORDS_FIRST = 11
MAX_WORDS_LATER = 32
"""Without punctuation a clause is cut here, before a conjunction when there is one."""

MAX_WORDS_CERTAIN_STOP = 4
""""Of course." ends with its full stop though nothing follows yet; in a longer text the stop may still turn
out to be the dot of an address ("write to us at clinic." + "com"), so the next character is awaited."""

_STRONG = ".!?…؟。"
_SOFT = ",;:،؛—–"
_CLOSERS = "\"'”’»)]"
_NEVER_FINAL = frozenset(
    "dr mr mrs ms st prof rev hon gen col sgt capt m mm mme mmes mlle mlles me pr sr sra srta dra dña d "
    "n no nos núm num tel tél ext av ave bd blvd rd apt vs cf p.ex e.g i.e c.-à-d ud uds approx env".split()
)
"""Abbreviations that are always followed by more of the same sentence."""
_MAYBE_FINAL = frozenset(
    "a.m p.m etc inc ltd jr co u.s u.k s.a s.l r.s.v.p jan feb mar apr jun jul aug sept sep oct nov dec".split()
)
"""Abbreviations that may also end it: what follows decides."""
_CONJUNCTIONS = frozenset(
    "and or but so because which that with for from until when if to et ou mais donc car parce qui que avec pour "
    "jusqu'à quand si y o pero porque con para hasta cuando و أو لكن لأن حتى إذا ولا باش ولكن".split()
)
_WORD = re.compile(r"\S+")


class _End(Enum):
    """What is known about a possible end of clause."""

    NONE = "no clause ends here"
    OPEN = "the next characters decide"
    CLAUSE = "a clause ends here"


class ClauseChunker:
    """One reply's text. Nothing is lost, repeated or reordered; only white space at cuts is dropped.

    spoken: clauses of the reply that were spoken before this text.
    """

    def __init__(self, spoken: int = 0) -> None:
        self._buffer = ""
        self._spoken = spoken

    def push(self, delta: str) -> list[str]:
        """Take the next piece of text; return the clauses that are certain now."""
        self._buffer += delta
        return self._cut()

    def flush(self) -> list[str]:
        """The text is over: return what is left. The next text starts with a first clause again."""
        self._buffer += "\n"
        clauses = self._cut()
        rest = self._buffer.strip()
        self._buffer = ""
        self._spoken = 0
        return [*clauses, rest] if rest else clauses

    def _cut(self) -> list[str]:
        clauses: list[str] = []
        while (end := self._boundary()) is not None:
            clauses.append(self._buffer[:end].strip())
            self._buffer = self._buffer[end:]
            self._spoken += 1
        return clauses

    def _boundary(self) -> int | None:
        """Index after the first complete clause of the buffer, None while there is none."""
        text = self._buffer
        for i, char in enumerate(text):
            if not any(c.isalnum() for c in text[:i]):
                continue
            if char == "\n":
                return i + 1
            if char in _STRONG:
                end, verdict = self._stop(i)
            elif char in _SOFT:
                end, verdict = i + 1, self._comma(i)
            else:
                continue
            if verdict is _End.CLAUSE:
                return min(end, self._too_long(text[:end]) or end)
            if verdict is _End.OPEN:
                return self._too_long(_finished_words(text[:i]))
        return self._too_long(_finished_words(text))

    def _stop(self, i: int) -> tuple[int, _End]:
        """Verdict on the full stop, question or exclamation mark at `i`, and where it ends with its closers."""
        text = self._buffer
        end = i + 1
        while end < len(text) and text[end] in _STRONG + _CLOSERS:
            end += 1
        if end == len(text):
            return end, self._stop_at_end(i)
        if not text[end].isspace():
            return end, _End.NONE
        if text[i] != "." or text[i + 1 : i + 2] == ".":
            return end, self._before_closer(end)
        written = text[:i].split()[-1].lstrip("(\"'«“¿¡") if text[:i].strip() else ""
        word = written.lower()
        if word in _NEVER_FINAL or (len(word) == 1 and written.isupper()):
            return end, _End.NONE
        if word in _MAYBE_FINAL or len(word) == 1 or word[-1:].isdigit():
            rest = text[end:].lstrip()
            if not rest:
                return end, _End.CLAUSE if "\n" in text[end:] else _End.OPEN
            if word.isdigit() and text[:i].strip() == word:
                return end, _End.NONE
            return end, _End.CLAUSE if rest[0].isupper() or rest[0] in "¿¡«" else _End.NONE
        return end, self._before_closer(end)

    def _before_closer(self, end: int) -> _End:
        """French sets a space before a closing quote: « Oui ! » is one clause."""
        if not _quote_open(self._buffer[:end]):
            return _End.CLAUSE
        rest = self._buffer[end:].lstrip(" \u00a0\u202f")
        if not rest:
            return _End.OPEN
        return _End.NONE if rest[0] == "»" else _End.CLAUSE

    def _stop_at_end(self, i: int) -> _End:
        """Verdict when nothing follows yet: only what no next character can change."""
        text = self._buffer
        if self._spoken or _quote_open(text):
            return _End.OPEN
        if text[i] in "!?؟":
            return _End.CLAUSE
        words = text[:i].split()
        last = words[-1].lower() if words else ""
        certain = (
            len(words) <= MAX_WORDS_CERTAIN_STOP
            and len(last) > 1
            and last.isalpha()
            and text[i:] == "."
            and last not in _NEVER_FINAL | _MAYBE_FINAL
        )
        return _End.CLAUSE if certain else _End.OPEN

    def _comma(self, i: int) -> _End:
        text = self._buffer
        words = len(text[:i].split())
        if words < (MIN_WORDS_LATER_AT_COMMA if self._spoken else MIN_WORDS_FIRST_AT_COMMA):
            return _End.NONE
        if i + 1 == len(text):
            return _End.OPEN
        return _End.CLAUSE if text[i + 1].isspace() else _End.NONE

    def _too_long(self, text: str) -> int | None:
        """Where to cut a clause that has no punctuation for too long; only between finished words."""
        limit = MAX_WORDS_LATER if self._spoken else MAX_WORDS_FIRST
        words = list(_WORD.finditer(text))
        if len(words) <= limit:
            return None
        for n in range(limit, limit // 2, -1):
            if words[n].group().lower() in _CONJUNCTIONS:
                return words[n].start()
        return words[limit].start()


def continued_clauses(text: str) -> list[str]:
    """Clauses of a whole text of which something is being spoken already: none is cut short for its haste."""
    chunker = ClauseChunker(spoken=1)
    return [*chunker.push(text), *chunker.flush()]


def _finished_words(text: str) -> str:
    """`text` without its last word, which may still be growing."""
    return text[: len(text) - len(re.split(r"\s", text)[-1])]


def _quote_open(text: str) -> bool:
    return text.rfind("«") > text.rfind("»")
