"""One Whisper network on CTranslate2, decoding windows as short as the utterance.

Stock Whisper encodes 30 s whatever was said, which is most of its cost. Here the encoder gets the
utterance and half a second; the decoder, which needs to see that silence follows in order to stop,
is shown a second of encoded silence prepared once when the model is loaded. Called by
`WhisperEngine` on its inference threads.

Measured on 43 recordings with tiny.en, greedy (word error rate; CPU to encode): 30 s window 11.7 %,
663 ms; short window alone 52 % (it repeats itself instead of stopping); short window and prepared
silence 10.5 %, 53 ms. Base needs longer windows: see THOROUGH_WINDOW_FRAMES.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, cast

import ctranslate2
import msgspec
import numpy as np
import tokenizers
from numpy.typing import NDArray

from voice_core.asr.hallucinations import NO_SPEECH_LIMIT, is_hallucination
from voice_core.asr.log_mel import FRAMES_PER_S, FULL_WINDOW_FRAMES, Frames, LogMel, features
from voice_core.asr.loops import is_loop, without_loop
from voice_core.asr.models import ModelFiles, ModelSize
from voice_core.errors import EngineError, EngineUnavailable
from voice_core.frames import ANALYSIS_HZ

MARGIN_FRAMES = 50
"""Silence after the last sample that the encoder itself sees: the last word needs room to end."""
WINDOW_STEP_FRAMES = 50
"""Windows are rounded up to this, so that the matrix kernels see few different shapes."""
SILENCE_STATES = 100
"""Encoder states (20 ms each) of prepared silence: 20 left loops, 50 some, 100 none more than 400."""

THOROUGH_BEAM = {ModelSize.TINY_EN: 2, ModelSize.BASE: 5}
"""Paths of a thorough decode. A step reads all weights for one path or five, so more paths cost little.

Word error rate and CPU of the decoder for 1, 2, 3 and 5 paths: English (tiny.en, 74 recordings) 11.1,
9.4, 9.4, 9.5 % and 110, 138, 142, 144 ms; French (33) 21.9, 19.5, 18.5, 17.2 % and 195, 215, 240,
273 ms; Spanish (23) 21.7, 20.3, 20.3, 18.9 % and 156, 179, 194, 223 ms (busy machine).
"""

THOROUGH_WINDOW_FRAMES = {ModelSize.TINY_EN: 0, ModelSize.BASE: 800}
"""Shortest window of a thorough decode; a quick one takes the utterance's length.

Word error rate with these beams for no minimum, 5, 6, 7, 8, 10 s and the full 30 s: French (base, 50
recordings) 20.6, 18.9, 19.5, 19.5, 16.7, 17.2, 17.0 %, Spanish (24) 20.1, 19.4, 19.4, 14.6, 13.9,
15.3, 13.9 %; CPU 290 ms, 440 ms at 8 s, 1,800 ms at 30 s. English (tiny.en, 68), for none, 5, 8 and
30 s: 8.8, 8.5, 12.8, 10.5 %.
"""

_RETRY_REPETITION_PENALTY = 1.15
"""Discourages the words of a loop in the second try; at 1.0 some loops survive any window."""

_TOKENS_PER_S = {"en": 9.0, "fr": 11.0, "es": 10.0, "ar": 18.0}
"""Bound on the decoder's output: twice the pace of quick speech; Arabic is cut into more tokens."""
_SPARE_TOKENS = 10
_SENTENCE_ENDS = ".?!\u2026\u061f"

Encoded = NDArray[np.float32]
"""Encoder states, float32, shape (1, states, width)."""


class Effort(Enum):
    """How much work a decode is worth."""

    QUICK = "quick"
    """The likeliest next word each time; a loop is cut. For words that are soon decoded again."""
    THOROUGH = "thorough"
    """Several paths; a loop is decoded again over the full window, which takes about a second."""


class Heard(msgspec.Struct, frozen=True):
    """What one decode made of an utterance.

    text: "" when there was nothing to hear. logprob: mean natural log probability of a token.
    no_speech: probability that nobody spoke. looped: the first try repeated itself. turn_end: belief
    that the turn ends here, None when it was not asked for.
    """

    text: str
    language: str
    logprob: float
    no_speech: float
    looped: bool = False
    turn_end: float | None = None

    @property
    def confidence(self) -> float:
        """0..1: geometric mean of the tokens' probabilities, 0 without text."""
        return float(np.exp(min(0.0, self.logprob))) if self.text else 0.0


