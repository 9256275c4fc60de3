"""Signing in through a real provider: who gets in, and every way in which an answer can be wrong."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from context.security.principal import PrincipalKind, Role
from context.users.errors import LinkNotValidError, ProviderConfigError, Refusal, SignInRefusedError
from context.users.login_providers import LoginProvider
from context.users.oauth_client import Tokens
from context.users.oidc_login import Callback, Finished
from context.users.outside import Outside, Reach
from context.users.states import STATE_S, local_path
from context.users.tables import memberships
from tests.users.oauth_provider import CLIENT_ID, CLIENT_SECRET, Person, Provider
from tests.users.people_world import World, both_databases

CALLBACK = "http://127.0.0.1:3004/v1/login/works/callback"


async def at_provider(url: str) -> Callback:
    """What a browser brings back that follows `url` to the provider."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    sent = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    return Callback(sent["state"], sent.get("code", ""), sent.get("error", ""), sent.get("iss", ""))


SignIn = Callable[..., Awaitable[Finished]]


@pytest.fixture
def sign_in(connected_world: World, provider: Provider) -> SignIn:
    """Go the whole way; `invitation` and `tenant_id` as of `OidcLogin.start`."""
    provider.redirect_uris.add(CALLBACK)

    async def go(**how: Any) -> Finished:
        started = await connected_world.people.oidc.start("works", CALLBACK, **how)
        return await connected_world.people.oidc.finish("works", started.browser, await at_provider(started.url))

    return go


async def refused(world: World, attempt: Awaitable[object], why: Refusal) -> None:
    with pytest.raises(SignInRefusedError) as caught:
        await attempt
    assert caught.value.reason is why
    assert ("session.refused", "", {"provider": "works", "reason": why.value}) in await world.audited()


async def invitation(world: World, role: Role = Role.PILOT) -> str:
    return (await world.users.invite("lake", role, "", "test")).token


@both_databases
async def test_who_was_invited_gets_in_and_is_known_the_next_time(connected_world: World, sign_in: SignIn) -> None:
    first = await sign_in(invitation=await invitation(connected_world), return_to="/calls")
    assert first.return_to == "/calls"
    second = await sign_in()
    assert first.signed_in.user_id == second.signed_in.user_id
    principal = await connected_world.users.session_principal(second.signed_in.cookie)
    assert principal
    assert (principal.kind, principal.tenant_id) == (PrincipalKind.USER, "lake")
    account = await connected_world.accounts.get(principal.id)
    assert (account.name, account.email) == ("Ada Lovelace", "")


async def test_somebody_unknown_is_refused_also_with_the_address_of_an_account(
    connected_world: World, provider: Provider, sign_in: SignIn
) -> None:
    await connected_world.person("ada@example.com")
    assert provider.person
    assert provider.person.email == "ada@example.com"  # which the provider calls verified
    await refused(connected_world, sign_in(), Refusal.UNKNOWN_IDENTITY)


async def test_an_invitation_works_once_through_a_provider_too(
    connected_world: World, provider: Provider, sign_in: SignIn
) -> None:
    token = await invitation(connected_world)
    await sign_in(invitation=token)
    provider.person = Person("person-2")
    with pytest.raises(LinkNotValidError):
        await sign_in(invitation=token)
    assert len(await connected_world.accounts.members("lake")) == 1


async def test_a_state_is_good_once(connected_world: World, provider: Provider) -> None:
    provider.redirect_uris.add(CALLBACK)
    oidc = connected_world.people.oidc
    started = await oidc.start("works", CALLBACK, invitation=await invitation(connected_world))
    callback = await at_provider(started.url)
    await oidc.finish("works", started.browser, callback)
    await refused(connected_world, oidc.finish("works", started.browser, callback), Refusal.REPLAYED)


async def test_a_state_that_was_refused_is_used_up_too(connected_world: World, provider: Provider) -> None:
    provider.redirect_uris.add(CALLBACK)
    oidc = connected_world.people.oidc
    started = await oidc.start("works", CALLBACK, invitation=await invitation(connected_world))
    callback = await at_provider(started.url)
    await refused(connected_world, oidc.finish("works", "another browser", callback), Refusal.OTHER_BROWSER)
    await refused(connected_world, oidc.finish("works", started.browser, callback), Refusal.REPLAYED)


