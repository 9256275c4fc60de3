"""People over HTTP: a browser that signs in, what other sites' pages cannot do, users, invitations, connections."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from context.security.principal import Role
from server.own_page import own_page
from tests.users.oauth_provider import CLIENT_ID, Person, Provider
from tests.users.parley_site import LAKE, PARK, Browser, Site, running_site
from tests.users.people_world import OTHER_PASSWORD, World


@pytest.fixture
async def site(database_url: str, tmp_path: Path, connected_world: World, provider: Provider) -> AsyncIterator[Site]:
    async with running_site(database_url, tmp_path, connected_world) as running:
        provider.redirect_uris |= {
            f"{running.origin}/v1/login/works/callback",
            f"{running.origin}/v1/connections/calendar/callback",
        }
        yield running


async def follow(browser: Browser, path: str) -> httpx.Response:
    """What the browser shows in the end, having followed every redirection from `path`, the provider's too."""
    answer = await browser.http.get(path)
    while answer.is_redirect and urlsplit(answer.headers["location"]).path != "/done":
        answer = await browser.http.get(answer.headers["location"])
    return answer


async def test_a_person_signs_in_works_and_signs_out(site: Site) -> None:
    async with site.browser() as browser:
        assert (await browser.ask("GET", "/v1/me")).status_code == 401
        signed_in = await browser.sign_in()
        assert signed_in.status_code == 200
        cookie = signed_in.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("parley=", "httponly", "samesite=lax", "path=/", "max-age=604800"))
        me = (await browser.ask("GET", "/v1/me")).json()
        assert (me["name"], me["tenant_id"], me["role"]) == ("Ada", PARK, "admin")
        assert (await browser.ask("GET", "/v1/calls")).status_code == 200
        assert (await browser.ask("POST", "/v1/logout")).status_code == 204
        assert browser.cookie is None
        assert (await browser.ask("GET", "/v1/me")).status_code == 401


async def test_a_wrong_password_is_a_problem_and_sets_no_cookie(site: Site) -> None:
    async with site.browser() as browser:
        refused = await browser.sign_in(password="not the password at all")
        assert (refused.status_code, refused.json()["code"]) == (401, "bad_credentials")
        assert refused.headers["content-type"] == "application/problem+json"
        assert "set-cookie" not in refused.headers
        for _ in range(10):
            refused = await browser.sign_in(password="not the password at all")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
        assert int(refused.headers["retry-after"]) > 0


async def test_a_cookie_planted_before_sign_in_is_worth_nothing_after_it(site: Site) -> None:
    async with site.browser() as attacker, site.browser() as victim:
        await attacker.sign_in()
        planted = attacker.cookie
        assert planted
        victim.http.cookies.set("parley", planted, domain="127.0.0.1")
        await victim.sign_in()
        assert victim.http.cookies.get("parley", domain="127.0.0.1") != planted
        attacker.http.cookies.clear()
        attacker.http.cookies.set("parley", planted, domain="127.0.0.1")
        assert (await attacker.ask("GET", "/v1/me")).status_code == 401


