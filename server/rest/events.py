"""Events over REST: what happened, what could not be handled, a tenant's own events, and a stream of all that comes.

A tenant's integration publishes events of its own types with the same promises as Parley's: kept before they are
acknowledged, once for each id. Part of `server.rest.api`.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, get, post
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, Parameter, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from context.events.event import Event, EventType, new_event_id
from context.events.log import EventLog, EventQuery
from context.events.outbox import publish
from context.events.patterns import EVERY, PatternError, checked
from context.events.replay import DeadLetter, dead_letters, retry_dead_letters
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, bad_field, not_found
from server.rest.services import Services

SOURCE = "api"
EVENT_STREAM = "text/event-stream"
LARGEST_PAYLOAD_BYTES = 64 * 1024
DEEPEST_PAYLOAD = 20

EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
"""Of `occurred_at`: beyond them clocks are wrong, and instants overflow."""

STREAM_LIMIT_S = 3600.0
"""A stream ends then, and its client goes on with `Last-Event-ID`: a key that was revoked does not listen for ever."""

STREAM_BEAT_S = 15.0
"""A comment is sent when nothing happens, so that proxies and clients know that the stream lives."""

STREAMS_A_TENANT = 10
LARGEST_POSITION = 2**63 - 1

EventId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=200)]
TypeName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$", max_length=100)]
Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", description="Types such as `call.completed`, `call.*` or `*`; may be repeated."),
]

OWN_NAMES = frozenset(kind.partition(".")[0] for kind in EventType)
"""First words of Parley's own types. A type of a tenant begins with another: nobody is told of a call that was none."""

_streams = Counter[str]()


class EventView(msgspec.Struct, frozen=True):
    """Something that happened. correlation_id: the call it belongs to, or "". causation_id: the event that led to it,
    or "". source: who says so, "api" for a tenant's own."""

    id: str
    type: str
    occurred_at: dt.datetime
    source: str
    correlation_id: str
    causation_id: str
    schema_version: int
    payload: dict[str, Any]


class NewEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event of the tenant's own. type: must not begin like one of Parley's. id: made when left out; with one the
    request may be repeated. occurred_at: now when left out."""

    type: TypeName
    payload: dict[str, Any] = {}
    id: EventId | None = None
    occurred_at: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
    correlation_id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    causation_id: Annotated[str, msgspec.Meta(max_length=200)] = ""


class DeadLetterView(msgspec.Struct, frozen=True):
    """A delivery that was given up. subscriber: the part of Parley that could not handle the event."""

    event_id: str
    type: str
    subscriber: str
    attempts: int
    error_class: str
    error: str
    died_at: dt.datetime


class RetryLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters to deliver again: all, or those of one event or subscriber."""

    event_id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    subscriber: Annotated[str, msgspec.Meta(max_length=60)] = ""


class RetriedLetters(msgspec.Struct, frozen=True):
    """How many deliveries wait to be handled again."""

    retried: int


