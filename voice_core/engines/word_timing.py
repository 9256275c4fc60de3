"""When each written word of a clause ends in its audio.

Exact when the engine aligns its text, else in proportion to the characters: good enough to know
which words a caller heard before interrupting. Used by `livekit_voice`.
"""

from voice_core.speech import WordMark

DEFAULT_MS_PER_CHARACTER = 65.0
"""About 15 characters a second, spaces counted: a calm reading voice in English or French."""


class WordTiming:
    """The words of one clause. Times are ms from the clause's first sample as the engine gives it.

    ms_per_character: the voice's pace so far, for words that the engine does not time.
    """

    def __init__(self, text: str, ms_per_character: float, *, aligned: bool) -> None:
        self._words = text.split()
        self._ends_at = self._character_ends()
        self._ms_per_character = ms_per_character
        self._aligned = aligned
        self._timed_characters = 0
        self._timed: dict[int, float] = {}
        self._told = 0
        self._last_ms = 0.0

    @property
    def characters(self) -> int:
        """Letters of the clause, a space after each word counted."""
        return self._ends_at[-1] if self._ends_at else 0

    def align(self, piece: str, end_ms: float) -> None:
        """The engine says that `piece`, the next of the clause's text, ends at `end_ms`."""
        self._timed_characters += len("".join(piece.split()))
        letters = 0
        for index, word in enumerate(self._words):
            letters += len(word)
            if letters > self._timed_characters:
                break
            self._timed.setdefault(index, end_ms)

    def ended_by(self, audio_ms: float) -> tuple[WordMark, ...]:
        """The words, not told yet, whose sound has ended when `audio_ms` of audio has been given."""
        marks: list[WordMark] = []
        while self._told < len(self._words):
            end_ms = self._timed.get(self._told)
            if end_ms is None and not self._aligned:
                end_ms = self._ends_at[self._told] * self._ms_per_character
            if end_ms is None or end_ms > audio_ms:
                break
            marks.append(self._tell(end_ms))
        return tuple(marks)

    def rest(self, total_ms: float) -> tuple[WordMark, ...]:
        """All words not told yet, spread over what is left of `total_ms` of audio."""
        told_characters = self._ends_at[self._told - 1] if self._told else 0
        left_characters = max(1, self.characters - told_characters)
        from_ms = self._last_ms
        marks: list[WordMark] = []
        while self._told < len(self._words):
            share = (self._ends_at[self._told] - told_characters) / left_characters
            end_ms = self._timed.get(self._told, from_ms + share * max(0.0, total_ms - from_ms))
            marks.append(self._tell(min(end_ms, max(total_ms, self._last_ms))))
        return tuple(marks)

    def _tell(self, end_ms: float) -> WordMark:
        self._last_ms = max(self._last_ms, end_ms)
        mark = WordMark(self._words[self._told], self._last_ms)
        self._told += 1
        return mark

    def _character_ends(self) -> list[int]:
        ends: list[int] = []
        at = 0
        for word in self._words:
            at += len(word) + 1
            ends.append(at)
        return ends
