"""What the agent says, frame by frame, and how much of it was heard.

Audio is queued per reply and clause while the turn is still open; it leaves one frame at a time once the
reply is released. The playout knows to the word what has left, so an interrupted reply is cut to what
the caller heard and a paused one goes on at the word where it stopped. `VoiceCall` fills and drains it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from voice_core.frames import Pcm16, frame_samples
from voice_core.speech import WordMark

_REWIND_MAX_MS = 500.0
"""A resumed reply repeats at most this much: the word that was cut."""
_FADE_MS = 5
"""Ramp at an edge cut into speech: a step in the waveform clicks."""


@dataclass(slots=True)
class _Clause:
    """One clause's audio. size: samples queued; sent: samples that left; complete: no more will be queued."""

    number: int
    text: str
    chunks: list[Pcm16] = field(default_factory=lambda: list[Pcm16]())
    words: list[WordMark] = field(default_factory=lambda: list[WordMark]())
    size: int = 0
    sent: int = 0
    complete: bool = False

    def samples(self, start: int, count: int) -> Pcm16:
        """A view of samples [start, start + count), fewer at the end; chunks are joined when first needed."""
        if len(self.chunks) > 1:
            self.chunks = [np.concatenate(self.chunks)]
        return self.chunks[0][start : start + count] if self.chunks else np.zeros(0, np.int16)


class Playout:
    """The agent's outgoing audio of one call.

    rate_hz: the leg's rate, which all queued audio has. on_started(reply) is called when a reply's first
    frame leaves, on_clause(reply, clause, audible) when the last one of a clause has. Loop only, never blocks.
    """

    def __init__(
        self, rate_hz: int, on_started: Callable[[int], None], on_clause: Callable[[int, int, bool], None]
    ) -> None:
        self._frame_samples = frame_samples(rate_hz)
        self._rate_hz = rate_hz
        self._on_started = on_started
        self._on_clause = on_clause
        self._clauses: dict[int, deque[_Clause]] = {}
        self._heard: list[str] = []
        self._released: int | None = None
        self._started: int | None = None
        self._paused = False
        self._soft_start = False
        self._soft_stop = False
        self.frames_sent = 0
        self.underruns = 0
        ramp = np.linspace(0.0, 1.0, rate_hz * _FADE_MS // 1000, dtype=np.float32)
        self._ramp_up, self._ramp_down = ramp, ramp[::-1].copy()

    # ---- filling -------------------------------------------------------------------------------

    def open_clause(self, reply_id: int, number: int, text: str) -> None:
        """Clauses of a reply are opened in the order they are to be heard."""
        self._clauses.setdefault(reply_id, deque()).append(_Clause(number, text))

    def add(self, reply_id: int, number: int, pcm: Pcm16, words: Sequence[WordMark]) -> None:
        """Queue audio of an open clause; dropped when the reply is gone."""
        clause = self._find(reply_id, number)
        if clause is not None and len(pcm):
            clause.chunks.append(pcm)
            clause.words.extend(words)
            clause.size += len(pcm)

    def complete_clause(self, reply_id: int, number: int) -> None:
        """No more audio will come for this clause (it may have none)."""
        clause = self._find(reply_id, number)
        if clause is not None:
            clause.complete = True

    def _find(self, reply_id: int, number: int) -> _Clause | None:
        return next((c for c in self._clauses.get(reply_id, ()) if c.number == number), None)

    # ---- control -------------------------------------------------------------------------------

    def play(self, reply_id: int) -> None:
        """Let this reply out from the next frame on; lifts a pause."""
        self._released = reply_id
        self._paused = self._soft_stop = False
        self._heard = []

    def pause(self) -> None:
        """Let nothing more out than the ramp down of the word under way."""
        self._soft_stop = self._mid_clause
        self._paused = True

    def resume(self) -> None:
        """Go on, from the beginning of the word that was cut."""
        if self._paused and self._released is not None:
            clauses = self._clauses.get(self._released)
            if clauses and clauses[0].sent:
                self._rewind(clauses[0])
        self._paused = self._soft_stop = False

    def discard(self, reply_id: int) -> None:
        """Forget a reply that was never released."""
        if reply_id != self._released:
            self._clauses.pop(reply_id, None)

    def clear(self, reply_id: int) -> str:
        """Drop the reply and return what was heard of it: its whole words."""
        clauses = self._clauses.pop(reply_id, None)
        if reply_id != self._released:
            return ""
        self._released = None
        self._paused = self._soft_stop = False
        heard = self._heard
        self._heard = []
        if clauses and clauses[0].sent:
            sent_ms = clauses[0].sent * 1000 / self._rate_hz
            heard = [*heard, *(word.text for word in clauses[0].words if word.end_ms <= sent_ms)]
        return " ".join(heard)

    def _rewind(self, clause: _Clause) -> None:
        sent_ms = clause.sent * 1000 / self._rate_hz
        word_ms = max((word.end_ms for word in clause.words if word.end_ms <= sent_ms), default=0.0)
        back_to_ms = max(word_ms, sent_ms - _REWIND_MAX_MS)
        clause.sent = int(back_to_ms * self._rate_hz / 1000)
        self._soft_start = True

    # ---- draining ------------------------------------------------------------------------------

    def next_frame(self) -> Pcm16 | None:
        """The next 20 ms, or None when there is nothing to say. Shape (frame,), a view where possible."""
        reply_id = self._released
        if reply_id is None:
            return None
        if self._paused:
            return self._ramp_out() if self._soft_stop else None
        clauses = self._clauses.get(reply_id)
        frame: Pcm16 | None = None
        filled = 0
        while clauses:
            clause = clauses[0]
            part = clause.samples(clause.sent, self._frame_samples - filled)
            clause.sent += len(part)
            if len(part) and self._started != reply_id:
                self._started = reply_id
                self._on_started(reply_id)
            if len(part) == self._frame_samples:
                frame, filled = part, len(part)
            elif len(part):
                if frame is None:
                    frame = np.zeros(self._frame_samples, np.int16)
                frame[filled : filled + len(part)] = part
                filled += len(part)
            over = clause.complete and clause.sent >= clause.size
            if over:
                clauses.popleft()
                if clause.size:
                    self._heard.append(clause.text)
                self._on_clause(reply_id, clause.number, clause.size > 0)
            if filled == self._frame_samples or not over:
                break
        if frame is None:
            return None
        if filled < self._frame_samples and clauses:
            self.underruns += 1
        if self._soft_start:
            self._soft_start = False
            frame = frame.copy()
            head = frame[: len(self._ramp_up)]
            head[:] = (head * self._ramp_up).astype(np.int16)
        self.frames_sent += 1
        return frame

    @property
    def _mid_clause(self) -> bool:
        clauses = self._clauses.get(self._released) if self._released is not None else None
        return bool(clauses and clauses[0].sent)

    def _ramp_out(self) -> Pcm16:
        """The frame after a pause began: a few ms of what would have come, ramped to silence."""
        self._soft_stop = False
        frame = np.zeros(self._frame_samples, np.int16)
        clauses = self._clauses.get(self._released or 0)
        if clauses:
            tail = clauses[0].samples(clauses[0].sent, len(self._ramp_down))
            frame[: len(tail)] = (tail * self._ramp_down[: len(tail)]).astype(np.int16)
        return frame