class Events(Controller):
    """Events of the tenant."""

    path = "/events"
    tags: Sequence[str] = ["events"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.EVENTS_READ)], summary="List events, newest first")
    async def list_events(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        types: Types = None,
        correlation_id: Annotated[str, Parameter(description="Of this call.", max_length=200)] = "",
        since: Annotated[dt.datetime | None, Parameter(description="Happened then or later.")] = None,
        until: Annotated[dt.datetime | None, Parameter(description="Happened before then.")] = None,
    ) -> Page[EventView]:
        """The tenant's events in the order in which Parley took them. Without a time zone an instant is UTC."""
        query = EventQuery(_patterns(types), correlation_id, _second(since), _second(until))
        after = page.key(int)
        before = None if after is None else int(after[0])
        found = await _log(services).page(tenant_of(principal), query, page.limit + 1, before)
        return page.page(found, lambda placed: (placed.position,), lambda placed: _view(placed.event))

    @get(
        "/stream",
        guards=[requires(Scope.EVENTS_READ)],
        summary="Follow events",
        media_type=EVENT_STREAM,
        responses={
            200: ResponseSpec(
                str, generate_examples=False, media_type=EVENT_STREAM, description="Events until the client leaves."
            )
        },
    )
    async def stream_events(
        self,
        principal: Principal,
        services: Services,
        types: Types = None,
        last_event_id: Annotated[
            str | None, HeaderParameter(name="Last-Event-ID", description="`id` of the last one seen.", max_length=20)
        ] = None,
    ) -> Stream:
        """Server-sent events: `id` is a position to go on from, `event` the type, `data` the event as JSON.

        Begins with what happens next, or after `Last-Event-ID`. Ends after an hour: connect again with it.
        """
        tenant_id, log = tenant_of(principal), _log(services)
        patterns = _patterns(types)
        begin = await log.last_position() if last_event_id is None else _position(last_event_id)
        if _streams[tenant_id] >= STREAMS_A_TENANT:
            raise Problem(429, "too_many_streams", f"{STREAMS_A_TENANT} streams of events are open already.")
        return Stream(
            followed(log, tenant_id, begin, patterns),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @get("/dead-letters", guards=[requires(Scope.EVENTS_READ)], summary="List dead letters, newest event first")
    async def list_dead_letters(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        subscriber: Annotated[str, Parameter(description="Of this subscriber.", max_length=60)] = "",
    ) -> Page[DeadLetterView]:
        """Deliveries of the tenant's events that failed until they were given up."""
        after = page.key(int, str)
        before = None if after is None else (int(after[0]), str(after[1]))
        found = await dead_letters(
            services.store, tenant_of(principal), limit=page.limit + 1, before=before, subscriber=subscriber
        )
        return page.page(found, lambda letter: (letter.position, letter.subscriber), _letter_view)

    @post(
        "/dead-letters/retry",
        guards=[requires(Scope.EVENTS_WRITE)],
        status_code=200,
        summary="Deliver dead letters again",
    )
    async def retry_letters(self, data: RetryLetters, principal: Principal, services: Services) -> RetriedLetters:
        """They are handled as if for the first time; those that fail again become dead letters again."""
        retried = await retry_dead_letters(
            services.store, tenant_of(principal), data.event_id, data.subscriber, lambda: services.now().timestamp()
        )
        _wake(services)
        return RetriedLetters(retried)

    @get("/{event_id:str}", guards=[requires(Scope.EVENTS_READ)], summary="Get one event")
    async def get_event(self, event_id: str, principal: Principal, services: Services) -> EventView:
        """One event, as long as it is kept: 72 hours, or for good when bills rest on it."""
        event = await _log(services).get(tenant_of(principal), event_id)
        if event is None:
            raise not_found("event")
        return _view(event)

    @post("/", guards=[requires(Scope.EVENTS_WRITE)], summary="Publish an event of your own")
    async def create_event(self, data: NewEvent, principal: Principal, services: Services) -> EventView:
        """Keep the event and hand it to your webhooks. An id that is known already is published once: the same event
        again changes nothing, another one with its id is refused with 409 `event_exists`."""
        tenant_id = tenant_of(principal)
        event = _own_event(data, tenant_id, services.now())
        async with services.store.tenant(tenant_id).writing() as transaction:
            published = await publish(transaction, event, lambda: services.now().timestamp())
        _wake(services)
        if published:
            return _view(event)
        known = await _log(services).get(tenant_id, event.id)
        if known is None or not _says_the_same(data, known):
            raise Problem(409, "event_exists", f"id: there is another event {event.id!r} already.")
        return _view(known)


def _own_event(data: NewEvent, tenant_id: str, now: dt.datetime) -> Event:
    first = data.type.partition(".")[0]
    if first in OWN_NAMES:
        raise bad_field("type", f"must not begin with {first!r}, which Parley's own types begin with")
    if _depth(data.payload) > DEEPEST_PAYLOAD:
        raise bad_field("payload", f"nested up to {DEEPEST_PAYLOAD} deep")
    if len(msgspec.json.encode(data.payload)) > LARGEST_PAYLOAD_BYTES:
        raise bad_field("payload", f"up to {LARGEST_PAYLOAD_BYTES} bytes of JSON")
    for field in ("correlation_id", "causation_id"):
        if not getattr(data, field).isprintable():
            raise bad_field(field, "printable characters")
    occurred_at = data.occurred_at or now
    if not EARLIEST <= occurred_at <= LATEST:
        raise bad_field("occurred_at", f"from {EARLIEST.isoformat()} to {LATEST.isoformat()}")
    return Event(
        id=data.id or new_event_id(),
        type=data.type,
        tenant_id=tenant_id,
        occurred_at=occurred_at.timestamp(),
        source=SOURCE,
        correlation_id=data.correlation_id,
        causation_id=data.causation_id,
        payload=data.payload,
    )


def _says_the_same(data: NewEvent, known: Event) -> bool:
    said = (data.type, data.payload, data.correlation_id, data.causation_id, SOURCE)
    at = known.occurred_at if data.occurred_at is None else data.occurred_at.timestamp()
    return said == (known.type, known.payload, known.correlation_id, known.causation_id, known.source) and (
        at == known.occurred_at
    )


def _depth(value: Any) -> int:
    """How deeply lists and objects are nested; decoding has bounded it already."""
    inner: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    nested = isinstance(value, (dict, list))
    return nested + max((_depth(one) for one in inner), default=0)


async def followed(log: EventLog, tenant_id: str, after: int, types: Sequence[str]) -> AsyncIterator[bytes]:
    """The body of a stream: what this tenant's events are from a position on, until its time is over."""
    _streams[tenant_id] += 1
    events = log.tail(after, tenant_id, types)
    try:
        yield b": following\n\n"
        async with asyncio.timeout(STREAM_LIMIT_S):
            coming = asyncio.ensure_future(anext(events))
            try:
                while True:
                    if not (await asyncio.wait({coming}, timeout=STREAM_BEAT_S))[0]:
                        yield b": nothing yet\n\n"
                        continue
                    placed = coming.result()
                    data = msgspec.json.encode(_view(placed.event)).decode()
                    yield f"id: {placed.position}\nevent: {placed.event.type}\ndata: {data}\n\n".encode()
                    coming = asyncio.ensure_future(anext(events))
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
    except TimeoutError:
        yield b": an hour is over, connect again with Last-Event-ID\n\n"
    finally:
        _streams[tenant_id] -= 1


def _log(services: Services) -> EventLog:
    # The bus's own log hears of new events at once; any other looks for them every second.
    return services.bus.log if services.bus is not None else EventLog(services.store)


def _wake(services: Services) -> None:
    if services.bus is not None:
        services.bus.wake()


def _patterns(types: list[str] | None) -> tuple[str, ...]:
    try:
        return checked(types or (EVERY,))
    except PatternError as error:
        raise bad_field("type", "a type like 'call.completed', 'call.*' or '*'") from error


def _position(last_event_id: str) -> int:
    if not (last_event_id.isascii() and last_event_id.isdigit()) or int(last_event_id) > LARGEST_POSITION:
        raise bad_field("Last-Event-ID", "the id of an event of this stream")
    return int(last_event_id)


def _second(instant: dt.datetime | None) -> float | None:
    return None if instant is None else instant.replace(tzinfo=instant.tzinfo or dt.UTC).timestamp()


def _view(event: Event) -> EventView:
    return EventView(
        id=event.id,
        type=event.type,
        occurred_at=dt.datetime.fromtimestamp(event.occurred_at, dt.UTC),
        source=event.source,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        schema_version=event.schema_version,
        payload=event.payload,
    )


def _letter_view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        event_id=letter.event_id,
        type=letter.type,
        subscriber=letter.subscriber,
        attempts=letter.attempts,
        error_class=letter.error_class,
        error=letter.error,
        died_at=dt.datetime.fromtimestamp(letter.died_at, dt.UTC),
    )


EXAMPLES = (
    EventView(
        id="8d2f0c4a6b1e4c7f9a3d5e7b1c2d4f60",
        type="crm.deal_won",
        occurred_at=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
        source=SOURCE,
        correlation_id="",
        causation_id="",
        schema_version=1,
        payload={"deal": "4711", "amount": 900},
    ),
    NewEvent(type="crm.deal_won", payload={"deal": "4711", "amount": 900}, id="deal-4711-won"),
    DeadLetterView(
        event_id="5f0c9a3b7d1e4a6b8c2d.completed",
        type="call.completed",
        subscriber="webhooks",
        attempts=4,
        error_class="StoreError",
        error="store_failed: the database failed",
        died_at=dt.datetime(2026, 11, 20, 9, 31, tzinfo=dt.UTC),
    ),
    RetryLetters(subscriber="webhooks"),
    RetriedLetters(retried=3),
)

handlers: Sequence[ControllerRouterHandler] = (Events,)
"""Routes of this resource."""