async def test_another_sites_page_cannot_use_the_session(site: Site) -> None:
    async with site.browser() as browser:
        await browser.sign_in()
        body = {"role": "viewer", "note": "x"}
        for headers in (
            {"Parley_CSRF": ""},
            {"Parley_CSRF": "guessed"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            refused = await browser.ask("POST", "/v1/invitations", body, **headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_refused"), headers
        assert (await browser.ask("GET", "/v1/invitations")).json()["items"] == []
        assert (await browser.ask("POST", "/v1/invitations", body)).status_code == 201


async def test_another_sites_page_cannot_sign_somebody_in_as_somebody_else(site: Site) -> None:
    async with site.browser() as browser:
        credentials = {"email": "ada@example.com", "password": "a lamp beside the river"}
        refused = await browser.ask("POST", "/v1/login", credentials, Origin="https://evil.example")
        assert refused.status_code == 403
        form = await browser.http.post(
            "/v1/login", content=b'{"email":"ada@example.com"}', headers={"Content-Type": "text/plain"}
        )
        assert form.status_code == 415
        assert browser.cookie is None


async def test_the_csrf_token_of_one_session_does_not_work_in_another(site: Site) -> None:
    async with site.browser() as one, site.browser() as other:
        await one.sign_in()
        await other.sign_in()
        assert one.csrf != other.csrf
        refused = await one.ask("POST", "/v1/invitations", {"role": "viewer"}, Parley_CSRF=other.csrf)
        assert refused.status_code == 403


async def test_somebody_is_invited_gets_a_role_and_leaves(site: Site) -> None:
    async with site.browser() as ada, site.browser() as grace:
        await ada.sign_in()
        link = (await ada.ask("POST", "/v1/invitations", {"role": "pilot", "note": "Grace"})).json()
        url = urlsplit(link["url"])
        assert (url.path, f"{url.scheme}://{url.netloc}") == ("/invitation", site.origin)
        person = {"token": url.fragment, "email": "g@example.com", "name": "Grace", "password": OTHER_PASSWORD}
        accepted = await grace.ask("POST", "/v1/invitations/accept", person)
        assert (accepted.status_code, accepted.json()["role"]) == (200, "pilot")
        again = await grace.ask("POST", "/v1/invitations/accept", person)
        assert (again.status_code, again.json()["code"]) == (404, "link_not_valid")
        refused = await grace.ask("GET", "/v1/users")
        assert refused.status_code == 403
        users = (await ada.ask("GET", "/v1/users")).json()["items"]
        user_id = next(user["id"] for user in users if user["name"] == "Grace")
        changed = await ada.ask("PATCH", f"/v1/users/{user_id}", {"role": "viewer"})
        assert changed.json()["role"] == "viewer"
        assert (await grace.ask("GET", "/v1/me")).status_code == 401
        await grace.sign_in("g@example.com", OTHER_PASSWORD)
        reset = (await ada.ask("POST", f"/v1/users/{user_id}/password-reset")).json()
        token = urlsplit(reset["url"]).fragment
        new = {"token": token, "password": "seven owls in a row boat"}
        assert (await grace.ask("POST", "/v1/password-resets", new)).status_code == 204
        assert (await grace.ask("GET", "/v1/me")).status_code == 401
        assert (await grace.sign_in("g@example.com", "seven owls in a row boat")).status_code == 200
        assert (await ada.ask("DELETE", f"/v1/users/{user_id}")).status_code == 204
        assert (await ada.ask("GET", f"/v1/users/{user_id}")).status_code == 404
        me = (await ada.ask("GET", "/v1/me")).json()
        last = await ada.ask("DELETE", f"/v1/users/{me['user_id']}")
        assert (last.status_code, last.json()["code"]) == (409, "last_admin")


async def test_users_come_in_pages(site: Site) -> None:
    for number in range(5):
        await site.world.person(f"p{number}@example.com", roles={PARK: Role.VIEWER})
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await site.rest.ask("GET", f"/v1/users?limit=2{cursor}")).json()
        seen += [user["id"] for user in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 6


async def test_another_tenants_users_and_invitations_do_not_exist(site: Site) -> None:
    user_id = (await site.world.accounts.by_email("ada@example.com")).id
    invitation = await site.world.users.invite(PARK, Role.VIEWER, "", user_id)
    for method, path, body in (
        ("GET", f"/v1/users/{user_id}", None),
        ("PATCH", f"/v1/users/{user_id}", {"role": "viewer"}),
        ("DELETE", f"/v1/users/{user_id}", None),
        ("POST", f"/v1/users/{user_id}/password-reset", None),
        ("DELETE", f"/v1/invitations/{invitation.link.id}", None),
    ):
        answer = await site.rest.ask(method, path, as_=LAKE, json=body)
        assert answer.status_code == 404, (method, path)
    assert (await site.rest.ask("GET", "/v1/users", as_=LAKE)).json()["items"] == []
    assert len(await site.world.users.invitations(PARK)) == 1


async def test_an_api_key_is_nobody(site: Site) -> None:
    for method, path, body in (
        ("GET", "/v1/me", None),
        ("GET", "/v1/me/export", None),
        ("DELETE", "/v1/me", None),
        ("DELETE", "/v1/me/sessions", None),
        ("POST", "/v1/logout", None),
        ("PUT", "/v1/me/tenant", {"tenant_id": PARK}),
        ("POST", "/v1/connections/calendar", {}),
    ):
        answer = await site.rest.ask(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "session_required"), path


async def test_a_person_gets_a_copy_of_what_is_kept_and_deletes_the_account(site: Site) -> None:
    await site.world.person("tom@example.com", roles={PARK: Role.VIEWER})
    async with site.browser() as tom:
        await tom.sign_in("tom@example.com")
        copy = (await tom.ask("GET", "/v1/me/export")).json()
        assert copy["account"]["email"] == "tom@example.com"
        assert (await tom.ask("DELETE", "/v1/me")).status_code == 204
        assert tom.cookie is None
        assert (await tom.sign_in("tom@example.com")).status_code == 401


async def test_signing_in_with_a_provider_from_the_page_to_the_page(site: Site, provider: Provider) -> None:
    link = await site.world.users.invite(PARK, Role.PILOT, "", "test")
    async with site.browser() as browser:
        offered = (await browser.ask("GET", "/v1/login/providers")).json()["items"]
        assert [(each["name"], each["start"]) for each in offered] == [("works", "/v1/login/works/start")]
        shown = await follow(browser, f"/v1/login/works/start?return_to=/done&invitation={link.token}")
        assert (shown.status_code, shown.headers["location"]) == (303, "/done")
        me = (await browser.ask("GET", "/v1/me")).json()
        assert (me["name"], me["tenant_id"], me["role"]) == ("Ada Lovelace", PARK, "pilot")
        assert browser.http.cookies.get("parley-flow") is None


async def test_a_replayed_callback_shows_a_clear_page_and_opens_nothing(site: Site, provider: Provider) -> None:
    link = await site.world.users.invite(PARK, Role.PILOT, "", "test")
    async with site.browser() as browser, site.browser() as thief:
        started = await browser.http.get(f"/v1/login/works/start?invitation={link.token}")
        flow = browser.http.cookies["parley-flow"]
        at_provider = await browser.http.get(started.headers["location"])
        callback = at_provider.headers["location"]
        stolen = await thief.http.get(callback)
        assert (stolen.status_code, thief.cookie) == (403, None)
        assert "another browser" in stolen.text
        browser.http.cookies.set("parley-flow", flow, domain="127.0.0.1")
        replayed = await browser.http.get(callback)
        assert (replayed.status_code, browser.cookie) == (403, None)
        assert "finished before" in replayed.text
        assert replayed.headers["content-type"].startswith("text/html")
        assert "script-src 'none'" in replayed.headers["content-security-policy"]
    refusals = [detail["reason"] for action, _, detail in await site.world.audited() if action == "session.refused"]
    assert refusals == ["other_browser", "replayed"]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
async def test_nobody_is_sent_to_another_site_after_signing_in(site: Site, provider: Provider, elsewhere: str) -> None:
    link = await site.world.users.invite(PARK, Role.PILOT, "", "test")
    async with site.browser() as browser:
        path = str(httpx.URL("/v1/login/works/start", params={"return_to": elsewhere, "invitation": link.token}))
        answer = await browser.http.get(path)
        answer = await browser.http.get(answer.headers["location"])
        answer = await browser.http.get(answer.headers["location"])
        assert answer.headers["location"] == "/"


async def test_what_a_provider_or_a_guest_says_wrong_is_a_page_not_a_crash(site: Site, provider: Provider) -> None:
    async with site.browser() as browser:
        for path, status in (
            ("/v1/login/nobody/start", 404),
            ("/v1/login/works/callback", 403),
            ("/v1/login/nobody/start?tenant=*", 404),
            ("/v1/login/nobody/start?tenant=@server", 404),
            ("/v1/login/providers?tenant=*", 200),
            ("/v1/login/works/callback?state=x&code=y", 403),
            ("/v1/login/<b>/callback?state=%00", 400),
            ("/v1/login/%3Cb%3E/callback?state=x", 403),
            ("/v1/connections/calendar/callback?state=x&code=y", 403),
        ):
            answer = await browser.http.get(path)
            assert answer.status_code == status, path
        provider.person = None
        assert "not granted" in (await follow(browser, "/v1/login/works/start")).text
        provider.person, provider.down = Person("person-1"), True
        down = await follow(browser, "/v1/login/works/start")
        assert (down.status_code, "does not answer" in down.text) == (503, True)


async def test_a_tenants_provider_is_kept_without_showing_its_secret(site: Site) -> None:
    body = {"title": "Own", "issuer": "https://login.own.example", "client_id": "parley", "client_secret": "hush"}
    put = await site.rest.ask("PUT", "/v1/login-providers/own", json=body)
    assert put.status_code == 200, put.text
    assert "hush" not in put.text
    listed = (await site.rest.ask("GET", "/v1/login-providers")).json()["items"]
    assert [each["name"] for each in listed] == ["own"]
    assert (await site.rest.ask("GET", "/v1/login-providers", as_=LAKE)).json()["items"] == []
    assert (await site.rest.ask("DELETE", "/v1/login-providers/own", as_=LAKE)).status_code == 404
    bad = await site.rest.ask("PUT", "/v1/login-providers/own", json={**body, "issuer": "http://127.0.0.1"})
    assert (bad.status_code, bad.json()["code"]) == (422, "bad_provider")
    assert (await site.rest.ask("DELETE", "/v1/login-providers/own")).status_code == 204


async def test_a_person_connects_a_calendar_and_ends_it(site: Site, provider: Provider) -> None:
    async with site.browser() as ada:
        await ada.sign_in()
        assert (await ada.ask("GET", "/v1/connections")).json()["items"][0]["state"] == "not_connected"
        begun = await ada.ask("POST", "/v1/connections/calendar", {"return_to": "/done"})
        shown = await follow(ada, begun.json()["url"])
        assert shown.status_code == 303, shown.text
        assert (shown.status_code, shown.headers["location"]) == (303, "/done")
        assert (await ada.ask("GET", "/v1/connections")).json()["items"][0]["state"] == "connected"
        assert provider.accepts(await site.world.people.connections.access_token(PARK, "calendar"))
        listed = await site.rest.ask("GET", "/v1/connections", as_=LAKE)
        assert listed.json()["items"][0]["state"] == "not_connected"
        assert (await site.rest.ask("DELETE", "/v1/connections/calendar", as_=LAKE)).status_code == 404
        ended = await ada.ask("DELETE", "/v1/connections/calendar")
        assert ended.json() == {"provider": "calendar", "revoked": True}


async def test_a_callback_of_a_connection_needs_the_session_that_began_it(site: Site, provider: Provider) -> None:
    async with site.browser() as ada:
        await ada.sign_in()
        begun = await ada.ask("POST", "/v1/connections/calendar", {})
        callback = (await ada.http.get(begun.json()["url"])).headers["location"]
        ada.http.cookies.delete("parley")
        assert (await ada.http.get(callback)).status_code == 403
        assert await site.world.people.connections.list(PARK) == []


async def test_somebody_who_is_signed_in_links_an_identity(site: Site, provider: Provider) -> None:
    provider.person = Person("person-9")
    async with site.browser() as ada:
        await ada.sign_in()
        before = ada.cookie
        begun = await ada.ask("POST", "/v1/me/identities/works")
        await follow(ada, begun.json()["url"].replace("return_to=%2F", "return_to=%2Fdone"))
        assert ada.cookie != before
        assert (await ada.ask("GET", "/v1/me")).json()["name"] == "Ada"


async def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(site: Site) -> None:
    answer = await site.rest.client.post(
        "https://parley.local/v1/login",
        json={"email": "ada@example.com", "password": "a lamp beside the river"},
        headers={"Origin": "https://parley.local"},
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-parley=")
    assert "secure" in cookie.lower()


@pytest.mark.parametrize("path", ["/login", "/invitation", "/password-reset"])
async def test_the_sign_in_page_loads_nothing_and_allows_its_own_script_only(site: Site, path: str) -> None:
    async with site.browser() as browser:
        page = await browser.http.get(path)
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    for mark in ("src=", "http://", "https://", "onclick", "style="):
        assert mark not in page.text
    for field in ("email", "password", "name"):
        assert f'id="{field}"' in page.text
    assert 'role="alert"' in page.text


def test_every_page_names_its_fields_and_its_language() -> None:
    for name in ("login", "refused"):
        page = own_page(f"{name}.html").html
        assert '<html lang="en">' in page
        assert page.count("<input") == page.count("<label") - page.count("<select")


async def test_the_client_id_that_is_public_is_public_and_the_secret_is_not(site: Site) -> None:
    async with site.browser() as browser:
        started = await browser.http.get("/v1/login/works/start")
        query = httpx.URL(started.headers["location"]).params
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert len(query["nonce"]) >= 43
        assert "secret" not in started.headers["location"]
