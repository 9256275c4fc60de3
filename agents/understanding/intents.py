"""What a turn asks for: it is cut into requests, and each request is matched against the patterns.

Callers put several things into one breath, often without punctuation; every request keeps its own
words, so that the Saturday of a question about opening hours is not taken for the day of a booking.
Called by `agents.understanding.understand`.
"""

import msgspec

from agents.understanding.language_pack import Intent, LanguagePack, bounded
from agents.understanding.language_text import Words

QUESTIONS = frozenset(
    {
        Intent.HOURS,
        Intent.OPEN_NOW,
        Intent.PRICE,
        Intent.SERVICES,
        Intent.OFFERS,
        Intent.ADDRESS,
        Intent.PHONE,
    }
)
"""Requests for information: the times they name are not those of an appointment."""

_HIDES: dict[Intent, frozenset[Intent]] = {
    Intent.DANGER: frozenset({Intent.EMERGENCY, Intent.COMPLAINT}),
    Intent.IDENTITY: frozenset({Intent.HUMAN, Intent.LANGUAGE, Intent.GREET}),
    Intent.LANGUAGE: frozenset({Intent.HUMAN, Intent.OFFERS}),
    Intent.COMPLAINT: frozenset({Intent.PRICE, Intent.EMERGENCY, Intent.CANCEL, Intent.BOOK}),
    Intent.OPEN_NOW: frozenset({Intent.HOURS, Intent.OFFERS}),
    Intent.HOURS: frozenset({Intent.OFFERS}),
    Intent.PRICE: frozenset({Intent.OFFERS, Intent.EMERGENCY, Intent.WANTS, Intent.BOOK}),
    Intent.CANCEL: frozenset({Intent.BOOK, Intent.WANTS, Intent.CHANGE}),
    Intent.CHANGE: frozenset({Intent.BOOK, Intent.WANTS}),
    Intent.HUMAN: frozenset({Intent.WANTS, Intent.BOOK}),
    Intent.MESSAGE: frozenset({Intent.WANTS, Intent.HUMAN}),
    Intent.BOOK: frozenset({Intent.WANTS, Intent.OFFERS, Intent.WAIT}),
    Intent.SERVICES: frozenset({Intent.OFFERS}),
    Intent.ADDRESS: frozenset({Intent.OFFERS, Intent.HOURS}),
    Intent.PHONE: frozenset({Intent.OFFERS}),
    Intent.BYE: frozenset({Intent.GREET}),
    Intent.REPEAT: frozenset({Intent.WAIT}),
}
"""An intent -> intents that say less about the same request."""


class Request(msgspec.Struct, frozen=True):
    """One request of a turn: the tokens start..end-1, its intents, and whether it is put as a question."""

    start: int
    end: int
    text: str
    intents: frozenset[Intent]
    question: bool

    @property
    def informs(self) -> bool:
        """Whether it only asks for information."""
        return bool(self.intents & QUESTIONS) and not self.intents & {Intent.BOOK, Intent.WANTS}


def read_requests(words: Words, pack: LanguagePack) -> tuple[Request, ...]:
    """Cut the turn into requests."""
    starts = sorted({*words.sentence_starts(), *_clause_starts(words, pack)})
    requests: list[Request] = []
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        part = Words(words.tokens[start:end])
        asked = end < len(words) and "?" in words.tokens[end].gap
        question = asked or bool(pack.find(pack.question, part.text))
        requests.append(Request(start, end, part.text, find_intents(part.text, pack), question))
    return tuple(requests)


def find_intents(text: str, pack: LanguagePack) -> frozenset[Intent]:
    """The intents of one request."""
    found = {intent for intent, pattern in pack.intents.items() if bounded(pattern).search(text)}
    hidden = {other for intent in found for other in _HIDES.get(intent, frozenset())}
    return frozenset(found - hidden)


def _clause_starts(words: Words, pack: LanguagePack) -> list[int]:
    return [words.index_at(found.start()) for found in bounded(pack.clause_starts).finditer(words.text)]
