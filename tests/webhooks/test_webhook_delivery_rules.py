"""What follows each attempt: three attempts, growing pauses, and no repetition of what will stay wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.webhooks.delivery import MOST_ATTEMPTS, TRANSITIONS, Answer, DeliveryState, Failure, after

NOW_MS = 1_800_000_000_000


def answered(status: int, retry_after_s: int = 0) -> Answer:
    return Answer(status, Failure.NONE, 5, retry_after_s=retry_after_s)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_answer_2xx_is_delivered(status: int) -> None:
    assert after(1, answered(status), NOW_MS).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 422])
def test_an_answer_that_says_the_request_is_wrong_is_final_at_once(status: int) -> None:
    assert after(1, answered(status), NOW_MS).state is DeliveryState.FAILED


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_receiver_in_trouble_is_asked_three_times_after_one_and_two_seconds(status: int) -> None:
    first, second, third = (after(attempt, answered(status), NOW_MS) for attempt in (1, 2, 3))
    assert (first.state, first.due_at_ms - NOW_MS) == (DeliveryState.PENDING, 1000)
    assert (second.state, second.due_at_ms - NOW_MS) == (DeliveryState.PENDING, 2000)
    assert third.state is DeliveryState.FAILED


def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_an_endless_one() -> None:
    assert after(1, answered(429, retry_after_s=20), NOW_MS).due_at_ms == NOW_MS + 20_000
    assert after(1, answered(503, retry_after_s=99_999), NOW_MS).due_at_ms == NOW_MS + 60_000


@pytest.mark.parametrize("failure", [Failure.DESTINATION_REFUSED, Failure.EVENT_GONE])
def test_what_parley_itself_refuses_is_not_tried_again(failure: Failure) -> None:
    assert after(1, Answer(None, failure, 0), NOW_MS).state is DeliveryState.FAILED


@given(
    st.lists(
        st.builds(Answer, st.integers(100, 599), st.just(Failure.NONE), st.just(1), retry_after_s=st.integers(0, 10**6))
        | st.builds(Answer, st.none(), st.sampled_from([each for each in Failure if each]), st.just(1)),
        min_size=MOST_ATTEMPTS,
        max_size=MOST_ATTEMPTS,
    )
)
def test_whatever_is_answered_a_delivery_ends_within_three_attempts_and_two_minutes(answers: list[Answer]) -> None:
    now_ms, state, attempts = NOW_MS, DeliveryState.PENDING, 0
    while state is DeliveryState.PENDING:
        following = after(attempts + 1, answers[attempts], now_ms)
        assert following.state in TRANSITIONS[state]
        attempts, state, now_ms = attempts + 1, following.state, following.due_at_ms
    assert attempts <= MOST_ATTEMPTS
    assert now_ms - NOW_MS <= 120_000
