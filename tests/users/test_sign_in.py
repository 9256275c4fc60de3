"""Signing in with a password: who gets in, who waits, what is told to strangers."""

import asyncio

import pytest

from context.security.principal import SCOPES_OF_ROLE, PrincipalKind, Role, Scope
from context.users.accounts import AccountState, Standing
from context.users.errors import (
    AccountExistsError,
    BadCredentialsError,
    BadEmailError,
    CsrfError,
    NotAMemberError,
    TooManyAttemptsError,
    WeakPasswordError,
)
from context.users.passwords import HashCost, Passwords
from context.users.people import Users
from context.users.sessions import (
    IDLE_S,
    LIFETIME_S,
    SEEN_EVERY_S,
    check_csrf,
    cookie_name,
    csrf_token,
)
from context.users.tables import oauth_states, one_time_links, sessions, users
from tests.users.people_world import ELSEWHERE, HERE, OTHER_PASSWORD, PASSWORD, World, all_text, both_databases


@both_databases
async def test_who_signs_in_is_what_their_role_in_the_tenant_allows(world: World) -> None:
    account = await world.person(roles={"lake": Role.PILOT})
    signed_in = await world.users.sign_in(" Ada@Example.COM ", PASSWORD, address=HERE)
    principal = await world.users.session_principal(signed_in.cookie)
    assert principal
    assert (principal.kind, principal.id, principal.tenant_id) == (PrincipalKind.USER, account.id, "lake")
    assert principal.scopes == SCOPES_OF_ROLE[Role.PILOT]


