"""The playout: frames leave in order, and what was heard is known to the word."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_core.playout import Playout
from voice_core.speech import WordMark

RATE_HZ = 8_000
FRAME = 160
WORD_MS = 200


class Line:
    """A playout and what came out of it."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.clauses: list[tuple[int, int, bool]] = []
        self.playout = Playout(
            RATE_HZ, self.started.append, lambda reply, clause, audible: self.clauses.append((reply, clause, audible))
        )
        self.frames: list[np.ndarray] = []

    def queue(self, reply: int, clause: int, text: str, level: int = 1_000) -> None:
        words = text.split()
        self.playout.open_clause(reply, clause, text)
        pcm = np.full(len(words) * WORD_MS * RATE_HZ // 1000, level, np.int16)
        marks = [WordMark(word, (number + 1) * WORD_MS) for number, word in enumerate(words)]
        self.playout.add(reply, clause, pcm, marks)
        self.playout.complete_clause(reply, clause)

    def tick(self, times: int) -> None:
        for _ in range(times):
            frame = self.playout.next_frame()
            if frame is not None:
                assert frame.shape == (FRAME,)
                self.frames.append(frame)


def test_nothing_leaves_before_the_reply_is_released() -> None:
    line = Line()
    line.queue(1, 0, "we close at one")
    line.tick(5)
    assert not line.frames
    line.playout.play(1)
    line.tick(1)
    assert len(line.frames) == 1
    assert line.started == [1]


def test_clauses_follow_each_other_without_a_gap() -> None:
    line = Line()
    line.queue(1, 0, "one")
    line.queue(1, 1, "two three", level=2_000)
    line.playout.play(1)
    line.tick(50)
    assert len(line.frames) == 3 * WORD_MS // 20
    assert not (np.concatenate(line.frames) == 0).any()
    assert line.clauses == [(1, 0, True), (1, 1, True)]


def test_an_interrupted_reply_was_heard_up_to_its_last_whole_word() -> None:
    line = Line()
    line.queue(1, 0, "Good morning.")
    line.queue(1, 1, "we are open from nine to six")
    line.playout.play(1)
    line.tick((2 * WORD_MS + 3 * WORD_MS + 100) // 20)
    assert line.playout.clear(1) == "Good morning. we are open"
    line.tick(3)
    assert line.playout.next_frame() is None


def test_a_resumed_reply_repeats_the_word_that_was_cut_and_ramps_at_both_edges() -> None:
    line = Line()
    line.queue(1, 0, "we are open")
    line.playout.play(1)
    line.tick(13)
    line.playout.pause()
    before = len(line.frames)
    line.tick(10)
    ramp_out = line.frames[before:]
    assert len(ramp_out) == 1, "one frame that fades"
    assert ramp_out[0][-1] == 0
    line.playout.resume()
    line.tick(1)
    assert line.frames[-1][0] == 0, "and fades in again"
    line.tick(100)
    assert len(line.frames) - before - 1 == 2 * WORD_MS // 20, "from the beginning of the second word"


def test_a_clause_without_audio_is_passed_over_and_not_heard() -> None:
    line = Line()
    line.playout.open_clause(1, 0, "never rendered")
    line.playout.complete_clause(1, 0)
    line.queue(1, 1, "but this")
    line.playout.play(1)
    line.tick(100)
    assert line.clauses == [(1, 0, False), (1, 1, True)]


def test_a_discarded_reply_never_sounds() -> None:
    line = Line()
    line.queue(1, 0, "speculation", level=5_000)
    line.playout.discard(1)
    line.queue(2, 0, "truth")
    line.playout.play(2)
    line.tick(50)
    assert 5_000 not in np.concatenate(line.frames)


def test_audio_that_comes_late_is_an_underrun_and_no_end() -> None:
    line = Line()
    line.playout.open_clause(1, 0, "late words")
    line.playout.play(1)
    line.playout.add(1, 0, np.full(FRAME // 2, 7, np.int16), [])
    line.tick(3)
    assert line.playout.underruns == 1
    assert not line.clauses
    line.playout.add(1, 0, np.full(FRAME, 7, np.int16), [])
    line.playout.complete_clause(1, 0)
    line.tick(1)
    assert line.clauses == [(1, 0, True)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 700), max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(1, 9), max_size=10),
)
def test_every_sample_queued_leaves_once_in_order(clauses: list[list[int]], pauses: list[int]) -> None:
    line = Line()
    value = 1
    expected: list[int] = []
    for number, chunks in enumerate(clauses):
        line.playout.open_clause(1, number, f"clause {number}")
        for size in chunks:
            samples = np.arange(value, value + size, dtype=np.int16)
            value += size
            expected.extend(samples.tolist())
            line.playout.add(1, number, samples, [])
        line.playout.complete_clause(1, number)
    line.playout.play(1)
    line.tick(400)
    got = [sample for frame in line.frames for sample in frame.tolist() if sample]
    assert got == expected
    assert [clause for _, clause, _ in line.clauses] == list(range(len(clauses)))
