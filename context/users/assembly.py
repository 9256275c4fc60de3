"""Puts the parts of this package together, in the one way that they fit.

Called by the server's composition and by tests with a real provider.
"""

import time
from collections.abc import Callable

import httpx
import msgspec

from context.security.audit import AuditLog
from context.store.database import Store
from context.users.attempts import Limiter
from context.users.connections import Connections
from context.users.discovery import Discovery
from context.users.login_providers import LoginProviders, SecretKeeper
from context.users.oauth_client import OAuthClient
from context.users.oidc_login import OidcLogin
from context.users.outside import Outside
from context.users.passwords import Passwords
from context.users.people import Users
from context.users.provider_file import ProviderSettings
from context.users.transactions import Audited


class People(msgspec.Struct, frozen=True):
    """Everything about people that the server's services hold. Close it with `aclose`."""

    users: Users
    login_providers: LoginProviders
    oidc: OidcLogin
    connections: Connections
    http: httpx.AsyncClient

    async def aclose(self) -> None:
        """Close the connections to providers and the thread that hashes passwords."""
        await self.http.aclose()
        self.users.close()


def build_people(
    store: Store,
    limiter: Limiter,
    audit: AuditLog,
    vault: SecretKeeper,
    settings: ProviderSettings,
    *,
    passwords: Passwords | None = None,
    now: Callable[[], float] = time.time,
) -> People:
    """Build it. settings: from `provider_file.load_providers`. now: seconds since the epoch."""
    http = httpx.AsyncClient()
    outside = Outside(http)
    oauth = OAuthClient(outside)
    audited = Audited(audit)
    users = Users(store, limiter, audit, passwords=passwords, now=now)
    providers = LoginProviders(store, vault, audited, settings.logins, now)
    return People(
        users,
        providers,
        OidcLogin(store, users, providers, Discovery(outside), oauth, audited, now),
        Connections(store, vault, settings.apps, oauth, audited, now=now),
        http,
    )
