"""Whole conversations through the sans-I/O session, told as a caller would live them."""

import time

from tests.session.simulated_call import VAD_OFFSET_MS, Answer, SimulatedCall
from voice_core import events as ev
from voice_core.expectation import ExpectedSlot, SlotKind
from voice_core.policy import EndpointPolicy, TurnPolicy
from voice_core.responder import Cause, Outcome
from voice_core.session import State

GREETING_OVER_MS = 3_000.0
LONG_ANSWER = Answer("We are open from nine to six on weekdays.", "On Saturday we close at one in the afternoon.")


def friendly(cause: Cause, text: str) -> Answer:
    match cause:
        case Cause.GREETING:
            return Answer("Hello, how can I help?")
        case Cause.SILENCE:
            return Answer("Are you still there?")
        case Cause.GOODBYE:
            return Answer("Goodbye.")
        case Cause.NOT_UNDERSTOOD:
            return Answer("Sorry, I did not catch that.")
        case Cause.FAILURE:
            return Answer("Sorry, something went wrong.")
        case Cause.TURN:
            return LONG_ANSWER


def a_call(**options: object) -> SimulatedCall:
    return SimulatedCall(friendly, **options).start().run_until(GREETING_OVER_MS)  # type: ignore[arg-type]


def test_a_question_is_answered_as_soon_as_its_silence_is_over() -> None:
    call = a_call()
    end_ms = call.caller_says("What time do you close on Saturday?", at_ms=4_000)
    call.run_until(9_000)
    waited_ms = call.first_frame_after(end_ms) - end_ms
    question_ms = EndpointPolicy().question_ms
    assert question_ms <= waited_ms <= question_ms + 45, "the endpointing delay plus two frames at most"
    assert call.said("caller") == ["What time do you close on Saturday?"]


def test_the_reply_is_begun_before_the_turn_is_confirmed() -> None:
    call = a_call(tts_ms=20.0)
    call.caller_says("What time do you close on Saturday?", at_ms=4_000)
    call.run_until(9_000)
    stages = call.timelines[-1]
    assert stages["reply_asked_ms"] < stages["turn_confirmed_ms"]
    assert stages["first_audio_ms"] < stages["turn_confirmed_ms"]


def test_a_caller_who_only_paused_is_not_cut_off() -> None:
    call = a_call()
    first_end_ms = call.caller_says("I would like to come on Tuesday and", at_ms=4_000)
    resumes_ms = first_end_ms + 800
    end_ms = call.caller_says("on Wednesday if possible.", at_ms=resumes_ms)
    call.run_until(10_000)
    assert not call.agent_audible(first_end_ms, end_ms)
    assert call.said("caller") == ["I would like to come on Tuesday and on Wednesday if possible."]
    assert len(call.confirmed) == 2, "the greeting and one answer"


def test_nothing_of_an_abandoned_speculation_is_heard_or_confirmed() -> None:
    call = a_call()
    first_end_ms = call.caller_says("I have a question.", at_ms=4_000)
    call.caller_says("It is about Saturday.", at_ms=first_end_ms + VAD_OFFSET_MS + 30)
    call.run_until(9_000)
    speculated = [r.reply_id for r in call.responds if r.text == "I have a question."]
    assert not any(reply in call.confirmed for reply in speculated)
    assert not any(reply in speculated for _, reply in call.frames)


def test_a_cough_in_the_pause_keeps_the_reply_that_was_begun() -> None:
    call = a_call(policy=TurnPolicy(endpoint=EndpointPolicy(question_ms=500.0)))
    end_ms = call.caller_says("What time do you close on Saturday?", at_ms=4_000)
    call.caller_says("", at_ms=end_ms + 250, lasts_ms=150)
    call.run_until(9_000)
    assert [r.text for r in call.responds if r.cause is Cause.TURN] == ["What time do you close on Saturday?"]


