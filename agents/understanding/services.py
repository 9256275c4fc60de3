"""Which of the tenant's services a caller names, misheard or not.

Recognisers split and bend trade words ("de tartrage", "clean in", "check up"), so windows of up to
three tokens are compared without their blanks, within a distance that grows with length. Built once
per tenant, called by `agents.understanding.understand`.
"""

import msgspec
from rapidfuzz.distance import OSA

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import Words
from context.tenants.config import Service

MAX_WINDOW_TOKENS = 4
FUZZY_MIN_LETTERS = 6
LETTERS_PER_SLIP = 5
"""One wrong letter is forgiven for every five; a short word must be exact."""


class ServiceMention(msgspec.Struct, frozen=True):
    """A service named by tokens start..end-1. slips: letters that differ from what was said."""

    service_id: str
    start: int
    end: int
    slips: int


class ServiceIndex:
    """The words of a tenant's services in one language."""

    def __init__(self, services: tuple[Service, ...], pack: LanguagePack) -> None:
        self._pack = pack
        self._phrases: dict[str, str] = {}
        for service in services:
            names = (*service.words.get(pack.code, ()), service.name.get(pack.code, ""))
            for name in names:
                joined = "".join(pack.words(name).plains)
                if joined:
                    self._phrases.setdefault(joined, service.id)
                    self._phrases.setdefault(f"{joined}s", service.id)

    def mentions(self, words: Words) -> tuple[ServiceMention, ...]:
        """The services named, in order; of two that overlap the closer, then the longer one."""
        found: list[ServiceMention] = []
        tokens = words.plains
        for start in range(len(tokens)):
            for length in range(1, min(MAX_WINDOW_TOKENS, len(tokens) - start) + 1):
                mention = self._match(tokens[start : start + length], start)
                if mention is not None:
                    found.append(mention)
        found.sort(key=lambda m: (m.slips, m.start - m.end))
        kept: list[ServiceMention] = []
        for mention in found:
            if all(mention.end <= other.start or mention.start >= other.end for other in kept):
                kept.append(mention)
        return tuple(sorted(kept, key=lambda m: m.start))

    def _match(self, window: tuple[str, ...], start: int) -> ServiceMention | None:
        heard = "".join(window)
        exact = self._phrases.get(heard)
        end = start + len(window)
        if exact is not None:
            return ServiceMention(exact, start, end, 0)
        if len(heard) < FUZZY_MIN_LETTERS or any(word.isdecimal() for word in window):
            return None
        if len(window) == 1 and heard in self._pack.common:
            return None
        if len(window) > 1 and any(word in self._pack.common and len(word) > 2 for word in window):
            return None
        best: tuple[int, str] | None = None
        for phrase, service_id in self._phrases.items():
            allowed = len(phrase) // LETTERS_PER_SLIP
            if allowed == 0 or abs(len(phrase) - len(heard)) > allowed:
                continue
            slips = OSA.distance(heard, phrase, score_cutoff=allowed)
            if slips <= allowed and (best is None or slips < best[0]):
                best = (slips, service_id)
        return None if best is None else ServiceMention(best[1], start, end, best[0])
