"""Calls as clients see them: the list, one call, what was said, where the time of each turn went, the recording.

Reads only; a call comes into being by being made. A call of another tenant does not exist. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from context.calls.life import CallState
from context.calls.store import CallFilter, StoredCall
from context.contacts.contact import ContactNotFoundError
from context.security.principal import Principal, Scope
from context.tenants.config import LANGUAGES
from server.rest.auth import requires, tenant_of
from server.rest.paging import Page, PageQuery
from server.rest.problems import not_found
from server.rest.ranges import sound_file
from server.rest.services import Services
from voice_core.record import CallRecord
from voice_core.responder import Outcome

LONGEST_ID = 200
"""Characters of an id in a filter."""

Language = Literal["en", "fr", "es", "ar", "ary"]
assert Language.__args__ == LANGUAGES


class CallView(msgspec.Struct, frozen=True):
    """A call. outcome and reason: "" until it is over. caller: E.164, "" when the far end did not tell."""

    id: str
    state: CallState
    started_at: dt.datetime
    duration_s: float
    language: str
    channel: str
    direction: str
    persona_id: str
    caller: str
    outcome: str
    reason: str
    caller_talk_s: float
    agent_talk_s: float
    turns: int
    has_recording: bool


class UtteranceView(msgspec.Struct, frozen=True):
    """Words of one side. times: ms from the start of the call. intended: what the agent meant to say when the caller
    heard less of it, "" when all was heard or the caller spoke."""

    role: str
    text: str
    started_ms: float
    ended_ms: float
    language: str
    intended: str


class ToolView(msgspec.Struct, frozen=True):
    """A tool that ran in the call."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool
    at_ms: float


class TranscriptView(msgspec.Struct, frozen=True):
    """What was said and done, in order."""

    call_id: str
    language: str
    utterances: list[UtteranceView]
    tools: list[ToolView]


class TurnView(msgspec.Struct, frozen=True):
    """Where the time of one answer of the agent went: stage -> ms after the caller's last sound."""

    turn: int
    stages_ms: dict[str, float]


class TimelineView(msgspec.Struct, frozen=True):
    """The turns of a call."""

    call_id: str
    turns: list[TurnView]


