"""What a receiver answered may repeat what it was told: it is exported and erased with the person."""

from aiohttp import web

from context.erasure.registry import PersonalData, Subject
from context.webhooks.personal_data import WebhookPersonalData
from tests.webhooks.receiver import Receiver
from tests.webhooks.tenant import CLINIC, Tenant

JO = Subject("contact-1", call_ids=frozenset(f"call-{number}" for number in range(1200)))


async def test_answers_about_a_persons_calls_and_contact_are_erased_and_others_stay(
    tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer(web.Response(text="thanks for Jo"))
    await tenant.add(receiver.url)
    await tenant.happens("call.completed", 1, correlation_id="call-7")
    await tenant.happens("context.updated", 2, payload={"contact_id": "contact-1"})
    await tenant.happens("call.completed", 3, correlation_id="call-of-somebody-else")
    await tenant.happens("context.updated", 4, payload={"contact_id": ["odd"]})
    await tenant.send()
    provider: PersonalData = WebhookPersonalData()
    async with tenant.store.tenant(CLINIC).writing() as transaction:
        exported = await provider.export(transaction, JO)
        assert [item["response"] for item in exported] == ["thanks for Jo"] * 2
        assert await provider.erase(transaction, JO) == 2
        assert await provider.erase(transaction, JO) == 0
        assert await provider.export(transaction, JO) == []
    kept = {delivery.event_id: delivery.log[0].response for delivery in await tenant.log()}
    assert kept == {
        "call.completed-1": "",
        "context.updated-2": "",
        "call.completed-3": "thanks for Jo",
        "context.updated-4": "thanks for Jo",
    }
    async with tenant.store.tenant("bakery").writing() as transaction:
        assert await provider.erase(transaction, JO) == 0