def _speech_like_burst(seconds: float) -> NDArray[np.int16]:
    """A voiced sound in syllables over faint noise: gives the model speech for silence to follow."""
    t = np.arange(int(seconds * ANALYSIS_HZ)) / ANALYSIS_HZ
    pitch = np.sin(2 * np.pi * (200 * t + 30 * np.sin(2 * np.pi * 3 * t)))
    syllables = np.sin(2 * np.pi * 2 * t) > 0
    noise = np.random.default_rng(0).normal(0, 300, len(t))
    return np.asarray(8000 * pitch * syllables + noise, dtype=np.int16)


def _view(array: NDArray[np.float32]) -> Any:
    """`array` as CTranslate2 takes it, without a copy: valid as long as `array` lives."""
    return cast(Any, ctranslate2).StorageView.from_array(array)


class WhisperModel:
    """A loaded network. Safe to use from as many threads as `workers`."""

    def __init__(self, files: ModelFiles, workers: int) -> None:
        """Load and warm up; takes about a second. Raises EngineUnavailable."""
        try:
            # Two threads inside one decode would be faster on an idle machine for the encoder only;
            # the decoder's small products get slower, and other calls wait.
            self._network: Any = ctranslate2.models.Whisper(
                str(files.folder), device="cpu", compute_type="int8", intra_threads=1, inter_threads=workers
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(files.folder / "tokenizer.json"))
        except Exception as error:
            raise EngineUnavailable(f"the speech model in {files.folder} cannot be loaded: {error}") from error
        self.size = files.size
        self._end = self._token("<|endoftext|>")
        self._silence = self._encoded_silence()
        self.hear(LogMel().frames(), "en")

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self._network.is_multilingual)

    def _token(self, written: str) -> int:
        token = self._tokenizer.token_to_id(written)
        if token is None:
            raise EngineUnavailable(f"the speech model's vocabulary has no {written}")
        return int(token)

    def _encoded_silence(self) -> Encoded:
        """States of a window in which speech ends early: what follows an utterance, for every position."""
        burst = LogMel()
        burst.push(_speech_like_burst(2.0))
        return self._encode_window(features(burst.frames(), FULL_WINDOW_FRAMES))

    def _encode_window(self, window: NDArray[np.float32]) -> Encoded:
        try:
            states: Any = self._network.encode(_view(window), to_cpu=True)
            return np.array(states, dtype=np.float32)
        except RuntimeError as error:
            raise EngineError(f"encoding failed: {error}") from error

    def encode(self, frames: Frames, effort: Effort = Effort.THOROUGH) -> Encoded:
        """States of an utterance of up to 30 s and of the silence after it. Raises EngineError."""
        least = THOROUGH_WINDOW_FRAMES[self.size] if effort is Effort.THOROUGH else 0
        steps = -(-max(least, len(frames) + MARGIN_FRAMES) // WINDOW_STEP_FRAMES)
        return self._encode(frames, min(FULL_WINDOW_FRAMES, steps * WINDOW_STEP_FRAMES))

    def _encode(self, frames: Frames, window_frames: int) -> Encoded:
        states = self._encode_window(features(frames, window_frames))
        position = states.shape[1]
        return np.concatenate([states, self._silence[:, position : position + SILENCE_STATES]], axis=1)

    def languages(self, encoded: Encoded, among: Sequence[str]) -> dict[str, float]:
        """Probability of each of the languages `among`, Whisper's codes; they add up to 1."""
        if not self.multilingual:
            return {language: float(language == "en") for language in among}
        try:
            ranked: list[tuple[str, float]] = self._network.detect_language(_view(encoded))[0]
        except RuntimeError as error:
            raise EngineError(f"language detection failed: {error}") from error
        found = {token[2:-2]: probability for token, probability in ranked}
        weights = {language: found.get(language, 0.0) + 1e-9 for language in among}
        return {language: weight / sum(weights.values()) for language, weight in weights.items()}

    def _prompt(self, language: str) -> list[int]:
        prompt = [self._token("<|startoftranscript|>")]
        if self.multilingual:
            prompt += [self._token(f"<|{language}|>"), self._token("<|transcribe|>")]
        return [*prompt, self._token("<|notimestamps|>")]

    def is_common(self, word: str) -> bool:
        """Whether `word` is ordinary: the vocabulary, made from word frequencies, has it in one piece."""
        return len(self._tokenizer.encode(f" {word}", add_special_tokens=False).ids) == 1

    def _token_probabilities(self, encoded: Encoded, text: str, language: str) -> list[float]:
        tokens = self._tokenizer.encode(f" {text}", add_special_tokens=False).ids
        try:
            states: Any = _view(encoded)
            aligned: Any = self._network.align(states, self._prompt(language), [tokens], 2 * encoded.shape[1])[0]
        except RuntimeError as error:
            raise EngineError(f"scoring failed: {error}") from error
        return [float(probability) for probability in aligned.text_token_probs]

    def score(self, encoded: Encoded, text: str, language: str) -> float:
        """Natural log probability that `text`, and nothing else so far, was said. Raises EngineError."""
        return float(np.log(np.maximum(self._token_probabilities(encoded, text, language), 1e-9)).sum())

    def full_stop(self, encoded: Encoded, text: str, language: str) -> float:
        """Probability, 0..1, that a sentence ends after the words of `text`. Raises EngineError."""
        words = text.rstrip(_SENTENCE_ENDS + ",;: ")
        sign = "?" if text.rstrip().endswith("?") else "."
        return self._token_probabilities(encoded, words + sign, language)[-1]

    def decode(
        self, encoded: Encoded, duration_s: float, language: str, beam: int = 1, repetition_penalty: float = 1.0
    ) -> Heard:
        """The likeliest words that a search of `beam` paths finds; `language` is Whisper's code. Raises EngineError.

        Giving it the words that earlier partials agreed on, to decode the rest only, was measured: no
        CPU saved on partials, and finals stop early (word error rate 10 % -> 43 %).
        """
        prompt = self._prompt(language)
        tokens = int(duration_s * _TOKENS_PER_S.get(language, max(_TOKENS_PER_S.values()))) + _SPARE_TOKENS
        try:
            result: Any = self._network.generate(
                _view(encoded),
                [prompt],
                beam_size=beam,
                repetition_penalty=repetition_penalty,
                # CTranslate2 generates at most half of max_length, and max_length less the prompt.
                max_length=min(448, max(2 * tokens, tokens + len(prompt))),
                return_scores=True,
                return_no_speech_prob=True,
            )[0]
        except RuntimeError as error:
            raise EngineError(f"decoding failed: {error}") from error
        words: list[int] = [token for token in result.sequences_ids[0] if token < self._end]
        text = self._tokenizer.decode(words).strip()
        return Heard(text, language, float(result.scores[0]), float(result.no_speech_prob))

    def hear(
        self, frames: Frames, language: str, *, encoded: Encoded | None = None, effort: Effort = Effort.THOROUGH
    ) -> Heard:
        """Words of an utterance of up to 30 s, without loops and hallucinations. Raises EngineError.

        encoded: its states, when the caller has them already.
        """
        duration_s = len(frames) / FRAMES_PER_S
        beam = THOROUGH_BEAM[self.size] if effort is Effort.THOROUGH else 1
        heard = self.decode(self.encode(frames, effort) if encoded is None else encoded, duration_s, language, beam)
        looped = is_loop(heard.text, duration_s)
        if looped and effort is Effort.THOROUGH and heard.no_speech < NO_SPEECH_LIMIT:
            states = self._encode(frames, FULL_WINDOW_FRAMES)
            heard = self.decode(states, duration_s, language, beam, _RETRY_REPETITION_PENALTY)
        still_looped = is_loop(heard.text, duration_s)
        text = without_loop(heard.text) if still_looped else heard.text
        if is_hallucination(text, heard.logprob, heard.no_speech, duration_s, looped=still_looped):
            text = ""
        return msgspec.structs.replace(heard, text=text, looped=looped)