class Calls(Controller):
    """Calls of the tenant."""

    path = "/calls"
    tags: Sequence[str] = ["calls"]  # pyright: ignore[reportIncompatibleVariableOverride]
    guards = [requires(Scope.CALLS_READ)]  # noqa: RUF012 - Litestar's way

    @get("/", summary="List calls, newest first")
    async def list_calls(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        outcome: Annotated[Outcome | None, Parameter(description="How it ended.")] = None,
        call_state: Annotated[CallState | None, QueryParameter(name="state", description="Where it is.")] = None,
        language: Annotated[Language | None, Parameter(description="Language it was held in.")] = None,
        channel: Annotated[str | None, Parameter(description="Such as phone or websocket.", max_length=50)] = None,
        direction: Annotated[Literal["inbound", "outbound"] | None, Parameter(description="Who called.")] = None,
        contact: Annotated[str | None, Parameter(description="Id of a contact.", max_length=LONGEST_ID)] = None,
        since: Annotated[dt.datetime | None, Parameter(description="Started then or later.")] = None,
        until: Annotated[dt.datetime | None, Parameter(description="Started before then.")] = None,
    ) -> Page[CallView]:
        """The tenant's calls, live ones included. Without a time zone an instant is UTC."""
        tenant_id = tenant_of(principal)
        only = CallFilter(
            outcome=outcome.value if outcome else None,
            state=call_state,
            language=language,
            channel=channel,
            direction=direction,
            since=_seconds(since),
            until=_seconds(until),
            call_ids=await _calls_of(services, tenant_id, contact),
        )
        key = page.key(float, str)
        after = None if key is None else (float(key[0]), str(key[1]))
        found = await services.calls.page(tenant_id, only, after=after, limit=page.limit + 1)
        return page.page(found, lambda call: (call.started_at, call.call_id), call_view)

    @get("/{call_id:str}", summary="Get one call")
    async def get_call(self, call_id: str, principal: Principal, services: Services) -> CallView:
        """One call, whether it goes on or is over."""
        return call_view(await _call(services, principal, call_id))

    @get("/{call_id:str}/transcript", summary="Read what was said")
    async def get_transcript(self, call_id: str, principal: Principal, services: Services) -> TranscriptView:
        """What was said and which tools ran, once the call is over. For the agent it is what was really heard."""
        record = await _record(services, principal, call_id)
        return TranscriptView(
            record.call_id,
            record.language,
            [msgspec.convert(said, UtteranceView, from_attributes=True) for said in record.transcript],
            [msgspec.convert(tool, ToolView, from_attributes=True) for tool in record.tools],
        )

    @get("/{call_id:str}/timeline", summary="See where the time of each turn went")
    async def get_timeline(self, call_id: str, principal: Principal, services: Services) -> TimelineView:
        """The latency of every answer, stage by stage, once the call is over."""
        record = await _record(services, principal, call_id)
        return TimelineView(call_id, [TurnView(turn, stages) for turn, stages in enumerate(record.latency, 1)])

    @get(
        "/{call_id:str}/recording",
        summary="Listen to the recording",
        media_type="audio/wav",
        responses={
            200: ResponseSpec(bytes, generate_examples=False, media_type="audio/wav", description="The whole file."),
            206: ResponseSpec(
                bytes, generate_examples=False, media_type="audio/wav", description="The part asked for."
            ),
        },
    )
    async def get_recording(
        self, call_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Stream:
        """Stereo WAV, caller left, agent right. `Range` gives a part of it."""
        record = await _record(services, principal, call_id)
        if not record.recording:
            raise not_found("recording")
        return await sound_file(request, services.recordings / f"{record.call_id}.wav")


def call_view(call: StoredCall) -> CallView:
    """A stored call as clients see it."""
    record = call.record
    return CallView(
        id=call.call_id,
        state=call.state,
        started_at=dt.datetime.fromtimestamp(call.started_at, dt.UTC),
        duration_s=call.duration_s,
        language=call.language,
        channel=call.details.channel,
        direction=call.details.direction,
        persona_id=call.details.persona_id,
        caller=call.details.caller,
        outcome=call.outcome,
        reason=call.reason,
        caller_talk_s=record.caller_talk_s if record else 0.0,
        agent_talk_s=record.agent_talk_s if record else 0.0,
        turns=len(record.latency) if record else 0,
        has_recording=bool(record and record.recording),
    )


async def _call(services: Services, principal: Principal, call_id: str) -> StoredCall:
    call = await services.calls.find(tenant_of(principal), call_id)
    if call is None:
        raise not_found("call")
    return call


async def _record(services: Services, principal: Principal, call_id: str) -> CallRecord:
    call = await _call(services, principal, call_id)
    if call.record is None:
        raise not_found("record of this call yet: it is still going on")
    return call.record


async def _calls_of(services: Services, tenant_id: str, contact_id: str | None) -> frozenset[str] | None:
    if contact_id is None:
        return None
    try:
        return frozenset(await services.contacts.calls(tenant_id, contact_id))
    except ContactNotFoundError:
        return frozenset()


def _seconds(instant: dt.datetime | None) -> float | None:
    if instant is None:
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).timestamp()


handlers: Sequence[ControllerRouterHandler] = (Calls,)

EXAMPLES = (
    CallView(
        id="5f0c9a3b7d1e4a6b8c2d",
        state=CallState.ENDED,
        started_at=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
        duration_s=74.2,
        language="fr",
        channel="phone",
        direction="inbound",
        persona_id="camille",
        caller="+33612345678",
        outcome="booked",
        reason="goodbye",
        caller_talk_s=21.4,
        agent_talk_s=38.9,
        turns=7,
        has_recording=True,
    ),
    TranscriptView(
        "5f0c9a3b7d1e4a6b8c2d",
        "en",
        [
            UtteranceView("agent", "Hello, how can I help?", 300.0, 1900.0, "en", ""),
            UtteranceView("caller", "I need a cleaning tomorrow at ten.", 2600.0, 4700.0, "en", ""),
        ],
        [ToolView("create_booking", {"service": "cleaning"}, {"booking_id": "b1"}, True, 5200.0)],
    ),
    TimelineView("5f0c9a3b7d1e4a6b8c2d", [TurnView(1, {"transcript_ms": 140.0, "first_frame_ms": 410.0})]),
)
