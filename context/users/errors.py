"""What can go wrong around people and sign-in, each with a code that programs can rely on.

No message says whether an account exists, and none holds a password, token or e-mail address. Raised by the modules of
`context.users`; the server shows code and message.
"""

from enum import StrEnum

from context.errors import ContextError


class UserError(ContextError):
    """Base of the errors of this package."""

    code = "user_error"


class BadCredentialsError(UserError):
    """E-mail address and password do not open an account; which of them is wrong is not said."""

    code = "bad_credentials"


class TooManyAttemptsError(UserError):
    """Too many attempts to sign in. wait_s: when the next one will be looked at."""

    code = "too_many_attempts"

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"Too many attempts to sign in; try again in {max(1, round(wait_s))} seconds.")
        self.wait_s = wait_s


class WeakPasswordError(UserError):
    """The password breaks a rule; the message says which."""

    code = "weak_password"


class BadEmailError(UserError):
    """The text is no e-mail address."""

    code = "bad_email"


class LinkNotValidError(UserError):
    """A one-time link was used before, has expired, or never was."""

    code = "link_not_valid"


class AccountExistsError(UserError):
    """There is an account with this e-mail address already. Only said to who may see every account."""

    code = "account_exists"


class UserNotFoundError(UserError):
    """There is no such user in this tenant (or, for the operator, at all)."""

    code = "user_not_found"


class LastAdminError(UserError):
    """The tenant would be left without an administrator."""

    code = "last_admin"


class NotAMemberError(UserError):
    """The user is no member of the tenant that was asked for."""

    code = "not_a_member"


class SharedAccountError(UserError):
    """The account works for other tenants too, so one tenant's administrator may not take it over."""

    code = "shared_account"


class CsrfError(UserError):
    """A request that changes something came with a session but not from our own page."""

    code = "csrf_refused"


class Refusal(StrEnum):
    """Why a sign-in or a connection through another service was refused."""

    UNKNOWN_STATE = "unknown_state"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    OTHER_BROWSER = "other_browser"
    OTHER_PROVIDER = "other_provider"
    DENIED = "denied"
    CODE_REFUSED = "code_refused"
    BAD_TOKEN = "bad_token"
    UNKNOWN_IDENTITY = "unknown_identity"
    DISABLED = "disabled"
    PROVIDER_DOWN = "provider_down"


REFUSAL_WORDS: dict[Refusal, str] = {
    Refusal.UNKNOWN_STATE: "This sign-in was not started here. Start again from the sign-in page.",
    Refusal.REPLAYED: "This sign-in was finished before and cannot be used twice. Start again from the sign-in page.",
    Refusal.EXPIRED: "This sign-in took too long. Start again from the sign-in page.",
    Refusal.OTHER_BROWSER: "This sign-in was started in another browser. Start again from the sign-in page.",
    Refusal.OTHER_PROVIDER: "The answer came from another provider than the one that was asked.",
    Refusal.DENIED: "The provider says that access was not granted.",
    Refusal.CODE_REFUSED: "The provider did not accept the code of this sign-in: it has expired or was used before.",
    Refusal.BAD_TOKEN: "The provider's statement about who you are could not be verified.",
    Refusal.UNKNOWN_IDENTITY: "No account of Parley belongs to this identity. Ask an administrator for an invitation.",
    Refusal.DISABLED: "This account is disabled.",
    Refusal.PROVIDER_DOWN: "The provider does not answer at the moment. Try again in a minute.",
}
"""What the person is told."""


class SignInRefusedError(UserError):
    """A sign-in or connection through a provider was refused. reason: for the audit log and tests.

    tenant_id: whose sign-in it was, "" when that is not known.
    """

    code = "sign_in_refused"

    def __init__(self, reason: Refusal, tenant_id: str = "") -> None:
        super().__init__(REFUSAL_WORDS[reason])
        self.reason = reason
        self.tenant_id = tenant_id


class ProviderNotFoundError(UserError):
    """No provider of this name is configured."""

    code = "provider_not_found"


class ProviderConfigError(UserError):
    """A provider's configuration cannot be used; the message names the field."""

    code = "bad_provider"


class ProviderDownError(UserError):
    """An outside service cannot be reached or answers nonsense; later it may work."""

    code = "provider_down"


class GrantRefusedError(UserError):
    """A token endpoint said no. error: the OAuth error code, such as "invalid_grant"."""

    code = "grant_refused"

    def __init__(self, error: str) -> None:
        super().__init__(f"the provider refused the grant: {error}")
        self.error = error


class NotConnectedError(UserError):
    """The tenant has no connection to this service."""

    code = "not_connected"


class NeedsReconnectError(UserError):
    """The outside service does not honour the connection any more: a person must connect again."""

    code = "needs_reconnect"
