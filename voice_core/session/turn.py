"""What the session remembers: the caller's turn under way and the agent's reply under way.

Plain mutable records, owned by `VoiceSession` and touched by nothing else.
"""

from dataclasses import dataclass, field
from enum import Enum

from voice_core.endpointing import Endpoint
from voice_core.expectation import ExpectedSlot
from voice_core.responder import Cause, Outcome
from voice_core.timeline import Stage, TurnTimeline


class Interruption(Enum):
    """Whether the caller may stop a reply."""

    ALLOWED = "allowed"
    IGNORED = "ignored"


@dataclass(slots=True)
class Turn:
    """What the caller is saying.

    began_ms, stopped_ms: first and last speech sample so far, call clock. prefix: words of a turn
    that was answered too early and now goes on. text: newest transcript of this utterance.
    """

    number: int
    began_ms: float
    stopped_ms: float
    language: str
    prefix: str = ""
    text: str = ""
    endpoint: Endpoint | None = None
    speculations: int = 0
    marks: dict[Stage, float] = field(default_factory=lambda: dict[Stage, float]())

    @property
    def whole(self) -> str:
        """Everything said in this turn."""
        return f"{self.prefix} {self.text}".strip()

    def mark(self, stage: Stage, now_ms: float) -> None:
        """Note the moment of a stage; the newest speculation's stages stand."""
        self.marks[stage] = now_ms

    def timeline(self, *, speculation_used: bool) -> TurnTimeline:
        """The stages relative to the last speech sample."""
        endpoint = self.endpoint
        return TurnTimeline(
            turn=self.number,
            speech_ended_ms=round(self.stopped_ms, 1),
            stages={s.value: round(self.marks[s] - self.stopped_ms, 1) for s in Stage if s in self.marks},
            endpoint_delay_ms=endpoint.delay_ms if endpoint else 0.0,
            endpoint_reason=endpoint.reason if endpoint else "typed",
            speculations=self.speculations,
            speculation_used=speculation_used,
        )


@dataclass(slots=True)
class Reply:
    """What the agent is saying or about to say.

    answers: the caller's words it answers. clauses: texts in order; rendering: how many were handed to
    TTS; played: how many have left; heard: those of them that had audio. Speculative until `confirmed_ms`
    is set, audible once `started_ms` is.
    """

    id: int
    cause: Cause
    answers: str
    language: str
    asked_ms: float
    interruption: Interruption = Interruption.ALLOWED
    turn: Turn | None = None
    clauses: list[tuple[str, str]] = field(default_factory=lambda: list[tuple[str, str]]())
    rendering: int = 0
    played: int = 0
    heard: list[str] = field(default_factory=lambda: list[str]())
    finished_ms: float | None = None
    confirmed_ms: float | None = None
    started_ms: float | None = None
    expects: ExpectedSlot | None = None
    ends: Outcome | None = None
    end_reason: str = "agent_ended"
    transfer: tuple[str, str] | None = None

    @property
    def text(self) -> str:
        """Everything it means to say, so far."""
        return " ".join(text for text, _ in self.clauses)

    @property
    def all_played(self) -> bool:
        """Whether nothing more will come and all of it has left."""
        return self.finished_ms is not None and self.played >= len(self.clauses)

    @property
    def on_last_clause(self) -> bool:
        """Whether the clause being heard is its last."""
        return self.finished_ms is not None and self.played >= len(self.clauses) - 1
