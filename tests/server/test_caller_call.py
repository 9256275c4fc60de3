"""The scripted caller against a server that answers after a known delay."""

import json
import socket
from pathlib import Path

import pytest

from server.caller import CallEvents, CallNotPlaced, SpokenTurn, Turn, place_call
from server.caller_script import Patience
from tests.server.fake_calls import tone, voice_socket
from voice_core.notices import Notice, TranscriptNotice
from voice_core.voice_to_voice import read_stereo, turn_gaps

RATE = 16_000
SAID = Turn("a tone", tone(RATE, 600))


class Seen(CallEvents):
    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.turns: list[SpokenTurn] = []

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def answered(self, turn: SpokenTurn) -> None:
        self.turns.append(turn)


async def test_every_turn_is_spoken_answered_and_measured_on_the_recording(tmp_path: Path) -> None:
    seen = Seen()
    async with voice_socket() as server:
        result = await place_call(server.url, [SAID, SAID], key="answers", out=tmp_path, events=seen)
    assert result.failure == ""
    assert (result.outcome, result.call_id) == ("completed", "c1")
    assert len(result.turns) == 2
    for turn in result.turns:
        assert turn.ended_ms - turn.began_ms == pytest.approx(600, abs=25)
        # The far end answers 200 ms after the last sample; two 20 ms clocks and this machine come on top.
        assert turn.voice_to_voice_ms is not None
        assert 180 <= turn.voice_to_voice_ms <= 330
        assert not turn.cut_off
    assert list(result.turns) == seen.turns
    assert [n.text for n in seen.notices if isinstance(n, TranscriptNotice)] == ["La la la."] * 3

    left, right, rate = read_stereo(tmp_path / "call.wav")
    measured = [gap.gap_ms for gap in turn_gaps(left, right, rate)]
    assert measured == pytest.approx([turn.voice_to_voice_ms for turn in result.turns], abs=25)
    written = json.loads((tmp_path / "call.json").read_text())
    assert [turn["voice_to_voice_ms"] for turn in written["turns"]] == [t.voice_to_voice_ms for t in result.turns]


async def test_an_agent_that_does_not_answer_is_a_failure_not_a_hang() -> None:
    async with voice_socket() as server:
        result = await place_call(server.url, [SAID], key="mute", patience=Patience(answer_ms=500))
    assert result.failure.startswith("turn 1 was not answered")
    assert result.outcome == "completed", "the caller still hung up in good order"


async def test_a_refused_call_says_why() -> None:
    async with voice_socket() as server:
        result = await place_call(server.url, [SAID], key="wrong")
    assert result.failure == "unauthorized: This key opens nothing."


async def test_a_call_without_a_server_says_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(CallNotPlaced, match="make run"):
        await place_call(f"ws://127.0.0.1:{port}/v1/voice", [SAID])


async def test_a_server_that_is_starting_says_when_to_come_back() -> None:
    async with voice_socket() as server:
        server.refusals.append("Parley is starting (voices).")
        with pytest.raises(CallNotPlaced, match=r"starting \(voices\).*Try again in 5 s"):
            await place_call(server.url, [SAID])
