"""The embedded recogniser of one call.

Takes the caller's audio as it arrives, keeps the utterance's spectrogram, and asks the shared engine
for transcripts of the utterance so far. Implements `voice_core.speech.Recognizer`; made by
`WhisperEngine.recognizer`, driven by `VoiceCall`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from voice_core.asr.language import LanguageTracker, clearly_another, whisper_code
from voice_core.asr.log_mel import FRAMES_PER_S, LogMel
from voice_core.asr.loops import bare
from voice_core.asr.terms import TermList
from voice_core.asr.turn_end import levels_db, speech_floor_db
from voice_core.asr.utterance import Engine, Utterance
from voice_core.asr.whisper import Effort
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeDropped, DecodeKind, Transcript

PREROLL_S = 2.0
"""Audio kept before an utterance begins: voice detection is sure only after the first syllable."""
LONGEST_UTTERANCE_S = 120.0
"""An utterance that nobody decodes keeps its newest two minutes."""
SHORTEST_S = 0.1
"""Less than this holds no word."""
PARTIAL_SHARE = 1 / 3
"""Part of the time that a call's partials may take: long utterances are decoded again less often."""
_BATCH_SAMPLES = ANALYSIS_HZ // 10
"""Spectrogram frames are computed ten at a time: the cost is in the calls, not in the samples."""
PIECE_MIN_FRAMES = 300
"""Words before a pause are kept, and not decoded again, once there are 3 s of them: a shorter piece gives
the decoder too little context, a longer wait makes the final of a long turn late."""
PAUSE_FRAMES = 15
"""Silence after such a decode (which was asked for at 110 ms of silence) that makes it a real pause."""
_ENDS_IN_DIGIT = re.compile(r"\d\W*$")
_NOT_DETECTED: tuple[Mapping[str, float], float] = ({}, 0.0)


def agreed_prefix(previous: str, text: str) -> str:
    """The words that `text` begins with and `previous` began with as well (LocalAgreement-2).

    Machacek et al. 2023, "Turning Whisper into Real-Time Transcription System". Case and punctuation
    do not count: they change with every word that follows.
    """
    words = text.split()
    agreed = 0
    for ours, theirs in zip(words, previous.split(), strict=False):
        if bare(ours) != bare(theirs):
            break
        agreed += 1
    return " ".join(words[:agreed])


class PreRoll:
    """The newest PREROLL_S seconds of audio, in a ring."""

    def __init__(self) -> None:
        self._ring = np.zeros(int(PREROLL_S * ANALYSIS_HZ), dtype=np.int16)
        self._end = 0
        self._held = 0

    def push(self, pcm: Pcm16) -> None:
        """Add samples; the oldest are forgotten."""
        size = len(self._ring)
        pcm = pcm[-size:]
        first = min(len(pcm), size - self._end)
        self._ring[self._end : self._end + first] = pcm[:first]
        self._ring[: len(pcm) - first] = pcm[first:]
        self._end = (self._end + len(pcm)) % size
        self._held = min(size, self._held + len(pcm))

    def newest(self, samples: int) -> Pcm16:
        """The newest `samples`, or as many as there are, oldest first."""
        count = max(0, min(samples, self._held))
        return np.roll(self._ring, -self._end)[len(self._ring) - count :]


