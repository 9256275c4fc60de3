"""Connections to outside services, against a provider that rotates refresh tokens and takes a reused one for theft."""

import asyncio

import pytest

from context.security.principal import Role
from context.users.connections import LEASE_MS, RENEW_BEFORE_S, Connection, Connections, ConnectionState
from context.users.errors import (
    NeedsReconnectError,
    NotConnectedError,
    ProviderDownError,
    ProviderNotFoundError,
    Refusal,
    SignInRefusedError,
)
from context.users.provider_file import ProviderSettings
from context.users.states import STATE_S
from context.users.tables import connections
from tests.users.oauth_provider import Provider
from tests.users.people_world import World, all_text, both_databases
from tests.users.test_oidc_login import at_provider

CALLBACK = "http://127.0.0.1:3004/v1/connections/calendar/callback"


async def connect(world: World, provider: Provider, tenant_id: str = "lake", user_id: str = "ada") -> Connection:
    """Go the whole way."""
    provider.redirect_uris.add(CALLBACK)
    own = world.people.connections
    started = await own.start(tenant_id, "calendar", user_id, CALLBACK, "/settings")
    connection, return_to = await own.finish("calendar", user_id, started.browser, await at_provider(started.url))
    assert return_to == "/settings"
    return connection


def another_process(world: World, settings: ProviderSettings) -> Connections:
    """The connections as another process on the same database sees them."""
    mine = world.people.connections
    return Connections(world.store, world.vault, settings.apps, mine._oauth, mine._audited, now=world.clock)


@both_databases
async def test_a_connection_gives_a_token_that_works_and_keeps_it_in_the_vault_only(
    connected_world: World, provider: Provider
) -> None:
    made = await connect(connected_world, provider)
    assert (made.state, made.connected_by, made.scopes) == (ConnectionState.CONNECTED, "ada", ("calendar",))
    token = await connected_world.people.connections.access_token("lake", "calendar")
    assert provider.accepts(token)
    assert provider.refreshes == 0
    kept = await all_text(connected_world.store, [connections])
    for granted in provider.tokens:
        assert granted.access_token not in kept
        assert granted.refresh_token not in kept
    assert [action for action, _, _ in await connected_world.audited("lake")] == ["connection.made"]


async def test_a_tenant_has_its_own_connections_only(connected_world: World, provider: Provider) -> None:
    await connect(connected_world, provider)
    own = connected_world.people.connections
    assert await own.list("park") == []
    with pytest.raises(NotConnectedError):
        await own.access_token("park", "calendar")
    with pytest.raises(NotConnectedError):
        await own.remove("park", "calendar", "eve")
    with pytest.raises(ProviderNotFoundError):
        await own.access_token("lake", "fax")


@both_databases
async def test_a_token_is_renewed_before_it_ends_once_however_many_ask_in_however_many_processes(
    connected_world: World, provider: Provider, provider_settings: ProviderSettings
) -> None:
    await connect(connected_world, provider)
    processes = [connected_world.people.connections, another_process(connected_world, provider_settings)]
    for _ in range(3):
        connected_world.clock.pass_s(3600 - RENEW_BEFORE_S)
        before = provider.refreshes
        tokens = await asyncio.gather(*(own.access_token("lake", "calendar") for own in processes for _ in range(6)))
        assert provider.refreshes == before + 1
        assert all(provider.accepts(token) for token in tokens)
    assert provider.reuses == 0
    assert len(await connected_world.vault.names("lake")) == 1
    fresh = {await own.access_token("lake", "calendar") for own in processes}
    assert fresh == {provider.tokens[-1].access_token}


