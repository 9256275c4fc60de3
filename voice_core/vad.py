"""Where speech begins and ends: the decision, without audio, engine or clock.

`VadMachine` is fed one window at a time (Silero's probability and the level of each hop) and says when
the caller started and stopped, to a few milliseconds. `vad_hub.VadStream` feeds it; turn-taking adds its
own waiting on top, so STOPPED only means that a pause began and must come quickly.
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum

import msgspec

from voice_core.frames import ANALYSIS_HZ, VAD_WINDOW_SAMPLES

HOP_SAMPLES = 128
"""Resolution of levels, and so of edges: 8 ms at 16 kHz, a quarter of a window."""

SILENCE_DBFS = -90.0
"""Level of digital silence, and the lowest level that is told apart."""

CLEAN_RANGE_DB = 30.0
"""Speech this far over the noise shows its end by level; under that, soft syllables drown and level alone would
see three pauses a sentence where there is one, so the network's word counts too."""

NOISY_PROBABILITY = 0.7
NETWORK_TAIL_SAMPLES = 48 * ANALYSIS_HZ // 1000
"""The network still hears speech about this long after its end (63 ms at probability 0.5, median of 68 clean
recordings, to the end of the window)."""

_WINDOW_MS = VAD_WINDOW_SAMPLES * 1000 / ANALYSIS_HZ
_LOOKBACK_HOPS = 16
"""How far before the first window that sounds like speech its beginning is looked for: 128 ms."""


class EdgeKind(Enum):
    """What happened."""

    STARTED = "started"
    STOPPED = "stopped"


class SpeechEdge(msgspec.Struct, frozen=True):
    """Speech began or ended. lag_ms: how long before the newest sample pushed it did."""

    kind: EdgeKind
    lag_ms: float


class Boundary(msgspec.Struct, frozen=True):
    """An edge at its place in the stream. at: samples from the start of the stream."""

    kind: EdgeKind
    at: int


class SpeakingRules(msgspec.Struct, frozen=True):
    """What it takes to believe that the caller speaks.

    probability: Silero's, 0..1, of every window that counts. onset_ms: how much of that is needed.
    above_noise_db: margin over the noise floor that the loudest hop must have.
    below_talker_db: how far under the caller's usual level it may be.
    """

    probability: float
    onset_ms: float
    above_noise_db: float
    below_talker_db: float


class VadSettings(msgspec.Struct, frozen=True):
    """Thresholds of one call.

    listening: rules while the agent is silent. agent_speaking: rules while it speaks, when an echo of its
    voice or a click must not stop it. stop_after_ms: silence after the last speech hop that makes a STOPPED.
    stop_probability: a window under it holds no speech.
    end_above_noise_db, end_below_peak_db: a hop is speech when it is that far above the noise floor and not
    more than that far under the loudest recent hop.
    """

    listening: SpeakingRules = SpeakingRules(probability=0.5, onset_ms=64, above_noise_db=3, below_talker_db=60)
    agent_speaking: SpeakingRules = SpeakingRules(probability=0.7, onset_ms=128, above_noise_db=9, below_talker_db=18)
    stop_after_ms: float = 112
    stop_probability: float = 0.35
    end_above_noise_db: float = 6
    end_below_peak_db: float = 27


class _State(Enum):
    SILENT = "silent"
    RISING = "rising"
    """It sounds like speech, but not yet for long enough."""
    SPEAKING = "speaking"


class _Levels:
    """What is known of the line: its noise floor, and how loud the caller is. All in dBFS."""

    FALL = 0.3
    """Share of the way down that the floor goes in one window: a quieter line is believed at once."""
    RISE = 0.05
    """The same upwards: 0.6 s, so that a word that was missed does not become the floor."""
    PEAK_DECAY_DB = 0.15
    """Loss per window of the recent peak: 5 dB/s, about as a sentence fades."""
    TALKER_RATE = 0.05

    def __init__(self) -> None:
        self.noise = SILENCE_DBFS
        self.peak = SILENCE_DBFS
        self.talker: float | None = None
        self._quiet_windows = 0

    def quiet(self, mean: float) -> None:
        """A window without speech."""
        self._quiet_windows += 1
        rate = self.FALL if mean < self.noise else max(self.RISE, 1 / self._quiet_windows)
        self.noise += rate * (mean - self.noise)
        self.peak = max(SILENCE_DBFS, self.peak - self.PEAK_DECAY_DB)

    def voiced(self, loudest: float, quietest: float) -> None:
        """A window of speech."""
        self.peak = max(loudest, self.peak - self.PEAK_DECAY_DB)
        if quietest < self.noise:
            self.noise += self.FALL * (quietest - self.noise)

    def learn_talker(self, loudest: float) -> None:
        """The level of a window that was surely the caller."""
        if self.talker is None:
            self.talker = loudest
        self.talker += self.TALKER_RATE * (loudest - self.talker)


