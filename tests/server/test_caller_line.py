"""What the caller hears, and what its recording shows."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.caller_line import CallerLine
from voice_core.voice_to_voice import read_stereo

RATE = 8_000
FRAME = 160


def samples(*values: int) -> np.ndarray:
    return np.repeat(np.array(values, np.int16), FRAME)


def test_what_arrives_is_heard_from_the_next_tick_on_and_recorded_beside_what_was_said() -> None:
    line = CallerLine(RATE)
    line.say(samples(1, 2))
    line.tick()
    line.arrived(samples(7))
    line.tick()
    line.tick()
    left, right = line.recording()
    assert left[::FRAME].tolist() == [1, 2, 0]
    assert right[::FRAME].tolist() == [0, 7, 0]


def test_clear_drops_what_was_not_played_and_nothing_else() -> None:
    line = CallerLine(RATE)
    line.arrived(samples(1, 2, 3))
    line.tick()
    line.clear()
    assert not line.agent_pending
    line.arrived(samples(4))
    line.tick()
    assert line.recording()[1][::FRAME].tolist() == [1, 4]


def test_the_last_piece_of_a_turn_is_filled_up_with_silence() -> None:
    line = CallerLine(RATE)
    line.say(np.full(FRAME + 1, 5, np.int16))
    assert len(line.tick()) == FRAME
    assert line.tick().tolist() == [5] + [0] * (FRAME - 1)
    assert not line.is_speaking


@given(st.lists(st.integers(1, 400), max_size=20))
def test_pieces_of_any_length_are_heard_whole_and_in_order(lengths: list[int]) -> None:
    line = CallerLine(RATE)
    sent = np.arange(1, sum(lengths) + 1, dtype=np.int16)
    for piece in np.split(sent, np.cumsum(lengths)[:-1]):
        line.arrived(piece)
    while line.agent_pending:
        line.tick()
    assert line.recording()[1][: len(sent)].tolist() == sent.tolist()


def test_the_file_has_the_caller_on_the_left_and_the_agent_on_the_right(tmp_path: Path) -> None:
    line = CallerLine(RATE)
    line.say(samples(1))
    line.arrived(samples(2))
    line.tick()
    line.write(tmp_path / "call.wav")
    left, right, rate = read_stereo(tmp_path / "call.wav")
    assert (left[0], right[0], rate) == (1, 2, RATE)
