"""Endpoints: what may be set up, secrets that are shown once and replaced without a gap, and who did it."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.store.database import Store
from context.webhooks.destination import Reach
from context.webhooks.endpoint import TRANSITIONS, EndpointState, require_transition
from context.webhooks.endpoints import MOST_ENDPOINTS
from context.webhooks.errors import (
    DestinationRefusedError,
    EndpointLimitError,
    EndpointNotFoundError,
    EndpointStateError,
    UnknownTypeError,
    WebhookError,
)
from context.webhooks.service import LONGEST_OVERLAP_S, Change
from context.webhooks.signature import verify
from tests.webhooks.receiver import Receiver
from tests.webhooks.tenant import CLINIC, PILOT, Tenant

HOOK = "https://[2606:2800:220:1:248:1893:25c8:1946]/hook"


async def test_the_secret_is_shown_when_it_is_made_and_is_in_the_vault_alone(tenant: Tenant, tmp_path: object) -> None:
    shown = await tenant.add(HOOK)
    assert shown.secret.startswith("whsec_")
    assert shown.secret not in repr(await tenant.webhooks.endpoints(CLINIC))
    (name,) = await tenant.vault.names(CLINIC)
    assert await tenant.vault.get(CLINIC, name) == shown.secret
    for path in tmp_path.iterdir():  # type: ignore[attr-defined]
        assert shown.secret.encode() not in path.read_bytes()


async def test_while_the_secret_is_replaced_both_sign_and_then_only_the_new_one(
    tenant: Tenant, receiver: Receiver
) -> None:
    old = await tenant.add(receiver.url)
    new = await tenant.webhooks.rotate(CLINIC, PILOT, old.endpoint.id, overlap_s=600)
    assert new.secret != old.secret
    for number, later_s in enumerate((0, 599, 2)):
        await tenant.happens(number=number)
        await tenant.send(later_s=later_s)
    during, near_the_end, afterwards = receiver.received
    for request in (during, near_the_end):
        seconds = float(request.headers["Parley-Timestamp"])
        verify(old.secret, request.headers, request.body, seconds)
        verify(new.secret, request.headers, request.body, seconds)
    verify(new.secret, afterwards.headers, afterwards.body, tenant.clock.now_s)
    assert afterwards.headers["Parley-Signature"].count("v1=") == 1


async def test_a_secret_that_leaked_is_replaced_without_overlap_and_two_rotations_leave_two_secrets(
    tenant: Tenant, receiver: Receiver
) -> None:
    endpoint_id = (await tenant.add(receiver.url)).endpoint.id
    second = await tenant.webhooks.rotate(CLINIC, PILOT, endpoint_id)
    third = await tenant.webhooks.rotate(CLINIC, PILOT, endpoint_id, overlap_s=0)
    await tenant.happens()
    await tenant.send()
    assert receiver.received[0].headers["Parley-Signature"].count("v1=") == 1
    verify(third.secret, receiver.received[0].headers, receiver.received[0].body, tenant.clock.now_s)
    kept = [await tenant.vault.get(CLINIC, name) for name in await tenant.vault.names(CLINIC)]
    assert {second.secret, third.secret} == set(kept)


async def test_of_two_rotations_at_once_one_is_refused_and_the_other_ones_secret_signs(
    tenant: Tenant, receiver: Receiver
) -> None:
    endpoint_id = (await tenant.add(receiver.url)).endpoint.id
    results = await asyncio.gather(
        *(tenant.webhooks.rotate(CLINIC, PILOT, endpoint_id, overlap_s=0) for _ in range(2)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, EndpointStateError)]
    (rotated,) = (each for each in results if not isinstance(each, BaseException))
    assert len(refused) == 1
    await tenant.happens()
    await tenant.send()
    verify(rotated.secret, receiver.received[0].headers, receiver.received[0].body, tenant.clock.now_s)
    assert len(await tenant.vault.names(CLINIC)) == 2


@pytest.mark.parametrize("overlap_s", [-1, LONGEST_OVERLAP_S + 1])
async def test_an_overlap_has_bounds(tenant: Tenant, overlap_s: int) -> None:
    shown = await tenant.add(HOOK)
    with pytest.raises(WebhookError, match="overlap_s"):
        await tenant.webhooks.rotate(CLINIC, PILOT, shown.endpoint.id, overlap_s)


async def test_an_endpoint_that_is_deleted_takes_its_secrets_and_its_log_with_it(
    tenant: Tenant, receiver: Receiver
) -> None:
    shown = await tenant.add(receiver.url)
    await tenant.webhooks.rotate(CLINIC, PILOT, shown.endpoint.id)
    await tenant.happens(number=1)
    await tenant.send()
    await tenant.happens(number=2)
    await tenant.webhooks.delete(CLINIC, PILOT, shown.endpoint.id)
    await tenant.send()
    assert len(receiver.received) == 1
    assert await tenant.log() == []
    assert await tenant.vault.names(CLINIC) == []
    with pytest.raises(EndpointNotFoundError):
        await tenant.webhooks.get(CLINIC, shown.endpoint.id)


async def test_nothing_is_ever_sent_unsigned(tenant: Tenant, receiver: Receiver) -> None:
    await tenant.add(receiver.url)
    for name in await tenant.vault.names(CLINIC):
        await tenant.vault.delete(CLINIC, name)
    await tenant.happens()
    await tenant.send()
    assert receiver.received == []


async def test_a_tenant_has_a_limited_number_of_endpoints_and_a_refused_one_leaves_no_secret(tenant: Tenant) -> None:
    for _ in range(MOST_ENDPOINTS):
        await tenant.add(HOOK)
    with pytest.raises(EndpointLimitError, match=str(MOST_ENDPOINTS)):
        await tenant.add(HOOK)
    assert len(await tenant.vault.names(CLINIC)) == MOST_ENDPOINTS


@pytest.mark.parametrize("types", [[], ["call"], ["Call.completed"], ["call.*.x"], ["*.completed"], ["call.*", ""]])
async def test_a_pattern_that_means_nothing_is_refused(tenant: Tenant, types: Sequence[str]) -> None:
    with pytest.raises(UnknownTypeError, match="types"):
        await tenant.add(HOOK, types)
    assert await tenant.webhooks.endpoints(CLINIC) == []
    assert await tenant.vault.names(CLINIC) == []


async def test_too_many_or_too_long_patterns_are_refused(tenant: Tenant) -> None:
    for types in (["call." + "x" * 100], [f"call.n{number}" for number in range(51)]):
        with pytest.raises(UnknownTypeError, match="types"):
            await tenant.add(HOOK, types)


async def test_an_address_inside_is_refused_when_it_is_saved_and_when_it_is_changed(store: Store) -> None:
    asked: list[str] = []

    async def names(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["10.0.0.1"] if host == "inside.example" else ["93.184.216.34"]

    tenant = Tenant(store, reach=Reach.PUBLIC_ONLY, resolver=names)
    with pytest.raises(DestinationRefusedError):
        await tenant.add("https://inside.example/")
    shown = await tenant.add("https://hooks.example/")
    for url in ("http://127.0.0.1/", "https://127.0.0.1/", "https://inside.example/"):
        with pytest.raises(DestinationRefusedError):
            await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(url=url))
    assert await tenant.webhooks.get(CLINIC, shown.endpoint.id) == shown.endpoint
    assert asked == ["inside.example", "hooks.example", "inside.example"]
    await tenant.sender.aclose()


async def test_a_name_that_nobody_knows_is_refused_when_it_is_saved(tenant: Tenant) -> None:
    with pytest.raises(DestinationRefusedError, match="no address"):
        await tenant.add("https://nobody.example/")


async def test_what_changes_is_changed_and_counted_and_the_rest_stays(tenant: Tenant) -> None:
    shown = await tenant.add(HOOK, types=["call.*"])
    changed = await tenant.webhooks.change(
        CLINIC, PILOT, shown.endpoint.id, Change(types=["lead.*", "lead.*"], description="CRM")
    )
    assert (changed.types, changed.description, changed.url, changed.version) == (("lead.*",), "CRM", HOOK, 2)
    assert await tenant.webhooks.get(CLINIC, shown.endpoint.id) == changed
    same = await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(description="CRM"))
    assert same == changed


async def test_only_parley_disables_an_endpoint(tenant: Tenant) -> None:
    shown = await tenant.add(HOOK)
    with pytest.raises(WebhookError, match="allowed: active, paused"):
        await tenant.webhooks.change(CLINIC, PILOT, shown.endpoint.id, Change(state=EndpointState.DISABLED))


@pytest.mark.parametrize("description", ["x" * 201, "two\nlines", "\x00"])
async def test_a_description_is_one_short_line(tenant: Tenant, description: str) -> None:
    with pytest.raises(WebhookError, match="description"):
        await tenant.webhooks.create(CLINIC, PILOT, HOOK, ["*"], description)


async def test_the_audit_log_says_who_did_what(tenant: Tenant, receiver: Receiver) -> None:
    endpoint_id = (await tenant.add(receiver.url)).endpoint.id
    webhooks = tenant.webhooks
    await webhooks.change(CLINIC, PILOT, endpoint_id, Change(state=EndpointState.PAUSED))
    await webhooks.rotate(CLINIC, PILOT, endpoint_id)
    await webhooks.send_test(CLINIC, PILOT, endpoint_id)
    await webhooks.delete(CLINIC, PILOT, endpoint_id)
    entries = await tenant.audit.entries(CLINIC, newest_first=False)
    assert [entry.action for entry in entries] == [
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.tested",
        "webhook.deleted",
    ]
    assert {(entry.actor, entry.target) for entry in entries} == {(PILOT, endpoint_id)}
    assert entries[1].detail == {"fields": ["state"]}


async def test_another_tenants_endpoint_does_not_exist(tenant: Tenant, store: Store) -> None:
    shown = await tenant.add(HOOK)
    other = Tenant(store, "bakery")
    webhooks, endpoint_id = other.webhooks, shown.endpoint.id
    assert await webhooks.endpoints("bakery") == []
    for attempt in (
        webhooks.get("bakery", endpoint_id),
        webhooks.change("bakery", PILOT, endpoint_id, Change(description="x")),
        webhooks.rotate("bakery", PILOT, endpoint_id),
        webhooks.send_test("bakery", PILOT, endpoint_id),
        webhooks.delete("bakery", PILOT, endpoint_id),
    ):
        with pytest.raises(EndpointNotFoundError):
            await attempt
    assert await tenant.webhooks.get(CLINIC, endpoint_id) == shown.endpoint
    await other.sender.aclose()


@given(st.sampled_from(EndpointState), st.sampled_from(EndpointState))
def test_only_listed_transitions_happen_and_a_refusal_names_what_is_allowed(
    before: EndpointState, after: EndpointState
) -> None:
    if after in TRANSITIONS[before]:
        require_transition(before, after)
        return
    with pytest.raises(EndpointStateError) as refusal:
        require_transition(before, after)
    assert all(allowed.value in str(refusal.value) for allowed in TRANSITIONS[before])
