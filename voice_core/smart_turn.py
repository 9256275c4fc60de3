"""An optional audio model of the end of a turn: Smart Turn v3.2 (BSD-2, Daily).

It hears what the words do not say: a voice that falls, or hangs. Its opinion is one input of
`voice_core.endpointing`; the words and the expected slot keep the last say. `HearingTheEnd` puts it in
front of any recogniser, and costs about 70 ms of one core at each pause.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice_core.asr.log_mel import LogMel, features
from voice_core.errors import EngineUnavailable
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind, Recognizer, Transcript

WINDOW_S = 8
"""The model hears the last 8 s, padded with silence in front."""
_WINDOW_SAMPLES = WINDOW_S * ANALYSIS_HZ
_WINDOW_FRAMES = WINDOW_S * 100
_WEIGHTS = Path("audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx")
_VARIANCE_FLOOR = 1e-7
_FEATURE_SCALE = 4.0


def weights_path() -> Path:
    """The weights inside the pipecat-ai package, which is found without being imported.

    Raises EngineUnavailable when it is not installed.
    """
    spec = find_spec("pipecat")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / _WEIGHTS
        if path.is_file():
            return path
    raise EngineUnavailable(
        'Smart Turn needs the package that ships its weights: pip install "parley-voice[smart-turn]"'
    )


def smart_turn_features(pcm: Pcm16) -> NDArray[np.float32]:
    """Log-mel of the last 8 s of a waveform of unit variance, shape (1, 80, 800).

    Scaling the waveform shifts every log10 cell by the same amount, so the shift is added afterwards.
    """
    window = np.zeros(_WINDOW_SAMPLES, np.int16)
    newest = pcm[-_WINDOW_SAMPLES:]
    if len(newest):
        window[-len(newest) :] = newest
    mel = LogMel()
    mel.push(window)
    variance = float(np.var(window.astype(np.float32) / 32768.0))
    shift = -np.log10(variance + _VARIANCE_FLOOR) / _FEATURE_SCALE
    return features(mel.frames()[:_WINDOW_FRAMES], _WINDOW_FRAMES) + np.float32(shift)


class SmartTurn:
    """The loaded model; one for all calls, thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        options = cast(Any, onnxruntime.SessionOptions())
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path or weights_path()), options, providers=["CPUExecutionProvider"]
        )

    def probability(self, pcm: Pcm16) -> float:
        """Belief that the speaker has finished, 0..1, of audio at 16 kHz. Blocks for about 70 ms."""
        outputs = cast(list[NDArray[np.float32]], self._session.run(None, {"input_features": smart_turn_features(pcm)}))
        return float(outputs[0].reshape(-1)[0])


class HearingTheEnd:
    """A `Recognizer` that asks the model beside every FINAL decode of the one it wraps."""

    def __init__(self, inner: Recognizer, model: SmartTurn, executor: Executor) -> None:
        self._inner = inner
        self._model = model
        self._executor = executor
        self._audio: list[Pcm16] = []
        self._samples = 0

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples; keeps the last 8 s."""
        self._inner.push(pcm)
        self._audio.append(pcm)
        self._samples += len(pcm)
        while self._samples - len(self._audio[0]) >= _WINDOW_SAMPLES:
            self._samples -= len(self._audio.pop(0))

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance: the model hears nothing of the one before."""
        self._inner.begin(lookback_ms)
        keep = int(lookback_ms * ANALYSIS_HZ / 1000)
        audio = np.concatenate(self._audio) if self._audio else np.zeros(0, np.int16)
        self._audio = [audio[len(audio) - min(keep, len(audio)) :]]
        self._samples = len(self._audio[0])

    async def decode(self, kind: DecodeKind) -> Transcript:
        """The inner transcript; when FINAL with the model's belief, averaged with the inner one's if it has one."""
        if kind is not DecodeKind.FINAL or not self._audio:
            return await self._inner.decode(kind)
        loop = asyncio.get_running_loop()
        hearing = loop.run_in_executor(self._executor, self._model.probability, np.concatenate(self._audio))
        try:
            found = await self._inner.decode(kind)
        except BaseException:
            hearing.cancel()
            raise
        heard = await hearing
        own = found.end_probability
        return msgspec.structs.replace(found, end_probability=heard if own is None else (heard + own) / 2)

    def finish(self) -> None:
        """Forget the utterance."""
        self._inner.finish()

    def bias(self, terms: Sequence[str]) -> None:
        """Passed on."""
        self._inner.bias(terms)

    async def aclose(self) -> None:
        """Passed on."""
        await self._inner.aclose()
