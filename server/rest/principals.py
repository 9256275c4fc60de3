"""What authentication needs from the rest of the server, as narrow as it can be said.

`context.security` and `context.users` provide these; tests of the framework provide small ones of their own.
"""

from typing import Protocol

from context.security.principal import Principal


class SessionCheck(Protocol):
    """Finds out whose a session cookie is (`context.users`)."""

    async def session_principal(self, cookie: str) -> Principal | None:
        """Who is signed in, None when nobody is."""
        ...
