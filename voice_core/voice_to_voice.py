"""Voice-to-voice latency, measured on the stereo recording of a call and nowhere else.

From the two channels it finds who was heard when, and from that the gap between the caller's last
speech sample and the agent's first, and how fast the agent fell silent when it was interrupted. Every
latency figure of the project comes from here: `parley call`, the benchmarks and call records use it.

Rules
1. A channel is cut at digital silence (below -75 dBFS for 50 ms) into stretches. In each, a hop of 10 ms is
   speech when it is over a threshold that follows the noise floor (the quietest even 100 ms within
   5 s) and the loudest speech (99th percentile), see `_thresholds`.
2. Bursts under 40 ms, or less than 10 dB over the noise, are not speech; silences under 120 ms do not end it.
   Both ends are then refined from the hop to the sample.
3. Agent speech that resumes within 700 ms is the same utterance, unless caller speech ended in between.
4. A turn is an agent utterance with caller speech since the one before; its gap runs from the end of the last
   caller speech that began before it. It is negative when the agent began while the caller still spoke.
5. An interruption is caller speech that began while the agent spoke; the agent is silent at the end of the
   speech it was in.
Level cannot tell a cough from a word: with noises on the caller's side, give `caller_truth`.
"""

import sys
import wave
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voice_core.frames import Pcm16

Floats = NDArray[np.float64]

HOP_MS = 10
DIGITAL_SILENCE_DBFS = -75.0
"""Nothing that a microphone or a codec passes is as quiet as this; 0 dBFS is a full-scale square wave."""

NO_NOISE_DBFS = -120.0
"""Noise floor of a channel that shows none."""

QUIETEST_SPEECH_DBFS = -65.0
"""Whatever the line: what is quieter than this is not heard on a phone."""

_SILENCE_RUN_HOPS = 5
_EVEN_HOPS = 10
_EVEN_DB = 6.0
"""Spread of ten 10 ms levels of white noise: 0.7 dB of deviation each at 8 kHz, so under 6 dB for sure."""
_NEIGHBOURHOOD_HOPS = 500
_MIN_BURST_HOPS = 4
_MIN_ABOVE_NOISE_DB = 10.0
_JOIN_MS = 120.0
_UTTERANCE_JOIN_MS = 700.0
_REFINE_MS = 2


class Span(msgspec.Struct, frozen=True):
    """Speech from `start_ms` to `end_ms` of the recording."""

    start_ms: float
    end_ms: float


class TurnGap(msgspec.Struct, frozen=True):
    """One answer: the caller's last speech sample and the agent's first, ms of the recording."""

    caller_end_ms: float
    agent_start_ms: float

    @property
    def gap_ms(self) -> float:
        """Voice-to-voice latency; negative when the agent spoke over the caller."""
        return self.agent_start_ms - self.caller_end_ms


class Interruption(msgspec.Struct, frozen=True):
    """The caller spoke while the agent did: from the caller's onset to the agent's silence, ms."""

    caller_start_ms: float
    agent_silent_ms: float

    @property
    def silence_after_ms(self) -> float:
        """How long the agent went on."""
        return self.agent_silent_ms - self.caller_start_ms


class Conversation(msgspec.Struct, frozen=True):
    """Who was heard when. unanswered: the last caller speech, when no agent speech followed it."""

    caller: tuple[Span, ...]
    agent: tuple[Span, ...]
    turns: tuple[TurnGap, ...]
    interruptions: tuple[Interruption, ...]
    unanswered: tuple[Span, ...]


def turn_gaps(left: Pcm16, right: Pcm16, rate_hz: int, caller_truth: Sequence[Span] | None = None) -> list[TurnGap]:
    """The answers of a call, in order.

    left: the caller, right: the agent, int16 at `rate_hz`. caller_truth: when the caller really spoke, known
    from the clean source, instead of what the left channel shows.
    """
    return list(conversation(left, right, rate_hz, caller_truth).turns)


