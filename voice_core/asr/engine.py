"""The speech recogniser that all calls of a process share.

Holds the loaded networks and the scheduler, and knows which network decodes what: tiny.en for
English, at a third of the cost, base for everything else and while the language is not known. Built
once at start-up; each call asks it for a `WhisperRecognizer`.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import msgspec

from voice_core.asr.language import SWITCH_S, LanguageTracker, clearly_another, whisper_code
from voice_core.asr.log_mel import FRAMES_PER_S, Frames
from voice_core.asr.models import find_tiny_en, prepare_base
from voice_core.asr.recognizer import WhisperRecognizer
from voice_core.asr.scheduler import DecodeScheduler, Ticket
from voice_core.asr.turn_end import end_probability
from voice_core.asr.utterance import LONGEST_PIECE_S, Understood, Utterance, quietest_cut
from voice_core.asr.whisper import Effort, Encoded, Heard, WhisperModel
from voice_core.errors import EngineUnavailable
from voice_core.speech import DecodeKind

DOUBT_LOGPROB = -0.6
"""Below this mean log probability what tiny.en heard may not be English.

Measured: 22 % of English recordings fall below, 90 % of French and 93 % of Spanish ones. Base gives
no such sign (it writes English quite surely when told French), so there detection goes first; it was
right for all of 82 recordings of 1 to 10 s and costs a tenth of the decode.
"""


class WhisperEngine:
    """The networks and their threads. Use `load`."""

    def __init__(self, english: WhisperModel | None, multilingual: WhisperModel | None, threads: int) -> None:
        self._english = english
        self._multilingual = multilingual
        self.scheduler = DecodeScheduler(threads)

    @classmethod
    def load(cls, cache_dir: Path, languages: Sequence[str] = ("en",), threads: int | None = None) -> "WhisperEngine":
        """Load what `languages` need and warm it up; takes seconds, call it from a thread.

        cache_dir: where the multilingual model is joined at first use. threads: decodes at the same
        time; by default one per core, four at most. Raises EngineUnavailable.
        """
        if not languages:
            raise EngineUnavailable("speech recognition needs at least one language")
        threads = threads or max(1, min(4, os.cpu_count() or 1))
        codes = {whisper_code(language) for language in languages}
        english = WhisperModel(find_tiny_en(), threads) if "en" in codes else None
        multilingual = WhisperModel(prepare_base(cache_dir), threads) if codes != {"en"} else None
        return cls(english, multilingual, threads)

    def recognizer(
        self, languages: Sequence[str], language: str | None = None, clock: Callable[[], float] = monotonic
    ) -> WhisperRecognizer:
        """The recogniser of one call that may be held in `languages`, likeliest first.

        language: the caller's, when it is known; None detects it. clock: seconds, monotonic.
        Raises EngineUnavailable for languages that were not loaded, ValueError for a language that
        is not one of `languages`.
        """
        tracker = LanguageTracker(languages, language)
        for code in tracker.codes:
            self._model_for(code)
        return WhisperRecognizer(self, tracker, clock)

    def _model_for(self, code: str) -> WhisperModel:
        if code == "en" and self._english is not None:
            return self._english
        if self._multilingual is None:
            raise EngineUnavailable(f"speech recognition was loaded without language {code!r}: add it to `languages`")
        return self._multilingual

    async def understand(self, kind: DecodeKind, utterance: Utterance) -> Understood:
        """Decode on an inference thread, in order of urgency. Raises DecodeDropped and EngineError."""
        return await self.scheduler.run(kind, lambda ticket: self._understand(utterance, ticket))

    def _understand(self, utterance: Utterance, ticket: Ticket) -> Understood:
        frames, language = utterance.frames, utterance.language
        longest = int(LONGEST_PIECE_S * FRAMES_PER_S)
        if language is None and len(frames) > longest:
            language = self._detect(frames[:longest], utterance.among)[0]
        committed: list[str] = []
        done = 0
        while len(frames) - done > longest:
            cut = quietest_cut(frames[done:])
            known = language or utterance.among[0]
            committed.append(self._model_for(known).hear(frames[done : done + cut], known).text)
            done += cut
            ticket.check()
        rest = frames[done:]
        if language is None:
            heard, languages = self._hear_unknown(rest, utterance, ticket)
        else:
            heard, languages = self._hear(rest, language, utterance, ticket)
        return Understood(heard, languages, tuple(committed), done)

    def _detect(self, frames: Frames, among: Sequence[str]) -> tuple[str, dict[str, float]]:
        model = self._model_for(next((code for code in among if code != "en"), "en"))
        found = model.languages(model.encode(frames, Effort.QUICK), among)
        return max(found, key=lambda code: found[code]), found

    def _hear_unknown(self, frames: Frames, utterance: Utterance, ticket: Ticket) -> tuple[Heard, dict[str, float]]:
        # One encoding serves detection and decoding: cheaper than tiny.en after base's detection.
        model = self._model_for(next(code for code in utterance.among if code != "en"))
        encoded = model.encode(frames, utterance.effort)
        ticket.check()
        found = model.languages(encoded, utterance.among)
        ticket.check()
        heard = model.hear(frames, max(found, key=lambda code: found[code]), encoded=encoded, effort=utterance.effort)
        return self._polished(heard, model, encoded, utterance, ticket), found

    def _hear(
        self, frames: Frames, language: str, utterance: Utterance, ticket: Ticket
    ) -> tuple[Heard, dict[str, float]]:
        model = self._model_for(language)
        encoded = model.encode(frames, utterance.effort)
        ticket.check()
        may_switch = (
            utterance.effort is Effort.THOROUGH and len(utterance.among) > 1 and len(frames) >= SWITCH_S * FRAMES_PER_S
        )
        found: dict[str, float] = {}
        if may_switch and model.multilingual:
            found = model.languages(encoded, utterance.among)
            ticket.check()
            language = clearly_another(found, language, len(frames) / FRAMES_PER_S) or language
        heard = model.hear(frames, language, encoded=encoded, effort=utterance.effort)
        if may_switch and not model.multilingual and heard.text and heard.logprob < DOUBT_LOGPROB:
            ticket.check()
            found = self._detect(frames, utterance.among)[1]
            other = clearly_another(found, language, len(frames) / FRAMES_PER_S)
            if other is not None:
                model = self._model_for(other)
                encoded = model.encode(frames, utterance.effort)
                heard = model.hear(frames, other, encoded=encoded, effort=utterance.effort)
        return self._polished(heard, model, encoded, utterance, ticket), found

    def _polished(
        self, heard: Heard, model: WhisperModel, encoded: Encoded, utterance: Utterance, ticket: Ticket
    ) -> Heard:
        """What only a thorough decode gets: the tenant's names put right, and whether the turn sounds over."""
        if utterance.effort is Effort.QUICK or not heard.text:
            return heard
        ticket.check()
        full_stop = model.full_stop(encoded, heard.text, heard.language)
        newest = utterance.frames[-int(LONGEST_PIECE_S * FRAMES_PER_S) :]
        text = heard.text
        if utterance.terms is not None:
            text = utterance.terms.corrected(
                text, lambda words: model.score(encoded, words, heard.language), model.is_common
            )
        return msgspec.structs.replace(heard, text=text, turn_end=end_probability(newest, full_stop, heard.logprob))

    def close(self) -> None:
        """Fail what is queued and stop the threads; waits for the decodes that run."""
        self.scheduler.close()
