"""The numbers of turn-taking in one place: every wait and threshold of the session.

A tenant or a test may change any of them; the defaults come from the product facts and from the
measurements named beside them. Read by the session, endpointing and interruption.
"""

import msgspec


class EndpointPolicy(msgspec.Struct, frozen=True):
    """How much silence ends a turn, by what was said (ms after the last speech sample)."""

    question_ms: float = 280.0
    """A question hands the floor over; so does a one-word answer to one of ours."""
    sure_ms: float = 385.0
    """Words that sound like the end (belief BELIEF_SURE and more)."""
    doubt_ms: float = 700.0
    """Words that may go on (belief BELIEF_DOUBT and less). On the pauses of 151 recorded English turns, half of
    them read prose, this cuts 7 turns at a median delay of 385 ms; silence alone cuts 16 at 400 ms, 9 at 500 ms
    and 7 at 600 ms (benchmarks.endpointing)."""
    complete_ms: float = 450.0
    """A whole sentence, where the recogniser gives no belief."""
    unsure_ms: float = 600.0
    """Words that could end here and could go on, without a belief."""
    dangling_ms: float = 900.0
    """Ends on a conjunction, an article, a filler: more is coming."""
    slot_ms: float = 1_500.0
    """Half a phone number, an e-mail without its domain: people pause up to 1.2 s in dictation."""
    min_ms: float = 200.0
    max_ms: float = 2_500.0


class TurnPolicy(msgspec.Struct, frozen=True):
    """Every wait of the session, in ms."""

    endpoint: EndpointPolicy = EndpointPolicy()
    preroll_ms: float = 300.0
    """Audio kept before VAD's onset: the first word must not lose its head (pipecat 3375)."""
    partial_every_ms: float = 400.0
    utterance_max_ms: float = 60_000.0
    """A caller who never pauses (or a television) is answered after this."""
    decode_timeout_ms: float = 4_000.0
    verdict_ms: float = 200.0
    """Speech over the agent is decoded this long after VAD reported it."""
    verdict_retry_ms: float = 300.0
    doubt_max_ms: float = 1_500.0
    """Sound over the agent in which no word was found for this long is noise: the agent goes on."""
    merge_ms: float = 700.0
    """Speech that began this soon after the agent did goes on with the caller's turn."""
    noise_max_ms: float = 800.0
    """A sound without words shorter than this is not worth a "sorry?"."""
    reply_timeout_ms: float = 8_000.0
    reprompt_after_ms: float = 15_000.0
    goodbye_after_ms: float = 30_000.0
    dtmf_gap_ms: float = 1_500.0
    farewell_max_ms: float = 8_000.0
    cap_ms: float | None = None
    """Longest call; None for no cap."""
    speculations_max: int = 4
    """Replies begun per turn before its end is certain; more would waste the engines."""
    clauses_ahead: int = 2
    """Clauses rendered before the turn is confirmed."""