def test_words_over_the_agent_silence_it_at_once_and_take_the_floor() -> None:
    call = a_call()
    end_ms = call.caller_says("When are you open?", at_ms=4_000)
    onset_ms = call.run_until(6_500).now_ms
    call.caller_says("Wait, I meant the other clinic.", at_ms=onset_ms)
    call.run_until(12_000)
    after_onset = [at for at, _ in call.frames if onset_ms < at < onset_ms + 1_500]
    assert max(after_onset) - onset_ms <= 120, "VAD onset and one frame"
    assert call.said("caller")[-1] == "Wait, I meant the other clinic."
    cut = [text for text in call.said("agent") if LONG_ANSWER.clauses[0].startswith(text)]
    assert 0 < len(cut[0].split()) < 9, "the record holds only what was heard"
    assert end_ms < onset_ms


def test_a_backchannel_pauses_the_agent_and_lets_it_go_on() -> None:
    call = a_call()
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(6_500)
    call.caller_says("mm-hm", at_ms=6_500, lasts_ms=250)
    call.run_until(16_000)
    assert call.said("agent")[-1] == " ".join(LONG_ANSWER.clauses)
    assert call.said("caller") == ["When are you open?"]


def test_a_long_noise_over_the_agent_does_not_silence_it_for_good() -> None:
    call = a_call()
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(6_500)
    call.caller_says("", at_ms=6_500, lasts_ms=9_000)
    call.run_until(15_000)
    assert call.agent_audible(8_500, 15_000), "it goes on although the noise does"


def test_yes_over_the_end_of_a_yes_or_no_question_is_the_answer() -> None:
    asked = ExpectedSlot(SlotKind.YES_NO)

    def asks(cause: Cause, text: str) -> Answer:
        if cause is Cause.TURN and "book" in text:
            return Answer("Shall I book Tuesday at ten for you then?", expects=asked)
        return friendly(cause, text)

    call = SimulatedCall(asks).start().run_until(GREETING_OVER_MS)
    call.caller_says("Please book Tuesday at ten.", at_ms=4_000)
    call.run_until(7_000)
    call.caller_says("yes", at_ms=7_000, lasts_ms=250)
    call.run_until(12_000)
    assert call.said("caller")[-1] == "yes"
    assert [r.text for r in call.responds][-1] == "yes"


def test_a_turn_answered_too_early_is_answered_again_as_a_whole() -> None:
    call = a_call()
    end_ms = call.caller_says("I want a cleaning.", at_ms=4_000)
    call.caller_says("No make that a whitening.", at_ms=end_ms + 330)
    call.run_until(12_000)
    assert call.responds[-1].text == "I want a cleaning. No make that a whitening."


def test_an_agent_that_says_nothing_is_excused_and_a_human_offered() -> None:
    def broken(cause: Cause, text: str) -> Answer:
        return Answer(fails=True) if cause is Cause.TURN else friendly(cause, text)

    call = SimulatedCall(broken).start().run_until(GREETING_OVER_MS)
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(9_000)
    assert call.said("agent")[-1] == "Sorry, something went wrong."


def test_a_reply_that_never_comes_is_excused_after_its_time() -> None:
    def stuck(cause: Cause, text: str) -> Answer:
        return Answer("too late", delay_ms=60_000) if cause is Cause.TURN else friendly(cause, text)

    call = SimulatedCall(stuck).start().run_until(GREETING_OVER_MS)
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(16_000)
    assert call.said("agent")[-1] == "Sorry, something went wrong."


def test_speech_without_words_gets_one_sorry_and_a_click_gets_none() -> None:
    call = a_call()
    call.caller_says("", at_ms=4_000, lasts_ms=200)
    call.run_until(6_000)
    assert Cause.NOT_UNDERSTOOD not in [r.cause for r in call.responds]
    call.caller_says("", at_ms=6_000, lasts_ms=1_500)
    call.run_until(12_000)
    assert [r.cause for r in call.responds].count(Cause.NOT_UNDERSTOOD) == 1


def test_silence_brings_one_reprompt_at_15_s_and_a_goodbye_at_30_s() -> None:
    call = a_call()
    quiet_since_ms = max(at for at, _ in call.frames)
    call.run_until(60_000)
    causes = [r.cause for r in call.responds]
    assert causes == [Cause.GREETING, Cause.SILENCE, Cause.GOODBYE]
    reprompt_ms = call.first_frame_after(quiet_since_ms + 5_000)
    assert 15_000 <= reprompt_ms - quiet_since_ms <= 15_200
    assert call.ended is not None
    assert call.ended.outcome is Outcome.ABANDONED
    assert call.now_ms - quiet_since_ms >= 30_000