async def test_a_state_nobody_made_and_one_that_is_too_old_are_refused(
    connected_world: World, provider: Provider
) -> None:
    provider.redirect_uris.add(CALLBACK)
    oidc = connected_world.people.oidc
    await refused(connected_world, oidc.finish("works", "x", Callback("made up", "code")), Refusal.UNKNOWN_STATE)
    started = await oidc.start("works", CALLBACK)
    callback = await at_provider(started.url)
    connected_world.clock.pass_s(STATE_S)
    await refused(connected_world, oidc.finish("works", started.browser, callback), Refusal.EXPIRED)


async def test_an_answer_of_another_issuer_is_refused_before_the_code_leaves_us(
    connected_world: World, provider: Provider, sign_in: SignIn
) -> None:
    provider.says_issuer = "https://evil.example"
    await refused(connected_world, sign_in(), Refusal.OTHER_PROVIDER)
    provider.says_issuer = ""  # a provider that promises to name itself and does not
    await refused(connected_world, sign_in(), Refusal.OTHER_PROVIDER)
    assert provider.tokens == []


async def test_a_code_that_expired_was_used_or_is_of_another_flow_is_refused(
    connected_world: World, provider: Provider, sign_in: SignIn
) -> None:
    provider.code_life_s = -1
    await refused(connected_world, sign_in(), Refusal.CODE_REFUSED)
    provider.code_life_s = 60
    oidc = connected_world.people.oidc
    mine = await oidc.start("works", CALLBACK)
    other = await oidc.start("works", CALLBACK)
    stolen = msgspec.structs.replace(await at_provider(other.url), state=(await at_provider(mine.url)).state)
    # The provider compares the PKCE challenge: a code is useless without the verifier that we kept for its own state.
    await refused(connected_world, oidc.finish("works", mine.browser, stolen), Refusal.CODE_REFUSED)


async def test_a_person_who_says_no_is_told_so(connected_world: World, provider: Provider, sign_in: SignIn) -> None:
    provider.person = None
    await refused(connected_world, sign_in(), Refusal.DENIED)


async def test_a_provider_that_is_down_is_no_crash(connected_world: World, provider: Provider) -> None:
    provider.redirect_uris.add(CALLBACK)
    oidc = connected_world.people.oidc
    started = await oidc.start("works", CALLBACK)
    callback = await at_provider(started.url)
    provider.down = True
    await refused(connected_world, oidc.finish("works", started.browser, callback), Refusal.PROVIDER_DOWN)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another sign-in"},
        {"iss": "https://evil.example"},
        {"aud": ["somebody else"]},
        {"aud": ["somebody else", CLIENT_ID], "azp": "somebody else"},
        {"exp": int(time.time()) - 3600},
        {"iat": int(time.time()) + 3600},
        {"at_hash": "of another token"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=lambda claims: "-".join(claims),
)
async def test_a_signed_token_that_says_something_wrong_is_refused(
    connected_world: World, provider: Provider, sign_in: SignIn, claims: dict[str, Any]
) -> None:
    await sign_in(invitation=await invitation(connected_world))
    provider.claims = claims
    await refused(connected_world, sign_in(), Refusal.BAD_TOKEN)


@pytest.mark.parametrize("forgery", ["other key", "client secret", "unsigned", "none at all", "nonsense"])
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    connected_world: World, provider: Provider, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, forgery: str
) -> None:
    await sign_in(invitation=await invitation(connected_world))
    exchange = connected_world.people.oidc._oauth.exchange

    async def forged(*request: Any) -> Tokens:
        tokens = await exchange(*request)
        claims = jwt.decode(tokens.id_token or "", provider.signing_key, algorithms=["RS256"]).claims
        kid = provider.signing_key.kid
        match forgery:
            case "other key":
                made = jwt.encode({"alg": "RS256", "kid": kid}, claims, RSAKey.generate_key(2048))
            case "client secret":
                made = jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(CLIENT_SECRET))
            case "unsigned":
                made = jwt.encode({"alg": "none"}, claims, OctKey.import_key("none"), algorithms=["none"])
            case "none at all":
                made = None
            case _:
                made = "a.b.c"
        return msgspec.structs.replace(tokens, id_token=made)

    monkeypatch.setattr(connected_world.people.oidc._oauth, "exchange", forged)
    await refused(connected_world, sign_in(), Refusal.BAD_TOKEN)