async def test_a_wrong_password_an_unknown_address_and_a_disabled_account_look_alike(world: World) -> None:
    account = await world.person()
    await world.person("off@example.com", roles={})
    await world.accounts.set_state((await world.accounts.by_email("off@example.com")).id, AccountState.DISABLED, "test")
    told: set[str] = set()
    for email, password in (
        ("ada@example.com", OTHER_PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
        ("not an address", PASSWORD),
    ):
        with pytest.raises(BadCredentialsError) as refused:
            await world.users.sign_in(email, password, address=HERE)
        told.add(str(refused.value))
    assert len(told) == 1
    assert ("session.refused", account.id, {}) in await world.audited()


async def test_an_unknown_address_takes_as_much_hashing_as_a_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []
    real = Passwords._verified

    def counting(self: Passwords, kept: str, password: str) -> bool:
        checked.append(1)
        return real(self, kept, password)

    monkeypatch.setattr(Passwords, "_verified", counting)
    await world.person()
    for email in ("ada@example.com", "nobody@example.com"):
        with pytest.raises(BadCredentialsError):
            await world.users.sign_in(email, OTHER_PASSWORD, address=HERE)
        assert checked == [1]
        checked.clear()


async def test_who_fails_waits_longer_each_time_and_the_right_password_does_not_help(world: World) -> None:
    await world.person()
    waits: list[float] = []
    failures = 0
    for _ in range(400):
        try:
            await world.users.sign_in("ada@example.com", OTHER_PASSWORD, address=HERE)
        except BadCredentialsError:
            failures += 1
        except TooManyAttemptsError as refused:
            with pytest.raises(TooManyAttemptsError):
                await world.signed_in()
            waits.append(refused.wait_s)
            world.clock.pass_s(refused.wait_s)
        if failures >= 45:
            break
    assert failures == 45
    assert 0 < waits[0] <= 12
    assert max(waits) > 1800
    assert sum(waits) > 3 * 3600  # what 45 guesses cost


async def test_somebody_who_fails_on_purpose_does_not_lock_the_owner_out(world: World) -> None:
    await world.person()
    for _ in range(6):
        with pytest.raises((BadCredentialsError, TooManyAttemptsError)):
            await world.users.sign_in("ada@example.com", OTHER_PASSWORD, address=ELSEWHERE)
    assert (await world.signed_in(address=HERE)).tenant_id == "lake"


async def test_a_hash_of_an_older_cost_is_renewed_when_its_owner_signs_in(world: World) -> None:
    account = await world.person()
    dearer = Passwords(HashCost(memory_kib=128, passes=2, lanes=1))
    users_now = Users(world.store, world.users._limiter, world.audit, passwords=dearer, now=world.clock)
    await users_now.sign_in("ada@example.com", PASSWORD, address=HERE)
    async with world.store.reading_every_tenant() as transaction:
        row = await transaction.row(users, users.c.user_id == account.id)
    assert row
    assert "m=128,t=2" in row["password"]
    await users_now.sign_in("ada@example.com", PASSWORD, address=HERE)
    dearer.close()


async def test_a_session_ends_when_it_is_not_used(world: World) -> None:
    await world.person()
    cookie = (await world.signed_in()).cookie
    world.clock.pass_s(IDLE_S - 1)
    assert await world.users.session_principal(cookie)
    world.clock.pass_s(IDLE_S - 1)
    assert await world.users.session_principal(cookie)
    world.clock.pass_s(IDLE_S)
    assert await world.users.session_principal(cookie) is None


async def test_a_session_ends_after_a_week_however_much_it_is_used(world: World) -> None:
    await world.person()
    cookie = (await world.signed_in()).cookie
    for _ in range(LIFETIME_S // (6 * 3600) - 1):
        world.clock.pass_s(6 * 3600)
        assert await world.users.session_principal(cookie)
    world.clock.pass_s(6 * 3600)
    assert await world.users.session_principal(cookie) is None
    assert await world.users.forget_ended() == 1


async def test_using_a_session_writes_no_more_than_every_few_minutes(world: World) -> None:
    await world.person()
    cookie = (await world.signed_in()).cookie

    async def seen_at() -> int:
        async with world.store.reading_every_tenant() as transaction:
            return (await transaction.rows(sessions))[0]["seen_at_s"]

    began = await seen_at()
    world.clock.pass_s(SEEN_EVERY_S - 1)
    await world.users.session_principal(cookie)
    assert await seen_at() == began
    world.clock.pass_s(1)
    await world.users.session_principal(cookie)
    assert await seen_at() == began + SEEN_EVERY_S


async def test_nothing_in_the_database_opens_a_session_or_a_link(world: World) -> None:
    account = await world.person()
    signed_in = await world.signed_in()
    invitation = await world.users.invite("lake", Role.VIEWER, "Grace", account.id)
    reset = await world.users.make_reset(account.id, "operator")
    kept = await all_text(world.store, (users, sessions, one_time_links, oauth_states))
    for secret in (signed_in.cookie, signed_in.csrf, invitation.token, reset.token, PASSWORD):
        assert secret not in kept
        assert secret not in repr((signed_in, invitation, reset))


async def test_signing_in_again_ends_the_session_that_was_there(world: World) -> None:
    await world.person()
    planted = (await world.signed_in()).cookie
    again = await world.users.sign_in("ada@example.com", PASSWORD, address=HERE, old_cookie=planted)
    assert again.cookie != planted
    assert await world.users.session_principal(planted) is None


async def test_a_role_that_changes_ends_the_sessions_in_that_tenant(world: World) -> None:
    account = await world.person(roles={"lake": Role.ADMIN})
    await world.person("bob@example.com", roles={"lake": Role.ADMIN})
    cookie = (await world.signed_in()).cookie
    await world.accounts.set_role("lake", account.id, Role.VIEWER, "bob")
    assert await world.users.session_principal(cookie) is None
    principal = await world.users.session_principal((await world.signed_in()).cookie)
    assert principal
    assert not principal.may(Scope.TENANT_WRITE)


async def test_who_is_disabled_is_out_at_once(world: World) -> None:
    account = await world.person()
    cookie = (await world.signed_in()).cookie
    await world.accounts.set_state(account.id, AccountState.DISABLED, "operator")
    assert await world.users.session_principal(cookie) is None
    assert await world.users.me(cookie) is None


@both_databases
async def test_who_works_for_two_tenants_chooses_and_gets_another_cookie(world: World) -> None:
    await world.person(roles={"lake": Role.ADMIN, "park": Role.VIEWER})
    first = await world.signed_in()
    undecided = await world.users.session_principal(first.cookie)
    assert undecided
    assert (undecided.tenant_id, undecided.scopes) == ("", frozenset())
    chosen = await world.users.choose_tenant(first.cookie, "park")
    assert await world.users.session_principal(first.cookie) is None
    principal = await world.users.session_principal(chosen.cookie)
    assert principal
    assert (principal.tenant_id, principal.scopes) == ("park", SCOPES_OF_ROLE[Role.VIEWER])
    with pytest.raises(NotAMemberError):
        await world.users.choose_tenant(chosen.cookie, "sea")


async def test_the_operator_may_act_for_any_tenant(world: World) -> None:
    await world.accounts.create("op@example.com", "Op", PASSWORD, actor="cli", standing=Standing.OPERATOR)
    cookie = (await world.users.sign_in("op@example.com", PASSWORD, address=HERE)).cookie
    principal = await world.users.session_principal((await world.users.choose_tenant(cookie, "sea")).cookie)
    assert principal
    assert (principal.kind, principal.tenant_id) == (PrincipalKind.OPERATOR, "sea")
    assert principal.may(Scope.SERVER_ADMIN)


@both_databases
async def test_a_new_password_ends_every_other_session_and_renews_this_one(world: World) -> None:
    await world.person()
    other, mine = (await world.signed_in()).cookie, (await world.signed_in()).cookie
    world.clock.pass_s(60)
    with pytest.raises(BadCredentialsError):
        await world.users.change_password(mine, "wrong", OTHER_PASSWORD, address=HERE)
    with pytest.raises(WeakPasswordError):
        await world.users.change_password(mine, PASSWORD, "password1234", address=HERE)
    renewed = await world.users.change_password(mine, PASSWORD, OTHER_PASSWORD, address=HERE)
    assert [await world.users.session_principal(cookie) for cookie in (other, mine)] == [None, None]
    assert await world.users.session_principal(renewed.cookie)
    world.clock.pass_s(60)
    with pytest.raises(BadCredentialsError):
        await world.signed_in()
    assert await world.users.sign_in("ada@example.com", OTHER_PASSWORD, address=HERE)


async def test_signing_out_ends_this_session_and_signing_out_everywhere_all(world: World) -> None:
    account = await world.person()
    first, second, third = [(await world.signed_in()).cookie for _ in range(3)]
    await world.users.sign_out(first)
    await world.users.sign_out(first)
    assert await world.users.session_principal(first) is None
    assert await world.users.session_principal(second)
    assert await world.users.sign_out_everywhere(account.id, account.id) == 2
    assert await world.users.session_principal(third) is None


@both_databases
async def test_of_two_accounts_with_one_address_the_second_is_refused(world: World) -> None:
    await world.person()
    with pytest.raises(AccountExistsError):
        await world.person("ADA@example.com")
    with pytest.raises(BadEmailError):
        await world.person("ada at example")


@both_databases
async def test_two_tabs_that_choose_at_once_leave_one_session(world: World) -> None:
    await world.person(roles={"lake": Role.ADMIN, "park": Role.VIEWER})
    cookie = (await world.signed_in()).cookie
    results = await asyncio.gather(
        world.users.choose_tenant(cookie, "lake"),
        world.users.choose_tenant(cookie, "park"),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["BadCredentialsError", "SignedIn"]


def test_a_csrf_token_is_good_for_its_own_session_and_our_own_page_only() -> None:
    check_csrf("cookie", csrf_token("cookie"), "https://parley.example", "https://parley.example")
    check_csrf("cookie", csrf_token("cookie"), None, "https://parley.example")
    for token, origin in (
        (None, "https://parley.example"),
        ("", "https://parley.example"),
        (csrf_token("another"), "https://parley.example"),
        (csrf_token("cookie"), "https://evil.example"),
        (csrf_token("cookie"), "http://parley.example"),
        (csrf_token("cookie"), "null"),
    ):
        with pytest.raises(CsrfError):
            check_csrf("cookie", token, origin, "https://parley.example")


def test_over_tls_the_cookie_is_bound_to_the_host() -> None:
    assert cookie_name("https://parley.example") == "__Host-parley"
    assert cookie_name("http://127.0.0.1:3004") == "parley"
