"""Voice activity detection for every call of the process on one model, in shared batches.

`VadHub` owns the Silero network and infers the windows of all calls in shared batches; a `VadStream`
cuts one call's audio into windows, keeps most silence away from the network with webrtcvad, and
reports speech edges on the event loop. `server` builds one hub, `VoiceCall` opens a stream per call.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import webrtcvad
from numpy.typing import NDArray

from voice_core.errors import EngineUnavailable
from voice_core.frames import ANALYSIS_HZ, VAD_WINDOW_SAMPLES, Pcm16
from voice_core.vad import HOP_SAMPLES, SILENCE_DBFS, SpeechEdge, VadMachine, VadSettings

Floats = NDArray[np.float32]

Network = Callable[[None, dict[str, Any]], Sequence[Floats]]
"""Silero: {"input": (b, 576), "state": (2, b, 128), "sr": 16000} -> probabilities (b, 1), state (2, b, 128)."""

CONTEXT_SAMPLES = 64
"""Samples before the window that Silero v5 wants in front of it at 16 kHz."""

STATE_SHAPE = (2, 1, 128)
"""Recurrent state of one stream in Silero v5."""

GATE_MODE = 2
"""webrtcvad's aggressiveness. Measured on 110 recordings in five sets: 2 misses no window that Silero takes
for speech, 3 misses up to 5 %; 0 and 1 pass more silence."""

GATE_SAMPLES = 480
"""webrtcvad's longest frame, 30 ms: the first part of each 32 ms window."""

GATE_HANGOVER_WINDOWS = 2
"""Windows in a row that the gate must call silent before the network is spared."""

GATE_MARGIN_DB = 8.0
GATE_FLOOR_DBFS = -70.0
"""A hop this far over the noise floor (taken as -70 dBFS at least) opens the gate too: webrtcvad is late on quiet
talkers."""

WARM_UP_WINDOWS = 6
"""Skipped windows that the network hears first when the gate opens. Woken in the middle of a word it needs 3 more
windows to believe it: the onset of 1 in 10 recordings was told after 209 ms (quiet talkers 487), with 6 windows
after 122 (154), exactly as if it had listened all the time."""

MIN_INTERVAL_S = 0.008
"""Pause between two batches: with many calls it fills the batch (80 us a window instead of 210 alone),
with few it never delays anything."""

MAX_BATCH = 16
"""Windows judged at once: more are no cheaper, 75 us each."""

MAX_WAITING = 64
"""Windows of one call that may wait (2 s): on a machine that cannot keep up, the oldest beyond it keep the
probability of the one before."""

_RATE = np.array(ANALYSIS_HZ, dtype=np.int64)


def silero_path() -> Path:
    """The network's file, found without importing the package. Raises EngineUnavailable."""
    spec = find_spec("livekit.plugins")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "silero" / "resources" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise EngineUnavailable("voice activity detection needs Silero: pip install livekit-plugins-silero")


class _Window:
    """One window of one stream on its way through the network."""

    __slots__ = ("hops_dbfs", "row", "stream")

    def __init__(self, stream: "VadStream", row: Floats, hops_dbfs: list[float]) -> None:
        self.stream = stream
        self.row = row
        self.hops_dbfs = hops_dbfs


