"""A tenant's names and terms, put right where they were misheard.

The decoder writes what it heard; a piece that sounds like a term becomes that term only if the
network, asked to score both, finds the term nearly as likely on the same audio. Used by
`WhisperEngine` for final transcripts.

Whisper's own way, naming the terms in a prompt, was measured first: on synthetic callers it heard
more names (word error rate 27 % -> 8 %), but on recordings that hold none of them it invented them
("The Gueliz, the Gueliz...") and spoiled other words: LibriSpeech 16 % -> 24 %, telephone prompts
0 % -> 4 %, commands 23 % -> 37 %. This way leaves those as they were.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec
from rapidfuzz import fuzz, process

from voice_core.asr.loops import bare

LEAST_SIMILARITY = 0.7
"""Below this even likely-sounding changes were wrong."""
COMMON_SIMILARITY = 0.85
"""Ordinary words must sound almost like the term: "route canal" for "root canal"."""
MOST_CANDIDATES = 3
"""Each costs a pass of the decoder over the utterance."""

_ALLOWANCE_NATS = 6.0
_ALLOWANCE_NATS_PER_SIMILARITY = 20.0
"""How much less likely than what was heard a term may be: 6 nats at LEAST_SIMILARITY, 12 at full.

Right changes cost 0 to 9 nats, wrong ones 9 to 60, on 90 recordings and 10 synthetic callers.
"""
_COMMON_ALLOWANCE_NATS = 4.0
_SHORTEST_KEY = 4
"""Shorter terms are too like too many words."""

_SOUNDS = (
    ("ph", "f"),
    ("qu", "k"),
    ("ck", "k"),
    ("ch", "sh"),
    ("eau", "o"),
    ("au", "o"),
    ("ou", "u"),
    ("oo", "u"),
    ("ee", "i"),
    ("ea", "i"),
    ("ie", "i"),
    ("ai", "e"),
    ("ay", "e"),
    ("ei", "e"),
    ("th", "t"),
    ("x", "ks"),
)
"""Spellings of one sound in the product's Latin-script languages, roughly; applied in order."""
_LETTERS = str.maketrans("cqyzw", "kkisv")


def sound_key(text: str) -> str:
    """A rough spelling by sound, so that spellings of one name meet; other scripts lose marks only."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if c.isalnum())
    for written, sound in _SOUNDS:
        plain = plain.replace(written, sound)
    plain = re.sub(r"c(?=[eiy])", "s", plain).translate(_LETTERS)
    plain = re.sub(r"(?<!s)h", "", plain)
    plain = re.sub(r"(\D)\1+", r"\1", plain)
    return re.sub(r"(?<=..)e$", "", plain)


class Term(msgspec.Struct, frozen=True):
    """One term: as it is written, its bare words and its key."""

    written: str
    words: tuple[str, ...]
    key: str


class Candidate(msgspec.Struct, frozen=True):
    """Words `start` to `end` of a transcript sound like `term`; similarity 0..1, 1 the same."""

    start: int
    end: int
    term: Term
    similarity: float
    allowance_nats: float


class TermList:
    """The terms of one call, prepared for comparison."""

    def __init__(self, terms: Sequence[str]) -> None:
        prepared = [Term(t.strip(), tuple(bare(word) for word in t.split()), sound_key(t)) for t in terms]
        self._terms = [term for term in prepared if len(term.key) >= _SHORTEST_KEY]
        self._keys = [term.key for term in self._terms]
        self._longest = max((len(term.words) for term in self._terms), default=0)

    def candidates(self, words: Sequence[str], is_common: Callable[[str], bool]) -> list[Candidate]:
        """Places in `words` that sound like a term without being it, likeliest first.

        is_common: whether a bare word is an ordinary one of the language.
        """
        found: list[Candidate] = []
        plain = [bare(word) for word in words]
        right = {place for start, term in self._exact(plain) for place in range(start, start + len(term.words))}
        for start in range(len(words)):
            for end in range(start + 1, min(len(words), start + self._longest + 1) + 1):
                if not right.isdisjoint(range(start, end)):
                    break
                key = sound_key("".join(plain[start:end]))
                if len(key) < _SHORTEST_KEY - 1:
                    continue
                common = all(is_common(word) for word in plain[start:end])
                least = COMMON_SIMILARITY if common else LEAST_SIMILARITY
                # rapidfuzz's ratio is 0..100: twice the common subsequence over both lengths.
                for _, ratio, number in process.extract(
                    key, self._keys, scorer=fuzz.ratio, score_cutoff=100 * least, limit=MOST_CANDIDATES
                ):
                    term, similarity = self._terms[number], ratio / 100
                    if abs(end - start - len(term.words)) > 1:
                        continue
                    spare = _ALLOWANCE_NATS + _ALLOWANCE_NATS_PER_SIMILARITY * (similarity - LEAST_SIMILARITY)
                    found.append(Candidate(start, end, term, similarity, _COMMON_ALLOWANCE_NATS if common else spare))
        # Of equally similar places the one with as many words as the term: "Murray Curie", not "Murray Curie I".
        found.sort(key=lambda c: (-c.similarity, abs(c.end - c.start - len(c.term.words)), c.start))
        return found

    def _exact(self, plain: Sequence[str]) -> list[tuple[int, Term]]:
        """Where terms were heard right, first word and term."""
        return [
            (start, term)
            for term in self._terms
            for start in range(len(plain) - len(term.words) + 1)
            if tuple(plain[start : start + len(term.words)]) == term.words
        ]

    def corrected(self, text: str, score: Callable[[str], float], is_common: Callable[[str], bool]) -> str:
        """`text` with misheard terms put right.

        score: log probability (natural) of a whole transcript on the utterance's audio; called once
        for `text` and for at most MOST_CANDIDATES changes, and not at all when nothing sounds alike.
        """
        words = text.split()
        candidates = self.candidates(words, is_common)
        heard: float | None = None
        changes: list[Candidate] = []
        tried = 0
        for candidate in candidates:
            if tried == MOST_CANDIDATES:
                break
            if any(candidate.start < other.end and other.start < candidate.end for other in changes):
                continue
            tried += 1
            heard = score(text) if heard is None else heard
            replaced = _put(words, candidate.start, candidate.end, candidate.term)
            changed = " ".join([*words[: candidate.start], replaced, *words[candidate.end :]])
            if score(changed) >= heard - candidate.allowance_nats:
                changes.append(candidate)
        # Terms heard right are written the tenant's way; from the last place on, so that places stay true.
        spelled = [(start, start + len(term.words), term) for start, term in self._exact([bare(w) for w in words])]
        places = spelled + [(change.start, change.end, change.term) for change in changes]
        for start, end, term in sorted(_apart(places), key=lambda place: -place[0]):
            words[start:end] = [_put(words, start, end, term)]
        return " ".join(words)


def _apart(places: list[tuple[int, int, Term]]) -> list[tuple[int, int, Term]]:
    """The longest of `places` that overlap each other, and all others."""
    kept: list[tuple[int, int, Term]] = []
    for place in sorted(places, key=lambda p: p[0] - p[1]):
        if all(place[1] <= other[0] or other[1] <= place[0] for other in kept):
            kept.append(place)
    return kept


def _put(words: Sequence[str], start: int, end: int, term: Term) -> str:
    """The term with the punctuation that the words it replaces end with."""
    last = words[end - 1]
    return term.written + last[len(last.rstrip(".,;:!?…")) :]
