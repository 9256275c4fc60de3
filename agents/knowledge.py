"""Finding the entry of the tenant's knowledge base that answers a question, or admitting there is none.

BM25 (Robertson and Zaragoza, 2009) over the stemmed questions and answers of one language, with a
threshold on how much of the question's weight was found: a word nobody wrote down counts against
every entry, so "do you sell bicycles" finds nothing. Called by the dialogue engine and the LLM turn.
"""

import math
from collections import Counter

import msgspec
from rapidfuzz.distance import OSA

from agents.understanding.language_pack import LanguagePack
from context.tenants.config import Fact

K1 = 1.2
B = 0.5
"""BM25's saturation and length weights; entries are short, so length matters less than usual."""

ANSWER_WEIGHT = 0.4
"""A word of the answer is worth less than one of the questions it answers."""

MIN_COVERAGE = 0.5
"""Share of the question's weight that an entry must hold."""

STEM_MIN_LETTERS = 4
FUZZY_MIN_LETTERS = 6


class Found(msgspec.Struct, frozen=True):
    """An entry that answers. coverage: share of the question's weight found in it, 0..1."""

    fact: Fact
    score: float
    coverage: float


def stem(word: str, pack: LanguagePack) -> str:
    """The word without its ending, at least four letters long."""
    for suffix in pack.suffixes:
        if word.endswith(suffix) and len(word) - len(suffix) >= STEM_MIN_LETTERS:
            return word[: -len(suffix)]
    return word


class Knowledge:
    """The entries of one tenant in one language."""

    def __init__(self, facts: tuple[Fact, ...], pack: LanguagePack) -> None:
        self._pack = pack
        self._facts = facts
        self._weights: list[Counter[str]] = []
        for fact in facts:
            weights: Counter[str] = Counter()
            for question in fact.questions.get(pack.code, ()):
                for word in set(self._terms(question)):
                    weights[word] = max(weights[word], 1)
            for word in self._terms(fact.answer.get(pack.code, "")):
                weights.setdefault(word, 0)
            self._weights.append(weights)
        spread = Counter(word for weights in self._weights for word in weights)
        count = len(facts)
        self._idf = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in spread.items()}
        self._unknown_idf = math.log(1 + (count + 0.5) / 0.5)
        self._mean_length = sum(map(len, self._weights)) / count if count else 1.0

    def find(self, question: str) -> Found | None:
        """The entry that answers best, or None when none answers enough of the question."""
        terms = list(dict.fromkeys(self._corrected(word) for word in self._terms(question)))
        total = sum(self._idf.get(word, self._unknown_idf) for word in terms)
        if not total:
            return None
        best: Found | None = None
        for fact, weights in zip(self._facts, self._weights, strict=True):
            score = covered = 0.0
            for word in terms:
                if word not in weights:
                    continue
                part = self._idf[word] * (1.0 if weights[word] else ANSWER_WEIGHT)
                covered += part
                score += part * (K1 + 1) / (1 + K1 * (1 - B + B * len(weights) / self._mean_length))
            if covered / total >= MIN_COVERAGE and (best is None or score > best.score):
                best = Found(fact, score, covered / total)
        return best

    def _terms(self, text: str) -> list[str]:
        stop = self._pack.stop
        return [stem(word, self._pack) for word in self._pack.words(text).plains if word not in stop and len(word) > 1]

    def _corrected(self, word: str) -> str:
        """The known word that differs by one letter, for a long word that is unknown."""
        if word in self._idf or len(word) < FUZZY_MIN_LETTERS:
            return word
        near = [known for known in self._idf if OSA.distance(word, known, score_cutoff=1) <= 1]
        return near[0] if near else word
