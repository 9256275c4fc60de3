"""A caller's words in the form that every parser of this folder reads.

Speech recognisers write the same words in many ways ("10 o'clock", "10h30", "check-up", "Qu'est-ce");
`Words` cuts them into plain tokens (lower case, no accents) and remembers how each was written and
what stood before it. Built once per turn by `agents.understanding.understand`.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

import msgspec


class Apostrophe(Enum):
    """What an apostrophe does inside a word."""

    JOINS = "joins"
    """English: "don't" is one word, written dont."""
    SPLITS = "splits"
    """French: "l'adresse" is two words."""


class Token(msgspec.Struct, frozen=True):
    """One word or number. plain: lower case without accents. written: as received.

    gap: what was written between the token before and this one ("" at the start of a turn).
    """

    plain: str
    written: str
    gap: str

    @property
    def is_number(self) -> bool:
        """Whether it is written in figures."""
        return self.plain.isdecimal()


_TOKEN = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*")
_PIECE = re.compile(r"[^\W\d_]+")
_SENTENCE_GAP = re.compile(r"[?!;؟]|\.(?=\s|$)|…")
_KEPT_GAPS = {":": ":", "/": "/"}


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Lower case, no accents, ligatures opened: "Déjà, Œuvre" -> "deja, oeuvre"."""
    opened = text.lower().replace("œ", "oe").replace("æ", "ae").replace("’", "'")
    return "".join(c for c in unicodedata.normalize("NFD", opened) if unicodedata.category(c) != "Mn")


class Words:
    """The tokens of a text, and the text as patterns see it.

    text: plain tokens joined by single blanks; ":" and "/" stay between figures ("10:30", "24/11").
    """

    __slots__ = ("_starts", "text", "tokens")

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens = tuple(tokens)
        parts: list[str] = []
        self._starts: list[int] = []
        length = 0
        for token in self.tokens:
            between = _between(parts, token)
            length += len(between)
            self._starts.append(length)
            parts.extend((between, token.plain))
            length += len(token.plain)
        self.text = "".join(parts)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def plains(self) -> tuple[str, ...]:
        """The plain form of every token."""
        return tuple(token.plain for token in self.tokens)

    def index_at(self, offset: int) -> int:
        """The token that holds or follows character `offset` of `text`."""
        for index, start in enumerate(self._starts):
            if start + len(self.tokens[index].plain) > offset:
                return index
        return len(self.tokens)

    def start_of(self, index: int) -> int:
        """The first character of token `index` in `text`."""
        return self._starts[index]

    def without(self, start: int, end: int) -> "Words":
        """The words with tokens start..end-1 taken out; a full stop is left in their place."""
        rest = self.tokens[end:]
        if rest and start < end:
            rest = (Token(rest[0].plain, rest[0].written, ". "), *rest[1:])
        return Words((*self.tokens[:start], *rest))

    def sentence_starts(self) -> tuple[int, ...]:
        """Tokens that begin a sentence, by punctuation; initials and "a.m." do not end one."""
        starts = [0] if self.tokens else []
        for index, token in enumerate(self.tokens[1:], start=1):
            before = self.tokens[index - 1]
            stop = _SENTENCE_GAP.search(token.gap)
            if stop and not (stop.group() == "." and len(before.plain) == 1 and not before.is_number):
                starts.append(index)
        return tuple(starts)


def _between(parts: list[str], token: Token) -> str:
    if not parts:
        return ""
    if token.is_number and parts[-1].isdecimal():
        return _KEPT_GAPS.get(token.gap, " ")
    return " "


def words_of(text: str, apostrophe: Apostrophe) -> Words:
    """Cut a text into tokens."""
    tokens: list[Token] = []
    last = 0
    for match in _TOKEN.finditer(text):
        gap = text[last : match.start()]
        last = match.end()
        if apostrophe is Apostrophe.JOINS:
            joined = match.group().replace("'", "").replace("’", "")
            tokens.append(Token(plain(joined), match.group(), gap))
            continue
        pieces = _PIECE.findall(match.group()) or [match.group()]
        for position, piece in enumerate(pieces):
            tokens.append(Token(plain(piece), piece, gap if position == 0 else "'"))
    return Words(tokens)