async def test_a_process_that_dies_after_writing_new_tokens_loses_nothing(
    connected_world: World, provider: Provider, provider_settings: ProviderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connect(connected_world, provider)
    connected_world.clock.pass_s(3600)
    own = connected_world.people.connections

    async def killed(*_: object, **__: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(own, "_change", killed)
        with pytest.raises(asyncio.CancelledError):
            await own.access_token("lake", "calendar")
    assert provider.refreshes == 1
    survivor = another_process(connected_world, provider_settings)
    connected_world.clock.pass_s(LEASE_MS / 1000)
    assert await survivor.access_token("lake", "calendar") == provider.tokens[-1].access_token
    assert (provider.refreshes, provider.reuses) == (1, 0)
    connected_world.clock.pass_s(3600)
    assert provider.accepts(await survivor.access_token("lake", "calendar"))
    assert (provider.refreshes, provider.reuses) == (2, 0)


async def test_a_process_that_dies_before_writing_them_needs_a_person_to_connect_again(
    connected_world: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connect(connected_world, provider)
    connected_world.clock.pass_s(3600)
    own = connected_world.people.connections

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(own._tokens, "put", killed)
        with pytest.raises(asyncio.CancelledError):
            await own.access_token("lake", "calendar")
    connected_world.clock.pass_s(LEASE_MS / 1000)
    for _ in range(2):
        with pytest.raises(NeedsReconnectError):
            await own.access_token("lake", "calendar")
    assert provider.reuses == 1  # and not asked again
    assert (await own.get("lake", "calendar")).state is ConnectionState.NEEDS_RECONNECT
    assert ("connection.lost", "calendar", {}) in await connected_world.audited("lake")
    await connect(connected_world, provider)
    assert provider.accepts(await own.access_token("lake", "calendar"))
    assert len(await connected_world.vault.names("lake")) == 1


async def test_a_grant_that_was_withdrawn_at_the_provider_is_noticed(
    connected_world: World, provider: Provider
) -> None:
    await connect(connected_world, provider)
    provider.revoked_families.add(provider.tokens[0].family)
    connected_world.clock.pass_s(3600)
    with pytest.raises(NeedsReconnectError):
        await connected_world.people.connections.access_token("lake", "calendar")


async def test_while_the_provider_is_down_a_token_that_still_lives_is_used(
    connected_world: World, provider: Provider
) -> None:
    await connect(connected_world, provider)
    own = connected_world.people.connections
    provider.down = True
    connected_world.clock.pass_s(3600 - RENEW_BEFORE_S + 1)
    assert provider.accepts(await own.access_token("lake", "calendar"))
    connected_world.clock.pass_s(RENEW_BEFORE_S)
    with pytest.raises(ProviderDownError):
        await own.access_token("lake", "calendar")
    provider.down = False
    assert provider.accepts(await own.access_token("lake", "calendar"))
    assert provider.reuses == 0


async def test_ending_a_connection_ends_it_at_the_provider_too(connected_world: World, provider: Provider) -> None:
    await connect(connected_world, provider)
    own = connected_world.people.connections
    token = await own.access_token("lake", "calendar")
    removed = await own.remove("lake", "calendar", "ada")
    assert removed.revoked
    assert not provider.accepts(token)
    assert await connected_world.vault.names("lake") == []
    assert await own.list("lake") == []
    await connect(connected_world, provider)
    provider.down = True
    assert not (await own.remove("lake", "calendar", "ada")).revoked
    assert await connected_world.vault.names("lake") == []


async def test_a_renewal_that_ends_after_the_connection_was_removed_leaves_nothing(
    connected_world: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connect(connected_world, provider)
    connected_world.clock.pass_s(3600)
    own = connected_world.people.connections
    refresh = own._oauth.refresh

    async def slow(*request: object) -> object:
        granted = await refresh(*request)  # type: ignore[arg-type]
        await own.remove("lake", "calendar", "ada")
        return granted

    monkeypatch.setattr(own._oauth, "refresh", slow)
    with pytest.raises(NotConnectedError):
        await own.access_token("lake", "calendar")
    assert await connected_world.vault.names("lake") == []


async def test_only_who_began_in_this_browser_can_finish_and_once(connected_world: World, provider: Provider) -> None:
    provider.redirect_uris.add(CALLBACK)
    own = connected_world.people.connections

    async def refusal(user_id: str, *, browser: str = "", again: bool = False, wait_s: float = 0) -> Refusal:
        started = await own.start("lake", "calendar", "ada", CALLBACK, "/")
        callback = await at_provider(started.url)
        if again:
            await own.finish("calendar", user_id, started.browser, callback)
        connected_world.clock.pass_s(wait_s)
        with pytest.raises(SignInRefusedError) as refused:
            await own.finish("calendar", user_id, browser or started.browser, callback)
        return refused.value.reason

    assert await refusal("eve") is Refusal.OTHER_BROWSER
    assert await refusal("ada", browser="another") is Refusal.OTHER_BROWSER
    assert await refusal("ada", again=True) is Refusal.REPLAYED
    assert await refusal("ada", wait_s=STATE_S) is Refusal.EXPIRED
    provider.person = None
    assert await refusal("ada") is Refusal.DENIED
    reasons = [d["reason"] for a, _, d in await connected_world.audited("lake") if a == "connection.refused"]
    assert reasons == ["other_browser", "other_browser", "replayed", "expired", "denied"]


async def test_a_sign_in_cannot_be_finished_as_a_connection(connected_world: World, provider: Provider) -> None:
    callback = CALLBACK.replace("connections/calendar", "login/works")
    provider.redirect_uris.add(callback)
    started = await connected_world.people.oidc.start("works", callback)
    with pytest.raises(SignInRefusedError) as refused:
        await connected_world.people.connections.finish("works", "", started.browser, await at_provider(started.url))
    assert refused.value.reason is Refusal.UNKNOWN_STATE


async def test_nothing_secret_shows_in_what_is_printed(connected_world: World, provider: Provider) -> None:
    await connect(connected_world, provider)
    await connected_world.person("bob@example.com", roles={"lake": Role.ADMIN})
    granted = provider.tokens[0]
    kept = await connected_world.people.connections._tokens.get(
        "lake", "calendar", (await connected_world.people.connections._row("lake", "calendar"))["generation"]
    )
    assert kept
    assert kept.refresh_token == granted.refresh_token
    assert granted.refresh_token not in repr(kept)
