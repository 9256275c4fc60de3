"""Outside services that a tenant may connect: what is the same for every tenant, as data.

A service that is not listed needs no code: the operator adds it in the providers file. Addresses and scopes are those
of each service's own documentation. Used by `connections`.
"""

import msgspec

from context.users.oauth_client import Client, ClientAuth


class ConnectionProvider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service that grants access by OAuth 2.0. revoke_url: RFC 7009, "" when it has none.

    extra: further parameters of the authorization request, such as Google's `access_type`. pkce: whether the service
    understands it; those that do not say so refuse unknown parameters.
    """

    name: str
    title: str
    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    revoke_url: str = ""
    pkce: bool = True
    client_auth: ClientAuth = ClientAuth.POST
    extra: dict[str, str] = {}


class ConnectionApp(msgspec.Struct, frozen=True):
    """A service, and what it knows this installation as."""

    provider: ConnectionProvider
    client: Client


KNOWN_PROVIDERS = {
    provider.name: provider
    for provider in (
        ConnectionProvider(
            name="google-calendar",
            title="Google Calendar",
            authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
            token_url="https://oauth2.googleapis.com/token",
            revoke_url="https://oauth2.googleapis.com/revoke",
            scopes=("https://www.googleapis.com/auth/calendar.events",),
            # Without both, Google gives no refresh token the second time.
            extra={"access_type": "offline", "prompt": "consent"},
        ),
        ConnectionProvider(
            name="microsoft-calendar",
            title="Microsoft 365 Calendar",
            authorize_url="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",
            scopes=("offline_access", "https://graph.microsoft.com/Calendars.ReadWrite"),
        ),
        ConnectionProvider(
            name="hubspot",
            title="HubSpot",
            authorize_url="https://app.hubspot.com/oauth/authorize",
            token_url="https://api.hubapi.com/oauth/v1/token",
            scopes=("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write"),
            pkce=False,
        ),
        ConnectionProvider(
            name="salesforce",
            title="Salesforce",
            authorize_url="https://login.salesforce.com/services/oauth2/authorize",
            token_url="https://login.salesforce.com/services/oauth2/token",
            revoke_url="https://login.salesforce.com/services/oauth2/revoke",
            scopes=("api", "refresh_token"),
        ),
    )
}
"""Services by name. One can be connected when the operator has registered a client with it."""
