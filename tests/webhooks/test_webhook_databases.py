"""What of webhooks the database does, on each database: leases, exactly-once plans, the log."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator

import msgspec
import pytest

from context.events.event import Event
from context.events.outbox import publish
from context.events.tables import events
from context.store.database import Store
from context.webhooks.deliveries import LEASE_MS
from context.webhooks.delivery import DeliveryState
from context.webhooks.dispatcher import CLEANING_MS, KEPT_MS, PATIENCE_MS
from context.webhooks.endpoint import EndpointState
from context.webhooks.errors import DeliveryNotFoundError
from context.webhooks.service import Change
from tests.webhooks.receiver import Receiver
from tests.webhooks.tenant import CLINIC, PILOT, START_S, Tenant


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


async def test_an_event_arrives_as_its_envelope_signed_with_the_secret_that_was_shown(
    tenant: Tenant, receiver: Receiver
) -> None:
    shown = await tenant.add(receiver.url + "?from=parley", types=["call.*"])
    event = await tenant.happens("call.completed", correlation_id="call-1")
    await tenant.send()
    (request,) = receiver.received
    assert request.path == "/hook?from=parley"
    assert msgspec.json.decode(request.body, type=Event) == event
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Parley-Event"] == "call.completed"
    assert request.headers["Parley-Idempotency-Key"] == event.id
    assert request.headers["Parley-Timestamp"] == str(int(START_S))
    expected = hmac.new(shown.secret.encode(), b"%d." % int(START_S) + request.body, hashlib.sha256).hexdigest()
    assert request.headers["Parley-Signature"] == f"t={int(START_S)},v1={expected}"


async def test_two_processes_share_the_work_and_send_nothing_twice(
    tenant: Tenant, store: Store, receiver: Receiver
) -> None:
    other = tenant.in_another_process()
    await tenant.add(receiver.url)
    for number in range(12):
        await tenant.happens(number=number)
    await asyncio.gather(tenant.send(), other.send())
    keys = [request.headers["Parley-Idempotency-Key"] for request in receiver.received]
    assert len(keys) == len(set(keys)) == 12
    await other.sender.aclose()


async def test_a_delivery_that_a_killed_process_was_sending_is_sent_by_another_one(
    tenant: Tenant, store: Store, receiver: Receiver
) -> None:
    await tenant.add(receiver.url)
    await tenant.happens()
    killed = tenant.webhooks._deliveries
    assert len(await killed.claim(int(tenant.clock.now_s * 1000), {}, 10)) == 1
    heir = tenant.in_another_process()
    await heir.send(later_s=LEASE_MS / 1000 - 1)
    assert receiver.received == []
    await heir.send(later_s=1)
    assert len(receiver.received) == 1
    await heir.sender.aclose()


async def test_an_endpoint_that_fails_for_days_is_disabled_and_the_tenant_is_told(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(404)
    shown = await tenant.add(receiver.url)
    await tenant.happens(number=1)
    await tenant.send()
    await tenant.happens(number=2)
    await tenant.send(later_s=PATIENCE_MS / 1000 - 1)
    assert (await tenant.webhooks.get(CLINIC, shown.endpoint.id)).state is EndpointState.ACTIVE
    await tenant.happens(number=3)
    await tenant.happens(number=4)
    await tenant.send(later_s=1)
    assert (await tenant.webhooks.get(CLINIC, shown.endpoint.id)).state is EndpointState.DISABLED
    async with tenant.store.tenant(CLINIC).reading() as transaction:
        alerts = await transaction.rows(events, events.c.type == "system.alert")
    assert [shown.endpoint.id in alert["payload"] for alert in alerts] == [True]

    sent = len(receiver.received)
    await tenant.happens(number=5)
    await tenant.send(later_s=60)
    assert len(receiver.received) == sent
    receiver.answer(200)
    await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(state=EndpointState.ACTIVE))
    await tenant.happens(number=6)
    await tenant.send()
    assert len(receiver.received) == sent + 1


async def test_the_log_forgets_old_deliveries_and_keeps_what_is_not_over(tenant: Tenant, receiver: Receiver) -> None:
    await tenant.add(receiver.url)
    await tenant.happens(number=1)
    await tenant.send()
    receiver.answer(500)
    await tenant.happens(number=2)
    await tenant.send()
    tenant.clock.now_s += (KEPT_MS + CLEANING_MS) / 1000
    await tenant.happens(number=3)
    await tenant.webhooks.dispatcher.clean()
    assert [delivery.event_id for delivery in await tenant.log()] == ["call.completed-3", "call.completed-2"]


async def test_the_log_is_read_in_pages_and_by_endpoint_state_and_event(tenant: Tenant, receiver: Receiver) -> None:
    first, second = await tenant.add(receiver.url), await tenant.add(receiver.url, types=["call.failed"])
    for number in range(5):
        await tenant.happens(number=number)
    await tenant.send()
    await tenant.happens("call.failed")
    webhooks = tenant.webhooks
    pages = [await webhooks.deliveries(CLINIC, 4)]
    pages.append(await webhooks.deliveries(CLINIC, 4, before_id=pages[0][-1].id))
    assert [len(page) for page in pages] == [4, 3]
    assert len({delivery.id for page in pages for delivery in page}) == 7
    assert len(await webhooks.deliveries(CLINIC, 9, endpoint_id=second.endpoint.id)) == 1
    assert len(await webhooks.deliveries(CLINIC, 9, endpoint_id=first.endpoint.id)) == 6
    assert len(await webhooks.deliveries(CLINIC, 9, state=DeliveryState.DELIVERED)) == 5
    assert len(await webhooks.deliveries(CLINIC, 9, event_id="call.completed-3")) == 1


async def test_another_tenant_has_no_part_in_any_of_it(tenant: Tenant, store: Store, receiver: Receiver) -> None:
    other = Tenant(store, "bakery", clock=tenant.clock)
    await tenant.add(receiver.url)
    await tenant.happens()
    await other.happens()
    await tenant.send()
    assert len(receiver.received) == 1
    (delivery,) = await tenant.log()
    assert await other.log() == []
    with pytest.raises(DeliveryNotFoundError):
        await other.webhooks.delivery("bakery", delivery.id)
    with pytest.raises(DeliveryNotFoundError):
        await other.webhooks.redeliver("bakery", PILOT, delivery.id)
    await other.sender.aclose()


async def test_a_plan_that_is_undone_sends_nothing(tenant: Tenant, receiver: Receiver) -> None:
    await tenant.add(receiver.url)
    event = Event(id="e", type="call.started", tenant_id=CLINIC, occurred_at=START_S, source="tests")

    async def fail_after_planning() -> None:
        async with tenant.store.tenant(CLINIC).writing() as transaction:
            await publish(transaction, event)
            await tenant.webhooks.plan(event, transaction)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_planning()
    await tenant.send()
    assert receiver.received == []
