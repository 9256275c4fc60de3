"""Laws of the session: whatever the order of events, they hold after every one of them."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from voice_core import actions as do
from voice_core import events as ev
from voice_core.event_log import EventLog, replay
from voice_core.events import Timer
from voice_core.expectation import ExpectedSlot, SlotKind
from voice_core.policy import TurnPolicy
from voice_core.responder import Outcome
from voice_core.session import State, VoiceSession
from voice_core.session.floor import ALLOWED_TIMERS
from voice_core.speech import DecodeKind

WORDS = st.sampled_from(
    ["", "yes", "mm-hm", "wait", "what time do you close on Saturday?", "my number is zero six", "and", "d'accord"]
)
IDS = st.integers(1, 12)
EVENTS = st.one_of(
    st.builds(ev.SpeechStarted, st.floats(0, 1_000)),
    st.builds(ev.SpeechStopped, st.floats(0, 1_000)),
    st.builds(ev.Transcribed, IDS, st.sampled_from(DecodeKind), WORDS, st.sampled_from(["en", "fr"])),
    st.builds(ev.DecodeFailed, IDS, st.sampled_from(DecodeKind), st.just("engine_failed")),
    st.builds(ev.ReplyClause, IDS, st.text(string.ascii_lowercase + " ", min_size=1), st.just("en")),
    st.builds(ev.ReplyExpects, IDS, st.builds(ExpectedSlot, st.sampled_from(SlotKind))),
    st.builds(ev.ReplyEnds, IDS, st.sampled_from(Outcome)),
    st.builds(ev.ReplyTransfers, IDS, st.just("asked"), st.just("+33100000000")),
    st.builds(ev.ReplyFinished, IDS),
    st.builds(ev.ReplyFailed, IDS, st.just("llm_down")),
    st.builds(ev.ClauseReady, IDS, st.integers(0, 2)),
    st.builds(ev.ClausePlayed, IDS, st.integers(0, 2), st.booleans()),
    st.builds(ev.PlayoutStarted, IDS),
    st.builds(ev.PlayoutCut, IDS, st.just("half a")),
    st.builds(ev.TimerFired, st.sampled_from(Timer)),
    st.builds(ev.DtmfReceived, st.sampled_from("0123456789*#")),
    st.builds(ev.TextReceived, st.just("typed words")),
    st.just(ev.HoldRequested()),
    st.just(ev.ResumeRequested()),
    st.builds(ev.WindDownRequested, st.just("shutdown")),
)
CALLS = st.lists(st.tuples(EVENTS, st.floats(0.0, 3_000.0)), max_size=80)

CALLER_HAS_FLOOR = {State.HEARING, State.ENDPOINTING, State.OVERLAP, State.DECIDING, State.HELD}


class Shell:
    """Keeps what a shell would know and checks each action against it."""

    def __init__(self, policy: TurnPolicy | None = None) -> None:
        self.session = VoiceSession(language="en", policy=policy)
        self.timers: set[Timer] = set()
        self.asked: set[int] = set()
        self.confirmed: set[int] = set()
        self.cancelled: set[int] = set()
        self.released: int | None = None
        self.paused = False
        self.last_decode = 0
        self.open_utterance = False
        self.ends = 0

    def handle(self, event: ev.Event, now_ms: float) -> None:
        if isinstance(event, ev.TimerFired):
            self.timers.discard(event.timer)
        for action in self.session.handle(event, now_ms):
            self.check(action)
        assert self.timers == set(self.session.timers), "the shell's timers are the session's"
        assert self.timers <= ALLOWED_TIMERS[self.session.state], "no timer runs where it means nothing"
        if self.session.state in CALLER_HAS_FLOOR:
            assert self.released is None or self.paused, "the agent is silent while the caller has the floor"
        if self.session.state is State.ENDED:
            assert self.released is None
            assert not self.timers
            assert self.ends == 1

    def check(self, action: do.Action) -> None:
        assert self.ends == 0 or isinstance(action, do.Tell | do.NoteUtterance), "after the end there are only notes"
        match action:
            case do.SetTimer(timer):
                self.timers.add(timer)
            case do.CancelTimer(timer):
                self.timers.remove(timer)
            case do.Respond(reply_id):
                assert reply_id not in self.asked
                self.asked.add(reply_id)
            case do.ConfirmReply(reply_id):
                assert reply_id in self.asked - self.cancelled - self.confirmed
                self.confirmed.add(reply_id)
            case do.CancelReply(reply_id):
                assert reply_id in self.asked
                self.cancelled.add(reply_id)
            case do.Synthesise(reply_id):
                assert reply_id not in self.cancelled
            case do.Play(reply_id):
                assert reply_id in self.confirmed - self.cancelled, "only a confirmed, live reply is heard"
                self.released, self.paused = reply_id, False
            case do.PausePlayout():
                self.paused = True
            case do.ResumePlayout():
                self.paused = False
                assert self.released not in self.cancelled, "cancelled audio never comes back"
            case do.ClearPlayout(reply_id):
                assert reply_id in self.confirmed
                if self.released == reply_id:
                    self.released = None
            case do.Heard(reply_id):
                assert reply_id in self.confirmed
                if self.released == reply_id:
                    self.released = None
            case do.Decode(decode_id):
                assert decode_id > self.last_decode
                assert self.open_utterance, "there is audio to decode"
                self.last_decode = decode_id
            case do.BeginUtterance():
                self.open_utterance = True
            case do.FinishUtterance():
                self.open_utterance = False
            case do.EndCall():
                self.ends += 1
            case _:
                pass


def clock(calls: list[tuple[ev.Event, float]]) -> list[tuple[ev.Event, float]]:
    """Gaps to rising times; edges are placed a little before they are told."""
    now_ms, timed = 0.0, []
    for event, gap_ms in calls:
        now_ms += gap_ms
        if isinstance(event, ev.SpeechStarted | ev.SpeechStopped):
            event = type(event)(max(0.0, now_ms - event.at_ms / 10))
        timed.append((event, now_ms))
    return timed


@settings(max_examples=400, deadline=None)
@given(CALLS)
def test_whatever_happens_the_floor_is_shared_fairly(calls: list[tuple[ev.Event, float]]) -> None:
    shell = Shell(TurnPolicy(cap_ms=100_000.0))
    shell.handle(ev.CallStarted(), 0.0)
    for event, now_ms in clock(calls):
        shell.handle(event, now_ms)


@settings(max_examples=200, deadline=None)
@given(CALLS)
def test_a_hang_up_always_ends_the_call_once(calls: list[tuple[ev.Event, float]]) -> None:
    shell = Shell()
    shell.handle(ev.CallStarted(), 0.0)
    now_ms = 0.0
    for event, now_ms in clock(calls):
        shell.handle(event, now_ms)
    shell.handle(ev.HungUp("caller_hung_up"), now_ms)
    assert shell.session.state is State.ENDED
    assert shell.ends == 1
    shell.handle(ev.HungUp("again"), now_ms)


@settings(max_examples=150, deadline=None)
@given(CALLS)
def test_left_alone_every_call_ends_by_itself(calls: list[tuple[ev.Event, float]]) -> None:
    """With a responder that never answers and a caller who is gone, timers alone bring every call to its end."""
    shell = Shell(TurnPolicy(cap_ms=600_000.0))
    shell.handle(ev.CallStarted(), 0.0)
    now_ms = 0.0
    for event, now_ms in clock(calls):
        shell.handle(event, now_ms)
    for _ in range(10_000):
        if not shell.session.timers:
            break
        timer, due_ms = min(shell.session.timers.items(), key=lambda item: item[1])
        now_ms = max(now_ms, due_ms)
        shell.handle(ev.TimerFired(timer), now_ms)
    assert shell.session.state is State.ENDED


@settings(max_examples=150, deadline=None)
@given(CALLS)
def test_a_call_log_replays_to_the_same_actions(calls: list[tuple[ev.Event, float]]) -> None:
    policy = TurnPolicy(cap_ms=50_000.0)
    session = VoiceSession(language="fr", policy=policy)
    log = EventLog("fr", policy)
    done: list[list[do.Action]] = []
    for event, now_ms in [(ev.CallStarted(), 0.0), *clock(calls)]:
        at_ms = round(now_ms, 6)
        log.add(event, at_ms)
        done.append(session.handle(event, at_ms))
    assert replay(log.getvalue()) == done
