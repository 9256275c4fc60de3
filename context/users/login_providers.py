"""Identity providers that people may sign in with: the server's, which the operator configures, and each tenant's own.

A tenant's provider vouches for that tenant's people only, and its client secret is in the vault. Used by `oidc_login`
and REST.
"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from context.security.principal import Role
from context.store.database import Store
from context.store.transaction import Row
from context.users.errors import ProviderConfigError, ProviderNotFoundError
from context.users.oauth_client import Client, ClientAuth
from context.users.outside import Reach, is_allowed_url
from context.users.tables import login_providers
from context.users.transactions import Audited, writing_people

NAME_SHAPE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
USUAL_SCOPES = ("openid", "profile")
LONGEST_TEXT_CHARS = 500
MOST_OF_A_TENANT = 20


class SecretKeeper(Protocol):
    """The vault, as far as it is needed here (`context.security.vault.Vault`)."""

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        """Keep a secret, in place of an older one."""
        ...

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none."""
        ...

    async def delete(self, tenant_id: str, name: str) -> bool:
        """Forget it."""
        ...

    async def names(self, tenant_id: str) -> list[str]:
        """Names of the tenant's secrets."""
        ...


class LoginProvider(msgspec.Struct, frozen=True):
    """A provider, without its secret. name: part of its address here. title: what people read on the button.

    tenant_id: whose it is, "" for the server's. joins_as: what somebody whom the provider knows and we do not becomes
    in the tenant; None when nobody new gets in.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_auth: ClientAuth = ClientAuth.BASIC
    scopes: tuple[str, ...] = USUAL_SCOPES
    tenant_id: str = ""
    joins_as: Role | None = None

    @property
    def reach(self) -> Reach:
        """A tenant's word must not make us ask our own network."""
        return Reach.PUBLIC if self.tenant_id else Reach.ANYWHERE


class ServerLogin(msgspec.Struct, frozen=True):
    """A provider of the server with its secret."""

    provider: LoginProvider
    client_secret: str

    def __repr__(self) -> str:
        return f"ServerLogin({self.provider.name!r})"


def check_provider(provider: LoginProvider) -> None:
    """Refuse what could not work. Raises ProviderConfigError, which names the field."""
    if not NAME_SHAPE.fullmatch(provider.name):
        raise ProviderConfigError("name: expected lower-case letters, digits and hyphens, at most 63")
    for field, text in (("title", provider.title), ("client_id", provider.client_id)):
        if not 1 <= len(text) <= LONGEST_TEXT_CHARS or not text.isprintable():
            raise ProviderConfigError(f"{field}: expected 1 to {LONGEST_TEXT_CHARS} printable characters")
    if len(provider.issuer) > LONGEST_TEXT_CHARS or not is_allowed_url(provider.issuer, provider.reach):
        raise ProviderConfigError("issuer: expected the provider's https:// address")
    if "openid" not in provider.scopes or not all(scope and scope.isascii() for scope in provider.scopes):
        raise ProviderConfigError('scopes: expected a list with "openid" in it')
    if any(" " in scope for scope in provider.scopes) or len(" ".join(provider.scopes)) > LONGEST_TEXT_CHARS:
        raise ProviderConfigError("scopes: expected single words")


class LoginProviders:
    """Who may vouch for people. Every method raises StoreError besides. now: seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        vault: SecretKeeper,
        audited: Audited,
        of_server: Sequence[ServerLogin],
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._vault = vault
        self._audited = audited
        self._of_server = {login.provider.name: login for login in of_server}
        self._now = now

    async def offered(self, tenant_id: str) -> list[LoginProvider]:
        """What the sign-in page shows. tenant_id: "" shows the server's only."""
        own = await self.of_tenant(tenant_id) if tenant_id else []
        names = {provider.name for provider in own}
        return [*own, *(login.provider for login in self._of_server.values() if login.provider.name not in names)]

    async def of_tenant(self, tenant_id: str) -> list[LoginProvider]:
        """The tenant's own, by name."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(login_providers, order_by=[login_providers.c.name])
        return [_provider(row) for row in rows]

    async def find(self, tenant_id: str, name: str) -> tuple[LoginProvider, Client]:
        """A provider and what it knows us as: the tenant's own of this name, else the server's.

        Raises ProviderNotFoundError, and VaultError when its secret cannot be read.
        """
        if tenant_id:
            async with self._store.tenant(tenant_id).reading() as transaction:
                row = await transaction.row(login_providers, login_providers.c.name == name)
            if row is not None:
                provider = _provider(row)
                return provider, _client(provider, await self._vault.get(tenant_id, _secret_name(name)) or "")
        login = self._of_server.get(name)
        if login is None:
            raise ProviderNotFoundError(f"there is no identity provider {name!r}")
        return login.provider, _client(login.provider, login.client_secret)

    async def put(self, provider: LoginProvider, client_secret: str | None, actor: str) -> LoginProvider:
        """Add or change a tenant's provider. client_secret: None keeps the one that is there.

        Raises ProviderConfigError and VaultError.
        """
        check_provider(provider)
        tenant_id, name = provider.tenant_id, provider.name
        known = {each.name for each in await self.of_tenant(tenant_id)}
        if name not in known and len(known) >= MOST_OF_A_TENANT:
            raise ProviderConfigError(f"name: a tenant has at most {MOST_OF_A_TENANT} identity providers")
        if provider.client_auth is ClientAuth.NONE:
            await self._vault.delete(tenant_id, _secret_name(name))
        elif client_secret:
            await self._vault.put(tenant_id, _secret_name(name), client_secret)
        elif await self._vault.get(tenant_id, _secret_name(name)) is None:
            raise ProviderConfigError('client_secret: expected one, or client_auth "none"')
        async with writing_people(self._store) as transaction:
            row = {
                "name": name,
                "title": provider.title,
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "client_auth": provider.client_auth.value,
                "scopes": " ".join(provider.scopes),
                "joins_as": provider.joins_as.value if provider.joins_as else "",
                "created_at_s": int(self._now()),
            }
            await transaction.of(tenant_id).upsert(login_providers, row)
            await self._audited.write(transaction, tenant_id, actor, "login_provider.changed", name)
        return provider

    async def remove(self, tenant_id: str, name: str, actor: str) -> None:
        """Take a tenant's provider away; who signed in with it cannot any more. Raises ProviderNotFoundError."""
        async with writing_people(self._store) as transaction:
            if not await transaction.of(tenant_id).delete(login_providers, login_providers.c.name == name):
                raise ProviderNotFoundError(f"there is no identity provider {name!r}")
            await self._audited.write(transaction, tenant_id, actor, "login_provider.removed", name)
        await self._vault.delete(tenant_id, _secret_name(name))


def _secret_name(name: str) -> str:
    return f"login/{name}"


def _client(provider: LoginProvider, secret: str) -> Client:
    return Client(provider.client_id, secret, provider.client_auth, provider.reach)


def _provider(row: Row) -> LoginProvider:
    return LoginProvider(
        name=row["name"],
        title=row["title"],
        issuer=row["issuer"],
        client_id=row["client_id"],
        client_auth=ClientAuth(row["client_auth"]),
        scopes=tuple(row["scopes"].split(" ")),
        tenant_id=row["tenant_id"],
        joins_as=Role(row["joins_as"]) if row["joins_as"] else None,
    )
