"""What authentication needs from the rest of the server, as narrow as it can be said.

`context.security` and `context.users` provide these; tests of the framework provide small ones of their own.
"""

from typing import Any, Protocol

from context.security.principal import Principal


class KeyCheck(Protocol):
    """Finds out whose an API key is (`context.security.keys.ApiKeys`)."""

    async def authenticate(self, key: str, origin: str | None) -> Principal | None:
        """Who holds this key, None when it opens nothing or not from this origin."""
        ...


class SessionCheck(Protocol):
    """Finds out whose a session cookie is (`context.users`)."""

    async def session_principal(self, cookie: str) -> Principal | None:
        """Who is signed in, None when nobody is."""
        ...


class RequestLimiter(Protocol):
    """Counts requests (`context.security.rate_limit.RateLimiter`)."""

    async def take(self, bucket: str, limit: Any) -> float:
        """Count one request of this bucket; seconds to wait, 0 when it is allowed."""
        ...