class VadMachine:
    """Turns windows into boundaries. One per call; plain state, deterministic."""

    def __init__(self, settings: VadSettings) -> None:
        self._settings = settings
        self._rules = settings.listening
        self._state = _State.SILENT
        self._levels = _Levels()
        self._end = 0
        self._hops: deque[float] = deque([SILENCE_DBFS] * _LOOKBACK_HOPS, maxlen=_LOOKBACK_HOPS)
        self._began = 0
        self._evidence_ms = 0.0
        self._doubtful = False
        self._heard = False
        self._last_speech = 0
        self._speech_samples = 0

    @property
    def silent(self) -> bool:
        """Nothing suggests speech, not even for a moment."""
        return self._state is _State.SILENT

    @property
    def speaking(self) -> bool:
        """Between a STARTED and its STOPPED."""
        return self._state is _State.SPEAKING

    @property
    def speech_samples(self) -> int:
        """Samples between STARTED and STOPPED boundaries so far, the open one up to its last speech."""
        return self._speech_samples + (self._last_speech - self._began if self.speaking else 0)

    @property
    def noise_dbfs(self) -> float:
        """The noise floor."""
        return self._levels.noise

    def agent_speaking(self, speaking: bool) -> None:
        """Choose the rules: stricter while the agent speaks."""
        self._rules = self._settings.agent_speaking if speaking else self._settings.listening

    def step(self, probability: float, hops_dbfs: Sequence[float]) -> Boundary | None:
        """Take the next window.

        probability: that the window holds speech, 0..1. hops_dbfs: RMS level of each of its hops.
        """
        self._end += len(hops_dbfs) * HOP_SAMPLES
        loudest = max(hops_dbfs)
        if self._state is _State.SPEAKING:
            boundary = self._while_speaking(probability, hops_dbfs, loudest)
        else:
            boundary = self._while_silent(probability, hops_dbfs, loudest)
        self._hops.extend(hops_dbfs)
        self._heard = probability >= self._settings.stop_probability
        return boundary

    def _while_silent(self, probability: float, hops: Sequence[float], loudest: float) -> Boundary | None:
        if not self._believable(probability, loudest):
            if self._state is _State.RISING and not self._doubtful:
                self._doubtful = True  # one weak window inside a word is forgiven
            else:
                self._state = _State.SILENT
            if probability < self._settings.stop_probability:
                self._levels.quiet(sum(hops) / len(hops))
            return None
        if self._state is _State.SILENT:
            self._state = _State.RISING
            self._evidence_ms = 0.0
            self._began = self._find_beginning(hops, loudest)
        self._doubtful = False
        self._evidence_ms += _WINDOW_MS
        self._levels.voiced(loudest, min(hops))
        self._last_speech = self._end
        if self._evidence_ms < self._rules.onset_ms:
            return None
        self._state = _State.SPEAKING
        return Boundary(EdgeKind.STARTED, self._began)

    def _while_speaking(self, probability: float, hops: Sequence[float], loudest: float) -> Boundary | None:
        if probability >= self._settings.stop_probability:
            self._levels.voiced(loudest, min(hops))
            if self._rules is self._settings.listening:
                self._levels.learn_talker(loudest)
            self._last_speech = max(self._last_speech, self._end_in_window(probability, hops))
        elif self._heard and self._last_speech == self._end - len(hops) * HOP_SAMPLES:
            # The word ran to the end of the window before: follow its last sound into this one.
            threshold = self._end_threshold()
            for level in hops:
                if level < threshold:
                    break
                self._last_speech += HOP_SAMPLES
        if self._end - self._last_speech < self._settings.stop_after_ms * ANALYSIS_HZ / 1000:
            return None
        self._state = _State.SILENT
        self._speech_samples += self._last_speech - self._began
        return Boundary(EdgeKind.STOPPED, self._last_speech)

    def _end_in_window(self, probability: float, hops: Sequence[float]) -> int:
        """Where the last speech of a window that holds some ends: by level, or in noise by the network."""
        threshold = self._end_threshold()
        by_level = 0
        for index in range(len(hops) - 1, -1, -1):
            if hops[index] >= threshold:
                by_level = self._end - (len(hops) - 1 - index) * HOP_SAMPLES
                break
        noisy = self._levels.peak - self._levels.noise < CLEAN_RANGE_DB
        if noisy and probability >= NOISY_PROBABILITY:
            return max(by_level, self._end - NETWORK_TAIL_SAMPLES)
        return by_level

    def _believable(self, probability: float, loudest: float) -> bool:
        rules, levels = self._rules, self._levels
        if probability < rules.probability or loudest < levels.noise + rules.above_noise_db:
            return False
        return levels.talker is None or loudest >= levels.talker - rules.below_talker_db

    def _end_threshold(self) -> float:
        settings, levels = self._settings, self._levels
        # At a poor signal-to-noise ratio the margin over the noise may not swallow the speech itself.
        over_noise = min(levels.noise + settings.end_above_noise_db, levels.peak - settings.end_above_noise_db)
        return max(over_noise, levels.peak - settings.end_below_peak_db)

    def _find_beginning(self, hops: Sequence[float], loudest: float) -> int:
        """Walk back from the loudest hop of the first window over hops that stand out of the noise."""
        levels = self._levels
        margin = self._settings.end_above_noise_db
        threshold = max(min(levels.noise + margin, loudest - margin), loudest - self._settings.end_below_peak_db)
        known = [*self._hops, *hops]
        first = len(known) - len(hops) + list(hops).index(loudest)
        while first > 0 and known[first - 1] >= threshold:
            first -= 1
        return max(0, self._end - (len(known) - first) * HOP_SAMPLES)