def conversation(left: Pcm16, right: Pcm16, rate_hz: int, caller_truth: Sequence[Span] | None = None) -> Conversation:
    """Everything the recording shows; arguments as for `turn_gaps`."""
    caller = sorted(caller_truth, key=_start) if caller_truth is not None else speech_spans(left, rate_hz)
    agent = speech_spans(right, rate_hz)
    utterances = _utterances(agent, caller)
    turns: list[TurnGap] = []
    answered_until_ms = -1.0
    for utterance in utterances:
        since = [s for s in caller if answered_until_ms < s.start_ms < utterance.start_ms]
        if since:
            turns.append(TurnGap(max(s.end_ms for s in since), utterance.start_ms))
        answered_until_ms = utterance.start_ms
    return Conversation(
        caller=tuple(caller),
        agent=tuple(agent),
        turns=tuple(turns),
        interruptions=tuple(
            Interruption(s.start_ms, a.end_ms) for s in caller for a in agent if a.start_ms < s.start_ms < a.end_ms
        ),
        unanswered=tuple(s for s in caller if s.start_ms > answered_until_ms)[-1:],
    )


def speech_spans(samples: Pcm16, rate_hz: int) -> list[Span]:
    """When one channel holds speech, by rules 1 and 2; edges exact to a few ms."""
    hop = rate_hz * HOP_MS // 1000
    levels = _levels_dbfs(samples, hop)
    thresholds, noise = _thresholds(levels)
    loud = levels >= thresholds
    spans: list[Span] = []
    for first, after in _runs(loud):
        if after - first < _MIN_BURST_HOPS:
            continue
        if np.max(levels[first:after] - noise[first:after]) < _MIN_ABOVE_NOISE_DB:
            continue
        start = _refine_start(samples, first * hop, hop, float(thresholds[first]), rate_hz)
        end = _refine_end(samples, after * hop, hop, float(thresholds[after - 1]), rate_hz)
        span = Span(start * 1000 / rate_hz, end * 1000 / rate_hz)
        if spans and span.start_ms - spans[-1].end_ms < _JOIN_MS:
            spans[-1] = Span(spans[-1].start_ms, span.end_ms)
        else:
            spans.append(span)
    return spans