class VadStream:
    """One call's detector. All methods are called on the event loop."""

    def __init__(self, hub: "VadHub", on_edge: Callable[[SpeechEdge], None], settings: VadSettings) -> None:
        self._hub = hub
        self._on_edge = on_edge
        self._machine = VadMachine(settings)
        self._gate = webrtcvad.Vad(GATE_MODE)
        self._silent_windows = 0
        self._skipped: deque[_Window] = deque(maxlen=WARM_UP_WINDOWS)
        self._samples = np.empty(VAD_WINDOW_SAMPLES, dtype=np.int16)
        self._filled = 0
        self._row: Floats = np.zeros((1, CONTEXT_SAMPLES + VAD_WINDOW_SAMPLES), dtype=np.float32)
        self._pushed = 0
        self._closed = False
        self.state: Floats = np.zeros(STATE_SHAPE, dtype=np.float32)
        """The network's memory of this stream; belongs to the hub."""
        self.waiting = 0
        """Windows handed to the hub and not yet judged; belongs to the hub."""
        self.probability = 0.0
        """That the newest judged window holds speech, 0..1."""
        self.level_dbfs = SILENCE_DBFS
        """RMS level of the newest window; 0 dBFS is a full-scale square wave."""

    @property
    def speaking(self) -> bool:
        """Between STARTED and STOPPED."""
        return self._machine.speaking

    @property
    def speech_ms_total(self) -> float:
        """Speech so far, ms."""
        return self._machine.speech_samples * 1000 / ANALYSIS_HZ

    @property
    def noise_dbfs(self) -> float:
        """The line's noise floor."""
        return self._machine.noise_dbfs

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples, 16 kHz mono, any length. Never blocks; edges come later on the loop."""
        taken = 0
        self._pushed += pcm.size
        while taken < pcm.size:
            room = min(VAD_WINDOW_SAMPLES - self._filled, pcm.size - taken)
            self._samples[self._filled : self._filled + room] = pcm[taken : taken + room]
            self._filled += room
            taken += room
            if self._filled == VAD_WINDOW_SAMPLES:
                self._filled = 0
                self._take_window()

    def agent_speaking(self, speaking: bool) -> None:
        """Tell whether the agent is being heard: then the rules are stricter."""
        self._machine.agent_speaking(speaking)

    def close(self) -> None:
        """No edge is reported after this."""
        self._closed = True

    def judge(self, window: _Window, probability: float) -> None:
        """Take the network's answer for the oldest window; called by the hub, in order.

        A window without hops was skipped before: it only refreshed the network's memory.
        """
        if not window.hops_dbfs:
            return
        self.probability = probability
        boundary = self._machine.step(probability, window.hops_dbfs)
        if boundary is not None and not self._closed:
            lag_ms = (self._pushed - boundary.at) * 1000 / ANALYSIS_HZ
            self._on_edge(SpeechEdge(boundary.kind, lag_ms))

    def _take_window(self) -> None:
        row = np.empty_like(self._row)
        row[:, :CONTEXT_SAMPLES] = self._row[:, -CONTEXT_SAMPLES:]
        np.multiply(self._samples, 1 / 32768, out=row[0, CONTEXT_SAMPLES:], casting="unsafe")
        self._row = row
        blocks = row[0, CONTEXT_SAMPLES:].reshape(-1, HOP_SAMPLES)
        power = np.einsum("ij,ij->i", blocks, blocks).tolist()
        self.level_dbfs = _dbfs(sum(power) / VAD_WINDOW_SAMPLES)
        voiced = self._gate.is_speech(self._samples[:GATE_SAMPLES].tobytes(), ANALYSIS_HZ)
        self._silent_windows = 0 if voiced else self._silent_windows + 1
        window = _Window(self, row, [_dbfs(p / HOP_SAMPLES) for p in power])
        if self._may_skip(max(window.hops_dbfs)):
            self.judge(window, 0.0)
            self._skipped.append(window)
            return
        for skipped in self._skipped:
            skipped.hops_dbfs = []
            self._hub.submit(skipped)
        self._skipped.clear()
        self._hub.submit(window)

    def _may_skip(self, loudest_dbfs: float) -> bool:
        """Whether nothing at all suggests speech: neither gate, nor level, nor what the network said before."""
        return (
            self._silent_windows >= GATE_HANGOVER_WINDOWS
            and loudest_dbfs < max(self._machine.noise_dbfs, GATE_FLOOR_DBFS) + GATE_MARGIN_DB
            and self._machine.silent
            and not self.waiting
        )


def _dbfs(power: float) -> float:
    return 10 * math.log10(power) if power > 1e-9 else SILENCE_DBFS


class VadHub:
    """The network, shared by the calls of one process.

    Batches run on the event loop itself: with a thread the same work cost more CPU at one call, and on a
    machine whose cores were all busy the two hand-overs per batch made edges 400 ms late at 100 calls.
    A batch is cut at 16 windows, so the loop is held for about 1.2 ms at most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, monotonic. Nothing is loaded before `start`."""
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._network: Network | None = None
        self._ready: deque[_Window] = deque()
        self._timer: asyncio.Handle | None = None
        self._next_batch_s = 0.0

    async def start(self) -> None:
        """Load the network (about 0.1 s, off the loop). Raises EngineUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._network = await asyncio.to_thread(_load)

    async def close(self) -> None:
        """Drop the network and what still waits for it; streams report nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ready.clear()
        self._network = None

    def stream(self, on_edge: Callable[[SpeechEdge], None], settings: VadSettings | None = None) -> VadStream:
        """Open the detector of one call. on_edge: called on the loop, in order, never inside `push`."""
        return VadStream(self, on_edge, settings or VadSettings())

    def submit(self, window: _Window) -> None:
        """Queue one window for the next batch; called by streams. Without a network it is dropped."""
        if self._network is None:
            return
        window.stream.waiting += 1
        self._ready.append(window)
        if self._timer is None:
            self._schedule(self._next_batch_s - self._clock())

    def _schedule(self, wait_s: float) -> None:
        assert self._loop is not None
        # Even when nothing is to be waited for, what other calls push in this turn of the loop joins.
        self._timer = self._loop.call_later(wait_s, self._run) if wait_s > 0 else self._loop.call_soon(self._run)

    def _run(self) -> None:
        """Judge the oldest windows, at most one of each stream: a stream's windows depend on each other."""
        self._timer = None
        batch: list[_Window] = []
        later: deque[_Window] = deque()
        streams: set[VadStream] = set()
        while self._ready and len(batch) < MAX_BATCH:
            window = self._ready.popleft()
            if window.stream in streams:
                later.append(window)
            elif window.stream.waiting > MAX_WAITING:
                self._answer(window, window.stream.probability)
            else:
                streams.add(window.stream)
                batch.append(window)
        self._ready.extendleft(reversed(later))
        for window, probability in zip(batch, self._infer(batch) if batch else (), strict=True):
            self._answer(window, probability)
        self._next_batch_s = self._clock() + MIN_INTERVAL_S
        if self._ready:
            self._schedule(0)

    def _answer(self, window: _Window, probability: float) -> None:
        window.stream.waiting -= 1
        try:
            window.stream.judge(window, probability)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_exception_handler({"message": "a call failed on a speech edge", "exception": error})

    def _infer(self, batch: list[_Window]) -> list[float]:
        """Run the network over a batch and keep each stream's new memory."""
        assert self._network is not None
        inputs = {
            "input": np.concatenate([window.row for window in batch]),
            "state": np.concatenate([window.stream.state for window in batch], axis=1),
            "sr": _RATE,
        }
        probabilities, state = self._network(None, inputs)
        for index, window in enumerate(batch):
            window.stream.state = state[:, index : index + 1]
        return probabilities[:, 0].tolist()


def _load() -> Network:
    runtime: Any = onnxruntime  # its own annotations do not say what a network returns
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    network: Network = runtime.InferenceSession(silero_path(), options, providers=["CPUExecutionProvider"]).run
    # The first run allocates; no call should wait for that.
    row = np.zeros((1, CONTEXT_SAMPLES + VAD_WINDOW_SAMPLES), dtype=np.float32)
    network(None, {"input": row, "state": np.zeros(STATE_SHAPE, dtype=np.float32), "sr": _RATE})
    return network