def test_a_noise_does_not_restart_the_count_of_silence() -> None:
    call = a_call()
    for at_ms in range(5_000, 30_000, 3_000):
        call.caller_says("", at_ms=float(at_ms), lasts_ms=150)
    call.run_until(20_000)
    assert Cause.SILENCE in [r.cause for r in call.responds]


def test_a_phone_number_dictated_with_pauses_is_one_turn() -> None:
    def asks(cause: Cause, text: str) -> Answer:
        if cause is Cause.GREETING:
            return Answer("What is your number?", expects=ExpectedSlot(SlotKind.PHONE, digits=10))
        return Answer("Thank you.")

    call = SimulatedCall(asks).start().run_until(GREETING_OVER_MS)
    at_ms = 4_000.0
    for group in ("zero six", "twelve", "thirty four", "fifty six", "seventy eight"):
        at_ms = call.caller_says(group, at_ms=at_ms) + 1_100
    last_word_ms = at_ms - 1_100
    call.run_until(20_000)
    assert call.said("caller") == ["zero six twelve thirty four fifty six seventy eight"]
    assert call.first_frame_after(last_word_ms) - last_word_ms <= 300, "the tenth digit ends the turn"


def test_keys_are_gathered_into_one_turn() -> None:
    call = a_call()
    for position, digit in enumerate("0612"):
        call.at(4_000 + 300 * position, ev.DtmfReceived(digit))
    call.run_until(8_000)
    assert [r.text for r in call.responds if r.cause is Cause.TURN] == ["0612"]


def test_typed_text_interrupts_and_is_answered() -> None:
    call = a_call()
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(6_500)
    call.at(6_500, ev.TextReceived("Where are you?"))
    call.run_until(7_000)
    assert call.responds[-1].text == "Where are you?"
    assert call.said("caller")[-1] == "Where are you?"


def test_a_shutdown_says_goodbye_and_cannot_be_interrupted() -> None:
    call = a_call()
    call.at(5_000, ev.WindDownRequested("shutdown"))
    call.caller_says("No wait", at_ms=5_050)
    call.run_until(15_000)
    assert call.ended is not None
    assert call.ended.reason == "shutdown"
    assert call.said("agent")[-1] == "Goodbye."


def test_hold_silences_the_agent_and_resume_lets_it_go_on() -> None:
    call = a_call()
    call.caller_says("When are you open?", at_ms=4_000)
    call.run_until(6_500)
    call.at(6_500, ev.HoldRequested())
    call.at(60_000, ev.ResumeRequested())
    call.run_until(80_000)
    assert not call.agent_audible(6_530, 60_000)
    assert call.said("agent")[1] == " ".join(LONG_ANSWER.clauses)


def test_an_ending_reply_is_heard_before_the_call_ends() -> None:
    def ends(cause: Cause, text: str) -> Answer:
        return Answer("Thank you, goodbye.", ends=Outcome.BOOKED) if cause is Cause.TURN else friendly(cause, text)

    call = SimulatedCall(ends).start().run_until(GREETING_OVER_MS)
    call.caller_says("That is all, thanks.", at_ms=4_000)
    call.run_until(20_000)
    assert call.ended is not None
    assert call.ended.outcome is Outcome.BOOKED
    assert call.said("agent")[-1] == "Thank you, goodbye."


def test_a_caller_who_never_pauses_is_answered_in_the_end() -> None:
    call = a_call()
    call.caller_says("word " * 400, at_ms=4_000)
    call.run_until(70_000)
    assert any(r.cause is Cause.TURN for r in call.responds)


def test_a_ten_minute_call_runs_in_a_moment() -> None:
    call = a_call()
    at_ms = 4_000.0
    while at_ms < 600_000:
        at_ms = call.caller_says("When are you open?", at_ms=at_ms) + 8_000
    began = time.perf_counter()
    call.run_until(600_000)
    assert len(call.said("caller")) > 60
    assert time.perf_counter() - began < 5.0
    assert call.session.state is not State.ENDED
