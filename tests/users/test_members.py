"""Who works for a tenant: invitations, roles, the last administrator, what is kept about a person."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from context.security.principal import Role
from context.users import tables as people_tables
from context.users.accounts import IDLE_ACCOUNT_S, Standing
from context.users.errors import (
    AccountExistsError,
    BadCredentialsError,
    LastAdminError,
    LinkNotValidError,
    SharedAccountError,
    UserNotFoundError,
    WeakPasswordError,
)
from context.users.links import INVITATION_S, RESET_S
from tests.users.people_world import HERE, OTHER_PASSWORD, PASSWORD, World, all_text, both_databases


@both_databases
async def test_an_invitation_makes_an_account_and_works_once(world: World) -> None:
    admin = await world.person()
    made = await world.users.invite("lake", Role.PILOT, "Grace", admin.id)
    assert [link.note for link in await world.users.invitations("lake")] == ["Grace"]
    assert await world.users.invitations("park") == []
    signed_in = await world.users.accept_with_password(
        made.token, "grace@example.com", "Grace", OTHER_PASSWORD, address=HERE
    )
    principal = await world.users.session_principal(signed_in.cookie)
    assert principal
    assert principal.tenant_id == "lake"
    assert [member.role for member in await world.accounts.members("lake") if member.account.name == "Grace"] == [
        Role.PILOT
    ]
    with pytest.raises(LinkNotValidError):
        await world.users.accept_with_password(made.token, "eve@example.com", "Eve", PASSWORD, address=HERE)
    actions = [action for action, _, _ in await world.audited("lake")]
    assert actions.count("invitation.made") == 1
    assert actions.count("member.joined") == 2


@both_databases
async def test_of_two_who_open_one_invitation_at_once_one_gets_in(world: World) -> None:
    admin = await world.person()
    made = await world.users.invite("lake", Role.PILOT, "", admin.id)
    results = await asyncio.gather(
        *(
            world.users.accept_with_password(made.token, f"p{i}@example.com", f"P{i}", OTHER_PASSWORD, address=HERE)
            for i in range(4)
        ),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results].count("SignedIn") == 1
    assert len(await world.accounts.members("lake")) == 2


async def test_an_invitation_expires_can_be_withdrawn_and_survives_a_weak_password(world: World) -> None:
    admin = await world.person()
    expired = await world.users.invite("lake", Role.PILOT, "", admin.id)
    world.clock.pass_s(INVITATION_S)
    withdrawn = await world.users.invite("lake", Role.PILOT, "", admin.id)
    assert not await world.users.withdraw("park", withdrawn.link.id, "x")
    assert await world.users.withdraw("lake", withdrawn.link.id, admin.id)
    for made in (expired, withdrawn):
        with pytest.raises(LinkNotValidError):
            await world.users.accept_with_password(made.token, "g@example.com", "G", OTHER_PASSWORD, address=HERE)
    good = await world.users.invite("lake", Role.PILOT, "", admin.id)
    with pytest.raises(WeakPasswordError):
        await world.users.accept_with_password(good.token, "g@example.com", "G", "password1234", address=HERE)
    with pytest.raises(AccountExistsError):
        await world.users.accept_with_password(good.token, "ada@example.com", "A", OTHER_PASSWORD, address=HERE)
    assert await world.users.accept_with_password(good.token, "g@example.com", "G", OTHER_PASSWORD, address=HERE)


async def test_who_is_signed_in_takes_an_invitation_with_their_own_account(world: World) -> None:
    admin = await world.person()
    await world.person("bob@example.com", roles={"park": Role.ADMIN})
    made = await world.users.invite("lake", Role.VIEWER, "", admin.id)
    cookie = (await world.signed_in("bob@example.com")).cookie
    accepted = await world.users.accept_signed_in(made.token, cookie, address=HERE)
    assert await world.users.session_principal(cookie) is None
    me = await world.users.me(accepted.cookie)
    assert me
    assert [(each.tenant_id, each.role) for each in me.tenants] == [("lake", Role.VIEWER), ("park", Role.ADMIN)]
    assert me.tenant_id == "lake"


async def test_a_reset_link_works_once_for_an_hour_and_ends_every_session(world: World) -> None:
    account = await world.person()
    cookie = (await world.signed_in()).cookie
    stale = await world.users.make_reset(account.id, "operator")
    fresh = await world.users.make_reset(account.id, "operator")
    with pytest.raises(LinkNotValidError):
        await world.users.reset_password(stale.token, OTHER_PASSWORD, address=HERE)
    await world.users.reset_password(fresh.token, OTHER_PASSWORD, address=HERE)
    assert await world.users.session_principal(cookie) is None
    with pytest.raises(LinkNotValidError):
        await world.users.reset_password(fresh.token, PASSWORD, address=HERE)
    late = await world.users.make_reset(account.id, "operator")
    world.clock.pass_s(RESET_S)
    with pytest.raises(LinkNotValidError):
        await world.users.reset_password(late.token, PASSWORD, address=HERE)
    with pytest.raises(BadCredentialsError):
        await world.signed_in()


async def test_an_administrator_cannot_take_over_who_works_for_others_too(world: World) -> None:
    admin = await world.person()
    shared = await world.person("bob@example.com", roles={"lake": Role.VIEWER, "park": Role.ADMIN})
    own = await world.person("eve@example.com", roles={"lake": Role.VIEWER})
    stranger = await world.person("tom@example.com", roles={"park": Role.VIEWER})
    await world.accounts.create(
        "op@example.com", "Op", PASSWORD, actor="cli", standing=Standing.OPERATOR, roles={"lake": Role.VIEWER}
    )
    operator = await world.accounts.by_email("op@example.com")
    for user_id in (shared.id, operator.id):
        with pytest.raises(SharedAccountError):
            await world.users.make_reset(user_id, admin.id, tenant_id="lake")
    with pytest.raises(UserNotFoundError):
        await world.users.make_reset(stranger.id, admin.id, tenant_id="lake")
    assert (await world.users.make_reset(own.id, admin.id, tenant_id="lake")).token


@both_databases
async def test_a_tenant_always_has_an_administrator_whoever_acts_at_once(world: World) -> None:
    ada = await world.person(roles={"lake": Role.ADMIN})
    bob = await world.person("bob@example.com", roles={"lake": Role.ADMIN})
    results = await asyncio.gather(
        world.accounts.set_role("lake", ada.id, Role.VIEWER, bob.id),
        world.accounts.remove_member("lake", bob.id, ada.id),
        world.accounts.delete(bob.id, "operator"),
        return_exceptions=True,
    )
    assert any(isinstance(result, LastAdminError) for result in results)
    admins = [member for member in await world.accounts.members("lake") if member.role is Role.ADMIN]
    assert len(admins) == 1


async def test_a_tenant_sees_and_changes_its_own_people_only(world: World) -> None:
    await world.person()
    stranger = await world.person("tom@example.com", roles={"park": Role.ADMIN})
    with pytest.raises(UserNotFoundError):
        await world.accounts.member("lake", stranger.id)
    with pytest.raises(UserNotFoundError):
        await world.accounts.set_role("lake", stranger.id, Role.VIEWER, "x")
    with pytest.raises(UserNotFoundError):
        await world.accounts.remove_member("lake", stranger.id, "x")
    assert (await world.accounts.member("park", stranger.id)).role is Role.ADMIN


async def test_who_stops_working_for_a_tenant_is_out_of_it_at_once(world: World) -> None:
    await world.person()
    bob = await world.person("bob@example.com", roles={"lake": Role.PILOT, "park": Role.VIEWER})
    cookie = (await world.signed_in("bob@example.com")).cookie
    at_lake = await world.users.choose_tenant(cookie, "lake")
    await world.accounts.remove_member("lake", bob.id, "ada")
    assert await world.users.session_principal(at_lake.cookie) is None
    again = await world.users.session_principal((await world.signed_in("bob@example.com")).cookie)
    assert again
    assert again.tenant_id == "park"


@both_databases
async def test_an_account_that_belongs_nowhere_is_forgotten_after_a_month(world: World) -> None:
    await world.person()
    bob = await world.person("bob@example.com", roles={"lake": Role.VIEWER})
    operator = await world.accounts.create("op@example.com", "Op", PASSWORD, actor="cli", standing=Standing.OPERATOR)
    await world.accounts.remove_member("lake", bob.id, "ada")
    world.clock.pass_s(IDLE_ACCOUNT_S - 1)
    await world.users.forget_ended()
    assert (await world.accounts.get(bob.id)).name
    world.clock.pass_s(1)
    assert await world.users.forget_ended() == 1
    with pytest.raises(UserNotFoundError):
        await world.accounts.get(bob.id)
    assert (await world.accounts.get(operator.id)).standing is Standing.OPERATOR
    assert len(await world.accounts.members("lake")) == 1


@both_databases
async def test_a_person_gets_a_copy_of_everything_and_leaves_without_a_trace_of_their_name(world: World) -> None:
    await world.person()
    grace = await world.person("grace@example.com", name="Grace Hopper", roles={"lake": Role.PILOT})
    await world.signed_in("grace@example.com")
    copy: dict[str, Any] = await world.accounts.export(grace.id)
    assert "grace@example.com" in str(copy)
    assert [each["tenant_id"] for each in copy["memberships"]] == ["lake"]
    assert len(copy["sessions"]) == 1
    assert "argon2" not in str(copy)
    await world.accounts.delete(grace.id, "operator")
    kept = await all_text(world.store, [t for t in vars(people_tables).values() if isinstance(t, sa.Table)])
    assert "race" not in kept.lower().replace("trace", "")
    assert grace.id not in kept
    assert ("user.deleted", grace.id, {}) in await world.audited()
    with pytest.raises(UserNotFoundError):
        await world.accounts.get(grace.id)