async def test_keys_are_fetched_once_and_again_when_the_provider_rotates_them(
    connected_world: World, provider: Provider, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(invitation=await invitation(connected_world))
    await sign_in()
    assert provider.key_fetches == 1
    discovery = connected_world.people.oidc._discovery
    provider.rotate_keys()
    # Not within half a minute of the last time: a forger must not make us ask for keys at will.
    await refused(connected_world, sign_in(), Refusal.BAD_TOKEN)
    assert provider.key_fetches == 1
    began = time.monotonic()
    monkeypatch.setattr(discovery, "_clock", lambda: began + 60)
    await sign_in()
    assert provider.key_fetches == 2


async def test_a_signed_in_person_links_an_identity_and_may_then_use_it(
    connected_world: World, provider: Provider, sign_in: SignIn
) -> None:
    account = await connected_world.person("ada@example.com")
    cookie = (await connected_world.signed_in()).cookie
    oidc = connected_world.people.oidc
    started = await oidc.start_link("works", CALLBACK, cookie)
    linked = await oidc.finish("works", started.browser, await at_provider(started.url), old_cookie=cookie)
    assert linked.signed_in.user_id == account.id
    assert await connected_world.users.session_principal(cookie) is None
    assert (await sign_in()).signed_in.user_id == account.id
    late = await oidc.start_link("works", CALLBACK, linked.signed_in.cookie)
    callback = await at_provider(late.url)
    await connected_world.users.sign_out_everywhere(account.id, account.id)
    attempt = oidc.finish("works", late.browser, callback, old_cookie=linked.signed_in.cookie)
    await refused(connected_world, attempt, Refusal.OTHER_BROWSER)
    await connected_world.person("bob@example.com")
    other = (await connected_world.signed_in("bob@example.com")).cookie
    stealing = await oidc.start_link("works", CALLBACK, other)
    await refused(
        connected_world,
        oidc.finish("works", stealing.browser, await at_provider(stealing.url), old_cookie=other),
        Refusal.UNKNOWN_IDENTITY,
    )


class TestTenantProvider:
    """A tenant's own provider vouches for that tenant alone."""

    @pytest.fixture(autouse=True)
    def reachable(self, monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
        """The loopback provider stands in for one on a public address, which tenants' providers must be."""
        monkeypatch.setattr(LoginProvider, "reach", property(lambda _: Reach.ANYWHERE))
        provider.redirect_uris.add(CALLBACK)

    async def add(self, world: World, provider: Provider, tenant_id: str, joins_as: Role | None) -> None:
        own = LoginProvider("works", "Our own", provider.issuer, CLIENT_ID, tenant_id=tenant_id, joins_as=joins_as)
        await world.people.login_providers.put(own, CLIENT_SECRET, "admin")

    async def test_its_secret_is_in_the_vault_and_its_people_get_in_for_this_tenant_only(
        self, connected_world: World, provider: Provider, sign_in: SignIn
    ) -> None:
        await self.add(connected_world, provider, "lake", Role.VIEWER)
        assert await connected_world.vault.names("lake") == ["login/works"]
        finished = await sign_in(tenant_id="lake")
        cookie, user_id = finished.signed_in.cookie, finished.signed_in.user_id
        principal = await connected_world.users.session_principal(cookie)
        assert principal
        assert principal.tenant_id == "lake"
        # The same person later works for another tenant as well: what lake's provider says opens nothing there.
        invite = await connected_world.users.invite("park", Role.ADMIN, "", "test")
        with pytest.raises(Exception, match="Sign in with your own account"):
            await connected_world.users.accept_signed_in(invite.token, cookie, address="192.0.2.1")
        await connected_world.person("boss@example.com", roles={"park": Role.ADMIN})
        async with connected_world.store.tenant("park").writing() as transaction:
            await transaction.insert(memberships, [{"user_id": user_id, "role": "admin", "created_at_s": 0}])
        me = await connected_world.users.me((await sign_in(tenant_id="lake")).signed_in.cookie)
        assert me
        assert [each.tenant_id for each in me.tenants] == ["lake"]

    async def test_the_same_person_at_the_same_issuer_of_another_tenant_is_somebody_else(
        self, connected_world: World, provider: Provider, sign_in: SignIn
    ) -> None:
        await self.add(connected_world, provider, "lake", Role.ADMIN)
        await self.add(connected_world, provider, "park", Role.VIEWER)
        at_lake, at_park = await sign_in(tenant_id="lake"), await sign_in(tenant_id="park")
        assert at_lake.signed_in.user_id != at_park.signed_in.user_id

    async def test_nobody_new_gets_in_unless_the_tenant_says_so_and_nobody_who_was_removed(
        self, connected_world: World, provider: Provider, sign_in: SignIn
    ) -> None:
        await connected_world.person(roles={"lake": Role.ADMIN})
        await self.add(connected_world, provider, "lake", None)
        with pytest.raises(SignInRefusedError):
            await sign_in(tenant_id="lake")
        await self.add(connected_world, provider, "lake", Role.VIEWER)
        user_id = (await sign_in(tenant_id="lake")).signed_in.user_id
        await connected_world.accounts.remove_member("lake", user_id, "admin")
        with pytest.raises(SignInRefusedError):
            await sign_in(tenant_id="lake")
        assert ("session.refused", "", {"provider": "works", "reason": "unknown_identity"}) in (
            await connected_world.audited("lake")
        )

    async def test_a_provider_that_is_taken_away_lets_nobody_in(
        self, connected_world: World, provider: Provider
    ) -> None:
        await self.add(connected_world, provider, "lake", Role.VIEWER)
        oidc = connected_world.people.oidc
        started = await oidc.start("works", CALLBACK, tenant_id="lake")
        callback = await at_provider(started.url)
        await connected_world.people.login_providers.remove("lake", "works", "admin")
        assert await connected_world.vault.names("lake") == []
        with pytest.raises(SignInRefusedError):
            await oidc.finish("works", started.browser, callback)


@given(st.text(max_size=40) | st.from_regex(r"[/\\\\.a-z:@\t ]{1,12}", fullmatch=True))
def test_wherever_a_sign_in_goes_on_to_it_is_on_this_host(path: str) -> None:
    went = urljoin("https://parley.example/login", local_path(path))
    assert urlsplit(went).netloc == "parley.example"
    assert went.isascii()


@pytest.mark.parametrize(
    "issuer",
    [
        "http://127.0.0.1:8080",
        "http://login.example",
        "ftp://login.example",
        "https://user:word@login.example",
        "https://",
        "https://login.exämple",
        "login.example",
    ],
)
async def test_a_tenant_cannot_name_a_provider_without_tls(world: World, issuer: str) -> None:
    with pytest.raises(ProviderConfigError, match="issuer"):
        await world.people.login_providers.put(
            LoginProvider("own", "Own", issuer, "id", tenant_id="lake"), "secret", "admin"
        )


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00::1", "0.0.0.0", "100.64.0.1"]
)
async def test_a_tenants_provider_cannot_make_us_ask_our_own_network(address: str) -> None:
    asked: list[httpx.Request] = []

    def transport(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={})

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", address]

    async with httpx.AsyncClient(transport=httpx.MockTransport(transport)) as client:
        with pytest.raises(Exception, match="not a public one"):
            await Outside(client, resolve).get("https://login.example/x", Reach.PUBLIC)
    assert asked == []


async def test_a_checked_address_is_the_one_that_is_asked_and_the_name_is_still_verified() -> None:
    asked: list[httpx.Request] = []

    def transport(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14"]

    async with httpx.AsyncClient(transport=httpx.MockTransport(transport)) as client:
        answer = await Outside(client, resolve).get("https://login.example/x", Reach.PUBLIC)
    assert (answer.status, answer.body) == (302, None)
    assert [(request.url.host, request.headers["host"]) for request in asked] == [("93.184.215.14", "login.example")]
    assert asked[0].extensions["sni_hostname"] == "login.example"
