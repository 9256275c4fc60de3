"""Secrets in Infisical behind the same vault: the same promises, and what a network adds to them."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.security.errors import VaultError
from context.security.infisical import (
    ATTEMPTS,
    REMEMBERED_S,
    REMEMBERED_SECRETS,
    InfisicalSecrets,
    InfisicalSettings,
    escaped,
    unescaped,
)
from context.security.vault import Vault
from tests.security.conftest import Clock
from tests.security.infisical_server import CLIENT_ID, CLIENT_SECRET, PROJECT, InfisicalServer

SECRET = "sk-live-4242"


@pytest.fixture
async def server() -> AsyncIterator[InfisicalServer]:
    async with InfisicalServer().serving() as running:
        yield running


class Pauses(list[float]):
    """Waits that cost the test nothing."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def settings_for(server: InfisicalServer) -> InfisicalSettings:
    return InfisicalSettings(server.url, CLIENT_ID, CLIENT_SECRET, PROJECT, "prod")


@pytest.fixture
async def backend(server: InfisicalServer, clock: Clock, pauses: Pauses) -> AsyncIterator[InfisicalSecrets]:
    made = InfisicalSecrets(settings_for(server), clock=clock, sleep=pauses)
    yield made
    await made.aclose()


async def test_a_secret_comes_back_and_the_newest_counts(backend: InfisicalSecrets, server: InfisicalServer) -> None:
    vault = Vault(backend)
    assert await vault.get("clinic", "oauth/google") is None
    await vault.put("clinic", "oauth/google", "first")
    await vault.put("clinic", "oauth/google", SECRET)
    await vault.put("", "oauth/google", "the server's")
    assert await vault.get("clinic", "oauth/google") == SECRET
    assert await vault.names("clinic") == ["oauth/google"]
    assert await vault.names("garage") == []
    assert server.secrets == {
        ("/parley/clinic", "oauth_2fgoogle"): SECRET,
        ("/parley/_40server", "oauth_2fgoogle"): "the server's",
    }
    assert await vault.delete("clinic", "oauth/google")
    assert not await vault.delete("clinic", "oauth/google")
    assert await vault.get("clinic", "oauth/google") is None


async def test_what_is_read_is_remembered_for_a_while(
    backend: InfisicalSecrets, server: InfisicalServer, clock: Clock
) -> None:
    await backend.put("clinic", "s", "old")
    server.secrets["/parley/clinic", "s"] = "changed in Infisical"
    asked = len(server.requests)
    assert await backend.get("clinic", "s") == "old"
    assert len(server.requests) == asked
    clock.pass_s(REMEMBERED_S)
    assert await backend.get("clinic", "s") == "changed in Infisical"


async def test_one_log_in_serves_many_requests_and_is_renewed_before_its_end(
    backend: InfisicalSecrets, server: InfisicalServer, clock: Clock
) -> None:
    await asyncio.gather(*(backend.get("clinic", f"s{number}") for number in range(10)))
    assert server.logins == 1
    clock.pass_s(server.token_life_s - 60)
    await backend.get("clinic", "s")
    assert server.logins == 2


async def test_a_token_that_was_revoked_is_replaced_without_the_caller_noticing(
    backend: InfisicalSecrets, server: InfisicalServer
) -> None:
    await backend.put("clinic", "s", SECRET)
    server.expire_tokens()
    assert await backend.names("clinic") == ["s"]
    assert server.logins == 2


@pytest.mark.parametrize("failures", [[500], [503, 502], [429]])
async def test_a_failure_that_passes_is_waited_for(
    backend: InfisicalSecrets, server: InfisicalServer, pauses: Pauses, failures: list[int]
) -> None:
    await backend.put("clinic", "s", SECRET)
    server.failures = list(failures)
    assert await backend.names("clinic") == ["s"]
    assert len(pauses) == len(failures)
    assert pauses == sorted(pauses)


async def test_a_failure_that_stays_is_an_error_and_no_words_of_the_answer_get_out(
    backend: InfisicalSecrets, server: InfisicalServer
) -> None:
    await backend.put("clinic", "s", SECRET)
    server.failures = [500] * ATTEMPTS
    with pytest.raises(VaultError, match="500") as caught:
        await backend.names("clinic")
    assert "words" not in str(caught.value)


async def test_wrong_credentials_are_told_at_once(server: InfisicalServer, pauses: Pauses) -> None:
    wrong = msgspec.structs.replace(settings_for(server), client_secret="wrong-secret")
    backend = InfisicalSecrets(wrong, sleep=pauses)
    with pytest.raises(VaultError, match="client id and client secret") as caught:
        await backend.get("clinic", "s")
    assert "wrong-secret" not in str(caught.value) + repr(wrong)
    assert pauses == []
    await backend.aclose()


async def test_an_infisical_that_is_not_there_is_a_vault_error(server: InfisicalServer, pauses: Pauses) -> None:
    nowhere = msgspec.structs.replace(settings_for(server), site_url="http://127.0.0.1:9")
    backend = InfisicalSecrets(nowhere, sleep=pauses)
    with pytest.raises(VaultError, match="does not answer"):
        await backend.get("clinic", "s")
    assert len(pauses) == ATTEMPTS - 1
    await backend.aclose()


async def test_hidden_values_and_approvals_are_told(
    backend: InfisicalSecrets, server: InfisicalServer, clock: Clock
) -> None:
    await backend.put("clinic", "s", SECRET)
    clock.pass_s(REMEMBERED_S)
    server.hides_values = True
    with pytest.raises(VaultError, match="hides"):
        await backend.get("clinic", "s")
    server.wants_approval = True
    with pytest.raises(VaultError, match="approve"):
        await backend.put("clinic", "s", "other")


@pytest.mark.parametrize("secret", [" x", "x ", "x\n\n"])
async def test_a_secret_that_infisical_would_change_is_refused(backend: InfisicalSecrets, secret: str) -> None:
    with pytest.raises(VaultError, match="white space") as caught:
        await backend.put("clinic", "s", secret)
    assert repr(secret) not in str(caught.value)


async def test_a_secret_that_ends_with_one_line_feed_is_kept_whole(backend: InfisicalSecrets, clock: Clock) -> None:
    await backend.put("clinic", "pem", "-----BEGIN-----\nabc\n")
    clock.pass_s(REMEMBERED_S)
    assert await backend.get("clinic", "pem") == "-----BEGIN-----\nabc\n"


async def test_what_is_made_once_is_the_same_for_all_who_ask_together(
    server: InfisicalServer, clock: Clock, pauses: Pauses
) -> None:
    backends = [InfisicalSecrets(settings_for(server), clock=clock, sleep=pauses) for _ in range(4)]
    made = await asyncio.gather(*(Vault(backend).get_or_make("", "key") for backend in backends))
    assert len(set(made)) == 1
    for backend in backends:
        await backend.aclose()


async def test_memory_is_bounded(backend: InfisicalSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("context.security.infisical.REMEMBERED_SECRETS", 3)
    for number in range(6):
        await backend.put("clinic", f"s{number}", SECRET)
    assert len(backend._remembered) == 3 < REMEMBERED_SECRETS


def test_secrets_travel_over_https_only() -> None:
    with pytest.raises(VaultError, match="https"):
        InfisicalSecrets(InfisicalSettings("http://infisical.example", "i", "s", "p", "prod"))


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_every_name_is_spelt_so_that_infisical_takes_it_and_comes_back(name: str) -> None:
    spelt = escaped(name)
    assert all(letter.isalnum() or letter in "-_" for letter in spelt)
    assert unescaped(spelt) == name
