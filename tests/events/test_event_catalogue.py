"""Typed views of payloads, and patterns of types."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.calls.completed import CallDetails, completed, started
from context.events.catalogue import CallCompleted, CallStarted, EventPayloadError, payload_of
from context.events.patterns import PatternError, checked, matches
from tests.events.small_bus import PARK, an_event
from voice_core.record import CallRecord, Utterance
from voice_core.responder import Outcome

RECORD = CallRecord(
    call_id="call-1",
    started_at=10.0,
    duration_s=74.2,
    language="en",
    outcome=Outcome.BOOKED,
    reason="goodbye",
    transcript=(
        Utterance("agent", "Hello", 300.0, 1900.0, "en"),
        Utterance("caller", "A cleaning, please", 2600.0, 4700.0, "en"),
    ),
    tools=(),
    latency=({"first_frame_ms": 410.0},),
    caller_talk_s=2.1,
    agent_talk_s=1.6,
    recording="call-1.wav",
)
WORD = st.text("abc_1", min_size=1, max_size=3).map(lambda word: f"a{word}")
TYPE = st.lists(WORD, min_size=2, max_size=4).map(".".join)


def test_what_the_phone_publishes_about_a_call_is_what_the_catalogue_promises() -> None:
    details = CallDetails(channel="phone", persona_id="camille", caller="+33612345678")
    begun = payload_of(started(PARK, "call-1", 10.0, "en", details))
    assert isinstance(begun, CallStarted)
    assert (begun.call_id, begun.channel, begun.caller) == ("call-1", "phone", "+33612345678")
    over = payload_of(completed(PARK, RECORD, details, [], 84.2))
    assert isinstance(over, CallCompleted)
    assert (over.outcome, over.talk_time_s.caller, len(over.transcript)) == ("booked", 2.1, 2)


def test_fields_that_nobody_knows_do_not_hurt_and_missing_ones_are_named() -> None:
    view = payload_of(an_event("e1", kind="call.started", call_id="c1", from_the_future=[1]))
    assert view == CallStarted(call_id="c1")
    with pytest.raises(EventPayloadError, match=r"call\.started e1: .*call_id"):
        payload_of(an_event("e1", kind="call.started"))


def test_a_type_that_nobody_knows_keeps_its_payload_as_it_is() -> None:
    assert payload_of(an_event("e1", kind="crm.won", deal=4711)) == {"deal": 4711}


@given(event_type=TYPE, prefix_words=st.integers(1, 3))
def test_a_wildcard_means_what_begins_with_its_words_and_nothing_else(event_type: str, prefix_words: int) -> None:
    pattern = ".".join(event_type.split(".")[:prefix_words]) + ".*"
    assert matches(checked([pattern]), event_type) is fnmatch.fnmatchcase(event_type, pattern)
    assert not matches([pattern], "b" + event_type)
    assert matches(["*"], event_type)
    assert matches([event_type], event_type)


@pytest.mark.parametrize(
    "pattern", ["", "call", "*.completed", "call.*.x", "Call.*", "call.", ".x", "call.**", "a b.c"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        checked([pattern])
