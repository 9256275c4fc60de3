"""The operator's file of providers, `providers.yaml` in the home: who may vouch for people, what tenants may connect.

Client secrets stand in environment variables or in files of their own, never in this one. Read once at the start by
the server's composition.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from context.located_yaml import Document, LocatedError
from context.users.connection_providers import KNOWN_PROVIDERS, ConnectionApp, ConnectionProvider
from context.users.errors import ProviderConfigError
from context.users.login_providers import USUAL_SCOPES, LoginProvider, ServerLogin, check_provider
from context.users.oauth_client import Client, ClientAuth
from context.users.outside import Reach, is_allowed_url

FILE_NAME = "providers.yaml"
LARGEST_SECRET_CHARS = 10_000


class LoginEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider of the server. client_secret_variable, client_secret_file: where its secret is."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret_variable: str = ""
    client_secret_file: str = ""
    client_auth: ClientAuth = ClientAuth.BASIC
    scopes: tuple[str, ...] = USUAL_SCOPES


class ConnectionEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service that tenants may connect. provider: a name of `KNOWN_PROVIDERS`, or a whole definition."""

    provider: str | ConnectionProvider
    client_id: str
    client_secret_variable: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ()


class ProviderFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    login: tuple[LoginEntry, ...] = ()
    connections: tuple[ConnectionEntry, ...] = ()


class ProviderSettings(msgspec.Struct, frozen=True):
    """What the file says, with the secrets."""

    logins: tuple[ServerLogin, ...] = ()
    apps: tuple[ConnectionApp, ...] = ()


def load_providers(folder: Path, environment: Mapping[str, str]) -> ProviderSettings:
    """The providers of this installation; none when there is no file. Raises ProviderConfigError."""
    path = folder / FILE_NAME
    try:
        if not path.exists():
            return ProviderSettings()
        document = Document(path.read_text(encoding="utf-8"))
        if document.data is None:
            return ProviderSettings()
        found = document.convert(ProviderFile)
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderConfigError(f"{path} cannot be read: {error}") from error
    except LocatedError as error:
        raise ProviderConfigError(f"{path} is not usable: {error.fault}") from error
    try:
        logins = tuple(_login(entry, folder, environment) for entry in found.login)
        apps = tuple(_app(entry, folder, environment) for entry in found.connections)
        _once("login", [login.provider.name for login in logins])
        _once("connections", [app.provider.name for app in apps])
    except ProviderConfigError as error:
        raise ProviderConfigError(f"{path} is not usable: {error}") from error
    return ProviderSettings(logins, apps)


def _login(entry: LoginEntry, folder: Path, environment: Mapping[str, str]) -> ServerLogin:
    provider = LoginProvider(entry.name, entry.title, entry.issuer, entry.client_id, entry.client_auth, entry.scopes)
    check_provider(provider)
    if entry.client_auth is ClientAuth.NONE:
        return ServerLogin(provider, "")
    return ServerLogin(provider, _secret(entry, f"login {entry.name!r}", folder, environment))


def _app(entry: ConnectionEntry, folder: Path, environment: Mapping[str, str]) -> ConnectionApp:
    if isinstance(entry.provider, ConnectionProvider):
        provider = entry.provider
    elif entry.provider in KNOWN_PROVIDERS:
        provider = KNOWN_PROVIDERS[entry.provider]
    else:
        known = ", ".join(KNOWN_PROVIDERS)
        raise ProviderConfigError(f"connections.provider: {entry.provider!r} is none of {known}; define it whole")
    where = f"connection {provider.name!r}"
    for field in ("authorize_url", "token_url", "revoke_url"):
        url = getattr(provider, field)
        if (url or field != "revoke_url") and not is_allowed_url(url, Reach.ANYWHERE):
            raise ProviderConfigError(f"{where}.{field}: expected an https:// address")
    provider = msgspec.structs.replace(provider, scopes=entry.scopes or provider.scopes)
    public = provider.client_auth is ClientAuth.NONE
    secret = "" if public else _secret(entry, where, folder, environment)
    return ConnectionApp(provider, Client(entry.client_id, secret, provider.client_auth))


def _secret(entry: LoginEntry | ConnectionEntry, where: str, folder: Path, environment: Mapping[str, str]) -> str:
    if bool(entry.client_secret_variable) == bool(entry.client_secret_file):
        raise ProviderConfigError(f"{where}: expected client_secret_variable or client_secret_file, one of them")
    if entry.client_secret_variable:
        secret = environment.get(entry.client_secret_variable, "").strip()
        place = f"the environment variable {entry.client_secret_variable}"
    else:
        path = folder / entry.client_secret_file
        place = f"the file {path}"
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ProviderConfigError(f"{where}: {place} cannot be read: {error}") from error
    if not 1 <= len(secret) <= LARGEST_SECRET_CHARS:
        raise ProviderConfigError(f"{where}: {place} holds no client secret")
    return secret


def _once(section: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ProviderConfigError(f"{section}: {name!r} stands there twice")
