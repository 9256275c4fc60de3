"""Tell a transcript that a decoder got stuck in from one that a person said.

Whisper may repeat itself until it is cut off, above all on short windows. People repeat themselves
too ("no, no, no"), so repetition counts only together with a pace that nobody speaks at or a length
that nobody means. Used by `voice_core.asr.whisper` to decide on a second try.
"""

import zlib

import msgspec

FASTEST_WORDS_PER_S = 6.0
"""Quick conversational speech peaks near 5 words a second over an utterance."""
BRISK_WORDS_PER_S = 3.0
"""A phrase said twice at under this pace may well have been said twice."""
COMPRESSION_LIMIT = 2.4
"""Text that zlib shrinks further than this repeats itself (OpenAI Whisper, transcribe.py)."""
_SHORTEST_TEXT_FOR_COMPRESSION = 60
_LONGEST_PHRASE_WORDS = 16
_PHRASE_WORDS = 3
"""From this length on, one brisk repetition is suspicious; shorter phrases need several."""
_SUSPICIOUS_TIMES = 5
_ALLOWANCE_WORDS = 3
"""Very short utterances: their duration is too rough for a pace."""


_MARKS = ".,;:!?…-\"'()[]¿¡،؟«»"


def bare(word: str) -> str:
    """`word` without case and surrounding punctuation."""
    return word.casefold().strip(_MARKS)


class Repetition(msgspec.Struct, frozen=True):
    """A phrase of `size` words said `times` in a row at the end, the last time cut off after `cut` words."""

    size: int
    times: int
    cut: int


def repeated_tail(words: list[str]) -> Repetition | None:
    """What `words` ends with again and again; the one that covers most words, None when nothing does."""
    best: Repetition | None = None
    covered = 0
    for size in range(1, min(_LONGEST_PHRASE_WORDS, len(words) // 2) + 1):
        # Count how far back every word equals the one `size` before it: a cut-off end counts too.
        run = 0
        while run + size < len(words) and words[-1 - run] == words[-1 - run - size]:
            run += 1
        times, cut = divmod(run + size, size)
        if times > 1 and size * times > covered:
            best, covered = Repetition(size, times, cut), size * times
    return best


def compression_ratio(text: str) -> float:
    """Bytes of `text` over bytes compressed."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 1.0


def is_loop(text: str, duration_s: float) -> bool:
    """Whether `text` cannot have been said in `duration_s` seconds as it stands."""
    # Hyphens part words here: "A-A-A-A-A" is a loop too.
    words = [word for written in text.replace("-", " ").split() if (word := bare(written))]
    if len(words) > _ALLOWANCE_WORDS + FASTEST_WORDS_PER_S * duration_s:
        return True
    if len(text) >= _SHORTEST_TEXT_FOR_COMPRESSION and compression_ratio(text) > COMPRESSION_LIMIT:
        return True
    repetition = repeated_tail(words)
    if repetition is None or len(words) <= BRISK_WORDS_PER_S * duration_s:
        return False
    return repetition.size >= _PHRASE_WORDS or repetition.times >= _SUSPICIOUS_TIMES


def without_loop(text: str) -> str:
    """`text` up to the end of the first time that it says its repeated tail."""
    written = [word for word in text.split() if bare(word)]
    repetition = repeated_tail([bare(word) for word in written])
    if repetition is None:
        return text
    surplus = repetition.size * (repetition.times - 1) + repetition.cut
    return " ".join(written[: len(written) - surplus])
