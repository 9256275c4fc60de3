"""hibari: the default English voice, a 7.9 MB neural model at 24 kHz inside the package `hibari-tts`.

18 ms for "Sure." and 50-100 ms for a sentence on one idle core; onnxruntime gives the interpreter lock
back meanwhile. The network plans how long each sound lasts but does not say so: the plan is made one of
its outputs, which gives the true end of every word.
"""

import importlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.tts.engine import RawSpeech
from voice_core.tts.normalise.spoken import SpokenWord, spoken_text

HIBARI_HZ = 24_000
NOISE_SEED = 7
"""The same text always gives the same samples: recordings, caches and tests can be compared."""

_PLAN_TENSOR = "/CumSum_output_0"
"""Steps (of 25 ms) up to the end of each sound, shape (1, sounds), inside hibari 0.2's graph."""
_SPECTRA = ("lh", "theta", "ln", "lr", "phi", "f0")


class _Sentence(msgspec.Struct, frozen=True):
    """What the network is given: sound ids, and of each written token (characters up to its end in the
    text, white space not counted; index of its last sound).
    """

    ids: list[int]
    tokens: list[tuple[int, int]]


class HibariVoice:
    """The voice that ships in the package. Text analysis runs under a lock, the network does not."""

    def __init__(self, speed: float = 1.0) -> None:
        try:
            self._synth = _part("hibari.dsp", "synth")
            self._normalize = _part("hibari.g2p", "normalize")
            self._hibari = _part("hibari", "Hibari")()
        except ImportError as error:
            raise EngineUnavailable('the English voice is not installed: pip install "hibari-tts"') from error
        self._speed = speed
        self._lock = threading.Lock()
        options: Any = _part("onnxruntime", "SessionOptions")()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = Path(self._hibari.model_path).read_bytes()
        try:
            self._session = _part("onnxruntime", "InferenceSession")(
                with_output(model, _PLAN_TENSOR), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise EngineUnavailable('this hibari has another network: pip install "hibari-tts>=0.2.1,<0.3"') from error
        self._sentences("Ready.")

    @property
    def name(self) -> str:
        """ "hibari:heart", with the speed when it is not the voice's own."""
        return "hibari:heart" if self._speed == 1.0 else f"hibari:heart@{self._speed:g}"

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak at 24 kHz, with the end of each word."""
        generator = np.random.default_rng(NOISE_SEED)
        parts: list[NDArray[np.float32]] = []
        ends: list[tuple[int, float]] = []
        begin_ms = 0.0
        try:
            for sentence in self._sentences(spoken_text(words)):
                *spectra, plan = self._session.run(
                    [*_SPECTRA, _PLAN_TENSOR],
                    {"ids": np.asarray([sentence.ids], np.int64), "speed": np.asarray([self._speed], np.float32)},
                )
                parts.append(np.asarray(self._synth(*(s[0] for s in spectra), generator), np.float32))
                steps = np.asarray(plan).reshape(-1)
                length_ms = 1000 * len(parts[-1]) / HIBARI_HZ
                step_ms = length_ms / float(steps[-1])
                ends += [(chars, begin_ms + step_ms * float(steps[sound])) for chars, sound in sentence.tokens]
                begin_ms += length_ms
        except Exception as error:
            raise EngineError(f"hibari failed: {type(error).__name__}") from error
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return RawSpeech(samples, HIBARI_HZ, _word_ends(words, ends))

    def close(self) -> None:
        """Nothing to give back before the process ends."""

    def _sentences(self, text: str) -> list[_Sentence]:
        """Sounds of each sentence of a text."""
        sentences: list[_Sentence] = []
        chars = 0
        with self._lock:
            g2p, vocabulary = self._hibari.g2p, self._hibari.vocab
            for sentence in self._hibari.split_sentences(text):
                ids, tokens = [0], list[tuple[int, int]]()
                for token in g2p.phonemize_tokens(g2p.tokenize(self._normalize(sentence))):
                    ids += [vocabulary[c] for c in token.phonemes or "" if c in vocabulary]
                    chars += len("".join(token.text.split()))
                    if any(c.isalnum() for c in token.text):
                        tokens.append((chars, len(ids) - 1))
                    if token.whitespace:
                        ids.append(vocabulary[" "])
                if tokens:
                    sentences.append(_Sentence([*ids, 0], tokens))
        return sentences


def _part(module: str, name: str) -> Any:
    """Something of an untyped package."""
    return getattr(importlib.import_module(module), name)


def with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX model that also gives an inner tensor out.

    Protocol Buffers merge a message that is appended to another of its type, and lists in it grow: so a
    ModelProto (graph = field 7) with a GraphProto (output = field 12) with a ValueInfoProto (name = field 1)
    is all that is needed.
    """
    value = _field(1, tensor.encode())
    return model + _field(7, _field(12, value))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field; everything here is shorter than 128 bytes, so lengths take one byte."""
    return bytes([number << 3 | 2, len(content)]) + content


def _word_ends(words: Sequence[SpokenWord], ends: Sequence[tuple[int, float]]) -> tuple[float, ...]:
    """End of each spoken word, from the ends of the tokens it was cut into, found by counting characters."""
    if not ends:
        return ()
    said = 0
    result: list[float] = []
    at = 0
    for word in words:
        said += sum(1 for c in word.spoken if not c.isspace())
        while at < len(ends) and ends[at][0] <= said:
            at += 1
        result.append(ends[at - 1][1] if at else 0.0)
    result[-1] = ends[-1][1]
    return tuple(result)