def read_stereo(path: Path) -> tuple[Pcm16, Pcm16, int]:
    """Left, right and rate of a 16-bit stereo WAV. Raises ValueError on any other."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 2 or file.getsampwidth() != 2:
            raise ValueError(f"{path} is not a 16-bit stereo recording")
        interleaved = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
        return interleaved[0::2].copy(), interleaved[1::2].copy(), file.getframerate()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, share 0..1: always a value that was measured. NaN when there is none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, int(np.ceil(share * len(ordered))) - 1))]


def _start(span: Span) -> float:
    return span.start_ms


def _levels_dbfs(samples: Pcm16, hop: int) -> Floats:
    whole = samples[: samples.size // hop * hop].astype(np.float64).reshape(-1, hop) / 32768
    return 10 * np.log10(np.mean(whole**2, axis=1) + 1e-12)


def _thresholds(levels: Floats) -> tuple[Floats, Floats]:
    """Per hop: the level that is speech, and the noise floor.

    The threshold is 30 dB under the loudest speech; it rises with the noise, 9 dB above it, to 25 dB under the
    speech (a soft ending belongs to the word), and beyond that only as far as to stay 4 dB over the noise.
    """
    thresholds = np.full(levels.size, np.inf)
    noise = np.full(levels.size, NO_NOISE_DBFS)
    silent = np.zeros(levels.size, dtype=bool)
    for first, after in _runs(levels < DIGITAL_SILENCE_DBFS):
        silent[first:after] = after - first >= _SILENCE_RUN_HOPS
    for first, after in _runs(~silent):
        for block in range(first, after, _NEIGHBOURHOOD_HOPS):
            block_end = min(block + _NEIGHBOURHOOD_HOPS, after)
            near = levels[max(first, block - _NEIGHBOURHOOD_HOPS) : min(after, block_end + _NEIGHBOURHOOD_HOPS)]
            loudest = float(np.percentile(near, 99))
            floor = _noise_floor(near)
            if (
                floor > loudest - _MIN_ABOVE_NOISE_DB
                and after - first < levels.size
                and near.size < _NEIGHBOURHOOD_HOPS
            ):
                # An even sound that comes out of digital silence is all sound: it shows no noise.
                floor = NO_NOISE_DBFS
            thresholds[block:block_end] = max(
                loudest - 30, min(floor + 9, loudest - 25), floor + 4, QUIETEST_SPEECH_DBFS
            )
            noise[block:block_end] = floor
    return thresholds, noise


def _noise_floor(levels: Floats) -> float:
    """The level of the quietest 100 ms, if they are as even as noise in a pause.

    A quietest place that is uneven is the fading of a word: then nothing shows the noise.
    """
    if levels.size < _EVEN_HOPS:
        return NO_NOISE_DBFS
    rows = sliding_window_view(levels, _EVEN_HOPS)
    quietest: Floats = rows[int(np.argmin(np.mean(rows, axis=1)))]
    return float(np.mean(quietest)) if np.ptp(quietest) <= _EVEN_DB else NO_NOISE_DBFS


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one-past-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))


def _fine_levels(samples: Pcm16, first: int, after: int, rate_hz: int) -> Floats:
    """Level around each sample of [first, after): a centred 2 ms mean."""
    width = max(1, rate_hz * _REFINE_MS // 1000)
    padded = np.zeros(after - first + width)
    low, high = max(0, first - width // 2), min(samples.size, after + width - width // 2)
    padded[low - (first - width // 2) :][: high - low] = samples[low:high].astype(np.float64) / 32768
    summed = np.concatenate(([0.0], np.cumsum(padded**2)))
    return 10 * np.log10((summed[width:] - summed[:-width])[: after - first] / width + 1e-12)


def _refine_start(samples: Pcm16, at: int, hop: int, threshold: float, rate_hz: int) -> int:
    first = max(0, at - hop)
    over = np.flatnonzero(_fine_levels(samples, first, min(samples.size, at + hop), rate_hz) >= threshold)
    return first + int(over[0]) if over.size else at


def _refine_end(samples: Pcm16, at: int, hop: int, threshold: float, rate_hz: int) -> int:
    first = max(0, at - hop)
    over = np.flatnonzero(_fine_levels(samples, first, min(samples.size, at + hop), rate_hz) >= threshold)
    return first + int(over[-1]) + 1 if over.size else at


def _utterances(agent: Sequence[Span], caller: Sequence[Span]) -> list[Span]:
    """Rule 3."""
    joined: list[Span] = []
    for span in agent:
        if joined:
            before = joined[-1]
            answered = any(before.end_ms <= c.end_ms <= span.start_ms for c in caller)
            if span.start_ms - before.end_ms < _UTTERANCE_JOIN_MS and not answered:
                joined[-1] = Span(before.start_ms, span.end_ms)
                continue
        joined.append(span)
    return joined


def main(arguments: Sequence[str]) -> int:
    """Print the turns of one recording: `python -m voice_core.voice_to_voice call.wav`."""
    if len(arguments) != 1:
        print("usage: python -m voice_core.voice_to_voice call.wav", file=sys.stderr)
        return 2
    try:
        call = conversation(*read_stereo(Path(arguments[0])))
    except (OSError, ValueError, EOFError, wave.Error) as error:
        print(f"cannot measure {arguments[0]}: {error}", file=sys.stderr)
        return 1
    print("turn  caller ends  agent starts  gap ms")
    for number, turn in enumerate(call.turns, 1):
        print(
            f"{number:4}  {turn.caller_end_ms / 1000:9.3f} s  {turn.agent_start_ms / 1000:10.3f} s  {turn.gap_ms:6.0f}"
        )
    gaps = [turn.gap_ms for turn in call.turns]
    if gaps:
        print(f"p50 {percentile(gaps, 0.5):.0f} ms, p90 {percentile(gaps, 0.9):.0f} ms, worst {max(gaps):.0f} ms")
    for stop in call.interruptions:
        print(f"interrupted at {stop.caller_start_ms / 1000:.3f} s: silent after {stop.silence_after_ms:.0f} ms")
    for span in call.unanswered:
        print(f"no answer to the caller's speech that ended at {span.end_ms / 1000:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
