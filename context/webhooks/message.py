"""The request that a webhook is: its headers, and the event that tests an endpoint.

The body is the event's envelope as JSON, the same bytes at every attempt; the headers say what it is without parsing
it. Used by `dispatcher` and `context.webhooks.service`.
"""

import secrets
from collections.abc import Sequence

from context.events.event import Event
from context.events.outbox import event_of
from context.events.tables import events
from context.store.transaction import TenantTransaction
from context.webhooks.signature import EVENT_HEADER, KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

USER_AGENT = "Parley-Webhooks"
TEST_TYPE = "webhook.test"
TEST_SOURCE = "webhooks"
_TEST_PREFIX = "webhook-test-"
ID_BYTES = 4


def headers_of(event: Event, body: bytes, secrets: Sequence[str], now_s: float) -> dict[str, str]:
    """The headers of one attempt. secrets: what signs. now_s: seconds since the epoch."""
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        EVENT_HEADER: event.type,
        TIMESTAMP_HEADER: str(int(now_s)),
        KEY_HEADER: event.id,
        SIGNATURE_HEADER: sign(secrets, body, now_s),
    }


def new_test_id(now_ms: int) -> str:
    """An id for the event of one test, which holds its time: a redelivery sends the same bytes."""
    return f"{_TEST_PREFIX}{now_ms}-{secrets.token_hex(ID_BYTES)}"


def is_test(event_id: str) -> bool:
    """Whether this is the id of a test, which no table holds."""
    return event_id.startswith(_TEST_PREFIX) and event_id.removeprefix(_TEST_PREFIX).partition("-")[0].isdigit()


async def event_to_send(transaction: TenantTransaction, event_id: str) -> Event | None:
    """The event as it is kept now, None when it is past its retention."""
    if is_test(event_id):
        return test_event(transaction.tenant_id, event_id)
    row = await transaction.row(events, events.c.id == event_id)
    return event_of(row) if row else None


def test_event(tenant_id: str, event_id: str) -> Event:
    """The event of a test."""
    at_ms = int(event_id.removeprefix(_TEST_PREFIX).partition("-")[0])
    return Event(
        id=event_id,
        type=TEST_TYPE,
        tenant_id=tenant_id,
        occurred_at=at_ms / 1000,
        source=TEST_SOURCE,
        payload={"message": "A test: nothing happened."},
    )
