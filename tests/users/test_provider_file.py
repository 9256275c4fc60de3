"""The operator's file of providers: what it may say, and what is said about what is wrong."""

from pathlib import Path

import pytest

from context.users.connection_providers import KNOWN_PROVIDERS
from context.users.errors import ProviderConfigError
from context.users.outside import Reach, is_allowed_url
from context.users.provider_file import FILE_NAME, ProviderSettings, load_providers

GOOD = """
login:
  - name: works
    title: Works
    issuer: https://login.works.example
    client_id: parley
    client_secret_variable: WORKS_SECRET
connections:
  - provider: google-calendar
    client_id: parley-at-google
    client_secret_file: google.secret
  - provider:
      name: diary
      title: Diary
      authorize_url: https://diary.example/authorize
      token_url: https://diary.example/token
      scopes: [read]
      client_auth: none
    client_id: parley-at-diary
    scopes: [read, write]
"""


def load(folder: Path, text: str, **environment: str) -> ProviderSettings:
    (folder / FILE_NAME).write_text(text)
    return load_providers(folder, environment)


def test_without_a_file_there_is_no_provider(tmp_path: Path) -> None:
    assert load_providers(tmp_path, {}) == ProviderSettings()
    assert load(tmp_path, "# nothing yet\n") == ProviderSettings()


def test_secrets_come_from_the_environment_and_from_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "google.secret").write_text("of google\n")
    settings = load(tmp_path, GOOD, WORKS_SECRET="of works")
    assert [(login.provider.name, login.client_secret) for login in settings.logins] == [("works", "of works")]
    assert [(app.provider.name, app.client.client_secret) for app in settings.apps] == [
        ("google-calendar", "of google"),
        ("diary", ""),
    ]
    assert settings.apps[0].provider == KNOWN_PROVIDERS["google-calendar"]
    assert settings.apps[1].provider.scopes == ("read", "write")
    assert "of works" not in repr(settings)
    assert "of google" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("https://login.works.example", "http://login.works.example"), "issuer: expected"),
        (("name: works", "name: Works!"), "name: expected lower-case"),
        (("client_secret_variable: WORKS_SECRET", "client_secret: hush"), "unknown field; allowed: .*client_secret_"),
        (("WORKS_SECRET", "OTHER"), "environment variable OTHER holds no client secret"),
        (("google.secret", "gone.secret"), "gone.secret cannot be read"),
        (("provider: google-calendar", "provider: fax"), "'fax' is none of google-calendar"),
        (("https://diary.example/token", "ftp://diary.example/token"), "'diary'.token_url: expected an https"),
        (("name: diary", "name: google-calendar"), "'google-calendar' stands there twice"),
        (("    client_secret_file: google.secret\n", ""), "client_secret_variable or client_secret_file"),
        (("title: Works", "title: [1"), "line "),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_with_it(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "google.secret").write_text("of google")
    assert change[0] in GOOD
    with pytest.raises(ProviderConfigError, match=said) as refused:
        load(tmp_path, GOOD.replace(*change), WORKS_SECRET="of works")
    assert FILE_NAME in str(refused.value)
    assert "of works" not in str(refused.value)


def test_every_service_that_is_known_is_reached_over_tls() -> None:
    for provider in KNOWN_PROVIDERS.values():
        for url in (provider.authorize_url, provider.token_url, provider.revoke_url or provider.token_url):
            assert is_allowed_url(url, Reach.PUBLIC), provider.name
