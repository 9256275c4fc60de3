"""Events on their way to a tenant's server: what arrives, when it is tried again, and what the log says."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from aiohttp import web

from context.errors import StoreError
from context.events.tables import events
from context.store.database import Store
from context.webhooks.deliveries import PARALLEL, Claim, DeliveryStore
from context.webhooks.delivery import DeliveryState, Origin
from context.webhooks.dispatcher import PATIENCE_MS
from context.webhooks.endpoint import EndpointState
from context.webhooks.errors import EventGoneError, WebhookError
from context.webhooks.service import Change
from tests.webhooks.receiver import Receiver, raw_receiver, receiver
from tests.webhooks.tenant import CLINIC, PILOT, START_S, Tenant


async def test_only_the_types_that_an_endpoint_wants_are_sent_to_it(tenant: Tenant) -> None:
    async with receiver() as calls, receiver() as everything:
        await tenant.add(calls.url, types=["call.*", "lead.scored"])
        await tenant.add(everything.url)
        for event_type in ("call.started", "callback.asked", "lead.scored", "lead.qualified", "shop.order_paid"):
            await tenant.happens(event_type)
        await tenant.send()
    assert sorted(request.headers["Parley-Event"] for request in calls.received) == ["call.started", "lead.scored"]
    assert len(everything.received) == 5


async def test_a_failing_receiver_is_tried_three_times_and_the_log_says_when_and_why(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(web.Response(status=503, text="call +33 6 12 34 56 78 or jo@example.org"))
    await tenant.add(receiver.url)
    await tenant.happens()
    await tenant.send()
    await tenant.send(later_s=0.9)
    assert len(receiver.received) == 1
    await tenant.send(later_s=0.1)
    assert len(receiver.received) == 2
    await tenant.send(later_s=1.9)
    assert len(receiver.received) == 2
    await tenant.send(later_s=0.1)
    await tenant.send(later_s=3600)
    assert len(receiver.received) == 3
    assert len({request.body for request in receiver.received}) == 1
    (delivery,) = await tenant.log()
    assert delivery.state is DeliveryState.FAILED
    assert [attempt.attempt for attempt in delivery.log] == [1, 2, 3]
    assert [(attempt.at_ms - int(START_S * 1000)) / 1000 for attempt in delivery.log] == [0, 1, 3]
    assert {attempt.status for attempt in delivery.log} == {503}
    assert {attempt.response for attempt in delivery.log} == {"call [phone] or [email]"}
    assert all(0 <= attempt.duration_ms < 5000 for attempt in delivery.log)


async def test_a_receiver_that_recovers_has_the_event_once_and_each_attempt_is_signed_anew(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(500, 200)
    await tenant.add(receiver.url)
    await tenant.happens()
    await tenant.send()
    await tenant.send(later_s=1)
    await tenant.send(later_s=3600)
    assert [request.headers["Parley-Timestamp"] for request in receiver.received] == [
        str(int(START_S)),
        str(int(START_S) + 1),
    ]
    (delivery,) = await tenant.log()
    assert delivery.state is DeliveryState.DELIVERED
    assert [attempt.status for attempt in delivery.log] == [500, 200]


async def test_an_answer_4xx_is_not_tried_again_but_429_is_after_the_time_it_names(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(422)
    await tenant.add(receiver.url)
    await tenant.happens()
    await tenant.send()
    await tenant.send(later_s=3600)
    assert len(receiver.received) == 1

    receiver.answer(web.Response(status=429, headers={"Retry-After": "20"}), 200)
    await tenant.happens(number=2)
    await tenant.send()
    await tenant.send(later_s=19)
    assert len(receiver.received) == 2
    await tenant.send(later_s=1)
    assert [delivery.state for delivery in await tenant.log()] == [DeliveryState.DELIVERED, DeliveryState.FAILED]


async def test_a_receiver_that_does_not_answer_delays_only_itself(
    tenant: Tenant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("context.webhooks.dispatcher.GRACE_S", 0.1)
    async with raw_receiver(b"", then_hang=True) as silent:
        slow = await tenant.add(silent)
        await tenant.add(receiver.url)
        for number in range(20):
            await tenant.happens(number=number)
        dispatcher = tenant.webhooks.dispatcher
        dispatcher.start()
        async with asyncio.timeout(4):  # the silent one has not even timed out by then
            while len(receiver.received) < 20:
                await asyncio.sleep(0.02)
        assert all(not delivery.log for delivery in await tenant.log(slow.endpoint.id))
        await dispatcher.stop()


async def test_one_endpoint_never_has_more_than_a_few_requests_at_once(tenant: Tenant) -> None:
    at_once, most = 0, 0

    async def count(_request: web.BaseRequest) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return web.Response()

    async with receiver(count) as counted:
        await tenant.add(counted.url)
        for number in range(3 * PARALLEL):
            await tenant.happens(number=number)
        await tenant.send()
    assert most == PARALLEL


async def test_a_server_that_stops_gives_back_what_it_was_sending(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("context.webhooks.dispatcher.GRACE_S", 0.1)
    async with raw_receiver(b"", then_hang=True) as silent, receiver() as healthy:
        shown = await tenant.add(silent)
        await tenant.happens()
        tenant.webhooks.dispatcher.start()
        await asyncio.sleep(0.3)
        await tenant.webhooks.dispatcher.stop()
        (delivery,) = await tenant.log()
        assert (delivery.state, delivery.log) == (DeliveryState.PENDING, ())
        await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(url=healthy.url))
        await tenant.send()
        assert len(healthy.received) == 1


async def test_one_event_that_arrives_forgives_the_failures_before_it(tenant: Tenant, receiver: Receiver) -> None:
    shown = await tenant.add(receiver.url)
    receiver.answer(404, 200, 404)
    for number, later_s in enumerate((0, PATIENCE_MS / 2000, PATIENCE_MS / 1000)):
        await tenant.happens(number=number)
        await tenant.send(later_s=later_s)
    assert (await tenant.webhooks.get(CLINIC, shown.endpoint.id)).state is EndpointState.ACTIVE


async def test_what_was_planned_for_an_endpoint_that_is_paused_is_not_sent(tenant: Tenant, receiver: Receiver) -> None:
    shown = await tenant.add(receiver.url)
    await tenant.happens(number=1)
    await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(state=EndpointState.PAUSED))
    await tenant.happens(number=2)
    await tenant.send()
    assert receiver.received == []
    assert [delivery.state for delivery in await tenant.log()] == [DeliveryState.CANCELLED]


async def test_a_delivery_is_sent_again_with_the_same_key_as_a_delivery_of_its_own(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(400, 200)
    await tenant.add(receiver.url)
    event = await tenant.happens()
    await tenant.send()
    (failed,) = await tenant.log()
    tenant.clock.now_s += 60
    again = await tenant.webhooks.redeliver(CLINIC, PILOT, failed.id)
    assert (again.origin, again.state) == (Origin.REDELIVERY, DeliveryState.PENDING)
    await tenant.send(later_s=1)
    assert [request.headers["Parley-Idempotency-Key"] for request in receiver.received] == [event.id, event.id]
    assert receiver.received[0].body == receiver.received[1].body
    assert [delivery.state for delivery in await tenant.log()] == [DeliveryState.DELIVERED, DeliveryState.FAILED]


async def test_an_event_that_is_not_kept_any_more_cannot_be_sent(tenant: Tenant, receiver: Receiver) -> None:
    await tenant.add(receiver.url)
    await tenant.happens(number=1)
    await tenant.send()
    tenant.clock.now_s += 1
    await tenant.happens(number=2)
    async with tenant.store.tenant(CLINIC).writing() as transaction:
        await transaction.delete(events)
    waiting, sent = await tenant.log()
    with pytest.raises(EventGoneError):
        await tenant.webhooks.redeliver(CLINIC, PILOT, sent.id)
    await tenant.send()
    assert len(receiver.received) == 1
    gone = await tenant.webhooks.delivery(CLINIC, waiting.id)
    assert (gone.state, gone.log[0].error) == (DeliveryState.FAILED, "event_gone")


async def test_what_erasure_removes_from_an_event_is_not_sent(tenant: Tenant, receiver: Receiver) -> None:
    await tenant.add(receiver.url)
    await tenant.happens(payload={"caller": "+33612345678"})
    async with tenant.store.tenant(CLINIC).writing() as transaction:
        await transaction.update(events, {"payload": "{}"})
    await tenant.send()
    assert b"+33612345678" not in receiver.received[0].body


async def test_a_test_is_sent_at_once_signed_and_logged_and_can_be_sent_again(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(web.Response(status=500, text="no such table"), 200)
    shown = await tenant.add(receiver.url, types=["call.completed"])
    tested = await tenant.webhooks.send_test(CLINIC, PILOT, shown.endpoint.id)
    assert (tested.origin, tested.state) == (Origin.TEST, DeliveryState.FAILED)
    assert (tested.log[0].status, tested.log[0].response) == (500, "no such table")
    assert (await tenant.log())[0] == tested
    await tenant.send(later_s=3600)
    assert len(receiver.received) == 1
    await tenant.webhooks.redeliver(CLINIC, PILOT, tested.id)
    await tenant.send()
    assert receiver.received[0].body == receiver.received[1].body
    assert receiver.received[0].headers["Parley-Event"] == "webhook.test"


async def test_a_redelivery_to_an_endpoint_that_is_paused_is_refused(tenant: Tenant, receiver: Receiver) -> None:
    shown = await tenant.add(receiver.url)
    await tenant.happens()
    await tenant.send()
    await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(state=EndpointState.PAUSED))
    with pytest.raises(WebhookError, match="make it active"):
        await tenant.webhooks.redeliver(CLINIC, PILOT, (await tenant.log())[0].id)
    assert len(await tenant.log()) == 1


async def test_a_database_that_fails_for_a_moment_does_not_end_the_sending(
    tenant: Tenant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, failures = DeliveryStore.claim, [StoreError("away"), RuntimeError("a bug")]

    async def failing(self: DeliveryStore, now_ms: int, under_way: Mapping[str, int], room: int) -> Sequence[Claim]:
        if failures:
            raise failures.pop()
        return await claim(self, now_ms, under_way, room)

    monkeypatch.setattr(DeliveryStore, "claim", failing)
    monkeypatch.setattr("context.webhooks.dispatcher.POLL_S", 0.01)
    await tenant.add(receiver.url)
    await tenant.happens()
    tenant.webhooks.dispatcher.start()
    async with asyncio.timeout(5):
        while not receiver.received:
            await asyncio.sleep(0.01)
    assert failures == []