class WhisperRecognizer:
    """Speech to text for one call; all methods are called on the event loop and return at once."""

    def __init__(self, engine: Engine, tracker: LanguageTracker, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._tracker = tracker
        self._clock = clock
        self._terms: TermList | None = None
        self._preroll = PreRoll()
        self._mel: LogMel | None = None
        self._unheard: list[Pcm16] = []
        self._unheard_samples = 0
        self._committed: list[str] = []
        self._previous = ""
        self._detected = _NOT_DETECTED
        self._next_partial_s = -math.inf

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples, 16 kHz mono, in pieces of any length."""
        if self._mel is None:
            self._preroll.push(pcm)
            return
        # A copy: the caller may use its buffer again.
        self._unheard.append(pcm.copy())
        self._unheard_samples += len(pcm)
        if self._unheard_samples >= _BATCH_SAMPLES:
            self._listen(self._mel)

    def _listen(self, mel: LogMel) -> None:
        if not self._unheard:
            return
        pcm = np.concatenate(self._unheard)
        self._unheard, self._unheard_samples = [], 0
        self._preroll.push(pcm)
        mel.push(pcm)
        if mel.duration_s > LONGEST_UTTERANCE_S:
            surplus_s = mel.duration_s - LONGEST_UTTERANCE_S / 2
            mel.drop_before(mel.first + int(surplus_s * FRAMES_PER_S))

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance `lookback_ms` (PREROLL_S at most) before the newest sample pushed."""
        self.finish()
        self._mel = LogMel()
        self._mel.push(self._preroll.newest(int(lookback_ms * ANALYSIS_HZ / 1000)))

    async def decode(self, kind: DecodeKind) -> Transcript:
        """Decode the utterance from its beginning to the newest sample; "" when none was begun.

        Cancelling the task takes the decode out of the engine's queue. Raises DecodeDropped (PARTIAL
        only) and EngineError.
        """
        asked_s = self._clock()
        mel = self._mel
        if mel is None:
            return Transcript(text="", language=self._tracker.current)
        self._listen(mel)
        if mel.duration_s < SHORTEST_S and not self._committed:
            return Transcript(text="", language=self._tracker.current)
        if kind is DecodeKind.PARTIAL and asked_s < self._next_partial_s:
            raise DecodeDropped
        self._keep_words_before_pause(mel)
        first, before = mel.first, tuple(self._committed)
        utterance = Utterance(
            frames=mel.frames(),
            language=whisper_code(self._tracker.current) if self._tracker.settled else self._overheard,
            among=self._tracker.codes,
            terms=self._terms,
            effort=Effort.THOROUGH if kind is DecodeKind.FINAL else Effort.QUICK,
        )
        understood = await self._engine.understand(kind, utterance)
        decode_s = self._clock() - asked_s
        if kind is DecodeKind.PARTIAL:
            self._next_partial_s = asked_s + decode_s / PARTIAL_SHARE
        # The utterance may be over by now, or another decode may have committed the same piece.
        if self._mel is mel and mel.first == first and understood.committed_frames:
            mel.drop_before(first + understood.committed_frames)
            self._committed.extend(understood.committed)
        heard = understood.heard
        text = " ".join(piece for piece in (*before, *understood.committed, heard.text) if piece)
        stable = ""
        if self._mel is mel:
            stable = agreed_prefix(self._previous, text)
            self._previous = text
            if kind is DecodeKind.FINAL and mel.first == first:
                self._before_pause = (first + len(utterance.frames), heard.text)
            self._note_language(kind, understood.languages, len(utterance.frames) / FRAMES_PER_S)
        return Transcript(
            text=text,
            language=self._tracker.named(heard.language),
            confidence=heard.confidence,
            stable=stable,
            decode_ms=decode_s * 1000,
            end_probability=heard.turn_end if kind is DecodeKind.FINAL else None,
        )

    def _keep_words_before_pause(self, mel: LogMel) -> None:
        """When the last final turned out to be before a real pause, its words stand and only the rest is decoded.

        Not inside a dictated number: a digit alone is too short to be decoded well.
        """
        if self._before_pause is None:
            return
        at, text = self._before_pause
        frames = mel.frames()
        after = at - mel.first
        if after < PIECE_MIN_FRAMES or len(frames) < after + PAUSE_FRAMES:
            return
        level = levels_db(frames)
        if (
            text
            and not _ENDS_IN_DIGIT.search(text)
            and level[after : after + PAUSE_FRAMES].max() <= speech_floor_db(level)
        ):
            mel.drop_before(at)
            self._committed.append(text)
        self._before_pause = None

    def _note_language(self, kind: DecodeKind, found: Mapping[str, float], duration_s: float) -> None:
        """A clear detection made while the caller still spoke spares the final, which is waited for, its own."""
        if not found:
            return
        if kind is DecodeKind.FINAL or self._overheard is None:
            self._detected = (found, duration_s)
        if kind is not DecodeKind.FINAL and not self._tracker.settled:
            self._overheard = clearly_another(found, None, duration_s)

    def finish(self) -> None:
        """Forget the utterance; later samples are pre-roll again."""
        if self._mel is not None:
            self._listen(self._mel)
        self._mel = None
        self._committed = []
        self._previous = ""
        # Only the last final counts: the ones before it were the same speech.
        self._tracker.observe(*self._detected)
        self._detected = _NOT_DETECTED
        self._overheard = None
        self._before_pause = None

    def bias(self, terms: Sequence[str]) -> None:
        """Prefer these names and terms when the audio allows them; replaces the earlier ones."""
        self._terms = TermList(terms) if terms else None

    async def aclose(self) -> None:
        """Forget the call's audio; the engine stays."""
        self.finish()
        self._preroll = PreRoll()
