"""Tenants in the database: versions, numbers, audit and event go together or not at all."""

import asyncio
import datetime as dt

import msgspec
import pytest

from context.events.outbox import event_of
from context.events.tables import events
from context.security.audit import AuditLog
from context.store.database import Store
from context.tenants.errors import (
    NumberTakenError,
    TenantExistsError,
    TenantInvalidError,
    TenantStateError,
    TenantVersionError,
    UnknownTenantError,
)
from context.tenants.lifecycle import Change, TenantState
from context.tenants.store import StoredTenants
from tests.context.clinic import clinic

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


async def test_what_was_stored_is_read_again_as_it_was(store_on_each: Store) -> None:
    tenants = StoredTenants(store_on_each, lambda: NOON)
    config = clinic(numbers=("+33142000001",), trial_ends_at=NOON + dt.timedelta(days=14), plan="pro")
    made = await tenants.create(config, actor="test")
    assert await tenants.get("clinic") == made
    assert (made.config, made.state, made.version, made.created_at) == (config, TenantState.TRIAL, 1, NOON)
    assert [tenant.config.id for tenant in await tenants.page()] == ["clinic"]
    assert await tenants.page("clinic") == []


async def test_a_new_tenant_is_told_once_in_the_same_transaction(store: Store, tenants: StoredTenants) -> None:
    await tenants.create(clinic(), actor="key-1")
    with pytest.raises(TenantExistsError, match="'clinic'"):
        await tenants.create(clinic(), actor="key-1")
    await tenants.create(clinic(id="first", numbers=("+33142000001",)), actor="key-1")
    with pytest.raises(NumberTakenError):
        await tenants.create(clinic(id="second", numbers=("+33142000001",)), actor="key-1")
    async with store.reading_every_tenant() as transaction:
        told = [event_of(row) for row in await transaction.rows(events)]
    assert [(event.type, event.tenant_id) for event in told] == [
        ("tenant.provisioned", "clinic"),
        ("tenant.provisioned", "first"),
    ]
    assert await tenants.get("second") is None


async def test_of_two_editors_the_second_is_told_to_read_again(store_on_each: Store) -> None:
    tenants = StoredTenants(store_on_each, lambda: NOON)
    await tenants.create(clinic(), actor="test")
    outcomes = await asyncio.gather(
        *(tenants.put(clinic(email=f"{n}@clinic.example"), actor="test", expected_version=1) for n in range(5)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, TenantVersionError)]
    assert (len(refused), {error.found for error in refused}) == (4, {2})
    found = await tenants.get("clinic")
    assert found
    assert found.version == 2


async def test_the_same_configuration_again_is_no_new_version(tenants: StoredTenants) -> None:
    await tenants.create(clinic(), actor="test")
    assert (await tenants.put(clinic(), actor="test")).version == 1
    assert (await tenants.put(clinic(name="Clinic Two"), actor="test")).version == 2


async def test_a_number_is_of_one_tenant_and_free_again_when_given_back(store_on_each: Store) -> None:
    tenants = StoredTenants(store_on_each, lambda: NOON)
    first, second = clinic(id="first", numbers=("+33142000001", "+33142000002")), clinic(id="second")
    await tenants.create(first, actor="test")
    await tenants.create(second, actor="test")
    taking = msgspec.structs.replace(second, numbers=("+33142000002",))
    with pytest.raises(NumberTakenError, match=r"\$\.numbers\[0\]: \+33142000002"):
        await tenants.put(taking, actor="test")
    unchanged = await tenants.get("second")
    assert unchanged
    assert (unchanged.version, unchanged.config.numbers) == (1, ())
    await tenants.put(msgspec.structs.replace(first, numbers=("+33142000001",)), actor="test")
    assert (await tenants.put(taking, actor="test")).config.numbers == ("+33142000002",)


async def test_wrong_values_are_all_named_and_nothing_is_stored(tenants: StoredTenants) -> None:
    bad = clinic(currency="EURO", numbers=("0142000000",), origins=("https://a.example/path",), keys=("sk-1",))
    with pytest.raises(TenantInvalidError) as refused:
        await tenants.create(bad, actor="test")
    assert {fault.path for fault in refused.value.faults} >= {"$.currency", "$.numbers[0]", "$.origins[0]", "$.keys"}
    assert "sk-1" not in str(refused.value)
    assert "'EURO'" in str(refused.value)
    assert await tenants.get("clinic") is None


async def test_every_change_of_state_raises_the_version_and_is_audited(store: Store, tenants: StoredTenants) -> None:
    await tenants.create(clinic(), actor="key-1")
    suspended = await tenants.change("clinic", Change.SUSPEND, actor="key-1", reason="unpaid")
    assert (suspended.state, suspended.version, suspended.reason) == (TenantState.SUSPENDED, 2, "unpaid")
    assert (await tenants.change("clinic", Change.SUSPEND, actor="key-1")).version == 2
    assert (await tenants.change("clinic", Change.RESUME, actor="key-1")).state is TenantState.ACTIVE
    actions = [entry.action for entry in await AuditLog(store).entries("clinic", newest_first=False)]
    assert actions == ["tenant.created", "tenant.suspend", "tenant.resume"]


async def test_a_tenant_that_is_being_removed_cannot_be_changed(tenants: StoredTenants) -> None:
    await tenants.create(clinic(), actor="test")
    await tenants.change("clinic", Change.DELETE, actor="test")
    with pytest.raises(TenantStateError):
        await tenants.put(clinic(name="Again"), actor="test")
    with pytest.raises(TenantStateError, match="delete"):
        await tenants.change("clinic", Change.RESUME, actor="test")


async def test_nobody_cannot_be_changed(tenants: StoredTenants) -> None:
    with pytest.raises(UnknownTenantError, match="'nobody'"):
        await tenants.change("nobody", Change.SUSPEND, actor="test")
    with pytest.raises(UnknownTenantError):
        await tenants.put(clinic(id="nobody"), actor="test")


async def test_the_probe_moves_with_every_change(tenants: StoredTenants) -> None:
    seen = [await tenants.probe()]
    await tenants.create(clinic(), actor="test")
    seen.append(await tenants.probe())
    await tenants.put(clinic(name="Two"), actor="test")
    seen.append(await tenants.probe())
    await tenants.change("clinic", Change.SUSPEND, actor="test")
    seen.append(await tenants.probe())
    assert len(set(seen)) == 4
    assert await tenants.probe() == seen[-1]
